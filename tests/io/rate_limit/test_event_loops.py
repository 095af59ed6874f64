import asyncio
import threading

import pytest

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import SessionClosedError


def test_an_idle_limiter_moves_to_the_next_event_loop_with_its_count():
    limiter = RateLimiter(RateLimits(windows=[(3, 60.0)]))
    for _ in range(2):
        asyncio.run(limiter.acquire())
    assert limiter.status().windows[0].used == 2


def test_a_limiter_can_be_made_and_read_without_a_loop():
    limiter = RateLimiter()
    assert limiter.estimate(250) == 0.0
    assert limiter.status().free == 250


def test_waiters_of_a_loop_that_was_closed_are_forgotten():
    limiter = RateLimiter(RateLimits(windows=[(1, 0.3)]), guard=0)

    async def leave_one_waiting():
        await limiter.acquire()
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        return task

    asyncio.run(leave_one_waiting())
    assert asyncio.run(limiter.acquire()).waited > 0


def test_a_second_running_loop_gets_a_clear_error_while_somebody_waits():
    limiter = RateLimiter(RateLimits(windows=[(1, 60.0)]))
    waits, done, errors = threading.Event(), threading.Event(), []

    async def first():
        await limiter.acquire()
        task = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        waits.set()
        await asyncio.to_thread(done.wait)
        task.cancel()

    thread = threading.Thread(target=lambda: asyncio.run(first()))
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
def test_a_count_survives_a_change_of_clocks(order):
    limiter = RateLimiter(RateLimits(windows=[(2, 60.0)]))

    class Shifted(asyncio.SelectorEventLoop):
        def time(self):
            return super().time() + 1e6

    for make in sorted(
        [Shifted, asyncio.SelectorEventLoop], key=lambda make: make is Shifted, reverse=order == "virtual first"
    ):
        with asyncio.Runner(loop_factory=make) as runner:
            runner.run(limiter.acquire())
    assert limiter.status().windows[0].used == 2
    assert 59 < limiter.estimate() < 61
