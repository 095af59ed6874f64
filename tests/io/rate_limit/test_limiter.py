"""Granting, pauses, model tokens and status of a `RateLimiter`, in virtual time."""

import asyncio
import random
from typing import Any

import pytest

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError, SessionClosedError
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.documented_limits import DocumentedLimits
from tests.support.permits import PermitLog, loop_time, make_limiter, run_pending

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers


async def test_permits_are_free_until_a_window_is_full_and_return_one_by_one() -> None:
    limiter = make_limiter((2, 10.0))
    log = PermitLog(limiter)
    first = log.start(1)
    await asyncio.sleep(3)
    await asyncio.gather(first, *(log.start(n) for n in range(2, 6)))
    assert log.entries == [(1, 0), (2, 3), (3, 10.0), (4, 13.0), (5, 20.0)]


async def test_an_uncontended_acquire_does_not_yield_to_the_loop() -> None:
    limiter = make_limiter((2, 10.0))
    coroutine = limiter.acquire()
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value.waited == 0.0


# Pauses.


async def test_permits_after_a_pause_come_at_the_pace_of_the_window() -> None:
    limiter = make_limiter((3, 10.0), clock=loop_time)  # from the start: the pause begins before anybody asks
    limiter.pause(30.0)
    log = PermitLog(limiter)
    await asyncio.gather(*(log.start(n) for n in range(7)))
    assert log.times == [30.0, 30.0, 30.0, 40.0, 40.0, 40.0, 50.0]


async def test_after_a_refusal_permits_come_one_by_one() -> None:
    limiter = make_limiter((60, 60.0), (1000, 3600.0))
    await limiter.acquire()
    limiter.apply_response(RateLimitInfo(retry_after=10.0), status=429, sent_at=0.0)
    log = PermitLog(limiter)
    await asyncio.gather(*(log.start(n) for n in range(30)))
    gaps = [later - earlier for earlier, later in zip(log.times, log.times[1:], strict=False)]
    assert log.times[0] >= 10.0
    assert min(gaps) > 0.5


async def test_many_refusals_pause_once() -> None:
    limiter = make_limiter((250, 60.0), (5000, 3600.0))
    for _ in range(200):
        await limiter.acquire()
    for _ in range(200):
        await asyncio.sleep(0.004)
        limiter.apply_response(RateLimitInfo(retry_after=5.0), status=429, sent_at=0.0)
    assert limiter.status().paused_until == pytest.approx(5.004, abs=0.001)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
async def test_an_infinite_pause_is_refused(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match="finite"):
        make_limiter((1, 1.0)).pause(seconds)


# Model tokens.


async def test_tokens_are_limited_per_minute_and_corrected_by_usage() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    first = await limiter.acquire(tokens=600)
    log = PermitLog(limiter)
    waiting = log.start("second", tokens=600)
    await asyncio.sleep(5)
    assert log.entries == []
    first.settle(300)
    await waiting
    assert log.entries == [("second", 5.0)]
    assert limiter.status().tokens_used == 900


async def test_a_request_larger_than_the_token_budget_is_sent_alone() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    await limiter.acquire(tokens=1)
    assert (await limiter.acquire(tokens=50_000)).waited == pytest.approx(60.0)
    assert (await limiter.acquire(tokens=1)).waited == pytest.approx(60.0)


async def test_a_timeout_waits_for_an_estimate_to_be_corrected() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    first = await limiter.acquire(tokens=600)
    log = PermitLog(limiter)
    waiting = log.start("second", tokens=600, timeout=10.0)
    await asyncio.sleep(5)
    first.settle(300)
    await waiting
    assert log.entries == [("second", 5.0)]


@pytest.mark.parametrize("held", [59.0, 600.0])
async def test_tokens_of_a_held_permit_count_from_its_sent_time(held: float) -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    permit = await limiter.acquire(tokens=1000, hold=True)
    log = PermitLog(limiter)
    waiting = log.start("next", tokens=1000)
    await asyncio.sleep(held)
    permit.sent()
    await waiting
    assert log.times == [held + 60.0]


