"""Checks a batch's input while it streams by, and splits it into parts that fit one job each.

Contract: pure; fed with blocks. Memory: eight bytes a request, one line, and a bounded number of faults, for an input
of any size. Line numbers count from 1 and include blank lines; a byte order mark and blank lines are not faults.

Splitting. Whole lines go into the open part until the next line would exceed one of the limits; then the part is
closed and the next one starts at that line. With ``BatchLimits(requests=2)``:

    line  bytes   content  part
    1     0-10    r0       1
    2     10-20   r1       1: full, closed as InputPart(start=0, end=20, requests=2, lines_before=0)
    3     20-21   (blank)  2: a line, not a request
    4     21-31   r2       2: closed at the end as InputPart(start=20, end=31, requests=1, lines_before=2)

The service reports a fault of r2 as line 2 of its own file; adding ``lines_before`` makes it line 4 of the input.
A single line above ``limits.size`` is a fault: no part can hold it.

Duplicates. The ``custom_id`` of each request is kept as a 64-bit hash, in 256 packed arrays. Equal hashes mark
suspects only; a second pass over the input with `DuplicateFinder` compares the ids themselves. An input without
equal hashes, the usual case, is read once.
"""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Sequence
from typing import Any

import attrs
import msgspec

from gradient_async._protocol.batch.api_requests import BatchLimits
from gradient_async._protocol.batch.input_hints import FOR_LINES, UNLISTED, find_hint, find_null_hint
from gradient_async._protocol.batch.input_line import LineSchema, read_custom_id
from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.validation_report import FaultList, InputPart, ValidationReport
from gradient_async._protocol.codec.converter import shorten_text

_BUCKETS = 256
_MAX_HINTS = 2
_SHOWN_CHARS = 100
_REFUSALS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_ADVICE = "Pass split=True for several jobs, or other limits."


@attrs.define
class _OpenPart:
    """The part that further lines go into."""

    start: int
    requests: int = 0
    lines_before: int = 0


