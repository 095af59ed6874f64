"""Finds the model tokens that a response states, in the bytes that pass, without decoding the response.

A response states its usage once at its end, or in the first event (Anthropic's input) and in one of the last. So the
beginning and the end of the bytes are kept, and searched after the last byte. Inside a text, the quotation marks of a
field name are escaped, so that no text can look like the field.

Contract: pure, constant memory. A response without usage, or with one of another form, states nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs

_KEPT_BYTES = 8192
_NAME = '"usage"'
_OBJECT = re.compile(r"\s*:\s*(?=\{)")
_DECODER = json.JSONDecoder()
_INPUT = ("prompt_tokens", "input_tokens")
_OUTPUT = ("completion_tokens", "output_tokens")
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
        found = (0, 0)
        for data in (self._end,) if self._start == self._end else (self._end, self._start):
            for usage in _iterate_objects(data):
                found = (found[0] or _find_count(usage, _INPUT), found[1] or _find_count(usage, _OUTPUT))
                if all(found):
                    return TokenUsage(*found)
        return TokenUsage(*found) if any(found) else NO_USAGE


def _iterate_objects(data: bytes) -> Iterator[dict[str, Any]]:
    """Iterate over the values of all whole ``usage`` objects in *data*, the last one first."""
    if _NAME.encode() not in data:
        return
    text = data.decode(errors="replace")
    at = len(text)
    while (at := text.rfind(_NAME, 0, at)) >= 0:
        if begin := _OBJECT.match(text, at + len(_NAME)):
            yield _decode_object(text, begin.end())


def _decode_object(text: str, at: int) -> dict[str, Any]:
    try:
        value = _DECODER.raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _find_count(usage: dict[str, Any], names: tuple[str, ...]) -> int:
    """Return the positive count under the last of *names* that has one, 0 without any."""
    counts = [usage.get(name) for name in reversed(names)]
    return next((count for count in counts if type(count) is int and 0 < count <= _MOST_TOKENS), 0)
