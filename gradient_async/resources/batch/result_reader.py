"""Results that were saved to a file, and results beside the rows they were made of.

Contract: constant memory for `read_results`; for `JoinedResults` an id and a position for each result.
"""

from __future__ import annotations

import asyncio
import json
import os
import tempfile
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import attrs

from gradient_async._io.batch.input_source import iterate_async, quote_path
from gradient_async._io.batch.threads import run_in_thread
from gradient_async._protocol.batch.content_coding import ContentUnpacker
from gradient_async._protocol.batch.result_body import ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import MALFORMED, ResultDecoder, ResultLineReader
from gradient_async.errors import ConfigurationError, ProtocolError
from gradient_async.models.batch_result import BatchResult, ResultFile, missing_result

R = TypeVar("R")
RowKey = str | Callable[[Any], str]
"""The name of the field that has the ``custom_id`` of a row, or a function that returns it."""

_BLOCK_BYTES = 1_048_576
_RESULTS_PER_STEP = 1_000


def read_results(
    path: str | os.PathLike[str], *, endpoint: str | None = None, file: ResultFile = "output"
) -> Iterator[BatchResult]:
    """Iterate over the results in a file that `BatchJob.download` saved, or that was downloaded otherwise.

    It reads with plain file calls; run it in a thread where other tasks must not wait for the disk.

    Example::

        for line in read_results("results.jsonl"):
            print(line.custom_id, line.text if line.ok else line.error)

    Args:
        path: Path of the file, which may be compressed with gzip.
        endpoint: The path that the requests were sent to; without it the class of each response is inferred.
        file: The kind of the file, which faults name.

    Returns:
        An iterator over one `BatchResult` for each line, in constant memory.

    Raises:
        ConfigurationError: The file cannot be read.
    """
    problem = ""
    try:
        with open(path, "rb") as stream:  # noqa: PTH123 - str or path
            yield from _decode_stream(stream, ResultDecoder(ResultLineReader(file, ResultBodyDecoder(endpoint))))
    except (OSError, ProtocolError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    if problem:
        raise ConfigurationError(f"The results in {quote_path(os.fspath(path))} cannot be read: {problem}")


async def iterate_saved(
    paths: Mapping[ResultFile, Path | None], endpoint: str | None
) -> AsyncGenerator[BatchResult, None]:
    """Yield the results in saved files; a file without a path or that does not exist has none.

    Every thousand results other tasks run, and a cancellation arrives.
    """
    for name, path in paths.items():
        if path is not None and await run_in_thread(path.exists):
            for number, result in enumerate(read_results(path, endpoint=endpoint, file=name)):
                if not number % _RESULTS_PER_STEP:
                    await asyncio.sleep(0)
                yield result


def _decode_stream(stream: BinaryIO, decoder: ResultDecoder) -> Iterator[BatchResult]:
    unpacker = ContentUnpacker()
    while block := stream.read(_BLOCK_BYTES):
        data = unpacker.feed(block, "")
        while data:
            yield from decoder.feed(data)
            data = unpacker.read_more()
    yield from decoder.feed(unpacker.feed_eof())
    yield from decoder.feed_eof()


@attrs.frozen
class _Place:
    """The place of a result's line in the index, and in its own file."""

    offset: int
    size: int
    ok: bool
    number: int
    reader: ResultLineReader


@attrs.define(eq=False)
class ResultIndex:
    """The lines of all results in an unnamed temporary file, found by their ids."""

    _places: dict[str, _Place] = attrs.field(factory=dict, init=False)
    _size: int = attrs.field(default=0, init=False)
    _file: BinaryIO = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._file = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - closed by `close`

    def add_result(self, result: BatchResult) -> None:
        """Keep the line of a result; a success replaces an error of the same id, never the other way round."""
        known = self._places.get(result.custom_id)
        if isinstance(result._reader, ResultLineReader) and not (known is not None and known.ok and not result.ok):
            line = result._raw if isinstance(result._raw, bytes) else json.dumps(result.raw).encode()
            place = _Place(self._size, len(line), result.ok, result.line, result._reader)
            self._places[result.custom_id] = place
            self._size += self._file.write(line)

    def find_result(self, custom_id: str) -> BatchResult:
        """Return the result of *custom_id*; a `missing_result` if there is none."""
        place = self._places.get(custom_id)
        if place is None:
            return missing_result(custom_id)
        self._file.seek(place.offset)
        decoder = ResultDecoder(place.reader)
        decoder.lines = place.number - 1
        (result,) = decoder.feed(self._file.read(place.size) + b"\n")
        return result

    def close(self) -> None:
        """Delete the temporary file."""
        self._file.close()


async def join_results(
    results: AsyncIterable[BatchResult], rows: Iterable[R] | AsyncIterable[R], key: RowKey
) -> AsyncGenerator[tuple[R, BatchResult], None]:
    """Yield each row with its result, in the order of the rows; a row without one has a `missing_result`."""
    index = ResultIndex()
    try:
        async for result in results:
            if result.error is None or result.error.code != MALFORMED:
                index.add_result(result)
        async for row in rows if isinstance(rows, AsyncIterable) else iterate_async(rows):
            yield row, index.find_result(read_row_key(row, key))
    finally:
        index.close()


def read_row_key(row: object, key: RowKey) -> str:
    """Return the ``custom_id`` of *row*; the value of its field is converted to text.

    Raises:
        ConfigurationError: The row has no such field.
    """
    if not isinstance(key, str):
        return str(key(row))
    value = row.get(key) if isinstance(row, Mapping) else getattr(row, key, None)
    if value is None:
        raise ConfigurationError(f"A row has no {key!r}, by which its result is found; pass another key=.")
    return str(value)
