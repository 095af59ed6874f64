"""The time limits of requests, all watched by one timer of the loop.

`asyncio.timeout` makes a timer for every block and another at every reschedule; a heap of them costs a tenth of a
request. Here a limit that moves is a number that changes, and the loop's timer is set again only for one that is
sooner than all others. The cancellation follows asyncio's rules: the task is cancelled once, and what arrives as
cancellation is a `TimeoutError` only if nobody else cancelled the task meanwhile.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

import attrs


@attrs.define(eq=False, repr=False)
class Timers:
    """Watches the limits of any number of requests on one loop."""

    loop: asyncio.AbstractEventLoop = attrs.field(factory=asyncio.get_running_loop)
    _active: set[PhaseTimer] = attrs.field(factory=set, init=False)
    _handle: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    _when: float = attrs.field(default=math.inf, init=False)

    def add(self, timer: PhaseTimer) -> None:
        """Watch *timer*."""
        self._active.add(timer)
        self.look_by(timer.limit)

    def discard(self, timer: PhaseTimer) -> None:
        """Watch *timer* no more."""
        self._active.discard(timer)

    def look_by(self, when: float) -> None:
        """Look at the limits at *when*, if not sooner."""
        if when < self._when:
            self.stop()
            self._when = when
            self._handle = self.loop.call_at(when, self._look)

    def stop(self) -> None:
        """Leave the loop without a timer."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self._when = None, math.inf

    def _look(self) -> None:
        self._handle, self._when = None, math.inf
        now = self.loop.time()
        for timer in [timer for timer in self._active if timer.limit <= now]:
            self._active.discard(timer)
            timer.expire()
        self.look_by(min((timer.limit for timer in self._active), default=math.inf))


@attrs.define(eq=False, repr=False)
class PhaseTimer:
    """Cancels the task inside its block when `limit`, on the loop's clock, has passed."""

    timers: Timers
    limit: float
    _task: asyncio.Task[object] | None = attrs.field(default=None, init=False)
    _cancelling: int = attrs.field(default=0, init=False)
    _expired: bool = attrs.field(default=False, init=False)

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("requests are made inside a task; use asyncio.run or asyncio.create_task")
        self._cancelling = self._task.cancelling()
        self.timers.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.timers.discard(self)
        task, self._task = self._task, None
        if not self._expired or task is None:
            return
        if task.uncancel() <= self._cancelling and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def move(self, limit: float) -> None:
        """Let time be up at *limit* instead."""
        self.limit = limit
        self.timers.look_by(limit)

    def expire(self) -> None:
        """Cancel the task: time is up."""
        if self._task is not None:
            self._expired = True
            self._task.cancel()
