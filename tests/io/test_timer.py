"""The timer of a request cancels when it must, and only then."""

import asyncio

import pytest

from gradient_async._io.timer import PhaseTimer

pytestmark = pytest.mark.looptime


def timer(seconds: float, soonest: float = float("inf")) -> PhaseTimer:
    loop = asyncio.get_running_loop()
    return PhaseTimer(loop, loop.time() + seconds, loop.time() + soonest)


async def elapsed(timer: PhaseTimer, sleep: float) -> float:
    began = timer.loop.time()
    with pytest.raises(TimeoutError), timer:
        await asyncio.sleep(sleep)
    return timer.loop.time() - began


@pytest.mark.parametrize("soonest", [0.5, 3, 7, float("inf")])
async def test_it_fires_at_its_limit_whenever_it_looked_first(soonest: float) -> None:
    assert await elapsed(timer(3, soonest), 100) == pytest.approx(3)


async def test_a_limit_moved_later_is_kept() -> None:
    with timer(1) as moved:
        moved.move(moved.loop.time() + 5)
        await asyncio.sleep(4)


async def test_a_limit_moved_earlier_is_kept() -> None:
    moved = timer(100, 50)
    moved.loop.call_later(1, lambda: moved.move(moved.loop.time() + 1))
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
