"""Sources of rows: files, streams, tables."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradient_async._io.sources.byte_stream import load_zstd
from gradient_async._io.sources.row_source import open_source
from gradient_async._io.sources.threaded_iterator import iterate_without_blocking
from gradient_async.errors import ConfigurationError

TEXT = "What is the capital of Portugal?\nAnd of Spain?\n"
ROWS = TEXT.splitlines()


async def read_rows(source: Any, **options: Any) -> list[Any]:
    rows = open_source(source, **options)
    total = await rows.count_rows()
    found = [row async for row in iterate_without_blocking(rows.rows)]
    assert total in (None, len(found))
    return found


def compress_nothing(data: bytes) -> bytes:
    return data


def compress_zstd(data: bytes) -> bytes:
    compressed: bytes = (load_zstd() or pytest.skip("nothing here reads zstd")).compress(data)
    return compressed


COMPRESSIONS = [
    ("", compress_nothing),
    (".gz", gzip.compress),
    (".bz2", bz2.compress),
    (".xz", lzma.compress),
    (".zst", compress_zstd),
]


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS)
async def test_a_file_is_decompressed_by_its_content(tmp_path: Path, suffix: str, compress: Any) -> None:
    for name in (f"q.txt{suffix}", "without-suffix"):
        (tmp_path / name).write_bytes(compress(TEXT.encode()))
        assert await read_rows(tmp_path / name) == ROWS
        assert await read_rows(str(tmp_path / name)) == ROWS


async def test_zstd_without_its_module_says_what_reads_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression.zstd", "backports.zstd"):
        monkeypatch.setitem(sys.modules, name, None)
    (tmp_path / "q.txt.zst").write_bytes(b"\x28\xb5\x2f\xfd\x04\x00")
    with pytest.raises(ConfigurationError, match=r"q\.txt\.zst.* from 3\.14 on.*gradient-async\[data\]"):
        await read_rows(tmp_path / "q.txt.zst")


@pytest.mark.parametrize(("suffix", "compress"), COMPRESSIONS[1:])
async def test_a_cut_compressed_file_is_an_error_before_the_first_row(
    tmp_path: Path, suffix: str, compress: Any
) -> None:
    (tmp_path / "q.txt").write_bytes(compress(os.urandom(2000).hex().encode())[:-20])
    with pytest.raises(ConfigurationError, match=r"q\.txt' cannot be read: it cannot be decompressed"):
        await open_source(tmp_path / "q.txt").count_rows()


@pytest.mark.parametrize("name", ["gone.txt", "gone.csv.gz", "gone.parquet", "."])
async def test_an_unreadable_path_is_an_error_that_names_it(tmp_path: Path, name: str) -> None:
    pytest.importorskip("pyarrow")
    with pytest.raises(ConfigurationError, match=rf"{name}|{tmp_path.name}"):
        await read_rows(tmp_path / name)


async def test_a_fault_at_the_end_of_a_file_is_found_before_its_first_row(tmp_path: Path) -> None:
    (tmp_path / "q.txt").write_bytes(b"ok\n" * 50_000 + "Straße".encode("latin-1"))
    with pytest.raises(ConfigurationError, match="line 50001 is not UTF-8"):
        await open_source(tmp_path / "q.txt").count_rows()


async def test_csv_and_jsonl_files_are_rows(tmp_path: Path) -> None:
    (tmp_path / "q.csv").write_text("id,q\n1,What?\n", encoding="utf-16")
    (tmp_path / "q.jsonl").write_text('{"id": 1, "q": "What?"}\n')
    assert await read_rows(tmp_path / "q.csv") == [{"id": "1", "q": "What?"}]
    assert await read_rows(tmp_path / "q.jsonl") == [{"id": 1, "q": "What?"}]
    assert await read_rows(tmp_path / "q.jsonl", form="txt") == ['{"id": 1, "q": "What?"}']


# Streams.


class Body:
    """The body of an S3 object: ``read(n)`` and nothing else; it may return less than it is asked for."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(min(size, 7))


class AsyncBody(Body):
    async def read(self, size: int) -> bytes:  # type: ignore[override]
        return super().read(size)


@pytest.mark.parametrize("kind", [io.BytesIO, Body, AsyncBody, lambda data: io.TextIOWrapper(io.BytesIO(data))])
async def test_a_stream_is_read_as_lines(kind: Any) -> None:
    assert await read_rows(kind(TEXT.encode())) == ROWS
    assert await read_rows(kind(b'{"q": 1}\ntext')) == [{"q": 1}, "text"]


