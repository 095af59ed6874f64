"""A limiter that is used by several event loops, one after the other or at once."""

import asyncio
import threading

import pytest

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import SessionClosedError


def test_an_idle_limiter_moves_to_the_next_event_loop_with_its_count() -> None:
    limiter = RateLimiter(RateLimits(windows=[(3, 60.0)]))
    for _ in range(2):
        asyncio.run(limiter.acquire())
    assert limiter.status().windows[0].used == 2


def test_a_limiter_without_a_loop_has_status_and_estimate() -> None:
    limiter = RateLimiter()
    assert limiter.estimate(250) == 0.0
    assert limiter.status().free == 250


def test_waiters_of_a_closed_loop_are_dropped() -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 0.3)]), guard=0)

    async def leave_one_waiting() -> asyncio.Task[Permit]:
        await limiter.acquire()
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        return task

    asyncio.run(leave_one_waiting())
    assert asyncio.run(limiter.acquire()).waited > 0


def test_a_waiter_of_a_closed_loop_that_is_collected_later_changes_nothing() -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 0.3)]), guard=0)
    loop = asyncio.new_event_loop()
    loop.run_until_complete(limiter.acquire())
    left = limiter.acquire()
    loop.call_soon(left.send, None)
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()

    async def wait_beside_it() -> tuple[int, Permit]:
        task = asyncio.create_task(limiter.acquire(timeout=5.0))
        await asyncio.sleep(0)
        left.close()
        return limiter.status().queued, await asyncio.wait_for(task, 2.0)

    queued, permit = asyncio.run(wait_beside_it())
    assert queued == 1
    assert permit.waited > 0


def test_a_second_running_loop_is_refused_while_a_request_waits() -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 60.0)]))
    waits, done = threading.Event(), threading.Event()
    errors: list[SessionClosedError] = []

    async def hold_a_waiter() -> None:
        await limiter.acquire()
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        waits.set()
        await asyncio.to_thread(done.wait)
        task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(hold_a_waiter()))
    thread.start()
    waits.wait()
    try:
        asyncio.run(limiter.acquire())
    except SessionClosedError as error:
        errors.append(error)
    done.set()
    thread.join()
    assert "another event loop" in str(errors[0])


@pytest.mark.parametrize("order", ["virtual first", "real first"])
def test_a_count_survives_a_change_of_clocks(order: str) -> None:
    limiter = RateLimiter(RateLimits(windows=[(2, 60.0)]))

    class Shifted(asyncio.SelectorEventLoop):
        def time(self) -> float:
            return super().time() + 1e6

    for make in sorted(
        [Shifted, asyncio.SelectorEventLoop], key=lambda make: make is Shifted, reverse=order == "virtual first"
    ):
        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(limiter.acquire())
    assert limiter.status().windows[0].used == 2
    assert 59 < limiter.estimate() < 61