async def test_a_refund_gives_the_model_tokens_back() -> None:
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    permit = await limiter.acquire(tokens=1000)
    permit.refund()
    assert (await limiter.acquire(tokens=1000)).waited == 0.0


# Status.


async def test_status_estimate_and_repr_describe_windows_and_queue() -> None:
    limiter = make_limiter((2, 10.0), (5, 100.0))
    assert limiter.estimate(2) == 0.0
    assert limiter.estimate(3) == pytest.approx(10.0)
    assert limiter.estimate(6) == pytest.approx(100.0)
    await limiter.acquire()
    await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(4)
    status = limiter.status()
    assert [(w.capacity, w.used, w.free) for w in status.windows] == [(2, 2, 0), (5, 2, 3)]
    assert [w.next_free_at for w in status.windows] == [10.0, 4.0]
    assert (status.queued, status.paused_until, status.foreign, status.free) == (1, None, 0, 0)
    assert limiter.estimate() == pytest.approx(6.0)
    assert repr(limiter) == "<RateLimiter 2/2 in 10 s, 2/5 in 100 s, 1 queued>"
    assert "<td>10 s</td><td>2</td><td>2</td>" in limiter._repr_html_()
    await waiting


async def test_closing_rejects_every_waiter_and_keeps_the_limiter_usable() -> None:
    limiter = make_limiter((1, 10.0))
    await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await run_pending()
    await limiter.aclose()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [SessionClosedError] * 3
    await limiter.acquire()


# Against the service.


async def test_two_saturated_hours_of_concurrent_workers_have_no_refusal() -> None:
    limiter, server = RateLimiter(), DocumentedLimits([(250, 60.0), (5000, 3600.0)])
    chance = random.Random(5)

    async def worker() -> None:
        while loop_time() < 7200:
            permit = await limiter.acquire(hold=True)
            await asyncio.sleep(chance.choice([0, 0, 0, 0.1, 30]))
            sent_at = permit.sent()
            await asyncio.sleep(chance.uniform(0, 0.24))
            fine = server.receive(loop_time())
            info = RateLimitInfo(limit=5000, remaining=server.count_remaining(loop_time()))
            await asyncio.sleep(chance.uniform(0, 2))
            limiter.apply_response(info, status=200 if fine else 429, sent_at=sent_at)

    await asyncio.gather(*(worker() for _ in range(300)))
    assert server.refused == 0
    assert server.admitted >= 9900


@pytest.mark.parametrize("seed", range(12))
async def test_no_window_is_ever_exceeded_under_chaos(seed: int) -> None:
    windows = [(5, 3.0), (12, 12.0)]
    limiter, server = RateLimiter(RateLimits(windows=windows), guard=0.25), DocumentedLimits(windows)
    chance = random.Random(seed)

    async def send_request() -> bool | None:
        options: dict[str, Any] = {"priority": chance.choice(["interactive", "bulk"]), "hold": chance.random() < 0.5}
        permit = await limiter.acquire(timeout=chance.choice([None, 5.0, 100.0]), **options)
        try:
            await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 6)]) if options["hold"] else 0.0)
            if chance.random() < 0.2:
                permit.refund()
                return None
            permit.sent()
        except asyncio.CancelledError:
            permit.refund()
            raise
        await asyncio.sleep(chance.uniform(0, 0.249))
        return server.receive(loop_time())

    tasks = []
    for _ in range(150):
        tasks.append(asyncio.create_task(send_request()))
        await asyncio.sleep(chance.choice([0.0, chance.expovariate(2)]))
        if chance.random() < 0.2:
            chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert server.refused == 0
    assert limiter.status().held == limiter.status().queued == 0
    assert server.admitted > 50