@attrs.define
class InputValidator:
    """Checks an input that is fed in blocks.

    Args:
        schema: The form of every line.
        limits: The largest input of one job.
        split: Split an input above *limits* into several parts; otherwise exceeding them is a fault.
        digest: Compute the SHA-256 of the input.
        unit: The word for a line in faults.

    Attributes:
        lines: Number of lines so far, including blank ones.
    """

    schema: LineSchema
    limits: BatchLimits = attrs.field(factory=BatchLimits)
    split: bool = False
    digest: bool = False
    unit: str = "Line"
    faults: FaultList = attrs.field(init=False)
    hints: dict[str, None] = attrs.field(factory=dict, init=False)
    lines: int = attrs.field(default=0, init=False)
    _splitter: LineSplitter = attrs.field(factory=LineSplitter, init=False)
    _hash: Any = attrs.field(init=False)
    _id_hashes: list[array[int]] = attrs.field(init=False)
    _fed: int = attrs.field(default=0, init=False)
    _offset: int = attrs.field(default=0, init=False)
    _requests: int = attrs.field(default=0, init=False)
    _parts: list[InputPart] = attrs.field(factory=list, init=False)
    _open_part: _OpenPart = attrs.field(factory=lambda: _OpenPart(0), init=False)
    _tail_is_ascii: bool = attrs.field(default=True, init=False)

    def __attrs_post_init__(self) -> None:
        self._hash = hashlib.sha256() if self.digest else None
        self.faults = FaultList(self.unit)
        if self.schema.endpoint == "/v1/embeddings":
            self.hints[UNLISTED] = None
        self._id_hashes = [array("q") for _ in range(_BUCKETS)]

    def feed(self, block: bytes) -> None:
        """Check the lines that *block* completes."""
        if self._hash is not None:
            self._hash.update(block)
        is_ascii, size = block.isascii(), block.rfind(b"\n") + 1
        lines = self._splitter.iter_lines(block)
        if size:
            self._check_lines(lines, self._fed + size, is_ascii=is_ascii and self._tail_is_ascii)
        self._tail_is_ascii = is_ascii and (self._tail_is_ascii or size > 0)
        self._fed += len(block)

    def feed_eof(self) -> set[int]:
        """Check the last line and the limits; return the hashes of ids that may be duplicates."""
        self._check_lines(self._splitter.feed_eof(), self._fed, is_ascii=False)
        self._close_part()
        self._check_size()
        return {suspect for hashes in self._id_hashes for suspect in _find_repeats(hashes)}

    def build_report(self) -> ValidationReport:
        """Return the result of the check; call it after `feed_eof`."""
        return ValidationReport(
            faults=self.faults.messages,
            total=self.faults.total,
            requests=self._requests,
            size=self._offset - self._parts[0].start,
            parts=tuple(self._parts),
            digest=self._hash.hexdigest() if self._hash is not None else None,
            hints=tuple(self.hints),
        )

    def _check_lines(self, lines: Iterable[bytes], end: int, *, is_ascii: bool) -> None:
        """Check *lines*, the last of which ends *end* bytes after the start of the input.

        Fast path: ASCII lines that all fit into the open part are only decoded. The first one that is refused and those
        after it, and any other lines, go through `_check_line`.
        """
        if self.split or not self.lines:
            lines = list(lines)
            if lines and not self.lines:
                self._start_input(lines)
            is_ascii = is_ascii and not self._exceeds_part(len(lines), end - self._offset)
        rest = iter(lines)
        if is_ascii:
            decode_id, hashes, refused = self.schema.decode_id, list[int](), list[bytes]()
            try:
                for line in rest:
                    hashes.append(hash(decode_id(line).custom_id))
            except _REFUSALS:
                refused = [line, *rest]
            self._add_requests(hashes, len(hashes), end - self._offset - sum(map(_size_of, refused)))
            rest = iter(refused)
        for line in rest:
            self._check_line(line.removesuffix(b"\n"), min(_size_of(line), end - self._offset))

    def _start_input(self, lines: list[bytes]) -> None:
        """Take note of how the input begins."""
        self._offset = self._open_part.start = self._splitter.bom_size
        if hint := find_null_hint(lines):
            self.hints[hint] = None

    def _check_line(self, line: bytes, size: int) -> None:
        """Check a *line*, which has *size* bytes together with its LF."""
        if self.split and self._exceeds_part(1, size):
            self._start_part(size)
        hashes: list[int] = []
        try:
            hashes = [hash(self.schema.decode_id(line).custom_id)]
        except _REFUSALS:
            if not line.strip():
                self.lines, self._offset = self.lines + 1, self._offset + size
                return
            faults = self.schema.find_faults(line)
            if len(self.hints) < _MAX_HINTS and FOR_LINES not in self.hints:
                self._add_hint(line)
            hashes = [hash(custom_id)] if (custom_id := read_custom_id(line)) else []
        else:
            faults = _find_encoding_faults(line)
        self._add_requests(hashes, 1, size)
        for text in faults:
            self.faults.add(self.lines, text)

    def _add_hint(self, line: bytes) -> None:
        if hint := find_hint(line, self.schema.provider, self.schema.endpoint):
            self.hints[hint] = None

    def _add_requests(self, hashes: list[int], count: int, size: int) -> None:
        buckets = self._id_hashes
        for id_hash in hashes:
            buckets[id_hash & 255].append(id_hash)
        self.lines += count
        self._requests += count
        self._open_part.requests += count
        self._offset += size

    def _exceeds_part(self, count: int, size: int) -> bool:
        """Whether *count* more requests of *size* bytes in all exceed the limits of the open part."""
        if not self.split:
            return False
        part, limits = self._open_part, self.limits
        return part.requests + count > limits.requests or self._offset + size - part.start > limits.size

    def _start_part(self, size: int) -> None:
        """Start another part at a line of *size* bytes."""
        if self._offset > self._open_part.start:
            self._close_part()
        if size > self.limits.size:
            self.faults.add(self.lines + 1, f"{size} bytes; a whole file may have {self.limits.size}")

    def _close_part(self) -> None:
        part = self._open_part
        if part.requests or not self._parts:
            self._parts.append(InputPart(part.start, self._offset, part.requests, part.lines_before))
        self._open_part = _OpenPart(self._offset, lines_before=self.lines)

    def _check_size(self) -> None:
        size, limits = self._offset - self._parts[0].start, self.limits
        if not self._requests and not self.faults.total:
            self.faults.add(0, "The input has no requests.")
        if self.split:
            return
        if self._requests > limits.requests:
            self.faults.add(0, f"The input has {self._requests} requests; a job takes {limits.requests}. {_ADVICE}")
        if size > limits.size:
            self.faults.add(0, f"The input has {size} bytes; a job takes {limits.size}. {_ADVICE}")


def _size_of(line: bytes) -> int:
    """Return the size of a *line* with its LF, which it may have left behind."""
    return len(line) if line.endswith(b"\n") else len(line) + 1


def _find_encoding_faults(line: bytes) -> list[str]:
    """Return the fault of a *line* that is not UTF-8; the msgspec decoder does not check fields that it skips."""
    try:
        line.decode()
    except UnicodeDecodeError as error:
        return [f"not valid UTF-8 at byte {error.start + 1}"]
    return []


def _find_repeats(hashes: array[int]) -> set[int]:
    known: set[int] = set()
    if len(set(hashes)) == len(hashes):
        return known
    return {found for found in hashes if found in known or known.add(found)}  # type: ignore[func-returns-value]


@attrs.define
class DuplicateFinder:
    """Finds duplicate ids among those with a suspect hash, in a second pass over the lines."""

    suspects: set[int]
    faults: FaultList = attrs.field(factory=FaultList)
    _line: int = attrs.field(default=0, init=False)
    _first_lines: dict[str, int] = attrs.field(factory=dict, init=False)

    def check_lines(self, lines: Sequence[bytes]) -> None:
        """Record a fault for every line with the id of an earlier one."""
        for line in lines:
            self._line += 1
            custom_id = read_custom_id(line)
            if not custom_id or hash(custom_id) not in self.suspects:
                continue
            first = self._first_lines.setdefault(custom_id, self._line)
            if first != self._line:
                shown = shorten_text(custom_id, _SHOWN_CHARS)
                self.faults.add(
                    self._line, f"duplicate custom_id {shown!r}, first used on {self.faults.unit.lower()} {first}"
                )
