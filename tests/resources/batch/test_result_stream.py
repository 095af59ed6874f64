"""Results over real sockets: cuts, expired addresses, files, and readers that leave."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    APIConnectionError,
    AsyncSession,
    BatchFailedError,
    BatchJob,
    BatchNotReadyError,
    ConfigurationError,
    ProtocolError,
    RetryPolicy,
    StreamBusyError,
    Timeouts,
    UploadError,
)
from gradient_async.resources.batch import result_download as batch_download
from gradient_async.testing import Emulator
from tests.support.batches import FAST, NewSession, requests
from tests.support.raw_server import request, serving

COUNT = 400
OUTPUT, ERRORS = "/outputs/*", "/outputs/*_errors.jsonl"


@pytest.fixture
async def session(new_session: NewSession) -> AsyncIterator[AsyncSession]:
    async with new_session(limits=None) as session:
        yield session


@pytest.fixture
async def job(gradient_emulator: Emulator, session: AsyncSession) -> BatchJob:
    """A complete job, with one failure."""
    gradient_emulator.batches.seconds = 0.05
    gradient_emulator.batches.fail_line("r7", status=400)
    return await session.batches.run(requests(COUNT), poll=FAST)


def downloads(gradient: Emulator, name: str = "") -> list[Any]:
    return [
        request
        for request in gradient.storage.requests
        if request.method == "GET" and ("errors" in request.path) == (name == "errors")
    ]


async def ids(job: BatchJob) -> list[str]:
    return [result.custom_id async for result in job.results()]


@asynccontextmanager
async def storage_host(answer: bytes, *, silent: bool = False) -> AsyncIterator[str]:
    """Answer everything with the same bytes, then hang up, or keep *silent* until the client does."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await request(reader)
        writer.write(answer)
        if silent:
            await reader.read()

    async with serving(serve) as host:
        yield f"http://{host}/out"


def link(gradient: Emulator, job: BatchJob, url: str) -> None:
    """Let the results of *job* be at *url*."""
    links = {"batch_id": job.batch_id, "result_available": True, "output_file_url": url}
    gradient.fail(200, body=links, content_type="application/json", path="/v1/batches/*/results")


