"""The results of a job as files, also across processes."""

from __future__ import annotations

import asyncio
import json
import os
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    APIConnectionError,
    AsyncSession,
    BatchJob,
    BatchNotReadyError,
    ConfigurationError,
    ProtocolError,
    RetryPolicy,
    UploadError,
)
from gradient_async.resources.batch import result_download
from gradient_async.testing import Emulator
from tests.support.batches import (
    FAST,
    OUTPUT_PATH,
    RESULT_COUNT,
    RESULT_IDS,
    NewSession,
    download_requests,
    read_folder,
    requests,
)


@pytest.fixture
async def half_downloaded(
    gradient_emulator: Emulator, new_session: NewSession, job: BatchJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[BatchJob]:
    """The job, picked up by its id with a journal; its download to out.jsonl was cut."""
    monkeypatch.setattr(result_download, "SYNC_BYTES", 10_000)
    gradient_emulator.storage.cut(50_000)
    async with new_session(limits=None, retry=RetryPolicy(attempts=1)) as session:
        picked = session.batches.job(job.batch_id, journal=tmp_path / "download.journal")
        with pytest.raises(APIConnectionError):
            await picked.download(tmp_path / "out.jsonl")
        yield picked


async def test_a_download_appears_whole(gradient_emulator: Emulator, job: BatchJob, tmp_path: Path) -> None:
    reported: list[tuple[int, int]] = []
    output, errors = tmp_path / "out.jsonl", tmp_path / "errors.jsonl"
    gradient_emulator.storage.cut(10_000)
    saved = await job.download(output, errors=errors, on_progress=lambda done, total: reported.append((done, total)))
    assert read_folder(tmp_path).keys() == {"errors.jsonl", "out.jsonl"}
    assert (saved.size, saved.errors_size) == (output.stat().st_size, errors.stat().st_size)
    lines = [json.loads(line)["custom_id"] for line in (output.read_bytes() + errors.read_bytes()).splitlines()]
    assert sorted(lines) == RESULT_IDS
    assert (saved.size, saved.size) in reported


@pytest.mark.parametrize(
    ("path", "errors", "problem"),
    [
        ("out.jsonl", "./out.jsonl", "path and errors are the same file"),
        (".", None, "not a plain file"),
        ("no/out.jsonl", None, "No such file or directory"),
    ],
)
async def test_an_unwritable_target_is_refused(
    job: BatchJob, tmp_path: Path, path: str, errors: str | None, problem: str
) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        await job.download(tmp_path / path, errors=errors and tmp_path / errors)
    assert read_folder(tmp_path) == {}


async def test_two_names_of_one_file_are_refused(job: BatchJob, tmp_path: Path) -> None:
    (tmp_path / "alias.jsonl").symlink_to("out.jsonl")
    with pytest.raises(ConfigurationError, match="path and errors are the same file"):
        await job.download(tmp_path / "out.jsonl", errors=tmp_path / "alias.jsonl")


async def test_two_downloads_to_one_file_do_not_mix(job: BatchJob, tmp_path: Path) -> None:
    saved = await asyncio.gather(*(job.download(tmp_path / "out.jsonl") for _ in range(2)))
    assert [each.size for each in saved] == [(tmp_path / "out.jsonl").stat().st_size] * 2


async def test_a_job_without_errors_saves_an_empty_sidecar(
    gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    job = await session.batches.run(requests(1), poll=FAST)
    (tmp_path / "errors.jsonl").write_text("of another job")
    await job.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl")
    assert (tmp_path / "errors.jsonl").read_bytes() == b""


async def test_a_failed_download_keeps_the_existing_file(
    gradient_emulator: Emulator, job: BatchJob, tmp_path: Path
) -> None:
    (tmp_path / "out.jsonl").write_text("the last run")
    gradient_emulator.storage.cut(1000, times=1)
    gradient_emulator.fail(404, times=None, path=OUTPUT_PATH)
    with pytest.raises(UploadError):
        await job.download(tmp_path / "out.jsonl")
    assert read_folder(tmp_path) == {"out.jsonl": "the last run"}


async def test_a_cancelled_download_leaves_no_file(
    job: BatchJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = asyncio.Event()
    opens, loop = Path.open, asyncio.get_running_loop()

    def request_source(path: Path, *args: Any, **options: Any) -> Any:
        loop.call_soon_threadsafe(opened.set)
        time.sleep(0.1)
        return opens(path, *args, **options)

    monkeypatch.setattr(Path, "open", request_source)
    task = asyncio.create_task(job.download(tmp_path / "out.jsonl"))
    await opened.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.2)
    assert read_folder(tmp_path) == {}


async def test_a_download_with_a_journal_resumes_at_the_recorded_byte(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(result_download, "SYNC_BYTES", 10_000)
    gradient_emulator.batches.seconds = 0.05
    once, output = RetryPolicy(attempts=1), tmp_path / "out.jsonl"
    journal = tmp_path / "run.journal"
    async with new_session(limits=None, retry=once) as session:
        job = await session.batches.run(requests(RESULT_COUNT), poll=FAST, journal=journal)
        gradient_emulator.storage.cut(50_000)
        with pytest.raises(APIConnectionError):
            await job.download(output)
        assert not output.exists()
    async with new_session(limits=None) as session:
        job = await session.batches.run(requests(RESULT_COUNT), poll=FAST, journal=journal)
        await job.download(output)
    begins = [request.headers.get("Range") for request in download_requests(gradient_emulator)]
    assert begins[0] is None
    assert begins[1] in {f"bytes={begin}-" for begin in range(10_000, 50_001)}
    lines = [json.loads(line)["custom_id"] for line in output.read_bytes().splitlines()]
    assert sorted(lines) == RESULT_IDS
    assert len(gradient_emulator.batches.jobs) == 1


async def test_the_download_of_a_job_picked_up_by_its_id_resumes(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert [request.status for request in download_requests(gradient_emulator)] == [200, 206]
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == RESULT_COUNT - 1


async def test_the_part_file_is_examined_in_a_thread(
    half_downloaded: BatchJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stat, threads = Path.stat, set[int]()

    def record_thread(path: Path, **options: bool) -> os.stat_result:
        if path.suffix == ".part":
            threads.add(threading.get_ident())
        return stat(path, **options)

    monkeypatch.setattr(Path, "stat", record_thread)
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert threads
    assert threading.get_ident() not in threads


async def test_a_file_that_changed_since_its_record_is_read_again(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    for path, stored in list(gradient_emulator.storage.objects.items()):
        gradient_emulator.storage.publish(path, stored.path, stored.size)
    with pytest.raises(ProtocolError, match="read it again"):
        await half_downloaded.download(tmp_path / "out.jsonl")
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == RESULT_COUNT - 1


async def test_downloading_a_running_job_raises_batch_not_ready(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(2))
    with pytest.raises(BatchNotReadyError):
        await job.download("never.jsonl")
