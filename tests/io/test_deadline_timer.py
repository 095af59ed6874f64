"""Deadlines and stopped blocks in virtual time: a task is cancelled when it must be, and only then."""

import asyncio
import math

import pytest

from gradient_async._io.deadline_timer import DeadlineTimer, OpenBlock, PhaseTimer

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers


def phase_timer(seconds: float, shared: DeadlineTimer | None = None) -> PhaseTimer:
    return PhaseTimer(shared or DeadlineTimer(), asyncio.get_running_loop().time() + seconds)


def cancel_requests() -> int:
    """Return how many cancellations the current task has to honour."""
    task = asyncio.current_task()
    assert task is not None
    return task.cancelling()


async def expire_in(timer: PhaseTimer, sleep: float) -> float:
    began = asyncio.get_running_loop().time()
    with pytest.raises(TimeoutError), timer:
        await asyncio.sleep(sleep)
    return asyncio.get_running_loop().time() - began


async def test_a_timer_fires_at_its_deadline() -> None:
    assert await expire_in(phase_timer(3), 100) == pytest.approx(3)


async def test_timers_that_share_a_deadline_timer_fire_each_at_its_own_deadline() -> None:
    shared = DeadlineTimer()
    limits = [5, 1, 3, 9, 2, 3]
    took = await asyncio.gather(*(expire_in(phase_timer(limit, shared), 100) for limit in limits))
    assert took == pytest.approx(limits)


async def test_a_timer_added_later_with_an_earlier_deadline_fires_in_time() -> None:
    shared = DeadlineTimer()
    first = asyncio.ensure_future(expire_in(phase_timer(10, shared), 100))
    await asyncio.sleep(1)
    assert await expire_in(phase_timer(2, shared), 100) == pytest.approx(2)
    assert await first == pytest.approx(10)


async def test_a_timer_does_not_fire_after_its_block() -> None:
    shared = DeadlineTimer()
    with phase_timer(1, shared):
        pass
    await asyncio.sleep(5)
    assert cancel_requests() == 0


async def test_a_deadline_moved_later_does_not_fire_early() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    with phase_timer(1) as moved:
        moved.reschedule(began + 5)
        await asyncio.sleep(4)
    assert loop.time() - began == pytest.approx(4)
    assert cancel_requests() == 0


async def test_a_deadline_moved_earlier_fires_in_time() -> None:
    moved, loop = phase_timer(100), asyncio.get_running_loop()
    loop.call_later(1, lambda: moved.reschedule(loop.time() + 1))
    assert await expire_in(moved, 90) == pytest.approx(2)


async def test_an_infinite_deadline_never_fires() -> None:
    shared = DeadlineTimer()
    with phase_timer(math.inf, shared):
        await asyncio.sleep(10_000)
        assert shared.next_wake == math.inf
    assert cancel_requests() == 0


async def test_a_cancellation_from_outside_passes_through() -> None:
    async def work() -> None:
        with phase_timer(5):
            await asyncio.sleep(10)

    task = asyncio.ensure_future(work())
    await asyncio.sleep(1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_at_the_deadline_wins() -> None:
    async def work() -> None:
        await asyncio.sleep(0)  # an eager task starts before its name is set
        with phase_timer(5):
            asyncio.get_running_loop().call_later(5, task.cancel)
            await asyncio.sleep(10)

    task = asyncio.ensure_future(work())
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_nested_timers_fire_at_the_earlier_deadline() -> None:
    with pytest.raises(TimeoutError), phase_timer(1), phase_timer(5):
        await asyncio.sleep(10)


async def test_an_error_inside_a_timer_passes_through() -> None:
    with pytest.raises(ZeroDivisionError), phase_timer(5):
        raise ZeroDivisionError


# A block that is stopped.


async def sleep_inside(block: OpenBlock, sleep: float = 100) -> float:
    began = asyncio.get_running_loop().time()
    with block:
        await asyncio.sleep(sleep)
    return asyncio.get_running_loop().time() - began


async def test_a_stopped_block_ends_without_an_error() -> None:
    block, loop = OpenBlock(), asyncio.get_running_loop()
    loop.call_later(2, block.request_stop)
    loop.call_later(2, block.request_stop)
    assert await sleep_inside(block) == pytest.approx(2)
    assert cancel_requests() == 0


async def test_a_block_stopped_from_inside_ends_where_it_waits_next() -> None:
    block = OpenBlock()
    with block:
        block.request_stop()
        await asyncio.sleep(0)
        pytest.fail("it went on")
    assert cancel_requests() == 0


async def test_a_block_stopped_from_inside_that_never_waits_is_not_cancelled() -> None:
    block = OpenBlock()
    with block:
        block.request_stop()
    await asyncio.sleep(1)
    assert cancel_requests() == 0


async def test_stopping_a_block_after_its_end_cancels_nothing() -> None:
    block = OpenBlock()
    assert await sleep_inside(block, 1) == pytest.approx(1)
    block.request_stop()
    await asyncio.sleep(1)
    assert cancel_requests() == 0


@pytest.mark.parametrize("first", ["stop", "cancel"])
async def test_stopping_a_block_does_not_swallow_a_cancellation_from_outside(first: str) -> None:
    block = OpenBlock()
    task = asyncio.ensure_future(sleep_inside(block))
    await asyncio.sleep(1)
    if first == "cancel":
        task.cancel()
    block.request_stop()
    await asyncio.sleep(0)
    if first == "stop":
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_timeout_inside_a_stopped_block_is_not_raised() -> None:
    block, loop = OpenBlock(), asyncio.get_running_loop()
    loop.call_later(2, block.request_stop)
    with block, phase_timer(2):
        await asyncio.sleep(10)
    assert cancel_requests() == 0


@pytest.mark.looptime(False)
async def test_another_thread_stops_a_block() -> None:
    block = OpenBlock()
    task = asyncio.ensure_future(sleep_inside(block))
    await asyncio.sleep(0)
    await asyncio.to_thread(block.request_stop)
    assert await task < 5


# Deadlines that move by themselves.


class SilentItem:
    """An item that is active until *silent_from* and expires after ten seconds of silence."""

    def __init__(self, silent_from: float) -> None:
        self.loop, self.silent_from, self.checks = asyncio.get_running_loop(), silent_from, 0
        self.expired_at: float | None = None

    @property
    def expires_at(self) -> float:
        self.checks += 1
        return min(self.loop.time(), self.silent_from) + 10

    def handle_expiry(self) -> None:
        self.expired_at = self.loop.time()


async def test_moving_deadlines_are_checked_rarely_and_kept() -> None:
    shared, began = DeadlineTimer(), asyncio.get_running_loop().time()
    items = [SilentItem(began + seconds) for seconds in (33.5, *range(500, 600))]
    for item in items:
        shared.add(item, item.expires_at)
        await asyncio.sleep(0.01)
    await asyncio.sleep(90)
    assert items[0].expired_at == pytest.approx(began + 43.5)
    assert [item.expired_at for item in items[1:]] == [None] * 100
    assert max(item.checks for item in items) < 15
