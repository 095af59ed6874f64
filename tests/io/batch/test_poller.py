"""The polls of a job: changes, errors, timeout; in virtual time."""

from __future__ import annotations

import asyncio
from itertools import pairwise
from typing import Any

import pytest

from gradient_async import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    Batch,
    BatchNotReadyError,
    ConfigurationError,
    GradientError,
    InternalServerError,
    NotFoundError,
    Poll,
    PreconditionFailedError,
    ProtocolError,
    RateLimitError,
    RequestCounts,
)
from gradient_async._io.batch.poller import JobProgress

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers

TRANSIENT: list[GradientError] = [
    APIConnectionError("reset", maybe_sent=True),
    RateLimitError("slow down"),
    InternalServerError("502", status=502),
    PreconditionFailedError("not yet"),
    BatchNotReadyError("not yet"),
    ProtocolError("<html>"),
]
FINAL: list[GradientError] = [AuthenticationError("no"), NotFoundError("no"), ConfigurationError("no key")]


def job(status: str = "in_progress", done: int = 0, total: int = 100) -> Batch:
    return Batch(batch_id="b", status=status, request_counts=RequestCounts(total=total, completed=done))


class ScriptedJob:
    """Returns or raises each result in turn; the last one again and again."""

    def __init__(self, *results: Batch | GradientError) -> None:
        self.results = list(results)
        self.times: list[float] = []

    async def fetch(self, timeout: float | None) -> Batch:
        self.times.append(asyncio.get_running_loop().time())
        result = self.results.pop(0) if len(self.results) > 1 else self.results[0]
        if isinstance(result, GradientError):
            raise result
        return result


async def poll_statuses(polled: ScriptedJob, **options: Any) -> list[str]:
    return [batch.status async for batch in JobProgress(polled.fetch, Poll(), **options)]


async def test_only_changes_are_yielded() -> None:
    polled = ScriptedJob(job(), job(), job(done=5), job(done=5), job("finalizing", 100), job("completed", 100))
    assert await poll_statuses(polled) == ["in_progress", "in_progress", "finalizing", "completed"]
    assert len(polled.times) == 6


async def test_an_unknown_status_is_not_final() -> None:
    assert await poll_statuses(ScriptedJob(job("queued"), job("paused_for_lunch"), job("failed"))) == [
        "queued", "paused_for_lunch", "failed",
    ]  # fmt: skip


@pytest.mark.parametrize("error", TRANSIENT)
async def test_a_transient_error_is_waited_out(error: GradientError) -> None:
    assert await poll_statuses(ScriptedJob(job(), error, error, job("completed"))) == ["in_progress", "completed"]


@pytest.mark.parametrize("error", FINAL)
async def test_a_final_error_is_raised(error: GradientError) -> None:
    polled = ScriptedJob(job(), error)
    with pytest.raises(type(error)):
        await poll_statuses(polled)
    assert len(polled.times) == 2


async def test_repeated_malformed_responses_are_raised() -> None:
    with pytest.raises(ProtocolError):
        await poll_statuses(ScriptedJob(ProtocolError("<html>")))


async def test_an_outage_is_waited_out_with_growing_delays() -> None:
    polled = ScriptedJob(*[APIConnectionError("down")] * 9, job("completed"))
    assert await poll_statuses(polled) == ["completed"]
    gaps = [later - earlier for earlier, later in pairwise(polled.times)]
    assert gaps[0] >= 2
    assert all(later >= earlier / 1.2 for earlier, later in pairwise(gaps))
    assert max(gaps) <= 60 * 1.2


async def test_a_retry_after_is_honoured() -> None:
    polled = ScriptedJob(job(), RateLimitError("slow", retry_after=500), job("completed"))
    await poll_statuses(polled)
    assert polled.times[2] - polled.times[1] >= 500


async def test_the_timeout_raises_and_says_that_the_job_continues() -> None:
    polled = ScriptedJob(job())
    began = asyncio.get_running_loop().time()
    with pytest.raises(APITimeoutError, match="goes on at the service") as caught:
        await poll_statuses(polled, timeout=100)
    assert caught.value.phase == "total"
    assert asyncio.get_running_loop().time() - began == pytest.approx(100, abs=0.01)


async def test_an_outage_ends_with_the_timeout() -> None:
    with pytest.raises(APITimeoutError):
        await poll_statuses(ScriptedJob(APIConnectionError("down")), timeout=300)


async def test_a_job_of_a_day_takes_few_polls() -> None:
    loop = asyncio.get_running_loop()

    class DayLongJob(ScriptedJob):
        async def fetch(self, timeout: float | None) -> Batch:
            await super().fetch(timeout)
            return job("completed") if loop.time() - self.times[0] > 86_400 else job()

    polled = DayLongJob(job())
    await poll_statuses(polled)
    assert len(polled.times) < 1_700
    assert polled.times[-1] - polled.times[0] < 86_400 + 60 * 1.2


async def test_the_end_of_a_short_job_is_noticed_within_seconds() -> None:
    polled = ScriptedJob(job(), job(), job(), job("completed"))
    await poll_statuses(polled)
    assert polled.times[-1] - polled.times[0] < 3 * 2 * 1.2 + 0.01
