"""The timer of a request cancels when it must, and only then."""

import asyncio

import pytest

from gradient_async._io.timer import PhaseTimer, Timers

pytestmark = pytest.mark.looptime


def timer(seconds: float, timers: Timers | None = None) -> PhaseTimer:
    return PhaseTimer(timers or Timers(), asyncio.get_running_loop().time() + seconds)


async def elapsed(timer: PhaseTimer, sleep: float) -> float:
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), timer:
        await asyncio.sleep(sleep)
    return asyncio.get_running_loop().time() - began


async def test_it_fires_at_its_limit() -> None:
    assert await elapsed(timer(3), 100) == pytest.approx(3)


async def test_many_share_one_timer_of_the_loop_and_each_fires_at_its_own_limit() -> None:
    timers = Timers()
    limits = [5, 1, 3, 9, 2, 3]
    took = await asyncio.gather(*(elapsed(timer(limit, timers), 100) for limit in limits))
    assert took == pytest.approx(limits)


async def test_one_that_joins_later_with_an_earlier_limit_is_not_missed() -> None:
    timers = Timers()
    first = asyncio.ensure_future(elapsed(timer(10, timers), 100))
    await asyncio.sleep(1)
    assert await elapsed(timer(2, timers), 100) == pytest.approx(2)
    assert await first == pytest.approx(10)


async def test_one_that_has_left_does_not_fire() -> None:
    timers = Timers()
    with timer(1, timers):
        pass
    await asyncio.sleep(5)
    assert not asyncio.current_task().cancelling()


async def test_a_limit_moved_later_is_kept() -> None:
    with timer(1) as moved:
        moved.move(moved.timers.loop.time() + 5)
        await asyncio.sleep(4)


async def test_a_limit_moved_earlier_is_kept() -> None:
    moved, loop = timer(100), asyncio.get_running_loop()
    loop.call_later(1, lambda: moved.move(loop.time() + 1))
    assert await elapsed(moved, 90) == pytest.approx(2)


async def test_without_a_limit_it_never_fires() -> None:
    with timer(float("inf")):
        await asyncio.sleep(10_000)


async def test_a_cancellation_from_outside_stays_one() -> None:
    async def work() -> None:
        with timer(5):
            await asyncio.sleep(10)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_at_the_same_moment_wins() -> None:
    async def work() -> None:
        with timer(5):
            asyncio.get_running_loop().call_later(5, task.cancel)
            await asyncio.sleep(10)

    task = asyncio.ensure_future(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_timers_nest() -> None:
    with pytest.raises(TimeoutError), timer(1), timer(5):
        await asyncio.sleep(10)


async def test_an_error_inside_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), timer(5):
        raise ZeroDivisionError
