"""Opens the source of a batch as a file, and checks it.

Contract: a plain file is used in place; any other source is copied to a temporary file. The event loop is never
blocked: disk work runs in a thread, four megabytes at a time, and a cancelled task stops after the current step.

    source                       file that is read
    path                         itself
    path of a gzip file          a decompressed temporary copy
    path of a pipe               a temporary copy
    bytes, gzip or not           a temporary copy
    (async) iterable             a temporary file of its encoded lines
    InputFile                    itself
"""

from __future__ import annotations

import gzip
import io
import os
import zlib
from collections.abc import AsyncIterable, AsyncIterator, Callable, Iterable, Mapping
from typing import Any, BinaryIO, cast

import anyio
import attrs

from gradient_async._io.batch.input_file import BLOCK_BYTES, STEP_BYTES, InputFile, TempInputWriter
from gradient_async._io.deadline_timer import get_loop
from gradient_async._protocol.batch.api import derive_file_name
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async._protocol.batch.input_validator import DuplicateFinder, InputValidator
from gradient_async._protocol.batch.validation_report import ValidationReport
from gradient_async._protocol.codec.converter import shorten_text
from gradient_async.errors import ConfigurationError
from gradient_async.models.batch import BatchRequest

Requests = Iterable[BatchRequest | Mapping[str, Any]] | AsyncIterable[BatchRequest | Mapping[str, Any]]
Source = str | os.PathLike[str] | bytes | InputFile | Requests
"""The input of a batch: a path, bytes, or an iterable or async iterable of `BatchRequest` or dicts."""

ByteProgress = Callable[[int, int], object]
"""Called with the bytes done and the total bytes; a total of 0 is not known yet."""

_MAX_PATH_CHARS = 200
"""Characters of a path quoted in an error; a whole input may have been passed as a path by mistake."""

_GZIP = b"\x1f\x8b"


@attrs.define
class CheckedInput:
    """An input and the report of its check."""

    file: InputFile
    report: ValidationReport


async def open_input(source: Source, schema: LineSchema, name: str | None = None) -> InputFile:
    """Open *source* as a file.

    Args:
        source: A path, bytes, an iterable of requests, or an open `InputFile`.
        schema: The form of the lines that requests are encoded to.
        name: The file name for the service; by default derived from the path.

    Raises:
        ConfigurationError: *source* is of another type, or cannot be read.
    """
    if isinstance(source, InputFile):
        return source
    get_loop()
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return await anyio.to_thread.run_sync(_open_path, path, name or derive_file_name(path))
    if isinstance(source, bytes | bytearray | memoryview):
        return await anyio.to_thread.run_sync(_open_bytes, bytes(source), name or derive_file_name(""))
    if isinstance(source, Mapping | BatchRequest) or not isinstance(source, Iterable | AsyncIterable):
        raise ConfigurationError(
            f"A batch is read from a path, bytes, or an iterable of requests; got {type(source).__name__}."
        )
    writer = await anyio.to_thread.run_sync(TempInputWriter, name or derive_file_name(""))
    async for block in _encode_blocks(source, schema):
        await anyio.to_thread.run_sync(writer.write_block, block)
    return writer.to_input_file()


async def check_input(
    file: InputFile, validator: InputValidator, on_progress: ByteProgress | None = None
) -> CheckedInput:
    """Check every line of *file*; read it a second time only if two ids may be equal."""
    offset = 0
    while offset < file.size:
        end = min(offset + STEP_BYTES, file.size)
        await anyio.to_thread.run_sync(_check_range, validator, file, offset, end)
        offset = end
        if on_progress is not None:
            on_progress(offset, file.size)
    if suspects := validator.feed_eof():
        finder = DuplicateFinder(suspects)
        async for lines in file.iter_lines():
            await anyio.to_thread.run_sync(finder.check_lines, lines)
        validator.faults.merge_sorted(finder.faults)
    return CheckedInput(file, validator.build_report())


def _check_range(validator: InputValidator, file: InputFile, offset: int, end: int) -> None:
    for block in file.iter_blocks(offset, end):
        validator.feed(block)


def _open_path(path: str, name: str) -> InputFile:
    problem = ""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - a path already
            return _open_stream(stream, name)
    except OSError as error:
        problem = error.strerror or str(error)
    raise ConfigurationError(f"The input {shorten_text(path, _MAX_PATH_CHARS)!r} cannot be read: {problem}.")


def _open_stream(stream: io.BufferedReader, name: str) -> InputFile:
    """Use a plain file in place; decompress a gzip file; copy a stream that cannot be read twice, such as a pipe."""
    if stream.peek(len(_GZIP)).startswith(_GZIP):
        return _decompress_stream(stream, name)
    if not stream.seekable():
        return _copy_stream(stream, name)
    status = os.fstat(stream.fileno())
    return InputFile(name, status.st_size, os.dup(stream.fileno()), status.st_mtime_ns)


def _open_bytes(data: bytes, name: str) -> InputFile:
    stream = io.BytesIO(data)
    return _decompress_stream(stream, name) if data.startswith(_GZIP) else _copy_stream(stream, name)


def _decompress_stream(stream: BinaryIO, name: str) -> InputFile:
    problem = ""
    try:
        with gzip.open(stream) as decompressed:
            return _copy_stream(cast("BinaryIO", decompressed), name)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        problem = str(error)
    raise ConfigurationError(f"The input cannot be decompressed: {problem}.")


def _copy_stream(stream: BinaryIO, name: str) -> InputFile:
    writer = TempInputWriter(name)
    while block := stream.read(BLOCK_BYTES):
        writer.write_block(block)
    return writer.to_input_file()


async def _encode_blocks(source: Iterable[Any] | AsyncIterable[Any], schema: LineSchema) -> AsyncIterator[bytes]:
    """Encode requests to blocks of lines. *source* is iterated in the event loop, because it may depend on it."""
    lines: list[bytes] = []
    size = 0
    async for request in source if isinstance(source, AsyncIterable) else iterate_async(source):
        lines.append(schema.encode_line(request))
        size += len(lines[-1])
        if size >= BLOCK_BYTES:
            yield b"".join(lines)
            lines, size = [], 0
    yield b"".join(lines)


async def iterate_async(source: Iterable[Any]) -> AsyncIterator[Any]:
    """Iterate over *source* in the event loop."""
    for request in source:
        yield request
