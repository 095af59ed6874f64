"""Splits events of one template into the values in their holes, many at once.

Contract: only the first events are split, as long as each is the text of the template with a valid value in each hole.
`json_template` explains why that is certain.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import attrs
import msgspec

from gradient_async._protocol.stream.accelerators.json_template import VALUE_PATTERNS, HoleKind, JSONTemplate

Columns = Sequence[Sequence[str]]
"""The values of a run as the events have them: for each hole, those of all events."""

_BLANK_LINE = "\n\n"
_decode_texts = msgspec.json.Decoder(list[str]).decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_integers = msgspec.json.Decoder(list[int]).decode


@attrs.frozen(eq=False, repr=False)
class EventSplitter:
    """Splits runs of events into the values in their holes.

    Attributes:
        head: The text of an event before its first hole.
        inner: The text between the holes.
        tail: The text of an event after its last hole, the blank line included.
        separator: The text between the last hole of an event and the first of the next.
    """

    head: str
    inner: tuple[str, ...]
    tail: str
    separator: str
    _find_values: Callable[[str], list[Any]]

    @classmethod
    def from_template(cls, template: JSONTemplate, begin: str, end: str) -> EventSplitter:
        """Return the splitter for events that consist of *begin*, the text of *template* and *end*."""
        first, *inner, last = template.pieces
        head, tail = begin + first, last + end
        pattern = _event_pattern(head, inner, tail, [hole.kind for hole in template.holes])
        return cls(head, tuple(inner), tail, tail + head, re.compile(pattern).findall)

    def split_run(self, run: str) -> tuple[Columns, int]:
        """Return the values of the first events in *run*, as long as they are of the template, and where they end.

        Hot: a call for each event would be paid for by every token. The pattern takes values at their distances, and
        what it finds is joined with the pieces: as far as the result equals *run*, every value was found where it is.
        A pattern with the pieces in it would have to be compiled anew for each stream, for their ids differ.
        """
        found = self._find_values(run)
        if self.inner:
            columns: Columns = list(zip(*found))  # noqa: B905 - rows of one pattern
            joined = self._join_columns(columns)
        else:
            columns, joined = [found], self.separator.join(found)
        if f"{self.head}{joined}{self.tail}" == run:
            return columns, len(run)
        equal = _count_equal(f"{self.head}{joined}{self.tail}", run)
        number = run.count(_BLANK_LINE, 0, equal)
        return [column[:number] for column in columns], run.rfind(_BLANK_LINE, 0, equal) + len(_BLANK_LINE)

    def measure_events(self, columns: Columns) -> int:
        """Return the number of characters of the events with the values in *columns*."""
        pieces = len(self.separator) + sum(map(len, self.inner))
        return pieces * len(columns[0]) + sum(sum(map(len, column)) for column in columns)

    def _join_columns(self, columns: Columns) -> str:
        """Return the text of a run between its head and its tail."""
        size, width = len(columns[0]), 2 * len(columns)
        parts = [self.separator] * (width * size)
        for number, column in enumerate(columns):
            parts[2 * number :: width] = column
        for number, piece in enumerate(self.inner):
            parts[2 * number + 1 :: width] = [piece] * size
        parts.pop()
        return "".join(parts)


def _count_equal(left: str, right: str) -> int:
    """Return the number of characters that *left* and *right* begin with alike."""
    equal, rest = 0, min(len(left), len(right))
    while rest:
        half = (rest + 1) // 2
        if left.startswith(right[equal : equal + half], equal):
            equal, rest = equal + half, rest - half
        else:
            rest = half - 1
    return equal


def _event_pattern(head: str, inner: Sequence[str], tail: str, kinds: Sequence[HoleKind]) -> str:
    """Return a pattern that finds values of *kinds* in an event by the lengths of the pieces around them.

    It takes any other line as an event with empty values, because a search for the next event would take long.
    """
    parts = [_skip_piece(head)]
    for kind, after in zip(kinds, (*inner, tail), strict=True):
        parts.append(VALUE_PATTERNS[kind])
        parts.append(re.escape(after) if kind == "value" else _skip_piece(after))  # an object has no end of its own
    return f"{''.join(parts)}|.*\n+"


def _skip_piece(piece: str) -> str:
    """Return a pattern for any text with as many characters in each line as *piece*."""
    return "\n".join(f".{{{len(line)}}}" if line else "" for line in piece.split("\n"))


def decode_texts(column: Sequence[str]) -> Sequence[str]:
    r"""Return the texts that the JSON strings of *column* stand for, up to the first that is not valid.

    A line feed is not allowed inside a JSON string, so with one before each separator no string can hide the next.
    """
    joined = '"\n,"'.join(column)
    if "\\" not in joined:
        return column
    try:
        return _decode_texts(f'["{joined}"]')
    except (msgspec.DecodeError, UnicodeEncodeError):
        return decode_valid(_decode_text, [f'"{text}"' for text in column])


def decode_integers(column: Sequence[str]) -> Sequence[int]:
    """Return the integers of *column*."""
    return _decode_integers(f"[{','.join(column)}]")


def decode_valid(decode: Callable[[Any], Any], column: Sequence[Any]) -> list[Any]:
    """Return the values of *column*, decoded one by one, up to the first that is not valid."""
    values: list[Any] = []
    with suppress(msgspec.DecodeError, UnicodeError, RecursionError):
        values.extend(map(decode, column))
    return values
