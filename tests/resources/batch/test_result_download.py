"""The results of a job as files, also across processes."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import json
import os
import threading
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from gradient_async import (
    APIConnectionError,
    AsyncSession,
    AttemptDetails,
    BatchError,
    BatchJob,
    BatchNotReadyError,
    ConfigurationError,
    ProtocolError,
    RetryPolicy,
    UploadError,
)
from gradient_async._protocol.batch.journal_records import encode_record
from gradient_async.resources.batch import result_download
from gradient_async.testing import Emulator
from tests.support.batches import (
    FAST,
    OUTPUT_PATH,
    RESULT_COUNT,
    RESULT_IDS,
    NewSession,
    collect_ids,
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
    loop = asyncio.get_running_loop()

    def open_slowly(path: str, flags: int) -> int:
        loop.call_soon_threadsafe(opened.set)
        time.sleep(0.1)
        return os.open(path, flags)

    monkeypatch.setattr(result_download, "_open_without_following", open_slowly)
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
    lstat, threads = Path.lstat, set[int]()

    def record_thread(path: Path) -> os.stat_result:
        if path.suffix == ".part":
            threads.add(threading.get_ident())
        return lstat(path)

    monkeypatch.setattr(Path, "lstat", record_thread)
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert threads
    assert threading.get_ident() not in threads


async def test_a_file_that_changed_since_its_record_is_read_again(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    for path, stored in list(gradient_emulator.storage.objects.items()):
        gradient_emulator.storage.objects[path] = attrs.evolve(stored, etag='"other"')
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


def find_part(folder: Path) -> Path:
    (part,) = folder.glob("*.part")
    return part


def replace_bytes(gradient: Emulator, change: Callable[[bytes], bytes], **fields: Any) -> None:
    """Store other bytes for each result file."""
    for path, stored in list(gradient.storage.objects.items()):
        if path.startswith("/outputs/"):
            data = change(stored.path.read_bytes()[: stored.size])
            stored.path.write_bytes(data)
            gradient.storage.publish(path, stored.path, len(data))
            gradient.storage.objects[path] = attrs.evolve(gradient.storage.objects[path], **fields)


@pytest.mark.parametrize("change", [lambda data: data.replace(b"custom_id", b"custom_iD"), lambda data: data])
async def test_other_bytes_than_the_md5_says_are_no_success(
    gradient_emulator: Emulator, job: BatchJob, tmp_path: Path, change: Callable[[bytes], bytes]
) -> None:
    await collect_ids(job)
    replace_bytes(gradient_emulator, change, etag=f'"{hashlib.md5(b"x", usedforsecurity=False).hexdigest()}"')
    with pytest.raises(ProtocolError, match="other bytes"):
        await job.download(tmp_path / "out.jsonl")
    assert read_folder(tmp_path) == {}


async def test_results_of_other_bytes_than_the_md5_says_end_with_an_error(
    gradient_emulator: Emulator, job: BatchJob
) -> None:
    await collect_ids(job)
    gradient_emulator.storage.cut(1_000, times=2)
    assert sorted(await collect_ids(job)) == RESULT_IDS
    replace_bytes(gradient_emulator, bytes, etag=f'"{hashlib.md5(b"x", usedforsecurity=False).hexdigest()}"')
    results, found = job.results(), list[str]()
    for _ in ("output", "error"):
        with pytest.raises(ProtocolError, match="other bytes"):
            async for result in results:
                found.append(result.custom_id)
    assert [result async for result in results] == []
    assert sorted(found) == RESULT_IDS


async def test_the_md5_of_a_resumed_download_covers_the_bytes_on_disk(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    part = find_part(tmp_path)
    part.write_bytes(part.read_bytes().replace(b"custom_id", b"custom_iD"))
    with pytest.raises(ProtocolError, match="other bytes"):
        await half_downloaded.download(tmp_path / "out.jsonl")
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes().count(b"\n") == RESULT_COUNT - 1


@pytest.mark.parametrize(("pack", "encoding"), [(gzip.compress, "gzip"), (gzip.compress, None), (bytes, "utf-8")])
async def test_stored_codings_are_unpacked_over_lost_connections(
    gradient_emulator: Emulator, job: BatchJob, tmp_path: Path, pack: Callable[[bytes], bytes], encoding: str | None
) -> None:
    await collect_ids(job)
    replace_bytes(gradient_emulator, pack, content_encoding=encoding)
    gradient_emulator.storage.cut(1_000, times=4)
    assert sorted(await collect_ids(job)) == RESULT_IDS
    gradient_emulator.storage.cut(1_000, times=4)
    await job.download(tmp_path / "out.jsonl")
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == RESULT_COUNT - 1


async def test_a_packed_file_has_no_save_record_and_starts_over(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path
) -> None:
    for path in [find_part(tmp_path), tmp_path / "download.journal"]:
        path.unlink()
    replace_bytes(gradient_emulator, gzip.compress, content_encoding="gzip")
    gradient_emulator.storage.cut(5_000)
    with pytest.raises(APIConnectionError):
        await half_downloaded.download(tmp_path / "out.jsonl")
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert download_requests(gradient_emulator)[-1].headers.get("Range") is None
    assert len((tmp_path / "out.jsonl").read_bytes().splitlines()) == RESULT_COUNT - 1


@pytest.mark.parametrize("states_size", [True, False])
async def test_a_part_file_with_every_byte_is_finished(
    gradient_emulator: Emulator, half_downloaded: BatchJob, tmp_path: Path, states_size: bool
) -> None:
    gradient_emulator.storage.states_size = states_size
    (stored,) = [
        each
        for path, each in gradient_emulator.storage.objects.items()
        if path.endswith(f"{half_downloaded.batch_id}.jsonl")
    ]
    part = find_part(tmp_path)
    part.write_bytes(stored.path.read_bytes()[: stored.size])
    fields = {"part": 0, "offset": stored.size, "position": stored.size, "tag": stored.etag}
    with (tmp_path / "download.journal").open("ab") as journal:
        journal.write(encode_record("save", file="output", **fields))
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert (tmp_path / "out.jsonl").read_bytes() == stored.path.read_bytes()[: stored.size]


@pytest.mark.parametrize("link", ["symbolic", "hard"])
async def test_a_link_in_the_place_of_the_part_file_is_never_written_through(
    half_downloaded: BatchJob, tmp_path: Path, link: str
) -> None:
    part = find_part(tmp_path)
    victim = tmp_path / "victim"
    victim.write_bytes(b"v" * 100_000)
    part.unlink()
    part.symlink_to(victim) if link == "symbolic" else part.hardlink_to(victim)
    await half_downloaded.download(tmp_path / "out.jsonl")
    assert victim.read_bytes() == b"v" * 100_000
    assert not (tmp_path / "out.jsonl").is_symlink()


async def test_a_full_disk_is_an_error_that_names_the_file(
    job: BatchJob, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(result_download, "write_all", fail)
    with pytest.raises(BatchError, match=r"out\.jsonl.*No space left"):
        await job.download(tmp_path / "out.jsonl")
    assert read_folder(tmp_path) == {}


@pytest.mark.parametrize(("status", "code"), [(404, "NoSuchKey"), (403, "AccessDenied"), (410, None), (400, "Odd")])
async def test_a_sidecar_that_cannot_be_read_is_reported_beside_the_output(
    gradient_emulator: Emulator, job: BatchJob, tmp_path: Path, status: int, code: str | None
) -> None:
    gradient_emulator.fail(status, code=code, times=None, path="/outputs/*_errors.jsonl")
    stream = job.results()
    assert len([result async for result in stream]) == RESULT_COUNT - 1
    assert [str(status) in str(problem) for problem in stream.problems] == [True]
    saved = await job.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl")
    assert read_folder(tmp_path).keys() == {"out.jsonl"}
    assert isinstance(saved.errors_problem, UploadError)


@pytest.mark.parametrize("url", ["", "string", "https://10.0.0.1/x", "ftp://host/x"])
async def test_an_unusable_url_of_the_sidecar_spoils_nothing(
    gradient_emulator: Emulator, job: BatchJob, tmp_path: Path, url: str
) -> None:
    links = (await job._calls.result_links(job.batch_id)).to_dict() | {"error_file_url": url}
    gradient_emulator.fail(200, body=links, content_type="application/json", path="/v1/batches/*/results", times=None)
    assert len(await collect_ids(job)) == RESULT_COUNT - 1
    saved = await job.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl")
    assert (saved.errors_problem is None) is ("://" not in url)


async def test_hooks_see_uploads_and_downloads(gradient_emulator: Emulator, new_session: NewSession) -> None:
    seen: list[AttemptDetails] = []
    gradient_emulator.batches.seconds = 0.05
    gradient_emulator.fail(503, path="/inputs/*")
    async with new_session(limits=None, hooks=[seen.append]) as session:
        job = await session.batches.run(requests(3), poll=FAST)
        await collect_ids(job)
    storage = [(each.method, each.status, each.attempt) for each in seen if "/v1/" not in each.url]
    assert storage == [("PUT", 503, 1), ("PUT", 200, 2), ("GET", 200, 1)]
    assert "Signature" not in repr(seen)


@pytest.mark.parametrize(
    ("signed_type", "sent"),
    [
        (None, ["application/jsonl"]),
        ("application/jsonl", ["application/jsonl"]),
        ("application/octet-stream", ["application/jsonl", "application/octet-stream"]),
        ("", ["application/jsonl", "application/octet-stream", None]),
    ],
)
async def test_an_upload_finds_the_type_that_its_url_is_signed_for(
    gradient_emulator: Emulator, session: AsyncSession, signed_type: str | None, sent: list[str | None]
) -> None:
    gradient_emulator.storage.signed_type = signed_type
    await session.batches.submit(requests(2))
    puts = gradient_emulator.storage.requests
    assert [put.headers.get("Content-Type") for put in puts] == sent
    assert len({put.target for put in puts}) == len(puts)
