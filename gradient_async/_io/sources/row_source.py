"""Turns whatever ``map`` accepts into an iterable of rows.

Contract: a file is read twice: once as a whole, so that a malformed line or byte is an error before anything is sent,
and the number of rows is known; then row by row. A pipe or an open stream is read once; its errors come at their line.
Rows are produced lazily, one at a time.

    source                                          rows
    path (str, PathLike)                            by its ending: .txt .jsonl .csv .tsv .parquet, also compressed
    open file, object with read(n)                  lines: texts, or JSON objects where a line begins with a brace
    pandas and polars data frames, Arrow tables     a dict for each row
    any other (async) iterable                      its items
"""

from __future__ import annotations

import inspect
import io
import os
import stat
import time
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator, Mapping, Sequence, Sized
from typing import Any, Protocol

import anyio
import attrs

from gradient_async._io.sources.byte_stream import BLOCK_BYTES, decompress_blocks, iterate_blocks
from gradient_async._protocol.codec.json_text import shorten_text
from gradient_async._protocol.sources.line_decoder import LineDecoder
from gradient_async._protocol.sources.rows import Format, Row, detect_format, iterate_rows
from gradient_async.errors import ConfigurationError

_MAX_PATH_CHARS = 200
_STEP_SECONDS = 0.1
_BATCH_ROWS = 1024


class SupportsRead(Protocol):
    """An open file, a pipe, the body of an S3 object: anything with ``read(n)``, plain or async."""

    def read(self, size: int, /) -> Any:
        """Return up to *size* bytes."""


class SupportsBatches(Protocol):
    """An Arrow table or data set."""

    def to_batches(self) -> Any:
        """Return its record batches."""


class SupportsTuples(Protocol):
    """A pandas data frame."""

    @property
    def columns(self) -> Any:
        """The names of its columns."""

    def itertuples(self, index: bool = True, name: str | None = "Pandas") -> Any:  # noqa: FBT001, FBT002 - pandas' own
        """Iterate over its rows."""


Table = SupportsBatches | SupportsTuples
"""A table of another library; polars data frames, Arrow record batches and readers are tables too."""


@attrs.frozen
class RowSource:
    """The rows of a source.

    Attributes:
        rows: The rows; each iteration of a file reads it anew.
        total: Number of rows, None if it is not known.
        is_checked_first: Whether `count_rows` reads all rows before the map begins.
    """

    rows: Iterable[Any] | AsyncIterable[Any]
    total: int | None = None
    is_checked_first: bool = False

    async def count_rows(self) -> int | None:
        """Return the number of rows, None if it is not known; read every row of a file.

        Raises:
            ConfigurationError: A row is malformed.
        """
        if not self.is_checked_first or not isinstance(self.rows, Iterable):
            return self.total
        rows, count = iter(self.rows), 0
        while (step := await anyio.to_thread.run_sync(_consume_rows, rows)) is not None:
            count += step
        return count


@attrs.frozen
class FileRows:
    """The rows of the file at *path*."""

    path: str
    form: Format
    columns: Sequence[str] | None

    def __iter__(self) -> Iterator[Row]:
        name, problem = repr(shorten_text(self.path, _MAX_PATH_CHARS)), ""
        if self.form == "parquet":
            yield from _iterate_parquet(self.path, name, self.columns)
            return
        try:
            with open(self.path, "rb") as stream:  # noqa: PTH123 - a path already
                yield from iterate_rows(_decode_blocks(iterate_blocks(stream, name), name), name, self.form)
        except OSError as error:
            problem = error.strerror or str(error)
        if problem:
            raise ConfigurationError(f"The source {name} cannot be read: {problem}.")


def open_source(source: Any, columns: Sequence[str] | None = None, form: Format | None = None) -> RowSource:
    """Return the rows of *source*, by default in the *form* that its name says.

    Raises:
        ConfigurationError: *source* is of another type.
    """
    if isinstance(source, RowSource):
        return source
    if isinstance(source, str | os.PathLike):
        path = os.fspath(source)
        return RowSource(FileRows(path, form or detect_format(path), columns), is_checked_first=_is_file(path))
    if callable(getattr(source, "read", None)):
        return RowSource(_open_stream(source, form or "lines"))
    if (rows := _iterate_table(source)) is not None:
        return RowSource(rows, getattr(source, "num_rows", len(source) if isinstance(source, Sized) else None))
    if isinstance(source, bytes | Mapping) or not isinstance(source, Iterable | AsyncIterable):
        raise ConfigurationError(
            "requests must be a path or an iterable of parameters or texts, as [{'messages': [...]}, ...]; "
            f"got {type(source).__name__}."
        )
    return RowSource(source, len(source) if isinstance(source, Sized) else None)


