"""Pulls a synchronous iterable without blocking the event loop.

Contract: a collection in memory (list, tuple, set, dict, range, deque and their iterators) is pulled in the loop: an
item costs 0.1 µs. Any other iterable may block for any time, and only running it can tell: it is pulled in one thread
of its own, one item at a time, for about 20 µs an item. The items of a generator are so produced in one thread from
the first to the last, which databases ask for. The thread is a daemon: it never delays the end of the process.
"""

from __future__ import annotations

import asyncio
import contextvars
import queue
import threading
from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import suppress
from typing import Any, TypeVar

Q = TypeVar("Q")

_COLLECTIONS: tuple[type, ...] = (list, tuple, set, frozenset, dict, range, deque)
_VIEWS: tuple[type, ...] = (type({}.keys()), type({}.values()), type({}.items()))
_IN_MEMORY = frozenset(
    (*_COLLECTIONS, *_VIEWS, *(type(iter(kind())) for kind in (*_COLLECTIONS[:5], deque)), type(iter(range(0))))
)
_END = object()


def iterate_without_blocking(requests: Iterable[Q] | AsyncIterable[Q]) -> AsyncIterator[Q]:
    """Return an async iterator over *requests*."""
    if isinstance(requests, AsyncIterable):
        return aiter(requests)
    return MemoryIterator(iter(requests)) if type(requests) in _IN_MEMORY else ThreadedIterator(iter(requests))


class MemoryIterator(AsyncIterator[Q]):
    """Adapts an iterator that never blocks."""

    def __init__(self, values: Iterator[Q]) -> None:
        self._values = values

    async def __anext__(self) -> Q:
        for value in self._values:
            return value
        raise StopAsyncIteration


class ThreadedIterator(AsyncIterator[Q]):
    """Adapts an iterator that may block: its items are produced in a thread, in the caller's context variables."""

    def __init__(self, values: Iterator[Q]) -> None:
        self._values = values
        self._waiting: queue.SimpleQueue[asyncio.Future[Any] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    async def __anext__(self) -> Q:
        if self._thread is None:
            arguments = (_pull_items, self._values, self._waiting)
            run = contextvars.copy_context().run
            self._thread = threading.Thread(target=run, args=arguments, name="map source", daemon=True)
            self._thread.start()
        pulled: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._waiting.put(pulled)
        item = await pulled
        if item is _END:
            raise StopAsyncIteration
        return item  # type: ignore[no-any-return]

    def close(self) -> None:
        """End the thread when its present pull has ended."""
        self._waiting.put(None)

    def __del__(self) -> None:
        self.close()


def _pull_items(values: Iterator[Any], waiting: queue.SimpleQueue[asyncio.Future[Any] | None]) -> None:
    """Pull an item for each future until None comes."""
    while (pulled := waiting.get()) is not None:
        _pull_item(values, pulled)


def _pull_item(values: Iterator[Any], pulled: asyncio.Future[Any]) -> None:
    item: Any = _END
    failure: BaseException | None = None
    try:
        item = next(values, _END)
    except BaseException as error:  # noqa: BLE001 - raised where the item is awaited
        failure = error
    with suppress(RuntimeError):  # the loop is closed: the map has ended
        pulled.get_loop().call_soon_threadsafe(_set_result, pulled, item, failure)


def _set_result(pulled: asyncio.Future[Any], item: Any, failure: BaseException | None) -> None:
    if pulled.done():
        return
    if failure is None:
        pulled.set_result(item)
    elif isinstance(failure, StopIteration):
        pulled.set_exception(RuntimeError("the source raised StopIteration"))
    else:
        pulled.set_exception(failure)
