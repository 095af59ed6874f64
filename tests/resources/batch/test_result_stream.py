"""The results of a job as a stream, over real sockets."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BatchFailedError,
    BatchJob,
    StreamBusyError,
)
from gradient_async.testing import Emulator
from tests.support.batches import FAST, OUTPUT_PATH, RESULT_COUNT, RESULT_IDS, collect_ids, requests
from tests.support.waiting import HANG_SECONDS, wait_until


async def test_the_output_comes_first_then_the_errors(job: BatchJob) -> None:
    results = [result async for result in job.results()]
    assert sorted(result.custom_id for result in results) == RESULT_IDS
    assert (results[-1].custom_id, results[-1].file, results[-1].line, results[-1].ok) == ("r7", "error", 1, False)
    assert [result.line for result in results[:-1]] == list(range(1, RESULT_COUNT))


@pytest.mark.parametrize("how", ["412", "flag"])
async def test_results_may_appear_shortly_after_the_end(gradient_emulator: Emulator, job: BatchJob, how: Any) -> None:
    gradient_emulator.batches.not_ready = how
    gradient_emulator.batches.late = 2
    assert sorted(await collect_ids(job)) == RESULT_IDS


async def test_a_job_with_only_failures_streams_the_error_file(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    for number in range(3):
        gradient_emulator.batches.fail_line(f"r{number}")
    job = await session.batches.run(requests(3), poll=FAST)
    assert [(result.ok, result.file) async for result in job.results()] == [(False, "error")] * 3


async def test_leaving_the_iteration_releases_the_connection(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.stall(60, after=1, path=OUTPUT_PATH)
    async for _ in job.results():
        break
    await wait_until(lambda: not gradient_emulator.active)


async def test_close_ends_the_iteration_of_another_task(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.stall(60, after=1, path=OUTPUT_PATH)
    results = job.results()

    async def read() -> int:
        return len([result async for result in results])

    reading = asyncio.create_task(read())
    await asyncio.sleep(0.1)
    with pytest.raises(StreamBusyError):
        async for _ in results:
            pass
    results.close()
    async with asyncio.timeout(HANG_SECONDS):
        assert await reading < RESULT_COUNT


async def test_a_cancelled_iteration_can_be_continued(gradient_emulator: Emulator, job: BatchJob) -> None:
    gradient_emulator.stall(0.3, after=1, path=OUTPUT_PATH)
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
    assert sorted(got) == RESULT_IDS


async def test_the_results_of_a_failed_job_raise(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.batches.max_requests = 1
    job = await session.batches.submit(requests(2))
    with pytest.raises(BatchFailedError):
        await job.wait(poll=FAST)
    with pytest.raises(BatchFailedError, match="1 to 1 are allowed"):
        await collect_ids(job)
