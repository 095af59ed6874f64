"""Rows of any source as the requests of a batch."""

from __future__ import annotations

import gzip
import io
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import pytest

from gradient_async import AsyncSession, BatchRequest, BatchValidationError, ConfigurationError
from gradient_async._io.sources.byte_stream import load_zstd
from gradient_async._protocol.batch.input_line import LineSchema
from gradient_async.resources.batch.row_lines import RowOptions
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, FAST, TWO_LINES, NewSession, body

MODEL = "openai-gpt-5.4-mini"
PARAMS = {"model": MODEL}
ROWS: list[dict[str, Any]] = [{"id": "a", "q": "One?", "other": 1}, {"id": "b", "q": "Two?", "other": None}]


class Body:
    """The body of an S3 object: ``read(n)``, in small pieces."""

    def __init__(self, data: bytes) -> None:
        self._data = io.BytesIO(data)

    def read(self, size: int) -> bytes:
        return self._data.read(min(size, 50))


class AsyncBody(Body):
    async def read(self, size: int) -> bytes:  # type: ignore[override]
        return super().read(size)


class Frame:
    """The parts of a pandas data frame that are used."""

    columns = ("id", "q", "other")

    def itertuples(self, index: bool = True, name: str | None = "Pandas") -> Iterator[tuple[Any, ...]]:
        return iter([tuple(row.values()) for row in ROWS])


async def rows_over_time() -> AsyncIterator[dict[str, Any]]:
    for row in ROWS:
        yield row


async def submitted_lines(gradient: Emulator, session: AsyncSession, source: Any, **options: Any) -> list[Any]:
    """Submit *source*; return the lines of its job."""
    await session.batches.submit(source, **options)
    return [json.loads(line) for line in gradient.batches.jobs[-1].execution.source.read_bytes().splitlines()]


LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
TABLE = "id,q,other\na,One?,1\nb,Two?,\n"


def compress_zstd(data: bytes) -> bytes:
    compressed: bytes = (load_zstd() or pytest.skip("nothing here reads zstd")).compress(data)
    return compressed


def to_parquet() -> bytes:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(ROWS), written := io.BytesIO())
    return written.getvalue()


OBJECTS: dict[str, Callable[[], Any]] = {
    "list": lambda: ROWS,
    "async": rows_over_time,
    "frame": Frame,
    "arrow": lambda: pytest.importorskip("pyarrow").Table.from_pylist(ROWS),
    "bytes": LINES.encode,
    "stream": lambda: Body(gzip.compress(LINES.encode())),
    "async stream": lambda: AsyncBody(LINES.encode()),
    "text": lambda: io.StringIO(LINES),
}
FILES: dict[str, Callable[[], bytes]] = {
    "csv": lambda: TABLE.encode("utf-16"),
    "tsv.gz": lambda: gzip.compress(TABLE.replace(",", "\t").encode()),
    "parquet": to_parquet,
    "jsonl": LINES.encode,
    "jsonl.zst": lambda: compress_zstd(LINES.encode()),
}


def make_source(kind: str, folder: Path) -> Any:
    """Return `ROWS` as a source of some kind."""
    if kind in OBJECTS:
        return OBJECTS[kind]()
    path = folder / f"q.{kind}"
    path.write_bytes(FILES[kind]())
    return path


@pytest.mark.parametrize("kind", [*OBJECTS, *FILES])
async def test_rows_of_every_source_become_requests(
    kind: str, gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    source = make_source(kind, tmp_path)
    lines = await submitted_lines(gradient_emulator, session, source, template="Answer: {q}", params=PARAMS)
    assert lines == [
        {
            "custom_id": row["id"],
            "method": "POST",
            "url": CHAT,
            "body": {"model": MODEL, "messages": [{"role": "user", "content": f"Answer: {row['q']}"}]},
        }
        for row in ROWS
    ]


@pytest.mark.parametrize("kind", ["csv", "parquet", "frame"])
async def test_a_table_is_rows_without_further_options(
    kind: str, gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError, match=r"requests\[0\] \(id 'a'\).*no messages but: q, other.*template"):
        await session.batches.submit(make_source(kind, tmp_path))
    assert gradient_emulator.requests == []


async def test_texts_are_messages_and_own_parameters_override(
    gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    (tmp_path / "q.txt").write_text("One?\n\nTwo?\n")
    lines = await submitted_lines(gradient_emulator, session, tmp_path / "q.txt", params={**PARAMS, "max_tokens": 9})
    assert [line["custom_id"] for line in lines] == ["request-0", "request-1"]
    assert lines[1]["body"] == {**PARAMS, "max_tokens": 9, "messages": [{"role": "user", "content": "Two?"}]}
    own = [BatchRequest("mine", body("Hi", max_tokens=3)), {"id": 7, "messages": [{"role": "user", "content": "Ho"}]}]
    lines = await submitted_lines(gradient_emulator, session, own, params={**PARAMS, "max_tokens": 9})
    assert [(line["custom_id"], line["body"]["model"], line["body"]["max_tokens"]) for line in lines] == [
        ("mine", body()["model"], 3),
        ("7", MODEL, 9),
    ]


TEMPLATE: list[Any] = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "{q}"}]
USER = {"role": "user", "content": "One?"}


