"""When a job is looked at again; in virtual time."""

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

pytestmark = pytest.mark.looptime

PASSING: list[GradientError] = [
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


class Script:
    """Answers looks in turn; the last answer stays."""

    def __init__(self, *answers: Batch | GradientError) -> None:
        self.answers = list(answers)
        self.times: list[float] = []

    async def look(self, timeout: float | None) -> Batch:
        self.times.append(asyncio.get_running_loop().time())
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, GradientError):
            raise answer
        return answer


async def watch(script: Script, **options: Any) -> list[str]:
    return [batch.status async for batch in JobProgress(script.look, Poll(), **options)]


async def test_only_changes_are_yielded() -> None:
    script = Script(job(), job(), job(done=5), job(done=5), job("finalizing", 100), job("completed", 100))
    assert await watch(script) == ["in_progress", "in_progress", "finalizing", "completed"]
    assert len(script.times) == 6


async def test_an_unknown_status_is_not_final() -> None:
    assert await watch(Script(job("queued"), job("paused_for_lunch"), job("failed"))) == [
        "queued", "paused_for_lunch", "failed",
    ]  # fmt: skip


@pytest.mark.parametrize("error", PASSING)
async def test_a_transient_error_is_waited_out(error: GradientError) -> None:
    assert await watch(Script(job(), error, error, job("completed"))) == ["in_progress", "completed"]


@pytest.mark.parametrize("error", FINAL)
async def test_a_final_error_is_raised(error: GradientError) -> None:
    script = Script(job(), error)
    with pytest.raises(type(error)):
        await watch(script)
    assert len(script.times) == 2


async def test_repeated_malformed_responses_are_raised() -> None:
    with pytest.raises(ProtocolError):
        await watch(Script(ProtocolError("<html>")))


async def test_an_outage_is_waited_out_with_growing_delays() -> None:
    script = Script(*[APIConnectionError("down")] * 9, job("completed"))
    assert await watch(script) == ["completed"]
    gaps = [later - earlier for earlier, later in pairwise(script.times)]
    assert gaps[0] >= 2
    assert all(later >= earlier / 1.2 for earlier, later in pairwise(gaps))
    assert max(gaps) <= 60 * 1.2


async def test_a_retry_after_is_honoured() -> None:
    script = Script(job(), RateLimitError("slow", retry_after=500), job("completed"))
    await watch(script)
    assert script.times[2] - script.times[1] >= 500


async def test_the_timeout_raises_and_says_that_the_job_continues() -> None:
    script = Script(job())
    began = asyncio.get_running_loop().time()
    with pytest.raises(APITimeoutError, match="goes on at the service") as caught:
        await watch(script, timeout=100)
    assert caught.value.phase == "total"
    assert asyncio.get_running_loop().time() - began == pytest.approx(100, abs=0.01)


async def test_an_outage_ends_with_the_timeout() -> None:
    with pytest.raises(APITimeoutError):
        await watch(Script(APIConnectionError("down")), timeout=300)


async def test_a_job_of_a_day_takes_few_polls() -> None:
    loop = asyncio.get_running_loop()

    class Day(Script):
        async def look(self, timeout: float | None) -> Batch:
            await super().look(timeout)
            return job("completed") if loop.time() - self.times[0] > 86_400 else job()

    script = Day(job())
    await watch(script)
    assert len(script.times) < 1_700
    assert script.times[-1] - script.times[0] < 86_400 + 60 * 1.2


async def test_the_end_of_a_short_job_is_noticed_within_seconds() -> None:
    script = Script(job(), job(), job(), job("completed"))
    await watch(script)
    assert script.times[-1] - script.times[0] < 3 * 2 * 1.2 + 0.01
