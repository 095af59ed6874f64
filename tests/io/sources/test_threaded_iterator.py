"""Sources that block, beside an event loop that does not."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import sqlite3
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from gradient_async._io.sources.threaded_iterator import MemoryIterator, ThreadedIterator, iterate_without_blocking
from tests.support.waiting import wait_until

NAME = contextvars.ContextVar[str]("NAME")


async def read_all(values: Any) -> list[Any]:
    return [value async for value in iterate_without_blocking(values)]


@pytest.mark.parametrize(
    "values", [[1, 2], (1, 2), {1, 2}, {1: 3, 2: 4}, {1: 3, 2: 4}.keys(), range(1, 3), deque([1, 2]), iter([1, 2])]
)
async def test_a_collection_is_pulled_in_the_loop(values: Any) -> None:
    assert isinstance(iterate_without_blocking(values), MemoryIterator)
    assert await read_all(values) == [1, 2]


@pytest.mark.parametrize("values", [(n for n in (1, 2)), map(int, "12"), zip("ab", "cd", strict=True)])
async def test_any_other_iterable_is_pulled_in_a_thread(values: Any) -> None:
    assert isinstance(iterate_without_blocking(values), ThreadedIterator)
    assert len(await read_all(values)) == 2


async def test_an_async_iterable_is_awaited() -> None:
    async def source() -> AsyncIterator[int]:
        yield 1

    assert await read_all(source()) == [1]


async def test_the_loop_runs_while_the_source_blocks() -> None:
    begun, gate = threading.Event(), threading.Event()

    def source() -> Iterator[int]:
        begun.set()
        gate.wait(40)
        yield 1

    reader = asyncio.create_task(read_all(source()))
    await wait_until(begun.is_set)  # runs in the loop while the source waits for the gate
    assert not reader.done()
    gate.set()
    assert await reader == [1]


async def test_all_items_are_produced_in_one_thread_and_the_callers_context() -> None:
    NAME.set("caller")

    def source() -> Iterator[tuple[str, int]]:
        with contextlib.closing(sqlite3.connect(":memory:")) as database:
            for _ in database.execute("values (1), (2)"):  # refuses a second thread
                yield NAME.get(), threading.get_ident()

    items = await read_all(source())
    assert len(set(items)) == 1
    assert items[0][0] == "caller"


@pytest.mark.parametrize("error", [LookupError("gone"), OSError("unreadable")])
async def test_an_error_of_the_source_is_raised_where_the_item_is_awaited(error: Exception) -> None:
    def source() -> Iterator[int]:
        yield 1
        raise error

    values = iterate_without_blocking(source())
    assert await anext(values) == 1
    with pytest.raises(type(error), match=str(error)):
        await anext(values)


async def test_the_thread_ends_with_the_iterator() -> None:
    values: ThreadedIterator[int] | None = ThreadedIterator(iter([1, 2]))
    assert values is not None
    await anext(values)
    thread = values._thread
    assert thread is not None
    assert thread.daemon
    values = None
    gc.collect()
    await wait_until(lambda: not thread.is_alive())


async def test_a_source_that_never_returns_does_not_hold_up_the_reader() -> None:
    def source() -> Iterator[int]:
        time.sleep(60)
        yield 1

    reader = asyncio.create_task(read_all(source()))
    await asyncio.sleep(0)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
