"""Finds the model tokens that a response states, in the bytes that pass, without decoding the response.

A response states its usage once at its end, or in the first event (Anthropic's input) and in one of the last. So the
beginning and the end of the bytes are kept, and searched after the last byte. Inside a text, the quotation marks of a
field name are escaped, so that no text can look like the field.

Contract: pure, constant memory. A response without usage, or with one of another form, states nothing.
"""

from __future__ import annotations

import json
import re
from typing import Any

import attrs

_KEPT_BYTES = _MOST_CHARS = 8192
_NAME, _NAME_BYTES = '"usage"', b'"usage"'
_OBJECT = re.compile(r"\s*:\s*(?=\{)")
_DECODER = json.JSONDecoder()
_INPUT = ("input_tokens", "prompt_tokens")
_OUTPUT = ("output_tokens", "completion_tokens")
_MOST_TOKENS = 1_000_000_000
"""More than any request uses: a larger number is a mistake."""


@attrs.frozen
class TokenUsage:
    """Model tokens of one response.

    Attributes:
        input: Tokens of the prompt.
        output: Generated tokens.
    """

    input: int = 0
    output: int = 0

    @property
    def total(self) -> int:
        """Tokens of prompt and output."""
        return self.input + self.output


NO_USAGE = TokenUsage()


@attrs.define
class UsageFinder:
    """Keeps the beginning and the end of a response."""

    _start: bytes = b""
    _end: bytes = b""

    def feed(self, block: bytes) -> None:
        """Take the next bytes. Hot: runs once for each block of a stream."""
        if len(self._start) < _KEPT_BYTES:
            self._start += block[: _KEPT_BYTES - len(self._start)]
        self._end = block[-_KEPT_BYTES:] if len(block) >= _KEPT_BYTES else (self._end + block)[-_KEPT_BYTES:]

    def find_usage(self) -> TokenUsage:
        """Return the tokens that the bytes so far state, zero for a missing count.

        Later events of a stream correct earlier ones, so the search begins at the end.
        """
        usage = _find_last(self._end, NO_USAGE)
        is_complete = (usage.input and usage.output) or self._start == self._end
        return usage if is_complete else _find_last(self._start, usage)


def _find_last(data: bytes, known: TokenUsage) -> TokenUsage:
    """Return *known* with its missing counts from the last ``usage`` objects in *data* that have them."""
    if _NAME_BYTES not in data:
        return known
    text, at = data.decode(errors="replace"), _MOST_CHARS
    given, generated = known.input, known.output
    while not (given and generated) and (at := text.rfind(_NAME, 0, at)) >= 0:
        if begin := _OBJECT.match(text, at + len(_NAME)):
            usage = _decode_object(text, begin.end())
            given, generated = given or _find_count(usage, _INPUT), generated or _find_count(usage, _OUTPUT)
    return TokenUsage(given, generated)


def _decode_object(text: str, at: int) -> dict[str, Any]:
    try:
        value = _DECODER.raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _find_count(usage: dict[str, Any], names: tuple[str, ...]) -> int:
    """Return the positive count under the first of *names* that has one, 0 without any."""
    for name in names:
        count = usage.get(name)
        if type(count) is int and 0 < count <= _MOST_TOKENS:
            return count
    return 0