def contents(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


EXPECTED = sorted(f"r{number}" for number in range(COUNT))


async def test_the_output_comes_first_then_the_errors(job: BatchJob) -> None:
    results = [result async for result in job.results()]
    assert sorted(result.custom_id for result in results) == EXPECTED
    assert (results[-1].custom_id, results[-1].file, results[-1].line, results[-1].ok) == ("r7", "error", 1, False)
    assert [result.line for result in results[:-1]] == list(range(1, COUNT))


async def test_a_download_carries_no_key(gradient_emulator: Emulator, job: BatchJob) -> None:
    await ids(job)
    for asked in downloads(gradient_emulator):
        assert {"Authorization", "Cookie"}.isdisjoint(asked.headers)
        assert asked.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("after", [0, 1, 1000, 100_000])
async def test_a_cut_is_resumed_at_its_byte(gradient_emulator: Emulator, job: BatchJob, after: int) -> None:
    gradient_emulator.storage.cut(after, times=3)
    assert sorted(await ids(job)) == EXPECTED
    requests_ = downloads(gradient_emulator)
    ranges = [request.headers.get("Range") for request in requests_]
    assert len(ranges) == 4
    if after:
        assert ranges == [None, *[f"bytes={after * number}-" for number in (1, 2, 3)]]
        assert len({request.headers["If-Range"] for request in requests_[1:]}) == 1


async def test_cuts_without_end_are_an_error(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.cut(0, times=None)
    with pytest.raises(APIConnectionError):
        await ids(job)


async def test_a_host_without_ranges_that_always_cuts_is_an_error(gradient_emulator: Emulator, job: BatchJob) -> None:
    async with storage_host(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500) as url:
        link(gradient_emulator, job, url)
        with pytest.raises(APIConnectionError):
            async with asyncio.timeout(5):
                await ids(job)


async def test_an_expired_address_is_replaced_and_the_rest_is_read(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.cut(20_000)
    results = job.results()
    first = await anext(results)
    gradient_emulator.storage.expire()
    rest = [result.custom_id async for result in results]
    assert sorted([first.custom_id, *rest]) == EXPECTED
    statuses = [request.status for request in downloads(gradient_emulator)]
    assert statuses == [200, 403, 206]


async def test_new_addresses_are_bounded(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.fail(403, times=None, path=OUTPUT)
    with pytest.raises(UploadError) as caught:
        await ids(job)
    assert caught.value.status == 403
    assert len(downloads(gradient_emulator)) == 3


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_what_passes_is_tried_again(gradient_emulator: Emulator, job: BatchJob, status: int) -> None:
    gradient_emulator.fail(status, times=2, path=OUTPUT)
    assert sorted(await ids(job)) == EXPECTED


async def test_a_missing_file_is_an_error(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.objects.clear()
    gradient_emulator.fail(404, code="NoSuchKey", times=None, path=OUTPUT)
    with pytest.raises(UploadError, match="NoSuchKey"):
        await ids(job)


async def test_a_file_that_changed_is_an_error(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.cut(20_000)
    results = job.results()
    await anext(results)
    for path, stored in gradient_emulator.storage.objects.items():
        gradient_emulator.storage.publish(path, stored.path, stored.size - 1000)
    with pytest.raises(ProtocolError, match="changed"):
        async for _ in results:
            pass


async def test_a_silent_host_is_left_and_asked_again(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = 0.05
    async with new_session(limits=None, timeouts=Timeouts(idle=0.1)) as session:
        job = await session.batches.run(requests(COUNT), poll=FAST)
        gradient_emulator.stall(5, after=1, path=OUTPUT)
        assert sorted(await ids(job)) == EXPECTED


async def test_a_host_that_falls_silent_in_a_refusal_is_not_waited_for(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.seconds = 0.05
    async with new_session(limits=None, timeouts=Timeouts(idle=0.1)) as session:
        job = await session.batches.run(requests(1), poll=FAST)
        async with storage_host(b"HTTP/1.1 404 X\r\nContent-Length: 100\r\n\r\nx", silent=True) as url:
            link(gradient_emulator, job, url)
            with pytest.raises(UploadError, match="404"):
                async with asyncio.timeout(5):
                    await ids(job)


@pytest.mark.parametrize("how", ["412", "flag"])
async def test_results_may_come_a_moment_after_the_end(gradient_emulator: Emulator, job: BatchJob, how: Any) -> None:
    gradient_emulator.batches.not_ready = how
    gradient_emulator.batches.late = 2
    assert sorted(await ids(job)) == EXPECTED


async def test_all_failed_means_only_errors(gradient_emulator: Emulator, session: AsyncSession) -> None:
    for number in range(3):
        gradient_emulator.batches.fail_line(f"r{number}")
    job = await session.batches.run(requests(3), poll=FAST)
    assert [(result.ok, result.file) async for result in job.results()] == [(False, "error")] * 3


async def test_a_reader_that_leaves_frees_the_connection(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.stall(30, after=1, path=OUTPUT)
    async for _ in job.results():
        break
    async with asyncio.timeout(2):
        while gradient_emulator.active:
            await asyncio.sleep(0.005)


async def test_close_ends_the_iteration_of_another_task(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.stall(30, after=1, path=OUTPUT)
    results = job.results()

    async def read() -> int:
        return len([result async for result in results])

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    with pytest.raises(StreamBusyError):
        async for _ in results:
            pass
    results.close()
    async with asyncio.timeout(2):
        assert await reading < COUNT


async def test_a_cancelled_reader_can_read_on(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.stall(0.3, after=1, path=OUTPUT)
    results = job.results()
    got: list[str] = []
    while True:
        try:
            async with asyncio.timeout(0.05):
                async for result in results:
                    got.append(result.custom_id)
        except TimeoutError:
            continue
        break
    assert sorted(got) == EXPECTED


async def test_a_download_appears_whole(gradient_emulator: Emulator, job: BatchJob, tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    output, errors = tmp_path / "out.jsonl", tmp_path / "errors.jsonl"
    gradient_emulator.storage.cut(10_000)
    saved = await job.download(output, errors=errors, on_progress=lambda done, total: told.append((done, total)))
    assert contents(tmp_path).keys() == {"errors.jsonl", "out.jsonl"}
    assert (saved.size, saved.errors_size) == (output.stat().st_size, errors.stat().st_size)
    lines = [json.loads(line)["custom_id"] for line in (output.read_bytes() + errors.read_bytes()).splitlines()]
    assert sorted(lines) == EXPECTED
    assert (saved.size, saved.size) in told


@pytest.mark.parametrize(
    ("path", "errors", "problem"),
    [
        ("out.jsonl", "./out.jsonl", "path and errors are the same file"),
        (".", None, "not a plain file"),
        ("no/out.jsonl", None, "No such file or directory"),
    ],
)
async def test_files_that_cannot_hold_the_results_are_refused(
    job: BatchJob, tmp_path: Path, path: str, errors: str | None, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        await job.download(tmp_path / path, errors=errors and tmp_path / errors)
    assert contents(tmp_path) == {}


async def test_two_files_under_one_name_are_refused(job: BatchJob, tmp_path: Path) -> None:
    (tmp_path / "alias.jsonl").symlink_to("out.jsonl")
    with pytest.raises(ConfigurationError, match="path and errors are the same file"):
        await job.download(tmp_path / "out.jsonl", errors=tmp_path / "alias.jsonl")


async def test_two_downloads_to_one_file_do_not_mix(job: BatchJob, tmp_path: Path) -> None:
    saved = await asyncio.gather(*(job.download(tmp_path / "out.jsonl") for _ in range(2)))
    assert [each.size for each in saved] == [(tmp_path / "out.jsonl").stat().st_size] * 2


async def test_without_a_sidecar_the_file_is_empty(
    gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    job = await session.batches.run(requests(1), poll=FAST)
    (tmp_path / "errors.jsonl").write_text("of another job")
    await job.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl")
    assert (tmp_path / "errors.jsonl").read_bytes() == b""


async def test_a_failed_download_leaves_what_was_there(
    gradient_emulator: Emulator, job: BatchJob, tmp_path: Path
) -> None:
    (tmp_path / "out.jsonl").write_text("the last run")
    gradient_emulator.storage.cut(1000, times=1)
    gradient_emulator.fail(404, times=None, path=OUTPUT)
    with pytest.raises(UploadError):
        await job.download(tmp_path / "out.jsonl")
    assert contents(tmp_path) == {"out.jsonl": "the last run"}


async def test_a_cancelled_download_leaves_nothing_behind(
    job: BatchJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = asyncio.Event()
    opens, loop = Path.open, asyncio.get_running_loop()

    def slowly(path: Path, *args: Any, **options: Any) -> Any:
        loop.call_soon_threadsafe(opened.set)
        time.sleep(0.1)
        return opens(path, *args, **options)

    monkeypatch.setattr(Path, "open", slowly)
    task = asyncio.create_task(job.download(tmp_path / "out.jsonl"))
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.2)
    assert contents(tmp_path) == {}


async def test_with_a_journal_a_download_goes_on_where_it_was(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_download, "SYNC_BYTES", 10_000)
    gradient_emulator.batches.seconds = 0.05
    once, output = RetryPolicy(attempts=1), tmp_path / "out.jsonl"
    journal = tmp_path / "run.journal"
    async with new_session(limits=None, retry=once) as session:
        job = await session.batches.run(requests(COUNT), poll=FAST, journal=journal)
        gradient_emulator.storage.cut(50_000)
        with pytest.raises(APIConnectionError):
            await job.download(output)
        assert not output.exists()
    async with new_session(limits=None) as session:
        job = await session.batches.run(requests(COUNT), poll=FAST, journal=journal)
        await job.download(output)
    begins = [request.headers.get("Range") for request in downloads(gradient_emulator)]
    assert begins[0] is None
    assert begins[1] in {f"bytes={begin}-" for begin in range(10_000, 50_001)}
    lines = [json.loads(line)["custom_id"] for line in output.read_bytes().splitlines()]
    assert sorted(lines) == EXPECTED
    assert len(gradient_emulator.batches.jobs) == 1


@pytest.fixture
async def half_downloaded(
    gradient_emulator: Emulator, new_session: NewSession, job: BatchJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BatchJob]:
    """The job, picked up by its id with a journal; its download to out.jsonl was cut."""
    monkeypatch.setattr(batch_download, "SYNC_BYTES", 10_000)
    gradient_emulator.storage.cut(50_000)
    async with new_session(limits=None, retry=RetryPolicy(attempts=1)) as session:
        picked = session.batches.job(job.batch_id, journal=tmp_path / "download.journal")
        with pytest.raises(APIConnectionError):
            await picked.download(tmp_path / "out.jsonl")
        yield picked


async def test_a_job_picked_up_by_its_id_has_its_download_gone_on_with(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert [request.status for request in downloads(gradient_emulator)] == [200, 206]
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == COUNT - 1


async def test_a_file_that_changed_since_the_journal_is_read_again(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    for path, stored in list(gradient_emulator.storage.objects.items()):
        gradient_emulator.storage.publish(path, stored.path, stored.size)
    with pytest.raises(ProtocolError, match="read it again"):
        await half_downloaded.download(tmp_path / "out.jsonl")
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == COUNT - 1


async def test_a_job_without_results_says_so(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.batches.max_requests = 1
    job = await session.batches.submit(requests(2))
    with pytest.raises(BatchFailedError):
        await job.wait(poll=FAST)
    with pytest.raises(BatchFailedError, match="1 to 1 are allowed"):
        await ids(job)


async def test_a_job_that_runs_is_not_tried_again_whatever_it_has_results_of(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(2))
    async with storage_host(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        link(gradient_emulator, job, url)
        with pytest.raises(BatchNotReadyError):
            await job.retry_failed()


async def test_a_job_that_runs_has_no_results_yet(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(2))
    with pytest.raises(BatchNotReadyError):
        await job.download("never.jsonl")
