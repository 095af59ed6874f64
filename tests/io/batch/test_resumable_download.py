"""Downloads over lost connections, expired URLs and hosts without ranges."""

from __future__ import annotations

import asyncio

import pytest

from gradient_async import (
    APIConnectionError,
    BatchJob,
    ProtocolError,
    Timeouts,
    UploadError,
)
from gradient_async.testing import Emulator
from tests.support.batches import (
    FAST,
    OUTPUT_PATH,
    RESULT_COUNT,
    RESULT_IDS,
    NewSession,
    collect_ids,
    download_requests,
    requests,
    run_storage_host,
    serve_results_at,
)
from tests.support.waiting import HANG_SECONDS

pytestmark = pytest.mark.usefixtures("steady_clock")


async def test_a_download_sends_no_key(gradient_emulator: Emulator, job: BatchJob) -> None:
    await collect_ids(job)
    for request in download_requests(gradient_emulator):
        assert {"Authorization", "Cookie"}.isdisjoint(request.headers)
        assert request.headers["Accept-Encoding"] == "identity"


@pytest.mark.parametrize("after", [0, 1, 1000, 100_000])
async def test_a_lost_connection_is_resumed_at_its_byte(gradient_emulator: Emulator, job: BatchJob, after: int) -> None:
    gradient_emulator.storage.cut(after, times=3)
    assert sorted(await collect_ids(job)) == RESULT_IDS
    requests_ = download_requests(gradient_emulator)
    ranges = [request.headers.get("Range") for request in requests_]
    assert len(ranges) == 4
    if after:
        assert ranges == [None, *[f"bytes={after * number}-" for number in (1, 2, 3)]]
        assert not any("If-Range" in request.headers for request in requests_)


async def test_connections_that_bring_no_byte_raise(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.cut(0, times=None)
    with pytest.raises(APIConnectionError):
        await collect_ids(job)


async def test_a_host_without_ranges_that_always_cuts_raises(gradient_emulator: Emulator, job: BatchJob) -> None:
    async with run_storage_host(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n" + b"x" * 500) as url:
        serve_results_at(gradient_emulator, job, url)
        with pytest.raises(APIConnectionError):
            async with asyncio.timeout(HANG_SECONDS):
                await collect_ids(job)


async def test_an_expired_url_is_renewed_and_the_rest_is_read(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.cut(20_000)
    results = job.results()
    first = await anext(results)
    gradient_emulator.storage.expire()
    rest = [result.custom_id async for result in results]
    assert sorted([first.custom_id, *rest]) == RESULT_IDS
    statuses = [request.status for request in download_requests(gradient_emulator)]
    assert statuses == [200, 403, 206]


async def test_a_download_requests_two_fresh_urls_at_most(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.fail(403, times=None, path=OUTPUT_PATH)
    with pytest.raises(UploadError) as caught:
        await collect_ids(job)
    assert caught.value.status == 403
    assert len(download_requests(gradient_emulator)) == 3


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_transient_error_of_a_download_is_retried(
    gradient_emulator: Emulator, job: BatchJob, status: int
) -> None:
    gradient_emulator.fail(status, times=2, path=OUTPUT_PATH)
    assert sorted(await collect_ids(job)) == RESULT_IDS


async def test_a_missing_file_raises(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.objects.clear()
    gradient_emulator.fail(404, code="NoSuchKey", times=None, path=OUTPUT_PATH)
    with pytest.raises(UploadError, match="NoSuchKey"):
        await collect_ids(job)


async def test_a_file_that_changed_during_the_download_raises(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.storage.cut(20_000)
    results = job.results()
    await anext(results)
    for path, stored in gradient_emulator.storage.objects.items():
        gradient_emulator.storage.publish(path, stored.path, stored.size - 1000)
    with pytest.raises(ProtocolError, match="changed"):
        async for _ in results:
            pass


@pytest.mark.parametrize("after", [None, 1])
async def test_a_silent_host_is_disconnected_and_the_rest_requested(
    gradient_emulator: Emulator, new_session: NewSession, after: int | None
) -> None:
    gradient_emulator.batches.seconds = 0.05
    async with new_session(limits=None, timeouts=Timeouts(idle=0.1)) as session:
        job = await session.batches.run(requests(RESULT_COUNT), poll=FAST)
        gradient_emulator.stall(60, after=after, path=OUTPUT_PATH)
        async with asyncio.timeout(HANG_SECONDS):
            assert sorted(await collect_ids(job)) == RESULT_IDS


async def test_a_refusal_without_its_whole_body_is_raised_after_the_idle_timeout(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.seconds = 0.05
    async with new_session(limits=None, timeouts=Timeouts(idle=0.1)) as session:
        job = await session.batches.run(requests(1), poll=FAST)
        async with run_storage_host(b"HTTP/1.1 404 X\r\nContent-Length: 100\r\n\r\nx", silent=True) as url:
            serve_results_at(gradient_emulator, job, url)
            with pytest.raises(UploadError, match="404"):
                async with asyncio.timeout(HANG_SECONDS):
                    await collect_ids(job)