@pytest.mark.parametrize(
    ("provider", "endpoint", "template", "content"),
    [
        ("openai", CHAT, TEMPLATE, {"messages": [TEMPLATE[0], USER]}),
        ("openai", "/v1/new", TEMPLATE, {"messages": [TEMPLATE[0], USER]}),
        ("openai", "/v1/responses", TEMPLATE, {"input": [TEMPLATE[0], USER]}),
        ("openai", "/v1/responses", "{q}", {"input": "One?"}),
        ("openai", "/v1/embeddings", "{q}", {"input": "One?"}),
        ("anthropic", "/v1/messages", TEMPLATE, {"system": "Be brief.", "messages": [USER]}),
        (
            "anthropic",
            "/v1/messages",
            [TEMPLATE[0], *TEMPLATE],
            {"system": [{"type": "text", "text": "Be brief."}] * 2, "messages": [USER]},
        ),
    ],
)
def test_each_endpoint_carries_the_messages_in_its_way(
    provider: Any, endpoint: str, template: Any, content: dict[str, Any]
) -> None:
    params = {"model": "m", **({"max_tokens": 5} if provider == "anthropic" else {})}
    options = RowOptions(template=template, params=params)
    line = json.loads(options.build_lines(LineSchema(provider, endpoint)).encode_row(0, ROWS[0]))
    assert line["custom_id"] == "a"
    assert line["params" if provider == "anthropic" else "body"] == {**params, **content}


async def test_a_refused_value_names_row_id_and_field(session: AsyncSession) -> None:
    with pytest.raises(ConfigurationError, match=r"^requests\[0\] \(id 'r1'\): body\.seed is "):
        await session.batches.validate([BatchRequest("r1", body(seed=object()))])
    with pytest.raises(ConfigurationError, match=r"^requests\[0\] \(id 'r1'\): seed is "):
        await session.batches.submit([{"id": "r1", **body(seed=object())}], params=PARAMS)
    with pytest.raises(ConfigurationError, match=r"requests\[1\] \(id 'b'\) has nothing in the column 'other'"):
        await session.batches.submit(ROWS, template="{other}", params=PARAMS)
    with pytest.raises(ConfigurationError, match=r"^requests\[1\]: .*got str.*params="):
        await session.batches.submit([BatchRequest("r1", body()), "text"])


async def test_validate_lists_every_row_that_cannot_be_sent(session: AsyncSession) -> None:
    rows = [*ROWS, {"id": "b", "q": "", "other": 1}, {"id": "b", "q": "Four?", "other": 1}]
    report = await session.batches.validate(rows, template="{q} {other}", params=PARAMS)
    assert report.faults == (
        "Row 2 (id 'b') has nothing in the column 'other', which the template needs.",
        "Row 3 (id 'b') has nothing in the column 'q', which the template needs.",
    )
    report = await session.batches.validate([{"id": "a", "q": "x"}] * 2, columns=["q"], params=PARAMS)
    assert report.faults == ("Row 2: duplicate custom_id 'a', first used on row 1.",)


