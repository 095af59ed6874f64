"""`WaitQueue`: the requests that wait for a limiter, with their deadlines and one timer.

Contract: first come, first served within a priority; a request that is cancelled or times out takes no permit; one
loop timer serves the whole queue. The owner decides who gets a permit; the queue only waits.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from heapq import heapify, heappop, heappush

from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.rate_limit.priority_queue import Priority, PriorityQueue
from gradient_async.errors import APITimeoutError, GradientError, SessionClosedError

__all__ = ["WaitQueue", "Waiter", "limiter_closed_error"]

_TICK = 0.001
"""Shortest timer in seconds. A loop may fire slightly early, and tokens that return together are granted together."""
_MIN_DEAD_DEADLINES = 64
"""Deadlines of finished waiters that are kept before it is worth rebuilding the heap."""


class Waiter:
    """One request that waits for a permit.

    Attributes:
        priority: Lane of the queue.
        timeout: Longest wait in seconds, None for no limit.
        tokens: Model tokens that the request is expected to use.
        hold: Whether the permit counts without end until it is sent.
        model: The model whose quotas the request uses, None for a request without one.
        since: Time when the wait began.
        granted: Future of the permit.
        queued: Whether the waiter is in the queue; this and the next two are maintained by the queue.
        number: Its place in the order of arrival.
        parked: Whether it waits for its model.
    """

    __slots__ = ("granted", "hold", "model", "number", "parked", "priority", "queued", "since", "timeout", "tokens")

    def __init__(  # Hot: called with positions alone
        self,
        priority: Priority,
        timeout: float | None,
        tokens: int,
        hold: bool,  # noqa: FBT001
        model: str | None,
        since: float,
    ) -> None:
        self.priority = priority
        self.timeout = timeout
        self.tokens = tokens
        self.hold = hold
        self.model = model
        self.since = since
        self.granted: asyncio.Future[Permit]
        self.queued: bool
        self.number: int
        self.parked: bool


class WaitQueue:
    """Grants permits to waiting requests in order, as the owner of the queue allows.

    Args:
        clock: Seconds that never go backwards.
        grant_ready: Called with the time; calls `grant` for each waiter that may go, ``waiters.park`` for each whose
            model may not, and returns the seconds after which to call it again.

    Attributes:
        clock: The clock in use.
        waiters: Waiting requests; ``waiters.size`` is their number.
        loop: Event loop of the waiting requests, None before `bind_loop`.
    """

    def __init__(self, clock: Callable[[], float], grant_ready: Callable[[float], float]) -> None:
        self.clock = clock
        self._grant_ready = grant_ready
        self.waiters: PriorityQueue[Waiter] = PriorityQueue()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._timer: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def enqueue(self, waiter: Waiter, *, is_served: bool = False) -> asyncio.Future[Permit]:
        """Append *waiter*; return the future to await, and call `cancel` if that raises.

        With *is_served*, the caller sees to it that `dispatch` is called.

        This is not one coroutine with the await in it: with 10,000 waiters, that costs a tenth of all waiting.

        Raises:
            APITimeoutError: From the future: the wait took longer than *waiter*'s timeout.
        """
        assert self.loop is not None  # noqa: S101  the owner calls bind_loop first; this tells mypy
        waiter.granted = granted = self.loop.create_future()
        is_behind = self.waiters.push(waiter, waiter.priority)
        timeout = waiter.timeout
        if timeout is not None and timeout < math.inf:
            deadlines, deadline = self._deadlines, waiter.since + timeout
            heappush(deadlines, (deadline, waiter.number, waiter))
            if deadlines[0][2] is waiter and self._timer is not None:
                self._set_timer(deadline - self.clock())
        if not is_served and (self._timer is None or not is_behind):
            self.dispatch()
        return granted

    def cancel(self, waiter: Waiter) -> None:
        """Remove *waiter* from the queue, or refund the permit that it was granted but did not take."""
        granted = waiter.granted
        if self.waiters.discard(waiter, waiter.priority):
            return self.dispatch()
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            granted.result().refund()
        return None

    def next_waiter(self, now: float = math.inf) -> Waiter | None:
        """Drop waiters with a finished future; return the waiter to serve next, None if nobody may go at *now*."""
        while (waiter := self.waiters.peek(now)) is not None and waiter.granted.done():
            self.waiters.pop()
        return waiter

    def grant(self, permit: Permit) -> None:
        """Give *permit* to the waiter that the preceding `next_waiter` returned."""
        self.waiters.pop().granted.set_result(permit)

    def dispatch(self) -> None:
        """Reject expired waiters, grant permits to all others that may go, and set the timer."""
        if not self.waiters.size:
            return self._clear_schedule()
        now = self.clock()
        self._reject_expired(now)
        return self._schedule_dispatch(now, self._grant_ready(now))

    def bind_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Start anew on *loop*. Forget the waiters of a loop that was closed.

        Raises:
            SessionClosedError: Another loop still runs, or requests of it wait.
        """
        other = self.loop
        if other is not None and not other.is_closed() and (other.is_running() or self.waiters.size):
            raise SessionClosedError(
                "this limiter belongs to another event loop, which still uses it: use one limiter per running loop, "
                "and RedisLimiter or RateLimits.split to share a budget"
            )
        self._cancel_timer()
        for waiter in self.waiters:
            waiter.queued = False  # or its `cancel`, when its task is collected, would count in the new queue
        self.waiters, self._deadlines, self.loop = PriorityQueue(), [], loop

    # Rejections.

    def reject_all(self, make_error: Callable[[], GradientError]) -> None:
        """Reject every waiter with an error of its own."""
        for waiter in self.waiters:
            self.waiters.discard(waiter, waiter.priority)
            if not waiter.granted.done():
                waiter.granted.set_exception(make_error())
        self._cancel_timer()

    def reject_before(self, at: float) -> None:
        """Reject each waiter with a deadline before *at*, the earliest time of the next grant."""
        while self._deadlines and self._deadlines[0][0] < at:
            self.reject_waiter_before(heappop(self._deadlines)[2], at)

    def reject_waiter_before(self, waiter: Waiter, at: float) -> None:
        """Reject *waiter* if its deadline is before *at*, the earliest time of its grant."""
        if waiter.timeout is not None and waiter.since + waiter.timeout < at:
            self._reject_waiter(
                waiter,
                f"the rate limit allows this request in {at - self.clock():.1f} s at the earliest, which is longer "
                "than it may wait: allow more time, or send less",
            )

    def _reject_expired(self, now: float) -> None:
        while self._deadlines and self._deadlines[0][0] <= now:
            waiter = heappop(self._deadlines)[2]
            waited = now - waiter.since
            self._reject_waiter(
                waiter, f"no permit of the rate limit came within {waited:.1f} s: allow more time, or send less"
            )

    def _reject_waiter(self, waiter: Waiter, message: str) -> None:
        if self.waiters.discard(waiter, waiter.priority) and not waiter.granted.done():
            waiter.granted.set_exception(APITimeoutError(message, phase="limiter"))

    # The timer.

    def _schedule_dispatch(self, now: float, delay: float) -> None:
        """Set the timer for *delay* seconds from *now*, or for the first deadline if that is earlier."""
        if not self.waiters.size:
            return self._clear_schedule()
        if len(self._deadlines) > 2 * self.waiters.size + _MIN_DEAD_DEADLINES:
            self._deadlines = [entry for entry in self._deadlines if entry[2].queued]
            heapify(self._deadlines)
        if self._deadlines:  # maybe of a served waiter: taking each out costs more than a timer in vain
            delay = min(delay, self._deadlines[0][0] - now)
        return self._set_timer(delay) if delay < math.inf else None

    def _set_timer(self, delay: float) -> None:
        """Dispatch in *delay* seconds, unless the timer fires earlier anyway."""
        assert self.loop is not None  # noqa: S101  as above
        if self.loop.is_closed():
            return
        when = self.loop.time() + max(_TICK, delay)
        if self._timer is None or when < self._timer.when():
            self._cancel_timer()
            self._timer = self.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self.dispatch()

    def _clear_schedule(self) -> None:
        """Forget the deadlines and the timer: nobody waits."""
        self._deadlines.clear()
        self._cancel_timer()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def limiter_closed_error() -> SessionClosedError:
    """Return the error of a request that waits while its limiter is closed."""
    return SessionClosedError("the limiter was closed while this request waited for it; nothing was sent")
