"""The timer of a request cancels when it must, and only then."""

import asyncio

import pytest

from gradient_async._io.deadline_timer import DeadlineTimer, OpenBlock, PhaseTimer

pytestmark = pytest.mark.looptime


def timer(seconds: float, deadline_timer: DeadlineTimer | None = None) -> PhaseTimer:
    return PhaseTimer(deadline_timer or DeadlineTimer(), asyncio.get_running_loop().time() + seconds)


async def elapsed(timer: PhaseTimer, sleep: float) -> float:
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), timer:
        await asyncio.sleep(sleep)
    return asyncio.get_running_loop().time() - began


async def test_it_fires_at_its_limit() -> None:
    assert await elapsed(timer(3), 100) == pytest.approx(3)


async def test_many_share_one_timer_of_the_loop_and_each_fires_at_its_own_limit() -> None:
    deadline_timer = DeadlineTimer()
    limits = [5, 1, 3, 9, 2, 3]
    took = await asyncio.gather(*(elapsed(timer(limit, deadline_timer), 100) for limit in limits))
    assert took == pytest.approx(limits)


async def test_one_that_joins_later_with_an_earlier_limit_is_not_missed() -> None:
    deadline_timer = DeadlineTimer()
    first = asyncio.ensure_future(elapsed(timer(10, deadline_timer), 100))
    await asyncio.sleep(1)
    assert await elapsed(timer(2, deadline_timer), 100) == pytest.approx(2)
    assert await first == pytest.approx(10)


async def test_one_that_has_left_does_not_fire() -> None:
    deadline_timer = DeadlineTimer()
    with timer(1, deadline_timer):
        pass
    await asyncio.sleep(5)
    assert not asyncio.current_task().cancelling()


async def test_a_limit_moved_later_is_kept() -> None:
    with timer(1) as moved:
        moved.reschedule(moved.deadline_timer.loop.time() + 5)
        await asyncio.sleep(4)


async def test_a_limit_moved_earlier_is_kept() -> None:
    moved, loop = timer(100), asyncio.get_running_loop()
    loop.call_later(1, lambda: moved.reschedule(loop.time() + 1))
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


# A block that is stopped.


async def opened(opening: OpenBlock, sleep: float = 100) -> float:
    began = asyncio.get_running_loop().time()
    with opening:
        await asyncio.sleep(sleep)
    return asyncio.get_running_loop().time() - began


async def test_a_stopped_block_ends_without_an_error() -> None:
    opening, loop = OpenBlock(), asyncio.get_running_loop()
    loop.call_later(2, opening.request_stop)
    loop.call_later(2, opening.request_stop)
    assert await opened(opening) == pytest.approx(2)
    assert not asyncio.current_task().cancelling()


async def test_a_block_stopped_from_inside_ends_where_it_waits_next() -> None:
    opening = OpenBlock()
    with opening:
        opening.request_stop()
        await asyncio.sleep(0)
        pytest.fail("it went on")
    assert not asyncio.current_task().cancelling()


async def test_a_block_stopped_from_inside_that_never_waits_is_left_alone() -> None:
    opening = OpenBlock()
    with opening:
        opening.request_stop()
    await asyncio.sleep(1)
    assert not asyncio.current_task().cancelling()


async def test_a_block_that_was_left_is_not_stopped() -> None:
    opening = OpenBlock()
    assert await opened(opening, 1) == pytest.approx(1)
    opening.request_stop()
    await asyncio.sleep(1)


@pytest.mark.parametrize("first", ["stop", "cancel"])
async def test_stopping_does_not_eat_a_cancellation_from_outside(first: str) -> None:
    opening = OpenBlock()
    task = asyncio.ensure_future(opened(opening))
    await asyncio.sleep(1)
    if first == "cancel":
        task.cancel()
    opening.request_stop()
    await asyncio.sleep(0)
    if first == "stop":
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_time_limit_inside_a_stopped_block_does_not_show() -> None:
    opening, loop = OpenBlock(), asyncio.get_running_loop()
    loop.call_later(2, opening.request_stop)
    with opening, timer(2):
        await asyncio.sleep(10)
    assert not asyncio.current_task().cancelling()


@pytest.mark.looptime(False)
async def test_a_block_is_stopped_from_another_thread() -> None:
    opening = OpenBlock()
    task = asyncio.ensure_future(opened(opening))
    await asyncio.sleep(0)
    await asyncio.to_thread(opening.request_stop)
    assert await task < 5


# Limits that move by themselves.


class Moving:
    """Something that is alive until *dies*, and may be silent for ten seconds."""

    def __init__(self, dies: float) -> None:
        self.loop, self.dies, self.ended, self.looks = asyncio.get_running_loop(), dies, None, 0

    @property
    def expires_at(self) -> float:
        self.looks += 1
        return min(self.loop.time(), self.dies) + 10

    def handle_expiry(self) -> None:
        self.ended = self.loop.time()


async def test_limits_that_move_are_looked_at_rarely_and_kept() -> None:
    deadline_timer, began = DeadlineTimer(), asyncio.get_running_loop().time()
    many = [Moving(began + dies) for dies in (33.5, *range(500, 600))]
    for one in many:
        deadline_timer.add(one, one.expires_at)
        await asyncio.sleep(0.01)
    await asyncio.sleep(90)
    assert many[0].ended == pytest.approx(began + 43.5)
    assert [one.ended for one in many[1:]] == [None] * 100
    assert max(one.looks for one in many) < 15