async def test_the_input_of_a_known_job_may_be_rows(
    gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    gradient_emulator.batches.seconds = 0.05
    gradient_emulator.batches.fail_line("b", status=500)
    source = make_source("csv", tmp_path)
    rows: dict[str, Any] = {"template": "{q}", "params": PARAMS}
    first = await session.batches.run(source, poll=FAST, **rows)
    job = session.batches.job(first.batch_id, source=source, **rows)
    assert (await job.report()).failed == ("b",)
    again = await job.retry_failed()
    await again.wait(poll=FAST)
    assert [line.custom_id async for line in again.results()] == ["b"]
    assert [line["q"] async for line, _ in job.joined(ROWS, key="id")] == ["One?", "Two?"]


# Sources of lines.


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig"])
async def test_lines_in_another_encoding_are_converted(session: AsyncSession, tmp_path: Path, encoding: str) -> None:
    (tmp_path / "in.jsonl").write_text(TWO_LINES.decode(), encoding=encoding)
    for source in (tmp_path / "in.jsonl", (tmp_path / "in.jsonl").read_bytes(), (tmp_path / "in.jsonl").open("rb")):
        report = await session.batches.validate(source)
        assert (report.requests, report.ok) == (2, True)
        if isinstance(source, io.BufferedReader):
            source.close()


@pytest.mark.parametrize("kind", [io.BytesIO, Body, AsyncBody, lambda data: io.StringIO(data.decode())])
async def test_a_stream_of_lines_is_a_source(session: AsyncSession, kind: Any) -> None:
    report = await session.batches.validate(kind(TWO_LINES + b"{}\n"))
    assert (report.requests, [fault.partition(":")[0] for fault in report.faults][:1]) == (3, ["Line 3"])


async def test_a_source_that_blocks_leaves_the_loop_and_is_cancelled_at_once(session: AsyncSession) -> None:
    release = threading.Event()

    def blocking() -> Iterator[BatchRequest]:
        yield BatchRequest("a", body())
        release.wait(40)

    ticks = 0
    with anyio.move_on_after(0.2) as scope:
        async with anyio.create_task_group() as group:

            async def tick() -> None:
                nonlocal ticks
                while True:
                    await anyio.sleep(0.01)
                    ticks += 1

            group.start_soon(tick)
            await session.batches.submit(blocking())
    release.set()
    assert scope.cancelled_caught
    assert ticks >= 3


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes")
async def test_a_pipe_nobody_writes_to_is_cancelled_at_once(session: AsyncSession, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    started = time.monotonic()
    with anyio.move_on_after(0.05) as scope:
        await session.batches.submit(tmp_path / "pipe")
    assert scope.cancelled_caught
    assert time.monotonic() - started < 30
    os.close(os.open(tmp_path / "pipe", os.O_WRONLY))  # lets the thread go on to the end of the pipe


# Hints.


@pytest.mark.parametrize(
    ("data", "options", "hint"),
    [
        (b"What?\n", {}, "chat.completions.map"),
        (b'{"messages": []}\n', {}, "chat.completions.map"),
        (b'{"id": 1, "q": "What?"}\n', {}, "template="),
        (b'{"custom_id": "a", "params": {}}\n', {}, "provider='anthropic'"),
        (b'{"custom_id": "a", "body": {}}\n', {"provider": "anthropic"}, "provider='openai'"),
        (b'{"custom_id": "a", "response": {"status_code": 200}}\n', {}, "results"),
        (TWO_LINES.replace(b"chat/completions", b"responses"), {}, "endpoint='/v1/responses'"),
        (b'{"custom_id": "a", "url": []}\n', {}, None),
        (b"{\n", {}, "one object a line"),
        (b'[\n  {"custom_id": "a"},\n  {"custom_id": "b"}\n]\n', {}, "jq -c '.[]?' FILE"),
        (b'[{"custom_id": "a"}]', {}, "or an array"),
        (b'[{"custom_id": "a"},\n{"custom_id": "b"}]', {}, "or an array"),
        (b"[]", {}, "or an array"),
        (b'{\n  "custom_id": "a"\n}\n', {}, "JSON over several lines"),
        (TWO_LINES, {}, None),
    ],
)
async def test_an_input_that_is_meant_for_something_else_gets_a_hint(
    session: AsyncSession, data: bytes, options: dict[str, Any], hint: str | None
) -> None:
    report = await session.batches.validate(data, **options)
    assert len(report.hints) == (hint is not None)
    if hint is None:
        return
    assert hint in report.hints[0]
    with pytest.raises(BatchValidationError, match=r"This looks like|Rows become|The lines"):
        await session.batches.submit(data, **options)


async def test_an_endpoint_that_no_document_lists_gets_a_hint(new_session: NewSession) -> None:
    async with new_session() as session:
        report = await session.batches.validate(
            [BatchRequest("a", {"model": "m", "input": "x"})], endpoint="/v1/embeddings"
        )
    assert (report.ok, len(report.hints)) == (True, 1)
