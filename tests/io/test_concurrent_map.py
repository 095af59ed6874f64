"""Many calls at once, in virtual time and without a network."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest

from gradient_async._io.concurrent_map import ConcurrentMap
from gradient_async.errors import ConfigurationError

pytestmark = pytest.mark.looptime


class Work:
    """Doubles numbers, each for as many seconds as it is, and notes what is under way."""

    def __init__(self) -> None:
        self.under_way, self.most, self.begun = 0, 0, 0

    async def __call__(self, number: int, request: float) -> float:
        self.begun += 1
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(request)
        finally:
            self.under_way -= 1
        return request * 2


async def read(fanout: ConcurrentMap[float, float]) -> list[float]:
    async with fanout as results:
        return [result async for result in results]


async def test_results_come_as_they_are_there() -> None:
    assert await read(ConcurrentMap([3, 1, 2], Work(), concurrency=3, ordered=False)) == [2, 4, 6]


async def test_results_come_in_order_if_asked_for() -> None:
    assert await read(ConcurrentMap([3, 1, 2], Work(), concurrency=3, ordered=True)) == [6, 2, 4]


@pytest.mark.parametrize("concurrency", [1, 3, 50])
async def test_so_many_are_under_way_and_no_more(concurrency: int) -> None:
    work, loop = Work(), asyncio.get_running_loop()
    began = loop.time()
    assert await read(ConcurrentMap([1.0] * 12, work, concurrency=concurrency, ordered=False)) == [2.0] * 12
    assert work.most == min(concurrency, 12)
    assert loop.time() - began == pytest.approx(-(-12 // concurrency))


@pytest.mark.parametrize("ordered", [True, False])
async def test_requests_are_not_pulled_far_ahead_of_the_reader(ordered: bool) -> None:
    pulled = 0

    def source() -> Iterator[float]:
        nonlocal pulled
        while True:
            pulled += 1
            yield 0.1

    async with ConcurrentMap(source(), Work(), concurrency=3, ordered=ordered) as results:
        await asyncio.sleep(100)
        assert pulled == 6
        for read_ in range(1, 5):
            await anext(results)
            await asyncio.sleep(100)
            assert pulled == 6 + read_


async def test_one_slow_call_does_not_stop_the_others() -> None:
    work = Work()
    async with ConcurrentMap([1000, *[1.0] * 20], work, concurrency=2, ordered=False) as results:
        assert [await anext(results) for _ in range(20)] == [2.0] * 20
        assert await anext(results) == 2000


async def test_the_requests_may_come_over_time() -> None:
    async def source() -> AsyncIterator[float]:
        for number in range(4):
            await asyncio.sleep(10)
            yield number

    assert await read(ConcurrentMap(source(), Work(), concurrency=2, ordered=False)) == [0, 2, 4, 6]


@pytest.mark.parametrize("requests", [[], iter(())])
async def test_of_nothing_comes_nothing(requests: list[float]) -> None:
    assert await read(ConcurrentMap(requests, Work(), concurrency=2, ordered=True)) == []


@pytest.mark.parametrize("ordered", [True, False])
async def test_what_goes_wrong_with_the_requests_is_raised_after_every_result(ordered: bool) -> None:
    def source() -> Iterator[float]:
        yield 5
        yield 1
        raise LookupError("the file ends in the middle")

    found = []
    with pytest.raises(LookupError, match="in the middle"):
        async with ConcurrentMap(source(), Work(), concurrency=4, ordered=ordered) as results:
            async for result in results:
                found.append(result)
    assert sorted(found) == [2, 10]


@pytest.mark.parametrize("ordered", [True, False])
async def test_what_a_call_raises_ends_everything_once_the_others_have_ended(ordered: bool) -> None:
    async def fail_at_two(number: int, request: float) -> float:
        await asyncio.sleep(request)
        if number == 2:
            raise LookupError("a bug")
        return request

    found = []
    with pytest.raises(LookupError, match="a bug"):
        async with ConcurrentMap([1, 5, 2, *[1.0] * 50], fail_at_two, concurrency=3, ordered=ordered) as results:
            async for result in results:
                found.append(result)
    assert {1, 5} <= set(found)
    assert len(found) < 8


async def test_leaving_the_block_ends_what_is_under_way() -> None:
    work = Work()
    async with ConcurrentMap([1.0, *[9.0] * 100], work, concurrency=5, ordered=False) as results:
        await anext(results)
        await asyncio.sleep(1)
        assert work.under_way == 5
    assert work.under_way == 0
    assert len(asyncio.all_tasks()) == 1


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    with pytest.raises(ZeroDivisionError):
        async with ConcurrentMap([1.0] * 100, Work(), concurrency=5, ordered=False) as results:
            await anext(results)
            raise ZeroDivisionError
    assert len(asyncio.all_tasks()) == 1


async def test_a_cancelled_reader_takes_everything_with_it() -> None:
    work = Work()
    reader = asyncio.create_task(read(ConcurrentMap([1000.0] * 9, work, concurrency=3, ordered=False)))
    await asyncio.sleep(1)
    assert work.under_way == 3
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert work.under_way == 0


async def test_a_reader_that_times_out_loses_nothing() -> None:
    async with ConcurrentMap([1, 50, 2], Work(), concurrency=3, ordered=True) as results:
        assert await anext(results) == 2
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(3):
                await anext(results)
        assert [result async for result in results] == [100, 4]


async def test_two_readers_share_the_results() -> None:
    async with ConcurrentMap([1.0, 2.0, 3.0, 4.0], Work(), concurrency=2, ordered=False) as results:

        async def take() -> list[float]:
            return [result async for result in results]

        one, other = await asyncio.gather(take(), take())
    assert sorted(one + other) == [2, 4, 6, 8]


async def test_outside_of_its_block_there_is_nothing_to_read() -> None:
    fanout = ConcurrentMap([1.0], Work(), concurrency=1, ordered=False)
    with pytest.raises(ConfigurationError, match="async with"):
        await anext(fanout)