@pytest.mark.parametrize("kind", [io.BytesIO, Body, AsyncBody])
@pytest.mark.parametrize("compress", [compress for _, compress in COMPRESSIONS])
async def test_a_compressed_stream_is_decompressed(kind: Any, compress: Any) -> None:
    assert await read_rows(kind(compress(TEXT.encode()) + compress(TEXT.encode()))) == ROWS * 2
    assert await read_rows(kind(b"One?")) == ["One?"]


@pytest.mark.parametrize("kind", [io.BytesIO, AsyncBody])
@pytest.mark.parametrize("compress", [compress for _, compress in COMPRESSIONS[1:]])
async def test_a_cut_compressed_stream_is_an_error(kind: Any, compress: Any) -> None:
    with pytest.raises(ConfigurationError, match="cannot be decompressed"):
        await read_rows(kind(compress(os.urandom(2000).hex().encode())[:-20]))


@pytest.mark.parametrize("kind", [io.BytesIO, Body, AsyncBody])
async def test_a_fault_in_a_stream_has_its_line(kind: Any) -> None:
    with pytest.raises(ConfigurationError, match="line 41 is not a JSON object"):
        await read_rows(kind(b"text\n" * 40 + b"{\n"))


async def test_a_text_stream_is_read_as_lines() -> None:
    assert await read_rows(io.StringIO(TEXT)) == ROWS


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
async def test_a_pipe_gives_each_line_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    received = threading.Event()

    def write() -> None:
        with path.open("wb", buffering=0) as pipe:
            pipe.write(b"one\n")
            received.wait(40)
            pipe.write(b"two\n")

    writer = threading.Thread(target=write)
    writer.start()
    source = open_source(path)
    assert await source.count_rows() is None
    rows = iterate_without_blocking(source.rows)
    assert await anext(rows) == "one"
    received.set()
    assert [row async for row in rows] == ["two"]
    writer.join()


# Tables.


class Frame:
    """The parts of a pandas data frame that are used."""

    columns = ("id", 7)

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[Any]:
        return iter(self.columns)

    def itertuples(self, *, index: bool, name: None) -> Iterator[tuple[Any, ...]]:
        assert not index
        return iter([(1, "a"), (2, float("nan"))])


class PolarsFrame(Frame):
    def iter_rows(self, *, named: bool) -> Iterator[dict[str, Any]]:
        assert named
        return iter([{"id": 1}, {"id": 2}])


async def test_a_data_frame_is_its_rows() -> None:
    one, two = await read_rows(Frame())
    assert one == {"id": 1, "7": "a"}
    assert two["7"] != two["7"]
    assert open_source(Frame()).total == 2
    assert await read_rows(PolarsFrame()) == [{"id": 1}, {"id": 2}]


async def test_arrow_tables_and_parquet_files_are_their_rows(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet")
    rows = [{"id": number, "q": f"Question {number}", "other": None} for number in range(3000)]
    table = arrow.Table.from_pylist(rows)
    parquet.write_table(table, tmp_path / "q.parquet")
    for source in (table, table.to_reader(), table.combine_chunks().to_batches()[0], tmp_path / "q.parquet"):
        assert await read_rows(source) == rows
    assert open_source(table).total == 3000
    assert (await read_rows(tmp_path / "q.parquet", columns=["q"]))[7] == {"id": 7, "q": "Question 7"}
    with pytest.raises(ConfigurationError, match="no column 'text'; it has: id, q, other"):
        await read_rows(tmp_path / "q.parquet", columns=["text"])


async def test_a_damaged_parquet_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    (tmp_path / "q.parquet").write_bytes(b"not parquet")
    with pytest.raises(ConfigurationError, match=r"q\.parquet' cannot be read"):
        await read_rows(tmp_path / "q.parquet")


async def test_parquet_without_pyarrow_names_the_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    (tmp_path / "q.parquet").write_bytes(b"PAR1")
    with pytest.raises(ConfigurationError, match=r"gradient-async\[data\]"):
        await read_rows(tmp_path / "q.parquet")


@pytest.mark.parametrize("source", [b"bytes", 3, None, {"messages": []}])
def test_other_types_are_refused(source: Any) -> None:
    with pytest.raises(ConfigurationError, match="a path or an iterable"):
        open_source(source)
