"""One event-loop timer for all deadlines of requests and streams, and the blocks that a deadline or a close ends.

Contract: cancellation follows asyncio's rules. A block cancels its task once, and turns that `CancelledError` into a
`TimeoutError` (or, for an `OpenBlock`, into a normal exit) only if nobody else cancelled the task meanwhile.

Source: ``asyncio.timeouts`` of CPython, for the use of ``Task.cancelling`` and ``Task.uncancel``.
"""

# How it works: lazily re-armed deadlines.
#
# `asyncio.timeout` creates a loop timer for each block and a new one for each reschedule. A request reschedules at each
# phase and a stream at each block, so the loop's heap of timers takes a tenth of the time of a request.
#
# Here each item (a request's `PhaseTimer`, a stream's `IdleWatchdog`) computes `expires_at` when it is asked, and
# `DeadlineTimer` keeps a single timer of the loop, armed for `next_wake`. The invariant is that `next_wake` is never
# later than the earliest `expires_at`:
#
# - A deadline that moves later needs nothing. The wake-up comes too early, finds nothing expired and re-arms.
# - A deadline that moves earlier re-arms only if it is before `next_wake`.
# - A wake-up asks every item, expires those that are due and arms for the earliest of the others.
#
# Example, with times in seconds:
#
#     0   add A, expires at 10                      armed for 10
#     1   add B, expires at 5: before 10            armed for 5
#     4   B receives a block, expires at 9 now      nothing to do
#     5   wake-up: A at 10, B at 9, nobody is due   armed for 9
#     9   wake-up: B is due and expires             armed for 10
#     9.5 A is done and discarded                   nothing to do
#     10  wake-up: no items                         not armed
#
# The price is one visit of every item per wake-up. Deadlines are seconds away and move later, so wake-ups are rare.

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

from gradient_async.errors import ConfigurationError

_ASYNCIO_NEEDED = (
    "This library needs asyncio: await its calls in a task of a running asyncio event loop, as asyncio.run(main()) "
    "provides one. Other frameworks' loops are not supported."
)


def loop_clock(loop: asyncio.AbstractEventLoop) -> Callable[[], float]:
    """Return the function that reads the clock of *loop*.

    asyncio's own loops forward to ``time.monotonic``. Calling that directly saves a frame, ten times per request and
    once per block.
    """
    is_standard = getattr(loop.time, "__func__", None) is asyncio.BaseEventLoop.time
    return time.monotonic if is_standard else loop.time


def get_loop() -> asyncio.AbstractEventLoop:
    """Return the running event loop of asyncio.

    Raises:
        ConfigurationError: There is none: the code runs under another framework, or outside of any.
    """
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        pass
    raise ConfigurationError(_ASYNCIO_NEEDED)


class Expirable(Protocol):
    """An item with a deadline."""

    @property
    def expires_at(self) -> float:
        """The current deadline, seconds on the loop's clock."""
        ...

    def handle_expiry(self) -> None:
        """Handle that the deadline has passed."""
        ...


class DeadlineTimer:
    """Expires any number of items on one loop at their deadlines.

    Attributes:
        loop: The event loop.
        time: The clock of the loop, in seconds.
        next_wake: The time the loop's timer is armed for; infinite if it is not armed.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        self.loop = get_loop() if loop is None else loop
        self._items: set[Expirable] = set()
        self._handle: asyncio.TimerHandle | None = None
        self.next_wake = math.inf
        self.time = loop_clock(self.loop)

    def add(self, item: Expirable, expires_at: float) -> None:
        """Watch *item*, which expires at *expires_at* or later."""
        self._items.add(item)
        if expires_at < self.next_wake:
            self.wake_by(expires_at)

    def discard(self, item: Expirable) -> None:
        """Stop watching *item*."""
        self._items.discard(item)

    def wake_by(self, when: float) -> None:
        """Arm the timer for *when*, unless it is armed for an earlier time."""
        if when < self.next_wake:
            self.disarm()
            self.next_wake = when
            self._handle = self.loop.call_at(when, self._expire_due)

    def disarm(self) -> None:
        """Remove the timer from the loop."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle, self.next_wake = None, math.inf

    def _expire_due(self) -> None:
        self._handle, self.next_wake = None, math.inf
        now, earliest = self.time(), math.inf
        for item in list(self._items):
            if (expires_at := item.expires_at) > now:
                earliest = min(earliest, expires_at)
                continue
            self._items.discard(item)
            item.handle_expiry()
        self.wake_by(earliest)


class CancelBlock:
    """A ``with`` block that can be ended from outside by cancelling the task inside it."""

    _task: asyncio.Task[object] | None = None
    _cancelling = 0
    _was_cancelled = False

    def enter_task(self, loop: asyncio.AbstractEventLoop | None = None) -> None:
        """Enter the block in the current task. Passing the running *loop* saves the look-up."""
        try:
            self._task = task = asyncio.current_task(loop)
        except RuntimeError:  # there is no running loop
            task = None
        if task is None:
            raise ConfigurationError(_ASYNCIO_NEEDED)
        self._cancelling = task.cancelling()

    def cancel_task(self) -> None:
        """Cancel the task, once, if it is inside the block."""
        if self._task is not None and not self._was_cancelled:
            self._was_cancelled = True
            self._task.cancel()

    def exit_task(self, kind: type[BaseException] | None) -> bool:
        """Leave the block by an exception of class *kind*; return True if it is our cancellation and nobody else's."""
        task, self._task = self._task, None
        if not self._was_cancelled or task is None:
            return False
        return task.uncancel() <= self._cancelling and kind is not None and issubclass(kind, asyncio.CancelledError)


class PhaseTimer(CancelBlock):
    """A block that raises `TimeoutError` at `expires_at`, which moves from phase to phase.

    Attributes:
        deadline_timer: The timer of the loop.
        deadline: The deadline of the whole block, seconds on the loop's clock; the first value of `expires_at`.
        expires_at: The deadline of the current phase, likewise.
    """

    def __init__(self, deadline_timer: DeadlineTimer, deadline: float) -> None:
        self.deadline_timer = deadline_timer
        self.deadline = deadline
        self.expires_at = math.inf

    def __enter__(self) -> Self:
        self.enter_task(self.deadline_timer.loop)
        self.expires_at = min(self.expires_at, self.deadline)
        self.deadline_timer.add(self, self.expires_at)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.deadline_timer.discard(self)
        if self.exit_task(kind):
            raise TimeoutError from error

    def reschedule(self, when: float) -> None:
        """Move `expires_at` to *when*."""
        self.expires_at = when
        if when < self.deadline_timer.next_wake:
            self.deadline_timer.wake_by(when)

    def handle_expiry(self) -> None:
        """Cancel the task inside the block."""
        self.cancel_task()


class OpenBlock(CancelBlock):
    """A block that `request_stop` ends without an error: the statement after the block runs next."""

    def __enter__(self) -> Self:
        self.enter_task()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        return self.exit_task(kind)

    def request_stop(self) -> None:
        """End the block when its task awaits next. Safe from any task and thread, the task inside included."""
        task = self._task
        if task is not None and not (loop := task.get_loop()).is_closed():
            loop.call_soon_threadsafe(self.cancel_task)


class GroupedBlock(OpenBlock):
    """A block that is a member of *group* while a task is inside, so that all members can be stopped together."""

    def __init__(self, group: set[OpenBlock]) -> None:
        self.group = group

    def __enter__(self) -> Self:
        self.enter_task()
        self.group.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        self.group.discard(self)
        return self.exit_task(kind)
