"""The time limits of requests and streams, all watched by one timer of the loop, and the blocks that they end.

`asyncio.timeout` makes a timer for every block and another at every reschedule; a heap of them costs a tenth of a
request. Here a limit that moves is a number that changes, and the loop's timer is set again only for one that is
sooner than all others. The cancellation follows asyncio's rules: the task is cancelled once, and what arrives as
cancellation is a `TimeoutError` only if nobody else cancelled the task meanwhile.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import attrs


def loop_clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return what tells the time of *loop*.

    asyncio's own loops pass ``time.monotonic`` on; asking that saves a frame, ten times a call and at every read.
    """
    is_plain = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
    return time.monotonic if is_plain else loop.time


class Expirable(Protocol):
    """Something whose time is limited."""

    @property
    def limit(self) -> float:
        """When its time is up, on the loop's clock, if nothing happens from now on."""
        ...

    def expire(self) -> None:
        """End it: its time is up."""
        ...


@attrs.define(eq=False, repr=False)
class DeadlineTimer:
    """Watches the limits of any number of requests and streams on one loop.

    Attributes:
        time: The clock of the loop.
        next_wake: When they are looked at next; a limit that moves to a later time needs no other look.
    """

    loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    time: Callable[[], float] = attrs.field(init=False)
    _active: set[Expirable] = attrs.field(factory=set, init=False)
    _handle: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    next_wake: float = attrs.field(default=math.inf, init=False)

    def __attrs_post_init__(self) -> None:
        self.time = loop_clock(self.loop)

    def add(self, watched: Expirable, limit: float) -> None:
        """Watch *watched*, whose time is up at *limit* or later."""
        self._active.add(watched)
        if limit < self.next_wake:
            self.wake_by(limit)

    def discard(self, watched: Expirable) -> None:
        """Watch *watched* no more."""
        self._active.discard(watched)

    def wake_by(self, when: float) -> None:
        """Look at the limits at *when*, if not sooner."""
        if when < self.next_wake:
            self.stop()
            self.next_wake = when
            self._handle = self.loop.call_at(when, self._look)

    def stop(self) -> None:
        """Leave the loop without a timer."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self.next_wake = None, math.inf

    def _look(self) -> None:
        self._handle, self.next_wake = None, math.inf
        now, next_wake = self.time(), math.inf
        for watched in list(self._active):
            if (limit := watched.limit) > now:
                next_wake = min(next_wake, limit)
                continue
            self._active.discard(watched)
            watched.expire()
        self.wake_by(next_wake)


@attrs.define(eq=False, repr=False)
class CancelBlock:
    """A ``with`` block that can be ended from outside by cancelling the task in it."""

    _task: asyncio.Task[object] | None = attrs.field(default=None, init=False)
    _cancelling: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)

    def begin(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Begin the block, in the task at hand; to be told the running *loop* saves asking for it."""
        self._task = task = asyncio.current_task(loop)
        if task is None:
            raise RuntimeError("requests are made inside a task; use asyncio.run or asyncio.create_task")
        self._cancelling = task.cancelling()

    def end(self) -> None:
        """Cancel the task, once, if it is in the block and waits there."""
        if self._task is not None and not self._ended:
            self._ended = True
            self._task.cancel()

    def leave(self, kind: type[BaseException] | None) -> bool:
        """Leave the block by an exception of this *kind*; say whether that is our cancellation and nobody else's."""
        task, self._task = self._task, None
        if not self._ended or task is None:
            return False
        return task.uncancel() <= self._cancelling and kind is not None and issubclass(kind, asyncio.CancelledError)


@attrs.define(eq=False, repr=False)
class PhaseTimer(CancelBlock):
    """Cancels the task inside its block when `limit`, on the loop's clock, has passed: at first the *deadline*."""

    deadline_timer: DeadlineTimer
    deadline: float
    limit: float = attrs.field(default=math.inf, init=False)

    def __enter__(self) -> Self:
        self.begin(self.deadline_timer.loop)
        self.limit = min(self.limit, self.deadline)
        self.deadline_timer.add(self, self.limit)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.deadline_timer.discard(self)
        if self.leave(kind):
            raise TimeoutError from error

    def reschedule(self, limit: float) -> None:
        """Let time be up at *limit* instead."""
        self.limit = limit
        if limit < self.deadline_timer.next_wake:
            self.deadline_timer.wake_by(limit)

    def expire(self) -> None:
        """Cancel the task: time is up."""
        self.end()


@attrs.define(eq=False, repr=False)
class OpenBlock(CancelBlock):
    """A block that `stop` ends without an error."""

    def __enter__(self) -> Self:
        self.begin()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.leave(kind)

    def stop(self) -> None:
        """End the block, from any task or thread, the one inside included: so not before that one waits."""
        task = self._task
        if task is not None and not (loop := task.get_loop()).is_closed():
            loop.call_soon_threadsafe(self.end)


@attrs.define(eq=False, repr=False)
class GroupedBlock(OpenBlock):
    """A block that is in its *group* while a task is inside, so that all such tasks can be stopped together."""

    group: set[OpenBlock]

    def __enter__(self) -> Self:
        self.begin()
        self.group.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.group.discard(self)
        return self.leave(kind)
