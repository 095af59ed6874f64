"""Many calls at once, of requests that are pulled when there is room for them.

Contract: at most *concurrency* calls are under way, and at most twice as many requests have been taken whose results
were not read. What goes wrong with the requests' own source is raised when every result before it was read. Leaving
the block ends all calls and waits until they have ended.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable, Iterable, Iterator
from types import TracebackType
from typing import Generic, Self, TypeVar

import anyio
import attrs
from anyio.abc import TaskGroup

from gradient_async.errors import ConfigurationError

Q = TypeVar("Q")
R = TypeVar("R")


class ConcurrentMap(Generic[Q, R]):
    """The results of many calls, to be entered and read: ``async with ... as results: async for result in results``.

    Args:
        requests: What is to be called with, pulled one by one.
        call: Makes one call, of the request with this number; what it raises ends everything.
        concurrency: The most calls under way at once.
        ordered: Whether results come in the order of the requests, or as they are there.
    """

    def __init__(
        self,
        requests: Iterable[Q] | AsyncIterable[Q],
        call: Callable[[int, Q], Awaitable[R]],
        *,
        concurrency: int,
        ordered: bool,
    ) -> None:
        self._requests = aiter(requests) if isinstance(requests, AsyncIterable) else _Pulled(iter(requests))
        self._call, self._most = call, concurrency
        self._turns: ReorderBuffer[R] = ReorderBuffer(ordered)
        self._room = anyio.Semaphore(2 * concurrency)
        self._pulling = anyio.Lock()
        self._news = anyio.Event()
        self._group: TaskGroup | None = None
        self._workers = self._pulled = self._under_way = 0
        self._is_exhausted = False
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._hire(self._group)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        self._end(None)
        if group is not None:
            group.cancel_scope.cancel()
            await group.__aexit__(None, None, None)  # told of the block's error, it would wrap that in a group

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> R:
        if self._group is None:
            raise ConfigurationError("These results belong to a block: async with ....map(requests) as results: ...")
        while (result := self._turns.take()) is None:
            if self._is_exhausted and not self._under_way:
                raise self._failure or StopAsyncIteration
            self._news = anyio.Event() if self._news.is_set() else self._news
            await self._news.wait()
        self._room.release()
        return result

    def _hire(self, group: TaskGroup) -> None:
        """Begin another worker, if there may be; the last one hired found something to do."""
        if self._workers < self._most and not self._is_exhausted:
            self._workers += 1
            group.start_soon(self._work, group)

    async def _work(self, group: TaskGroup) -> None:
        while not self._is_exhausted:
            await self._room.acquire()
            pulled = await self._pull()
            if pulled is None:
                return
            self._hire(group)
            number, request = pulled
            try:
                self._turns.put(number, await self._call(number, request))
            except Exception as error:  # noqa: BLE001 - raised where the results are read
                self._end(error)
            finally:
                self._under_way -= 1
                self._news.set()

    async def _pull(self) -> tuple[int, Q] | None:
        """Return the next request and its number, None if there is no other."""
        async with self._pulling:
            if self._is_exhausted:
                return None
            try:
                request = await anext(self._requests)
            except StopAsyncIteration:
                self._end(None)
            except Exception as error:  # noqa: BLE001 - of the caller's own source, raised where the results are read
                self._end(error)
            else:
                self._pulled += 1
                self._under_way += 1
                return self._pulled - 1, request
        return None

    def _end(self, failure: Exception | None) -> None:
        """Take no more requests."""
        self._is_exhausted = True
        self._failure = self._failure or failure
        self._news.set()


class _Pulled(AsyncIterator[Q]):
    """An ordinary iterator as an asynchronous one."""

    def __init__(self, values: Iterator[Q]) -> None:
        self._values = values

    async def __anext__(self) -> Q:
        for value in self._values:
            return value
        raise StopAsyncIteration


# MERGED: Who is next among results that arrive in any order.
T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class ReorderBuffer(Generic[T]):
    """Results by the number of their request, handed out in that order, or with ``ordered=False`` as they come."""

    ordered: bool
    _next: int = attrs.field(default=0, init=False)
    _early: dict[int, T] = attrs.field(factory=dict, init=False)
    _ready: deque[T] = attrs.field(factory=deque, init=False)

    def put(self, number: int, result: T) -> None:
        """Add the *result* of request *number*; the first has the number 0."""
        if not self.ordered:
            self._ready.append(result)
            return
        self._early[number] = result
        while self._next in self._early:
            self._ready.append(self._early.pop(self._next))
            self._next += 1

    def take(self) -> T | None:
        """Return the next result, None if it is not there yet."""
        return self._ready.popleft() if self._ready else None
