"""Opens the source of a batch as a file, and checks it.

Contract: a plain file is used in place; any other source is copied to a temporary file. The event loop is never
blocked: what may block is read in a thread of its own, and a cancelled task stops at once. A file that is read in place
is checked in a thread, four megabytes at a time.

    source                                       file that is read
    path of a plain file in UTF-8                itself
    compressed, UTF-16, pipe, stream, bytes      a temporary copy, decompressed and in UTF-8
    (async) iterable of requests                 a temporary file of their encoded lines
    anything with `RowLines`                     a temporary file of the lines made of its rows
    InputFile                                    itself
"""

from __future__ import annotations

import io
import os
import stat
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import anyio
import attrs

from gradient_async._io.batch.input_file import BLOCK_BYTES, STEP_BYTES, InputFile, TempInputWriter
from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.sources.byte_stream import is_compressed, iterate_blocks
from gradient_async._io.sources.row_source import SupportsRead, Table, name_stream, open_blocks, open_source
from gradient_async._io.sources.threaded_iterator import ThreadedIterator, iterate_without_blocking
from gradient_async._protocol.batch.api_requests import derive_file_name
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import DuplicateFinder, InputValidator
from gradient_async._protocol.batch.validation_report import FaultList, ValidationReport
from gradient_async._protocol.sources.line_decoder import Utf8Converter, find_encoding
from gradient_async.errors import ConfigurationError, quote_argument
from gradient_async.models.batch import BatchRequest

Rows = Iterable[BatchRequest | Mapping[str, Any] | str] | AsyncIterable[BatchRequest | Mapping[str, Any] | str]
Source = str | os.PathLike[str] | bytes | InputFile | SupportsRead | Table | Rows
"""The input of a batch: a path, bytes, an open file or stream, or an iterable or async iterable of `BatchRequest` or
dicts. Also rows that become requests: a ``.txt``, ``.csv``, ``.tsv`` or ``.parquet`` file, a data frame or an Arrow
table, and with ``template=``, ``columns=`` or ``params=`` anything that ``chat.completions.map`` takes."""

ByteProgress = Callable[[int, int], object]
"""Called with the bytes done and the total bytes; a total of 0 is not known yet."""

_MAX_PATH_CHARS = 200
"""Characters of a path quoted in an error; a whole input may have been passed as a path by mistake."""

_START_BYTES = 6
"""First bytes of a file, by which a compression or an encoding is recognised."""


@attrs.define
class RowLines:
    """Makes the lines of a batch of rows.

    Attributes:
        columns: The columns that are used; None for all.
        encode: Returns the line of a row, by its index and the row.
        refusals: Collects the rows that cannot be sent, which become blank lines; None to raise for the first.
    """

    columns: Sequence[str] | None
    encode: Callable[[int, Any], bytes]
    refusals: FaultList | None = None

    def encode_row(self, index: int, row: Any) -> bytes:
        """Return the line of a row, with its LF.

        Raises:
            ConfigurationError: The row cannot be sent, and nobody collects refusals.
        """
        try:
            return self.encode(index, row)
        except ConfigurationError as error:
            if self.refusals is None:
                raise
            text = error.message.removeprefix(f"requests[{index}]")
            self.refusals.add_sentence(index + 1, f"Row {index + 1}{text}")
        return b"\n"


@attrs.define
class CheckedInput:
    """An input and the report of its check."""

    file: InputFile
    report: ValidationReport


async def open_input(
    source: Source, schema: LineSchema, name: str | None = None, rows: RowLines | None = None
) -> InputFile:
    """Open *source* as a file.

    Args:
        source: The source, or an open `InputFile`.
        schema: The form of the lines that requests are encoded to.
        name: The file name for the service; by default derived from the path.
        rows: Makes the lines of the rows of the source; None if the source has lines or requests.

    Raises:
        ConfigurationError: *source* is of another type, or cannot be read.
    """
    if isinstance(source, InputFile):
        return source
    get_loop()
    path = os.fspath(source) if isinstance(source, str | os.PathLike) else None
    name = name or derive_file_name(path or "")
    if isinstance(source, bytes | bytearray | memoryview):
        source = io.BytesIO(source)
    if rows is not None:
        return await _write_lines(open_source(source, rows.columns).rows, rows.encode_row, name)
    if path is not None:
        plain = await anyio.to_thread.run_sync(_open_plain_file, path, name)
        return plain or await _write_blocks(_convert_blocks(_iterate_file(path), quote_path(path)), name)
    if callable(getattr(source, "read", None)):
        return await _copy_stream(source, name)
    if isinstance(source, Mapping | BatchRequest) or not isinstance(source, Iterable | AsyncIterable):
        raise ConfigurationError(
            f"A batch is read from a path, bytes, a stream, or an iterable of requests; got {type(source).__name__}."
        )
    return await _write_lines(source, lambda index, request: schema.encode_line(request, index), name)


