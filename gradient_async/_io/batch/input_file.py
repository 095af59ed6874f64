"""The input of a batch as a file that can be read twice: once to be checked, once to be sent.

Contract: memory does not grow with the input. A plain file is used where it lies, and never one that changes
meanwhile; anything else goes through a temporary file that has no name, so that nothing is left of it whatever
happens to the process. The loop is never blocked: disk work runs in a thread, a few megabytes at a time, and a
cancelled task stops after the piece that is under way.
"""

from __future__ import annotations

import gzip
import io
import os
import tempfile
import weakref
import zlib
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable, Iterable, Iterator, Mapping
from typing import Any, BinaryIO, cast

import anyio
import attrs

from gradient_async._protocol.batch.api import derive_file_name
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import DuplicateFinder, InputValidator
from gradient_async._protocol.batch.line_splitter import LineSplitter
from gradient_async._protocol.batch.presigned import input_changed_error
from gradient_async._protocol.batch.validation_report import InputPart, ValidationReport
from gradient_async._protocol.codec.converter import shorten_text
from gradient_async.errors import ConfigurationError
from gradient_async.models.batch import BatchRequest

Requests = Iterable[BatchRequest | Mapping[str, Any]] | AsyncIterable[BatchRequest | Mapping[str, Any]]
Watcher = Callable[[int, int], object]
"""Told how many bytes are done, and of how many; 0 while that is not known."""

BLOCK_BYTES = 262_144
STEP_BYTES = 4_194_304
"""Bytes between two chances for the task to be cancelled; about ten milliseconds of checking."""

_PATH_CHARS = 200
"""Of a path in an error: it may be a whole input that was passed as one."""

_GZIP = b"\x1f\x8b"


@attrs.define(eq=False)
class InputFile:
    """Bytes on disk that do not change; closed when nobody refers to them any more."""

    name: str
    size: int
    _fd: int = attrs.field(repr=False)
    _stamp: int | None = attrs.field(default=None, repr=False)

    def __attrs_post_init__(self) -> None:
        weakref.finalize(self, os.close, self._fd)

    def read(self, offset: int, size: int) -> bytes:
        """Return *size* bytes from *offset*.

        Raises:
            BatchError: The file was written to since it was opened.
        """
        block = _read_at(self._fd, size, offset)
        if len(block) != size or (self._stamp is not None and os.fstat(self._fd).st_mtime_ns != self._stamp):
            raise input_changed_error()
        return block

    def blocks(self, offset: int, end: int) -> Iterator[bytes]:
        """Yield the bytes from *offset* to *end*, a block at a time."""
        while offset < end:
            size = min(BLOCK_BYTES, end - offset)
            yield self.read(offset, size)
            offset += size

    async def lines(self, part: InputPart | None = None) -> AsyncGenerator[list[bytes], None]:
        """Yield the lines of the file, or of a part of it, some megabytes at a time."""
        splitter = LineSplitter()
        offset, stop = (0, self.size) if part is None else (part.start, part.end)
        while offset < stop:
            end = min(offset + STEP_BYTES, stop)
            yield await anyio.to_thread.run_sync(self._lines, splitter, offset, end)
            offset = end
        yield splitter.feed_eof()

    def _lines(self, splitter: LineSplitter, offset: int, end: int) -> list[bytes]:
        return [line for block in self.blocks(offset, end) for line in splitter.feed(block)]


Source = str | os.PathLike[str] | bytes | InputFile | Requests
"""The input of a batch, which is a path, bytes, or an iterable or async iterable of `BatchRequest` or dicts."""


def _read_at(fd: int, size: int, offset: int) -> bytes:
    if hasattr(os, "pread"):
        return os.pread(fd, size, offset)
    os.lseek(fd, offset, os.SEEK_SET)  # Windows
    return os.read(fd, size)


@attrs.define
class CheckedInput:
    """An input and what is known of it."""

    file: InputFile
    report: ValidationReport


async def open_input(source: Source, schema: LineSchema, name: str | None = None) -> InputFile:
    """Return *source* as a file: itself if it is a plain file, else a copy.

    Raises:
        ConfigurationError: It is no path, bytes, or iterable of requests; or no such file.
    """
    if isinstance(source, InputFile):
        return source
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return await anyio.to_thread.run_sync(_open_path, path, name or derive_file_name(path))
    if isinstance(source, bytes | bytearray | memoryview):
        return await anyio.to_thread.run_sync(_open_bytes, bytes(source), name or derive_file_name(""))
    if isinstance(source, Mapping | BatchRequest) or not isinstance(source, Iterable | AsyncIterable):
        raise ConfigurationError(
            f"A batch is read from a path, bytes, or an iterable of requests; got {type(source).__name__}."
        )
    return await _open_requests(source, schema, name or derive_file_name(""))


