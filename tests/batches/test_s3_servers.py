"""The whole life of a job whose files lie at a real S3 server."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import pytest

from gradient_async import AsyncSession
from gradient_async._io.batch.threads import run_in_thread
from gradient_async.resources.batch import result_download
from gradient_async.testing import Emulator
from tests.support.batches import FAST, QUICK_RETRY, requests
from tests.support.s3_server import SERVERS, S3Server, S3Storage, run_s3_server

COUNT = 300


@pytest.fixture(scope="module", params=SERVERS)
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    with run_s3_server(request.param, tmp_path_factory.mktemp(request.param)) as running:
        yield running


@pytest.fixture
async def storage(gradient_emulator: Emulator, server: S3Server) -> S3Storage:
    """The server as the storage host of the emulated service."""
    emulated = gradient_emulator.storage
    storage = S3Storage(address=emulated.address, script=emulated.script, clock=emulated.clock, server=server)
    gradient_emulator.batches.storage, gradient_emulator.batches.seconds = storage, 0.05
    return storage


@pytest.fixture
async def session(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=QUICK_RETRY, limits=None) as session:
        yield session


class _StoppedError(Exception):
    """Interrupts a download."""


async def test_a_job_is_submitted_read_saved_and_retried(
    gradient_emulator: Emulator,
    storage: S3Storage,
    session: AsyncSession,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(result_download, "SYNC_BYTES", 20_000)
    gradient_emulator.batches.fail_line("r7", status=500)
    storage.spoiled = 1 if storage.server.verifies else 0
    job = await session.batches.run(requests(COUNT), journal=tmp_path / "run.journal", poll=FAST)
    assert (storage.urls["PUT"] > 1) is storage.server.verifies
    storage.spoiled = 1 if storage.server.verifies else 0
    assert len([result async for result in job.results()]) == COUNT

    def stop_in_the_middle(done: int, _total: int) -> None:
        if done > 40_000:
            raise _StoppedError

    with pytest.raises(_StoppedError):
        await job.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl", on_progress=stop_in_the_middle)
    saved = await job.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl")
    report = await job.report(saved=saved)
    assert (len(report.succeeded), report.failed, report.missing) == (COUNT - 1, ("r7",), ())
    again = await job.retry_failed()
    await again.wait(poll=FAST)
    assert [result.custom_id async for result in again.results() if result.ok] == ["r7"]


@pytest.mark.parametrize("upload_type", ["application/octet-stream", "application/jsonl"])
async def test_an_upload_has_the_type_that_its_url_is_signed_for(
    storage: S3Storage, session: AsyncSession, upload_type: str
) -> None:
    storage.upload_type = upload_type
    job = await session.batches.run(requests(2), poll=FAST)
    assert (await job.report()).ok


async def test_an_address_with_a_wrong_signature_is_refused(storage: S3Storage) -> None:
    if not storage.server.verifies:
        pytest.skip("this server does not verify the signatures of presigned URLs")
    storage.spoiled = 1
    url, _ = storage.create_url("GET", "/outputs/none")
    with pytest.raises(urllib.error.HTTPError, match="403") as caught:
        await run_in_thread(partial(urllib.request.urlopen, url))
    caught.value.close()
