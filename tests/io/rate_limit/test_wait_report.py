"""Waits of more than a second: the log and observers, in virtual time."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import attrs
import pytest

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.wait_details import WaitDetails, WaitOutcome
from gradient_async.errors import APITimeoutError
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.permits import loop_time, make_limiter, run_pending

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers


class WaitLog:
    """An observer that keeps what it is told, with the time."""

    def __init__(self) -> None:
        self.begun: list[tuple[float, WaitDetails]] = []
        self.ended: list[tuple[float, WaitOutcome]] = []

    def __call__(self, wait: WaitDetails) -> Callable[[WaitOutcome], None]:
        self.begun.append((loop_time(), wait))
        return lambda outcome: self.ended.append((loop_time(), outcome))


def list_waits(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if "waiting" in record.getMessage()]


@pytest.fixture(autouse=True)
def logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gradient_async")


async def test_a_long_wait_is_told_when_it_begins_and_when_it_ends(caplog: pytest.LogCaptureFixture) -> None:
    limiter, log = make_limiter((2, 41.0)), WaitLog()
    await asyncio.gather(limiter.acquire(), limiter.acquire())
    await limiter.acquire("bulk", model="m", on_wait=log)
    details = WaitDetails(seconds=41.0, limit="2 in 41 s", queued=0, model="m", priority="bulk")
    assert log.begun == [(0.0, details)]
    assert log.ended == [(41.0, WaitOutcome(waited=41.0, granted=True))]
    assert list_waits(caplog) == ["rate limit: waiting 41.0 s (2 in 41 s), 0 requests before it"]
    assert str(details) == "waiting 41 s for the rate limit (2 in 41 s)"


async def test_a_short_wait_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    limiter, log = make_limiter((1, 0.9)), WaitLog()
    await limiter.acquire()
    await limiter.acquire(on_wait=log)
    assert (log.begun, log.ended, list_waits(caplog)) == ([], [], [])


async def test_a_wait_that_becomes_long_is_told_then(caplog: pytest.LogCaptureFixture) -> None:
    limiter, log = make_limiter((1, 0.9)), WaitLog()
    await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire(on_wait=log))
    await asyncio.sleep(0.5)
    limiter.pause(5.0)
    await waiting
    assert [(at, wait.seconds, wait.limit) for at, wait in log.begun] == [(1.0, 5.5, "paused by the service")]
    assert [at for at, _ in log.ended] == [5.5]
    assert len(list_waits(caplog)) == 1


async def test_a_cancelled_wait_and_one_that_times_out_end_too() -> None:
    limiter, log = make_limiter((1, 60.0)), WaitLog()
    permit = await limiter.acquire(hold=True)
    late = asyncio.create_task(limiter.acquire(on_wait=log, timeout=60.0))
    cancelled = asyncio.create_task(limiter.acquire(on_wait=log))
    await asyncio.sleep(2)
    cancelled.cancel()
    with pytest.raises(APITimeoutError):
        await late
    assert [(at, outcome) for at, outcome in log.ended] == [
        (2.0, WaitOutcome(waited=2.0, granted=False)),
        (60.0, WaitOutcome(waited=60.0, granted=False)),
    ]
    permit.refund()


async def test_requests_that_wait_together_are_one_record_with_their_number(caplog: pytest.LogCaptureFixture) -> None:
    limiter = make_limiter((5, 60.0))
    tasks = [asyncio.create_task(limiter.acquire()) for _ in range(500)]
    await run_pending()
    assert len(list_waits(caplog)) == 1
    await asyncio.sleep(30)
    tasks += [asyncio.create_task(limiter.acquire()) for _ in range(5)]
    await run_pending()
    assert list_waits(caplog)[1:] == ["rate limit: waiting 5970.0 s (5 in 60 s), 495 requests before it"]
    for task in tasks:
        task.cancel()


@pytest.mark.parametrize(
    ("headers", "limit"),
    [
        ({"limit_requests": 6, "remaining_requests": 0}, "6 requests in 60 s"),
        ({"limit_tokens_per_minute": 600, "remaining_tokens_per_minute": 0}, "600 tokens in 60 s"),
        ({"limit_tokens_per_day": 864_000, "remaining_tokens_per_day": 0}, "864000 tokens in 86400 s"),
    ],
)
async def test_the_wait_for_a_model_names_its_quota(headers: dict[str, Any], limit: str) -> None:
    limiter, log = make_limiter((100, 60.0), clock=loop_time), WaitLog()
    limiter.apply_response(RateLimitInfo(**headers), status=200, sent_at=0.0, model="m\x1b")
    await limiter.acquire(model="m\x1b", on_wait=log, tokens=100)
    assert [(wait.limit, round(wait.seconds)) for _, wait in log.begun] == [(f"{limit} for m\\x1b", 10)]


async def test_the_wait_for_declared_model_tokens_names_them() -> None:
    limiter, log = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0), WaitLog()
    await limiter.acquire(tokens=900)
    await limiter.acquire(tokens=900, on_wait=log)
    assert [wait.limit for _, wait in log.begun] == ["1000 tokens in 60 s"]


@pytest.mark.parametrize("fails_at", ["begin", "end"])
async def test_an_observer_that_fails_does_not_reach_the_request(
    fails_at: str, caplog: pytest.LogCaptureFixture
) -> None:
    limiter = make_limiter((1, 5.0))

    def fail(_: object) -> None:
        raise ValueError("of the observer")

    def begin(wait: WaitDetails) -> Callable[[WaitOutcome], None]:
        if fails_at == "begin":
            fail(wait)
        return fail

    await limiter.acquire()
    assert (await limiter.acquire(on_wait=begin)).waited == 5.0
    assert "a hook failed" in [record.getMessage() for record in caplog.records]


async def test_nothing_is_computed_for_a_wait_that_nobody_wants_to_know(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "gradient_async")
    limiter = make_limiter((1, 5.0))
    monkeypatch.setattr(limiter, "_describe_wait", None)
    await limiter.acquire()
    assert (await limiter.acquire()).waited == 5.0


def test_details_are_frozen() -> None:
    details = WaitDetails(seconds=1.0, limit="2 in 41 s", queued=0, model=None, priority="bulk")
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        details.seconds = 2.0  # type: ignore[misc]  # the subject