async def check_input(file: InputFile, validator: InputValidator, watch: Watcher | None = None) -> CheckedInput:
    """Check every line of *file*; the ids a second time if two of them may be equal."""
    offset = 0
    while offset < file.size:
        end = min(offset + STEP_BYTES, file.size)
        await anyio.to_thread.run_sync(_feed, validator, file, offset, end)
        offset = end
        if watch is not None:
            watch(offset, file.size)
    if suspects := validator.finish():
        finder = DuplicateFinder(suspects)
        async for lines in file.lines():
            await anyio.to_thread.run_sync(finder.feed, lines)
        validator.faults.merge(finder.faults)
    return CheckedInput(file, validator.report())


def _feed(validator: InputValidator, file: InputFile, offset: int, end: int) -> None:
    for block in file.blocks(offset, end):
        validator.feed(block)


def _open_path(path: str, name: str) -> InputFile:
    problem = ""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - what comes is a path already
            return _open_stream(stream, name)
    except OSError as error:
        problem = error.strerror or str(error)
    raise ConfigurationError(f"The input {shorten_text(path, _PATH_CHARS)!r} cannot be read: {problem}.")


def _open_stream(stream: io.BufferedReader, name: str) -> InputFile:
    """Use a file where it lies; unpack one that is packed, and copy what cannot be read twice, as a pipe."""
    if stream.peek(len(_GZIP)).startswith(_GZIP):
        return _unpacked(stream, name)
    if not stream.seekable():
        return _copied(stream, name)
    facts = os.fstat(stream.fileno())
    return InputFile(name, facts.st_size, os.dup(stream.fileno()), facts.st_mtime_ns)


def _open_bytes(data: bytes, name: str) -> InputFile:
    stream = io.BytesIO(data)
    return _unpacked(stream, name) if data.startswith(_GZIP) else _copied(stream, name)


def _unpacked(stream: BinaryIO, name: str) -> InputFile:
    problem = ""
    try:
        with gzip.open(stream) as unpacked:
            return _copied(cast("BinaryIO", unpacked), name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problem = str(error)
    raise ConfigurationError(f"The input cannot be unpacked: {problem}.")


def _copied(stream: BinaryIO, name: str) -> InputFile:
    spool = TempInputWriter(name)
    while block := stream.read(BLOCK_BYTES):
        spool.write(block)
    return spool.file()


class TempInputWriter:
    """A temporary file without a name that is being written."""

    def __init__(self, name: str) -> None:
        self._name, self._size = name, 0
        with tempfile.TemporaryFile("wb", buffering=0) as stream:
            self._fd = os.dup(stream.fileno())
        self._close = weakref.finalize(self, os.close, self._fd)

    def write(self, data: bytes) -> None:
        """Append *data*."""
        view = memoryview(data)
        while view:
            written = os.write(self._fd, view)
            view, self._size = view[written:], self._size + written

    def file(self) -> InputFile:
        """Return the file, complete."""
        self._close.detach()
        return InputFile(self._name, self._size, self._fd)


async def _open_requests(source: Iterable[Any] | AsyncIterable[Any], schema: LineSchema, name: str) -> InputFile:
    spool = await anyio.to_thread.run_sync(TempInputWriter, name)
    async for block in _blocks_of(source, schema):
        await anyio.to_thread.run_sync(spool.write, block)
    return spool.file()


async def _blocks_of(source: Requests, schema: LineSchema) -> AsyncIterator[bytes]:
    """Yield the lines of requests in blocks. They are pulled here, in the loop: they may belong to it."""
    lines: list[bytes] = []
    size = 0
    async for request in _each(source):
        lines.append(schema.encode_line(request))
        size += len(lines[-1])
        if size >= BLOCK_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


async def _each(source: Requests) -> AsyncIterator[BatchRequest | Mapping[str, Any]]:
    if isinstance(source, AsyncIterable):
        async for request in source:
            yield request
        return
    for request in source:
        yield request
