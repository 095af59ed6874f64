"""Many concurrent calls over an iterable of requests, with backpressure.

Contract: at most *concurrency* calls are in flight, and at most twice as many requests are pulled whose results were
not read. An error of the iterable is raised after every result before it was read. Leaving the block cancels all calls
and waits until they have ended.

How it works: a worker pulls a request, calls, and puts the result into a `ReorderBuffer`; each worker that finds a
request spawns the next one until there are *concurrency* of them. The workers pull one after the other, and wait with
that while twice as many results are unread.

Example, ``concurrency=2, ordered=True``, calls that take 3, 1 and 1 s (r0 to r2 are the results)::

    0 s   worker 1 calls request 0, worker 2 calls request 1
    1 s   r1 is early: the buffer holds it            worker 2 calls request 2
    2 s   r2 is early too                             worker 2 finds no request and ends
    3 s   r0 is next: the reader gets r0, r1, r2      worker 1 finds no request and ends
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import anyio
import attrs
from anyio.abc import TaskGroup

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.event_loops import require_loop
from gradient_async.errors import ConfigurationError

Q = TypeVar("Q")
R = TypeVar("R")


@attrs.define(eq=False, repr=False)
class ReorderBuffer(Generic[R]):
    """Results by the index of their request, handed out in that order, or as they arrive with ``ordered=False``."""

    ordered: bool
    _next_index: int = attrs.field(default=0, init=False)
    _early: dict[int, R] = attrs.field(factory=dict, init=False)
    _ready: deque[R] = attrs.field(factory=deque, init=False)

    def put_result(self, index: int, result: R) -> None:
        """Add the *result* of the request at *index*; the first index is 0."""
        if not self.ordered:
            self._ready.append(result)
            return
        self._early[index] = result
        while self._next_index in self._early:
            self._ready.append(self._early.pop(self._next_index))
            self._next_index += 1

    def pop_result(self) -> R | None:
        """Return the next result, None if it has not arrived."""
        return self._ready.popleft() if self._ready else None


class ConcurrentMap(Generic[Q, R]):
    """The results of many concurrent calls: ``async with ... as results: async for result in results``.

    Args:
        requests: The inputs of the calls, pulled one by one.
        call: Makes one call from index and request; an exception of it ends the whole map.
        concurrency: Maximum number of calls in flight.
        ordered: Whether results come in the order of the requests; else as they arrive.
    """

    def __init__(
        self,
        requests: AsyncIterator[Q],
        call: Callable[[int, Q], Awaitable[R]],
        *,
        concurrency: int,
        ordered: bool,
    ) -> None:
        self._requests = requests
        self._call, self._concurrency = call, concurrency
        self._results: ReorderBuffer[R] = ReorderBuffer(ordered)
        self._pull_lock = asyncio.Lock()  # those of anyio wait for a turn of the loop even if nothing holds them
        self._has_changed, self._has_room = asyncio.Event(), asyncio.Event()
        self._group: TaskGroup | None = None
        self._loop: asyncio.AbstractEventLoop
        self._workers = self._pulled = self._in_flight = self._unread = 0
        self._is_exhausted = False
        self._failure: Exception | None = None

    async def __aenter__(self) -> Self:
        self._loop = get_loop()
        self._group = anyio.create_task_group()
        await self._group.__aenter__()
        self._spawn_worker(self._group)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        group, self._group = self._group, None
        self.stop_pulling()
        if group is not None:
            group.cancel_scope.cancel()
            await group.__aexit__(None, None, None)  # with the block's error, it would raise an exception group

    def __aiter__(self) -> Self:
        return self

    def start_task(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Run *work* until the block is left; call this inside the block."""
        assert self._group is not None  # noqa: S101 - entered
        self._group.start_soon(work)

    async def __anext__(self) -> R:
        if self._group is None:
            raise ConfigurationError("These results belong to a block: async with ....map(requests) as results: ...")
        require_loop(self._loop, "This map")
        while (result := self._results.pop_result()) is None:
            if self._is_exhausted and not self._in_flight:
                raise self._failure or StopAsyncIteration
            self._has_changed.clear()
            await self._has_changed.wait()
        self._unread -= 1
        self._has_room.set()
        return result

    def _spawn_worker(self, group: TaskGroup) -> None:
        if self._workers < self._concurrency and not self._is_exhausted:
            self._workers += 1
            group.start_soon(self._run_worker, group)

    async def _run_worker(self, group: TaskGroup) -> None:
        while not self._is_exhausted:
            pulled = await self._pull_request()
            if pulled is None:
                return
            self._spawn_worker(group)
            index, request = pulled
            try:
                self._results.put_result(index, await self._call(index, request))
            except Exception as error:  # noqa: BLE001 - raised where the results are read
                self.stop_pulling(error)
            finally:
                self._in_flight -= 1
                self._has_changed.set()
            await asyncio.sleep(0)  # the reader comes first: it may stop the map at this result

    async def _pull_request(self) -> tuple[int, Q] | None:
        """Return index and request of the next call once few results are unread, None at the end of the requests."""
        async with self._pull_lock:
            while self._unread >= 2 * self._concurrency and not self._is_exhausted:
                self._has_room.clear()
                await self._has_room.wait()
            if self._is_exhausted:
                return None
            try:
                request = await anext(self._requests)
            except StopAsyncIteration:
                self.stop_pulling()
            except Exception as error:  # noqa: BLE001 - of the caller's iterable, raised where the results are read
                self.stop_pulling(error)
            else:
                self._pulled += 1
                self._in_flight += 1
                self._unread += 1
                return self._pulled - 1, request
        return None

    def stop_pulling(self, failure: Exception | None = None) -> None:
        """Pull no further request; raise *failure* after the results of those that were pulled."""
        self._is_exhausted = True
        self._failure = self._failure or failure
        self._has_changed.set()
        self._has_room.set()
