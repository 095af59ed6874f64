"""Several consumers of one stream.

Contract: every branch gets every event in order, and the end or the error of the stream. No branch runs more than
*buffer* events ahead of the slowest. A branch that is closed or dropped no longer holds the others back; closing the
last one closes the stream. A cancelled consumer affects only itself, because a task of the tee reads the stream.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterator
from functools import partial
from typing import Generic, Protocol, Self, TypeVar

import attrs

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.event_loops import call_on_loop, require_loop
from gradient_async.errors import ConfigurationError, GradientError, StreamBusyError

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class CloseableStream(Protocol[E_co]):
    """The part of a stream that a tee uses."""

    def __aiter__(self) -> AsyncIterator[E_co]:
        """Iterate over the events."""
        ...

    def close(self) -> None:
        """Release the connection."""
        ...


@attrs.define(eq=False, repr=False)
class _BranchQueue(Generic[E]):
    """The unread events of one branch, and the future its consumer waits on."""

    events: deque[E] = attrs.field(factory=deque)
    waiter: asyncio.Future[None] | None = None

    def wake_consumer(self) -> None:
        _wake(self.waiter)


@attrs.define(eq=False, repr=False)
class _TeeReader(Generic[E]):
    """Reads the stream in a task of its own and appends each event to the queue of every branch."""

    stream: CloseableStream[E]
    buffer: int
    queues: list[_BranchQueue[E]] = attrs.field(factory=list)
    ended: bool = False
    error: GradientError | None = None
    task: asyncio.Task[None] | None = None
    space_waiter: asyncio.Future[None] | None = None

    def start_task(self) -> None:
        if self.task is None and not self.ended:
            self.task = get_loop().create_task(self._read_stream())

    def create_waiter(self) -> asyncio.Future[None]:
        """Return a future of the loop that reads the stream.

        Raises:
            SessionClosedError: Another loop runs here.
        """
        loop = get_loop() if self.task is None else self.task.get_loop()
        require_loop(loop, "This stream")
        return loop.create_future()

    async def _read_stream(self) -> None:
        try:
            async for event in self.stream:
                for queue in self.queues:
                    queue.events.append(event)
                    queue.wake_consumer()
                while any(len(queue.events) >= self.buffer for queue in self.queues):
                    self.space_waiter = self.create_waiter()
                    await self.space_waiter
        except GradientError as error:
            self.error = error
        finally:
            self.ended = True
            for queue in self.queues:
                queue.wake_consumer()

    def notify_space(self) -> None:
        _wake(self.space_waiter)

    def remove_branch(self, queue: _BranchQueue[E]) -> None:
        if queue in self.queues:
            self.queues.remove(queue)
            self.notify_space()
        if not self.queues:
            self.stream.close()
            if self.task is not None:
                call_on_loop(self.task.get_loop(), self.task.cancel)


def _wake(waiter: asyncio.Future[None] | None) -> None:
    if waiter is not None and not waiter.done():
        call_on_loop(waiter.get_loop(), partial(_complete, waiter))


def _complete(waiter: asyncio.Future[None]) -> None:
    if not waiter.done():
        waiter.set_result(None)


class TeeBranch(Generic[E]):
    """One consumer's view of a shared stream. Iterating gives every event."""

    __slots__ = ("_queue", "_reader")

    def __init__(self, reader: _TeeReader[E]) -> None:
        self._reader = reader
        self._queue: _BranchQueue[E] = _BranchQueue()
        reader.queues.append(self._queue)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        reader, queue = self._reader, self._queue
        reader.start_task()
        while not queue.events:
            if reader.ended or queue not in reader.queues:
                raise copy.copy(reader.error) if reader.error is not None else StopAsyncIteration
            if queue.waiter is not None and not queue.waiter.done():
                raise StreamBusyError("Another task is reading this branch; give each a branch of its own with tee(n).")
            queue.waiter = reader.create_waiter()
            try:
                await queue.waiter
            except asyncio.CancelledError:
                self.close()
                raise
        event = queue.events.popleft()
        reader.notify_space()
        return event

    def close(self) -> None:
        """Leave the tee; the other branches go on. Closing the last branch closes the stream."""
        self._reader.remove_branch(self._queue)
        self._queue.wake_consumer()

    async def aclose(self) -> None:
        """Leave the tee, as `close` does; for ``contextlib.aclosing``."""
        self.close()

    def __del__(self) -> None:
        self._reader.remove_branch(self._queue)


def tee_stream(stream: CloseableStream[E], n: int, buffer: int) -> tuple[TeeBranch[E], ...]:
    """Return *n* branches of *stream*.

    Raises:
        ConfigurationError: *n* or *buffer* is less than 1.
    """
    if n < 1 or buffer < 1:
        raise ConfigurationError(f"tee(n={n}, buffer={buffer}): give at least 1 of each.")
    reader = _TeeReader(stream, buffer)
    return tuple(TeeBranch(reader) for _ in range(n))
