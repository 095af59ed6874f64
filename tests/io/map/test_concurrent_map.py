"""Concurrent calls in virtual time and without a network, and the order of their results."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._io.map.concurrent_map import ConcurrentMap, ReorderBuffer
from gradient_async._io.sources.threaded_iterator import MemoryIterator
from gradient_async.errors import ConfigurationError

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers
ARRIVALS = st.integers(0, 12).flatmap(lambda size: st.permutations(range(size)))


class Doubler:
    """Doubles a number after as many seconds, and counts the calls in flight."""

    def __init__(self) -> None:
        self.in_flight, self.most_in_flight = 0, 0

    async def __call__(self, number: int, request: float) -> float:
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(request)
        finally:
            self.in_flight -= 1
        return request * 2


def open_map(
    requests: Iterable[float] | AsyncIterator[float], call: Any, *, concurrency: int, ordered: bool
) -> ConcurrentMap[float, float]:
    source = requests if isinstance(requests, AsyncIterator) else MemoryIterator(iter(requests))
    return ConcurrentMap(source, call, concurrency=concurrency, ordered=ordered)


async def read_all(concurrent_map: ConcurrentMap[float, float]) -> list[float]:
    async with concurrent_map as results:
        return [result async for result in results]


async def test_unordered_results_come_as_calls_end() -> None:
    assert await read_all(open_map([3, 1, 2], Doubler(), concurrency=3, ordered=False)) == [2, 4, 6]


async def test_ordered_results_come_in_the_order_of_the_requests() -> None:
    assert await read_all(open_map([3, 1, 2], Doubler(), concurrency=3, ordered=True)) == [6, 2, 4]


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_at_most_concurrency_calls_are_in_flight(concurrency: int) -> None:
    work, loop = Doubler(), asyncio.get_running_loop()
    began = loop.time()
    assert await read_all(open_map([1.0] * 12, work, concurrency=concurrency, ordered=False)) == [2.0] * 12
    assert work.most_in_flight == min(concurrency, 12)
    assert loop.time() - began == pytest.approx(-(-12 // concurrency))


@pytest.mark.parametrize("ordered", [True, False])
async def test_at_most_twice_concurrency_requests_are_pulled_ahead_of_the_reader(ordered: bool) -> None:
    pulled = 0

    def source() -> Iterator[float]:
        nonlocal pulled
        while True:
            pulled += 1
            yield 0.1

    async with open_map(source(), Doubler(), concurrency=3, ordered=ordered) as results:
        await asyncio.sleep(100)
        assert pulled == 6
        for count in range(1, 5):
            await anext(results)
            await asyncio.sleep(100)
            assert pulled == 6 + count


async def test_one_slow_call_does_not_stop_the_others() -> None:
    work = Doubler()
    async with open_map([1000, *[1.0] * 20], work, concurrency=2, ordered=False) as results:
        assert [await anext(results) for _ in range(20)] == [2.0] * 20
        assert await anext(results) == 2000


async def test_an_async_iterable_of_requests_is_awaited() -> None:
    async def source() -> AsyncIterator[float]:
        for number in range(4):
            await asyncio.sleep(10)
            yield number

    assert await read_all(open_map(source(), Doubler(), concurrency=2, ordered=False)) == [0, 2, 4, 6]


@pytest.mark.parametrize("requests", [[], iter(())])
async def test_no_requests_give_no_results(requests: list[float]) -> None:
    assert await read_all(open_map(requests, Doubler(), concurrency=2, ordered=True)) == []


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_error_of_the_requests_is_raised_after_every_result(ordered: bool) -> None:
    def source() -> Iterator[float]:
        yield 5
        yield 1
        raise LookupError("the file ends in the middle")

    found = []
    with pytest.raises(LookupError, match="in the middle"):
        async with open_map(source(), Doubler(), concurrency=4, ordered=ordered) as results:
            async for result in results:
                found.append(result)
    assert sorted(found) == [2, 10]


@pytest.mark.parametrize("ordered", [True, False])
async def test_an_error_of_a_call_is_raised_once_the_other_calls_have_ended(ordered: bool) -> None:
    async def fail_at_two(number: int, request: float) -> float:
        await asyncio.sleep(request)
        if number == 2:
            raise LookupError("a bug")
        return request

    found = []
    with pytest.raises(LookupError, match="a bug"):
        async with open_map([1, 5, 2, *[1.0] * 50], fail_at_two, concurrency=3, ordered=ordered) as results:
            async for result in results:
                found.append(result)
    assert {1, 5} <= set(found)
    assert len(found) < 8


async def test_leaving_the_block_cancels_the_calls_in_flight() -> None:
    work = Doubler()
    async with open_map([1.0, *[9.0] * 100], work, concurrency=5, ordered=False) as results:
        await anext(results)
        await asyncio.sleep(1)
        assert work.in_flight == 5
    assert work.in_flight == 0
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_in_the_block_is_raised_unchanged() -> None:
    with pytest.raises(ZeroDivisionError):
        async with open_map([1.0] * 100, Doubler(), concurrency=5, ordered=False) as results:
            await anext(results)
            raise ZeroDivisionError
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_reader_cancels_the_calls_in_flight() -> None:
    work = Doubler()
    reader = asyncio.create_task(read_all(open_map([1000.0] * 9, work, concurrency=3, ordered=False)))
    await asyncio.sleep(1)
    assert work.in_flight == 3
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert work.in_flight == 0


async def test_a_reader_that_times_out_loses_no_result() -> None:
    async with open_map([1, 50, 2], Doubler(), concurrency=3, ordered=True) as results:
        assert await anext(results) == 2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await anext(results)
        assert [result async for result in results] == [100, 4]


async def test_two_readers_share_the_results() -> None:
    async with open_map([1.0, 2.0, 3.0, 4.0], Doubler(), concurrency=2, ordered=False) as results:

        async def take() -> list[float]:
            return [result async for result in results]

        one, other = await asyncio.gather(take(), take())
    assert sorted(one + other) == [2, 4, 6, 8]


async def test_reading_outside_of_the_block_raises() -> None:
    concurrent_map = open_map([1.0], Doubler(), concurrency=1, ordered=False)
    with pytest.raises(ConfigurationError, match="async with"):
        await anext(concurrent_map)


# ReorderBuffer


def pop_all(buffer: ReorderBuffer[int]) -> list[int]:
    results = []
    while (result := buffer.pop_result()) is not None:
        results.append(result)
    return results


@given(ARRIVALS)
def test_an_ordered_buffer_returns_each_result_as_soon_as_all_before_it_arrived(arrivals: list[int]) -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(ordered=True)
    results: list[int] = []
    for position, index in enumerate(arrivals):
        buffer.put_result(index, index)
        results += pop_all(buffer)
        arrived = set(arrivals[: position + 1])
        first_missing = next((n for n in range(len(arrivals)) if n not in arrived), len(arrivals))
        assert results == list(range(first_missing))


@given(ARRIVALS)
def test_an_unordered_buffer_returns_results_as_they_arrive(arrivals: list[int]) -> None:
    buffer: ReorderBuffer[int] = ReorderBuffer(ordered=False)
    for index in arrivals:
        buffer.put_result(index, index)
    assert pop_all(buffer) == list(arrivals)


async def test_a_stopped_map_still_gives_the_results_of_its_calls_in_flight() -> None:
    async with open_map([1.0, 2.0, 3.0, 4.0], Doubler(), concurrency=2, ordered=False) as results:
        assert await anext(results) == 2
        results.stop_pulling()
        assert sorted([result async for result in results]) == [4]
