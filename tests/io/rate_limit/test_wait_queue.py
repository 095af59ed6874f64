"""The order, the cancellations and the timeouts of waiting requests."""

import asyncio

import pytest

from gradient_async._io.rate_limit.permit import Permit
from gradient_async.errors import APITimeoutError, ConfigurationError
from tests.support.permits import PermitLog, loop_time, make_limiter, run_pending

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers


# The order.


async def test_permits_are_granted_first_come_first_served() -> None:
    log = PermitLog(make_limiter((3, 1.0)))
    await asyncio.gather(*(log.start(n) for n in range(50)))
    assert log.names == list(range(50))


async def test_a_new_request_does_not_overtake_the_queue_when_a_token_returns() -> None:
    limiter = make_limiter((1, 1.0))
    log = PermitLog(limiter)
    waiting = [log.start(n) for n in range(3)]
    await asyncio.sleep(1.0)
    late = log.start("late")
    await asyncio.gather(*waiting, late)
    assert log.names == [0, 1, 2, "late"]


async def test_interactive_goes_first_and_bulk_gets_every_eighth_turn() -> None:
    limiter = make_limiter((1, 1.0))
    await limiter.acquire()
    log = PermitLog(limiter)
    tasks = [log.start("b", priority="bulk") for _ in range(5)]
    await run_pending()
    tasks += [log.start("i") for _ in range(30)]
    await asyncio.gather(*tasks)
    assert "".join(map(str, log.names)) == "iiiiiiib" * 4 + "iib"


async def test_bulk_gets_every_permit_when_no_interactive_request_waits() -> None:
    log = PermitLog(make_limiter((10, 1.0)))
    await asyncio.gather(*(log.start(n, priority="bulk") for n in range(40)))
    assert log.times[-1] == pytest.approx(3.0, abs=0.01)


async def test_an_unknown_priority_is_refused() -> None:
    limiter = make_limiter((1, 1.0))
    await limiter.acquire()
    with pytest.raises(ConfigurationError, match="'interactive' or 'bulk'"):
        await limiter.acquire("urgent")  # type: ignore[arg-type]  # the subject


# Cancellation.


@pytest.mark.parametrize("position", range(6))
async def test_cancelling_a_waiter_advances_only_the_waiters_behind_it(position: int) -> None:
    limiter = make_limiter((1, 1.0))
    await limiter.acquire()
    log = PermitLog(limiter)
    tasks = [log.start(n) for n in range(6)]
    await asyncio.sleep(0.5)
    tasks[position].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert log.names == [n for n in range(6) if n != position]
    assert log.times == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("steps", range(8))
async def test_a_cancellation_at_any_step_loses_no_permit(steps: int) -> None:
    limiter = make_limiter((2, 10.0))
    given = [await limiter.acquire(), await limiter.acquire()]
    log = PermitLog(limiter)
    expiring, other = log.start("expiring"), log.start("other")
    await run_pending()
    given[0].refund()
    for _ in range(steps):
        await asyncio.sleep(0)
    expiring.cancel()
    result = (await asyncio.gather(expiring, return_exceptions=True))[0]
    if isinstance(result, Permit):
        result.refund()
    await run_pending()
    assert log.names[-1] == "other"
    assert limiter.status().windows[0].used == 2
    await other


async def test_a_waiter_cancelled_while_it_is_granted_passes_its_permit_on() -> None:
    limiter = make_limiter((1, 60.0))
    permit = await limiter.acquire()
    log = PermitLog(limiter)
    first, second = log.start(1), log.start(2)
    await run_pending()
    permit.refund()
    first.cancel()
    await run_pending()
    assert log.entries == [(2, 0.0)]
    assert second.done()


async def test_a_limiter_with_every_waiter_cancelled_has_no_timer() -> None:
    limiter = make_limiter((1, 60.0))
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire(timeout=1000)) for _ in range(100)]
    await run_pending()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.status().queued == 0
    assert limiter._wait_queue._timer is None
    assert not limiter._wait_queue._deadlines


async def test_deadlines_of_cancelled_waiters_are_dropped_while_others_wait() -> None:
    limiter = make_limiter((1, 60.0))
    await limiter.acquire()
    first = asyncio.create_task(limiter.acquire(timeout=1000))
    await run_pending()
    for _ in range(20):
        tasks = [asyncio.create_task(limiter.acquire(timeout=1000)) for _ in range(20)]
        await run_pending()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.status().queued == 1
    assert len(limiter._wait_queue._deadlines) < 100
    first.cancel()


async def test_closing_the_coroutine_of_a_waiter_removes_it_from_the_queue() -> None:
    limiter = make_limiter((1, 60.0))
    await limiter.acquire()
    coroutine = limiter.acquire()
    coroutine.send(None)
    assert limiter.status().queued == 1
    coroutine.close()
    assert limiter.status().queued == 0


# Timeouts.


async def test_a_wait_longer_than_the_timeout_is_refused_at_once() -> None:
    limiter = make_limiter((2, 60.0))
    await limiter.acquire()
    await limiter.acquire()
    with pytest.raises(APITimeoutError, match=r"in 60\.0 s at the earliest") as refusal:
        await limiter.acquire(timeout=59.0)
    assert loop_time() == 0.0
    assert (refusal.value.phase, refusal.value.maybe_sent) == ("limiter", False)


async def test_the_place_in_the_queue_counts_for_the_expected_wait() -> None:
    limiter = make_limiter((1, 10.0))
    await limiter.acquire()
    log = PermitLog(limiter)
    waiting = [log.start(n) for n in range(3)]
    await run_pending()
    with pytest.raises(APITimeoutError, match="with 3 before it"):
        await limiter.acquire(timeout=39.0)
    waiting.append(log.start("fits", timeout=41.0))
    await asyncio.gather(*waiting)
    assert log.entries[-1] == ("fits", 40.0)


async def test_a_wait_that_becomes_too_long_ends_at_its_timeout() -> None:
    limiter = make_limiter((1, 10.0))
    await limiter.acquire()
    log = PermitLog(limiter)
    expiring = log.start("expiring", timeout=12.0)
    patient = log.start("patient")
    await run_pending()
    limiter.pause(20.0)
    with pytest.raises(APITimeoutError, match=r"within 12\.0 s"):
        await expiring
    assert loop_time() == pytest.approx(12.0, abs=0.01)
    await patient
    assert log.entries == [("patient", 20.0)]


async def test_a_shorter_deadline_behind_a_longer_one_is_kept() -> None:
    limiter = make_limiter((2, 1000.0))
    await limiter.acquire()
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire(timeout=t)) for t in (1500.0, 1200.0)]
    await run_pending()
    limiter.pause(2000.0)
    for task, ends in zip(reversed(tasks), (1200.0, 1500.0), strict=True):
        with pytest.raises(APITimeoutError):
            await task
        assert loop_time() == pytest.approx(ends, abs=0.01)


@pytest.mark.parametrize("timeout", [0.0, -1.0])
async def test_a_free_permit_is_granted_with_a_timeout_of_zero_or_less(timeout: float) -> None:
    limiter = make_limiter((1, 10.0))
    await limiter.acquire(timeout=timeout)
    with pytest.raises(APITimeoutError):
        await limiter.acquire(timeout=timeout)
