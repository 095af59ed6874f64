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

_KEPT_BYTES = 8192
_USAGE = re.compile(r'"usage"\s*:\s*(?=\{)')
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
        """Return the tokens that the bytes so far state, zero for a missing count."""
        is_short = self._start == self._end
        objects = _find_objects(self._start) + ([] if is_short else _find_objects(self._end))
        return TokenUsage(_find_last(objects, _INPUT), _find_last(objects, _OUTPUT))


def _find_objects(data: bytes) -> list[dict[str, Any]]:
    """Return the values of all whole ``usage`` objects in *data*."""
    if b'"usage"' not in data:
        return []
    text = data.decode(errors="replace")
    return [value for match in _USAGE.finditer(text) if (value := _decode_object(text, match.end()))]


def _decode_object(text: str, at: int) -> dict[str, Any]:
    try:
        value = _DECODER.raw_decode(text, at)[0]
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _find_last(objects: list[dict[str, Any]], names: tuple[str, ...]) -> int:
    """Return the last positive count under one of *names*: later events of a stream correct earlier ones."""
    counts = [usage.get(name) for usage in objects for name in names]
    return next((count for count in reversed(counts) if type(count) is int and 0 < count <= _MOST_TOKENS), 0)