async def check_input(
    file: InputFile,
    validator: InputValidator,
    on_progress: ByteProgress | None = None,
    refusals: FaultList | None = None,
) -> CheckedInput:
    """Check every line of *file*; read it a second time only if two ids may be equal.

    *refusals* are the rows that could not become lines.
    """
    offset = 0
    while offset < file.size:
        end = min(offset + STEP_BYTES, file.size)
        await anyio.to_thread.run_sync(_check_range, validator, file, offset, end)
        offset = end
        if on_progress is not None:
            on_progress(offset, file.size)
    if suspects := validator.feed_eof():
        finder = DuplicateFinder(suspects, FaultList(validator.unit))
        async for lines in file.iter_lines():
            await anyio.to_thread.run_sync(finder.check_lines, lines)
        validator.faults.merge_sorted(finder.faults)
    if refusals is not None:
        validator.faults.merge_sorted(refusals)
    return CheckedInput(file, validator.build_report())


def _check_range(validator: InputValidator, file: InputFile, offset: int, end: int) -> None:
    for block in file.iter_blocks(offset, end):
        validator.feed(block)


def quote_path(path: str) -> str:
    """Return *path* for an error, unless it is so long that it may be an input."""
    return quote_argument(path, _MAX_PATH_CHARS)


def _open_plain_file(path: str, name: str) -> InputFile | None:
    """Return the file at *path* if it can be used in place; None if it is a pipe, compressed or not in UTF-8."""
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # noqa: PTH116 - a path already
            return None
        with open(path, "rb") as stream:  # noqa: PTH123 - a path already
            start = stream.peek(_START_BYTES)
            if is_compressed(start) or find_encoding(start) is not None:
                return None
            status = os.fstat(stream.fileno())
            return InputFile(name, status.st_size, os.dup(stream.fileno()), status.st_mtime_ns)
    except OSError as error:
        problem = error.strerror or str(error)
    raise _unreadable_error(path, problem)


def _iterate_file(path: str) -> Iterator[bytes]:
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a path already
            yield from iterate_blocks(stream, quote_path(path))
            return
    except OSError as error:
        problem = error.strerror or str(error)
    raise _unreadable_error(path, problem)


def _unreadable_error(path: str, problem: str) -> ConfigurationError:
    if path.lstrip().startswith(("{", "[")) or "\n" in path:
        return ConfigurationError("The input is a text of requests, where a path is expected; pass text.encode().")
    return ConfigurationError(f"The input {quote_path(path)} cannot be read: {problem}.")


async def _copy_stream(stream: object, name: str) -> InputFile:
    blocks, shown = open_blocks(stream), name_stream(stream)
    if isinstance(blocks, AsyncIterable):
        return await _write_blocks(_convert_async_blocks(blocks, shown), name)
    return await _write_blocks(_convert_blocks(blocks, shown), name)


def _convert_blocks(blocks: Iterable[bytes], name: str) -> Iterator[bytes]:
    converter = Utf8Converter(name)
    for block in blocks:
        yield converter.feed(block)
    yield converter.feed_eof()


async def _convert_async_blocks(blocks: AsyncIterable[bytes], name: str) -> AsyncIterator[bytes]:
    converter = Utf8Converter(name)
    async for block in blocks:
        yield converter.feed(block)
    yield converter.feed_eof()


async def _write_blocks(blocks: Iterable[bytes] | AsyncIterable[bytes], name: str) -> InputFile:
    """Write *blocks* to a temporary file; if they may block, they are produced in a thread of their own."""
    writer = await anyio.to_thread.run_sync(TempInputWriter, name)
    iterator = iterate_without_blocking(blocks)
    try:
        async for block in iterator:
            await anyio.to_thread.run_sync(writer.write_block, block)
    finally:
        if isinstance(iterator, ThreadedIterator):
            iterator.close()
    return writer.to_input_file()


async def _write_lines(
    rows: Iterable[Any] | AsyncIterable[Any], encode: Callable[[int, Any], bytes], name: str
) -> InputFile:
    """Write the line that *encode* returns for each of *rows* and its index to a temporary file."""
    lines = _LineBlocks(encode)
    if isinstance(rows, AsyncIterable):
        return await _write_blocks(lines.iterate_async(rows), name)
    return await _write_blocks(lines.iterate(rows), name)


@attrs.define
class _LineBlocks:
    """Joins the lines of rows to blocks."""

    encode: Callable[[int, Any], bytes]
    _index: int = attrs.field(default=0, init=False)
    _lines: list[bytes] = attrs.field(factory=list, init=False)
    _size: int = attrs.field(default=0, init=False)

    def iterate(self, rows: Iterable[Any]) -> Iterator[bytes]:
        for row in rows:
            if self._add_row(row):
                yield self._take_block()
        yield self._take_block()

    async def iterate_async(self, rows: AsyncIterable[Any]) -> AsyncIterator[bytes]:
        async for row in rows:
            if self._add_row(row):
                yield self._take_block()
        yield self._take_block()

    def _add_row(self, row: Any) -> bool:
        """Encode *row*; return whether a block is full."""
        line = self.encode(self._index, row)
        self._lines.append(line)
        self._index += 1
        self._size += len(line)
        return self._size >= BLOCK_BYTES

    def _take_block(self) -> bytes:
        block = b"".join(self._lines)
        self._lines, self._size = [], 0
        return block


async def iterate_async(source: Iterable[Any]) -> AsyncIterator[Any]:
    """Iterate over *source* in the event loop."""
    for request in source:
        yield request
