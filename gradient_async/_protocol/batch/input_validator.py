"""Checks a batch's input while it streams by, and finds where it may be cut into several jobs.

Contract: pure; fed with blocks. Memory: eight bytes a request, one line, and the first hundred faults, whatever the
size of the input. Line numbers count from 1 and every line counts, the blank ones too; a byte order mark and blank
lines are no faults.

Ids are compared by 64-bit hashes kept in 256 packed arrays. Equal hashes only make a suspect: a second pass over
the input, by `DuplicateFinder`, compares the ids themselves.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

import attrs
import msgspec

from gradient_async._protocol.batch.api import BatchLimits
from gradient_async._protocol.batch.input_line import LineSchema, read_custom_id
from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.validation_report import Faults, InputPart, ValidationReport
from gradient_async._protocol.codec.converter import shorten_text

_BUCKETS = 256
_SHOWN_CHARS = 100
_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


@attrs.define
class _OpenPart:
    """The part that is being filled."""

    start: int
    requests: int = 0
    lines_before: int = 0


@attrs.define
class InputValidator:
    """Checks an input that is fed to it in blocks.

    Args:
        split: Whether an input above the limits becomes several jobs; otherwise that is a fault.
        digest: Whether to compute the SHA-256 of the input too.
    """

    schema: LineSchema
    limits: BatchLimits = attrs.field(factory=BatchLimits)
    split: bool = False
    digest: bool = False
    faults: Faults = attrs.field(factory=Faults, init=False)
    lines: int = attrs.field(default=0, init=False)
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)
    _hash: Any = attrs.field(init=False)
    _ids: list[array[int]] = attrs.field(init=False)
    _offset: int = attrs.field(default=0, init=False)
    _requests: int = attrs.field(default=0, init=False)
    _parts: list[InputPart] = attrs.field(factory=list, init=False)
    _open: _OpenPart = attrs.field(factory=lambda: _OpenPart(0), init=False)
    _tail_is_plain: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._hash = hashlib.sha256() if self.digest else None
        self._ids = [array("q") for _ in range(_BUCKETS)]

    def feed(self, block: bytes) -> None:
        """Check the lines that *block* completes."""
        if self._hash is not None:
            self._hash.update(block)
        plain = block.isascii()
        lines = self._splitter.feed(block)
        self._take(lines, 1, plain=plain and self._tail_is_plain)
        self._tail_is_plain = plain and (self._tail_is_plain or bool(lines))

    def finish(self) -> set[int]:
        """Check the last line; return the hashes of ids that may be there twice."""
        self._take(self._splitter.feed_eof(), 0, plain=False)
        self._close_part()
        self._check_size()
        return {suspect for ids in self._ids for suspect in _repeated(ids)}

    def report(self) -> ValidationReport:
        """Return what was found; after `finish`."""
        return ValidationReport(
            faults=self.faults.texts,
            total=self.faults.total,
            requests=self._requests,
            size=self._offset - self._parts[0].start,
            parts=tuple(self._parts),
            digest=self._hash.hexdigest() if self._hash is not None else None,
        )

    def _take(self, lines: list[bytes], end: int, *, plain: bool) -> None:
        """Check *lines*, each of which had *end* more bytes in the input; *plain* says that all are ASCII."""
        if lines and not self.lines:
            self._offset = self._open.start = self._splitter.dropped
        custom_id, size = self.schema.custom_id, sum(map(len, lines)) + end * len(lines)
        if plain and not self._is_full(len(lines), size):
            with suppress(*_UNREADABLE):
                found = [hash(custom_id(line).custom_id) for line in lines]
                self._count(found, len(lines), size)
                return
        for line in lines:
            self._take_one(line, len(line) + end)

    def _take_one(self, line: bytes, size: int) -> None:
        if self.split and self._is_full(1, size):
            self._cut(size)
        found: list[int] = []
        try:
            found = [hash(self.schema.custom_id(line).custom_id)]
        except _UNREADABLE:
            if not line.strip():
                self.lines, self._offset = self.lines + 1, self._offset + size
                return
            problems = self.schema.faults(line)
            found = [hash(custom_id)] if (custom_id := read_custom_id(line)) else []
        else:
            problems = _text_faults(line)
        self._count(found, 1, size)
        for text in problems:
            self.faults.add(self.lines, text)

    def _count(self, found: list[int], lines: int, size: int) -> None:
        ids = self._ids
        for custom_id in found:
            ids[custom_id & 255].append(custom_id)
        self.lines += lines
        self._requests += lines
        self._open.requests += lines
        self._offset += size

    def _is_full(self, lines: int, size: int) -> bool:
        """Whether so much more would be too much for the part that is being filled."""
        if not self.split:
            return False
        part, limits = self._open, self.limits
        return part.requests + lines > limits.requests or self._offset + size - part.start > limits.size

    def _cut(self, size: int) -> None:
        """Begin another part before a line of *size* bytes."""
        if self._offset > self._open.start:
            self._close_part()
        if size > self.limits.size:
            self.faults.add(self.lines + 1, f"{size} bytes; a whole file may have {self.limits.size}")

    def _close_part(self) -> None:
        part = self._open
        if part.requests or not self._parts:
            self._parts.append(InputPart(part.start, self._offset, part.requests, part.lines_before))
        self._open = _OpenPart(self._offset, lines_before=self.lines)

    def _check_size(self) -> None:
        size, limits = self._offset - self._parts[0].start, self.limits
        if not self._requests:
            self.faults.add(0, "The input has no requests.")
        if self.split:
            return
        if self._requests > limits.requests:
            self.faults.add(0, f"The input has {self._requests} requests; a job takes {limits.requests}. {_ADVICE}")
        if size > limits.size:
            self.faults.add(0, f"The input has {size} bytes; a job takes {limits.size}. {_ADVICE}")


_ADVICE = "Pass split=True for several jobs, or other limits."


def _text_faults(line: bytes) -> list[str]:
    """Return the fault of a *line* that is not UTF-8: the quick decoder does not look into what it skips."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return [f"not valid UTF-8 at byte {error.start + 1}"]
    return []


def _repeated(ids: array[int]) -> set[int]:
    known: set[int] = set()
    if len(set(ids)) == len(ids):
        return known
    return {found for found in ids if found in known or known.add(found)}  # type: ignore[func-returns-value]


@attrs.define
class DuplicateFinder:
    """Finds the lines whose ids are there twice, among those whose hash is suspect."""

    suspects: set[int]
    faults: Faults = attrs.field(factory=Faults, init=False)
    _line: int = attrs.field(default=0, init=False)
    _first: dict[str, int] = attrs.field(factory=dict, init=False)

    def feed(self, lines: Sequence[bytes]) -> None:
        """Look at the next *lines*."""
        for line in lines:
            self._line += 1
            custom_id = read_custom_id(line)
            if custom_id and hash(custom_id) in self.suspects:
                self._look(custom_id)

    def _look(self, custom_id: str) -> None:
        first = self._first.setdefault(custom_id, self._line)
        if first != self._line:
            shown = shorten_text(custom_id, _SHOWN_CHARS)
            self.faults.add(self._line, f"duplicate custom_id {shown!r}, first used on line {first}")
