"""The statuses of a job over time."""

from __future__ import annotations

import asyncio

import pytest

from gradient_async.testing import Emulator
from gradient_async.testing.batch.lifecycle import JobLifecycle, JobTiming
from tests.support.emulator_client import (
    BatchClient,
    NewBatchClient,
    chat_lines,
)
from tests.support.waiting import HANG_SECONDS

TERMINAL_TIMES = ("completed_at", "failed_at", "cancelled_at")


@pytest.mark.parametrize(("executed_at", "finalizing_at", "ended_at"), [(50, 90, 100), (95, 95, 105)])
def test_a_transition_needs_its_time_and_its_work(executed_at: float, finalizing_at: float, ended_at: float) -> None:
    timing = JobTiming.from_total(100, queued=False)
    lifecycle = JobLifecycle(timing=timing, validated_at=2, executed_at=executed_at)
    moments = (9.9, 10, finalizing_at - 0.1, finalizing_at, ended_at - 0.1, ended_at)
    statuses = [lifecycle.status_at(moment) for moment in moments]
    assert statuses == ["validating", *["in_progress"] * 2, *["finalizing"] * 2, "completed"]


async def test_a_job_goes_through_every_status_in_order(batch_client: BatchClient, gradient: Emulator) -> None:
    seen = [await batch_client.submit(chat_lines(10))]
    for _ in range(4):
        gradient.batches.advance()
        seen.append(await batch_client.retrieve(seen[0]["batch_id"]))
    assert [job["status"] for job in seen] == ["validating", "in_progress", "finalizing", "completed", "completed"]
    assert [job["request_counts"]["completed"] for job in seen] == [0, 5, 10, 10, 10]
    assert [job["in_progress_at"] is not None for job in seen] == [False, True, True, True, True]
    assert [job["finalizing_at"] is not None for job in seen] == [False, False, True, True, True]
    assert [job["completed_at"] is not None for job in seen] == [False, False, False, True, True]


async def test_the_status_of_a_job_follows_the_clock(new_batch_client: NewBatchClient) -> None:
    times = [1_000_000.0]
    async with Emulator(batch_seconds=100, clock=lambda: times[-1]) as gradient:
        gradient.batches.queued = True
        batch_client = new_batch_client(gradient)
        seen = [await batch_client.submit(chat_lines(10))]
        for seconds in (15, 55, 95, 101):
            times.append(1_000_000.0 + seconds)
            seen.append(await batch_client.retrieve(seen[0]["batch_id"]))
    assert [job["status"] for job in seen] == ["queued", "validating", "in_progress", "finalizing", "completed"]
    assert [job["request_counts"]["completed"] for job in seen] == [0, 0, 5, 10, 10]
    assert seen[-1]["completed_at"] == "1970-01-12T13:48:20Z"
    assert seen[-1]["expires_at"] == "1970-01-13T13:46:40Z"


async def test_a_job_takes_batch_seconds(new_batch_client: NewBatchClient) -> None:
    loop = asyncio.get_running_loop()
    async with Emulator(batch_seconds=0.1) as gradient:
        started = loop.time()
        job, output, _ = await new_batch_client(gradient).run(chat_lines(5))
        assert 0.1 <= loop.time() - started < HANG_SECONDS
    assert (job["status"], len(output)) == ("completed", 5)


async def test_a_cancelled_job_keeps_its_results(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.submit(chat_lines(10))
    gradient.batches.advance()
    response = await batch_client.cancel(job["batch_id"])
    assert (response.status, response.json["status"]) == (200, "cancelling")
    again = await batch_client.cancel(job["batch_id"])
    assert (again.status, again.json["status"]) == (200, "cancelling")
    job = await batch_client.wait(job["batch_id"])
    assert (job["status"], job["completed_at"]) == ("cancelled", None)
    assert job["cancelled_at"]
    assert job["request_counts"] == {"total": 10, "completed": 5, "failed": 0}
    output, errors = await batch_client.results(job["batch_id"])
    assert (len(output), len(errors)) == (5, 0)


async def test_a_job_cancelled_before_its_start_has_no_results(batch_client: BatchClient, gradient: Emulator) -> None:
    job = await batch_client.submit(chat_lines(10))
    await batch_client.cancel(job["batch_id"])
    job = await batch_client.wait(job["batch_id"])
    assert job["in_progress_at"] is None
    assert await batch_client.results(job["batch_id"]) == ([], [])


async def test_a_job_can_be_cancelled_while_its_input_is_read(new_batch_client: NewBatchClient) -> None:
    async with Emulator() as gradient:
        batch_client = new_batch_client(gradient)
        wrong = {"custom_id": "wrong"}
        job = await batch_client.submit([wrong, *chat_lines(5000)])
        assert not gradient.batches.jobs[0].execution.validated
        await batch_client.cancel(job["batch_id"])
        await gradient.batches.settled()
        job = await batch_client.wait(job["batch_id"])
        assert (job["status"], job["errors"], job["in_progress_at"]) == ("cancelled", None, None)
        assert len(gradient.batches.jobs[0].execution.errors) == 1


async def test_a_job_with_zero_batch_seconds_is_completed_at_once(new_batch_client: NewBatchClient) -> None:
    async with Emulator(batch_seconds=0) as gradient:
        batch_client = new_batch_client(gradient)
        batch_id = (await batch_client.submit(chat_lines(3)))["batch_id"]
        await gradient.batches.settled()
        assert (await batch_client.call("GET", f"/v1/batches/{batch_id}")).json["status"] == "completed"


async def test_a_finished_job_cannot_be_cancelled(batch_client: BatchClient) -> None:
    job = await batch_client.wait((await batch_client.submit(chat_lines(1)))["batch_id"])
    response = await batch_client.cancel(job["batch_id"])
    assert (response.status, response.json["id"]) == (409, "conflict")


async def test_an_expired_job_keeps_its_results(batch_client: BatchClient, gradient: Emulator) -> None:
    gradient.batches.expire(after=0.5)
    job, output, errors = await batch_client.run(chat_lines(10))
    assert (job["status"], [job[name] for name in TERMINAL_TIMES]) == ("expired", [None] * 3)
    assert job["request_counts"] == {"total": 10, "completed": 5, "failed": 5}
    assert (len(output), len(errors)) == (5, 5)
    assert {error["error"]["code"] for error in errors} == {"batch_expired"}
    assert {error["response"] for error in errors} == {None}
    assert {found["custom_id"] for found in output + errors} == {f"id-{number}" for number in range(10)}


async def test_a_job_longer_than_its_window_expires(new_batch_client: NewBatchClient) -> None:
    now = 0.0
    async with Emulator(batch_seconds=40_000, time_scale=4, clock=lambda: now) as gradient:
        batch_client = new_batch_client(gradient)
        job = await batch_client.submit(chat_lines(10))
        now = 21_601.0
        assert (await batch_client.retrieve(job["batch_id"]))["status"] == "expired"