def _is_file(path: str) -> bool:
    """Whether *path* can be read twice; a missing file counts as one, so that it is an error at once."""
    try:
        return stat.S_ISREG(os.stat(path).st_mode)  # noqa: PTH116 - a path already
    except OSError:
        return True


def _consume_rows(rows: Iterator[Any]) -> int | None:
    """Read rows for a moment; return their number, None at the end. Between two calls the task can be cancelled."""
    end, count = time.monotonic() + _STEP_SECONDS, 0
    for _ in rows:
        count += 1
        if not count % _BATCH_ROWS and time.monotonic() > end:
            break
    return count or None


def _decode_blocks(blocks: Iterable[bytes], name: str) -> Iterator[str]:
    decoder = LineDecoder(name)
    for block in blocks:
        yield from decoder.feed(block)
    yield from decoder.feed_eof()


def name_stream(stream: object) -> str:
    """Return the name of *stream* for an error, quoted."""
    return repr(shorten_text(str(getattr(stream, "name", "stream")), _MAX_PATH_CHARS))


def open_blocks(stream: Any) -> Iterable[bytes] | AsyncIterable[bytes]:
    """Return the blocks of *stream*: an open file, binary or of text, or an object with ``read(n)``, plain or async."""
    if inspect.iscoroutinefunction(stream.read):
        return decompress_blocks(_iterate_async_blocks(stream), name_stream(stream))
    if isinstance(stream, io.TextIOBase) and not hasattr(stream, "buffer"):
        return (line.encode(errors="surrogatepass") for line in stream)
    return iterate_blocks(getattr(stream, "buffer", stream), name_stream(stream))


async def _iterate_async_blocks(stream: Any) -> AsyncIterator[bytes]:
    while block := await stream.read(BLOCK_BYTES):
        yield block


def _open_stream(stream: Any, form: Format) -> Iterable[Row] | AsyncIterable[Row]:
    name, blocks = name_stream(stream), open_blocks(stream)
    if isinstance(blocks, AsyncIterable):
        return _iterate_async_rows(blocks, name, form)
    return iterate_rows(_decode_blocks(blocks, name), name, form)


async def _iterate_async_rows(blocks: AsyncIterable[bytes], name: str, form: Format) -> AsyncIterator[Row]:
    decoder = LineDecoder(name)
    async for block in blocks:
        first = decoder.number + 1
        for row in iterate_rows(decoder.feed(block), name, form, first=first):
            yield row
    for row in iterate_rows(decoder.feed_eof(), name, form, first=decoder.number):
        yield row


def is_table(source: object) -> bool:
    """Whether *source* is a table of another library."""
    return _iterate_table(source) is not None


def _iterate_table(table: Any) -> Iterator[Any] | None:
    """Return the rows of a table of another library, None if *table* is not one."""
    if hasattr(table, "iter_rows") and hasattr(table, "columns"):  # polars
        return (row for row in table.iter_rows(named=True))
    if hasattr(table, "itertuples") and hasattr(table, "columns"):  # pandas
        columns = [str(column) for column in table.columns]
        tuples = table.itertuples(index=False, name=None)
        return (dict(zip(columns, map(_to_plain, values), strict=True)) for values in tuples)
    if hasattr(table, "to_batches"):  # an Arrow table or data set
        return (row for batch in table.to_batches() for row in batch.to_pylist())
    if hasattr(table, "schema") and hasattr(table, "to_pylist"):  # an Arrow record batch
        return (row for row in table.to_pylist())
    if hasattr(table, "schema") and hasattr(table, "read_next_batch"):  # an Arrow reader
        return (row for batch in table for row in batch.to_pylist())
    return None


def _to_plain(value: Any) -> Any:
    """Return the Python value of a NumPy scalar."""
    return value.item() if type(value).__module__ == "numpy" and hasattr(value, "item") else value


def _iterate_parquet(path: str, name: str, columns: Sequence[str] | None) -> Iterator[Row]:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError:
        raise ConfigurationError("Parquet files need PyArrow: pip install 'gradient-async[data]'") from None
    problem = ""
    try:
        with parquet.ParquetFile(path) as file:
            missing = [column for column in columns or () if column not in file.schema_arrow.names]
            if missing:
                known = shorten_text(", ".join(file.schema_arrow.names), _MAX_PATH_CHARS)
                raise ConfigurationError(f"{name} has no column {missing[0]!r}; it has: {known}.")
            ids = [each for each in ("custom_id", "id") if each in file.schema_arrow.names]
            wanted = None if columns is None else list(dict.fromkeys([*ids, *columns]))
            for batch in file.iter_batches(batch_size=_BATCH_ROWS, columns=wanted):
                yield from batch.to_pylist()
    except ArrowException as error:
        problem = str(error)
    except OSError as error:
        problem = error.strerror or str(error)
    if problem:
        raise ConfigurationError(f"The source {name} cannot be read: {shorten_text(problem, _MAX_PATH_CHARS)}.")
