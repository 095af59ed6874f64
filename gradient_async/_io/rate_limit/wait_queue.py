"""`Turnstile`: the queue in front of a limiter, with its deadlines and its one timer.

Contract: first come, first served within a priority; a wait that is cancelled or runs out of time takes
nothing; one loop timer for the whole queue. Whoever owns it decides who may go; here is only the waiting.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import math
from collections.abc import Callable

import attrs

from gradient_async._io.rate_limit.permit import Permit
from gradient_async._protocol.rate_limit.priority_queue import FairQueue, Priority
from gradient_async.errors import APITimeoutError, GradientError, SessionClosedError

__all__ = ["Turnstile", "Waiter"]

_TICK = 0.001
"""The shortest timer, in seconds: a loop may fire a little early, and tokens that return together go together."""


@attrs.define(eq=False, repr=False, weakref_slot=False)
class Waiter:
    """What somebody asks of a limiter, and where the answer goes.

    Attributes:
        priority: Which lane of the queue.
        timeout: Seconds to wait at most, None for no limit.
        tokens: Model tokens the request is expected to use.
        hold: Whether the permit counts until it is sent.
        since: When it began to wait.
        granted: Its permit, once it has one.
        queued: Whether it is in the queue, which keeps this.
    """

    priority: Priority
    timeout: float | None
    tokens: int
    hold: bool
    since: float = attrs.field(init=False)
    granted: asyncio.Future[Permit] = attrs.field(init=False)
    queued: bool = attrs.field(init=False)


class Turnstile:
    """Lets waiters through in order, when its owner says so.

    Attributes:
        queue: Who waits; ``queue.size`` says how many.

    Args:
        clock: Seconds that never go backwards.
        serve: Lets through whom it can with `let_in`; returns the seconds after which to ask it again.
    """

    def __init__(self, clock: Callable[[], float], serve: Callable[[float], float]) -> None:
        self.clock = clock
        self._serve = serve
        self.queue: FairQueue[Waiter] = FairQueue()
        self._deadlines: list[tuple[float, int, Waiter]] = []
        self._numbers = itertools.count()
        self._timer: asyncio.TimerHandle | None = None
        self.loop: asyncio.AbstractEventLoop | None = None

    def ahead(self, priority: Priority) -> int:
        """Return how many would go before a newcomer of *priority*."""
        return self.queue.ahead(priority)

    def enter(self, waiter: Waiter) -> asyncio.Future[Permit]:
        """Let *waiter* queue; return what it has to await, and to `leave` if that raises.

        There is no coroutine for both: one more for each of ten thousand is a tenth of what waiting costs.

        Raises:
            APITimeoutError: From the future: its time ran out.
        """
        assert self.loop is not None  # noqa: S101  the owner binds first; this tells mypy
        waiter.since = now = self.clock()
        waiter.granted = granted = self.loop.create_future()
        self.queue.push(waiter, waiter.priority)
        timeout = waiter.timeout
        if timeout is not None and timeout < math.inf:
            self._set_deadline(waiter, now + timeout)
        if self._timer is None:
            self.pump()
        return granted

    def leave(self, waiter: Waiter) -> None:
        """Take *waiter* out of the queue, or give back the permit that came too late to be taken."""
        granted = waiter.granted
        if self.queue.discard(waiter, waiter.priority):
            return self.pump()
        if granted.done() and not granted.cancelled() and granted.exception() is None:
            granted.result().refund()
        return None

    def next(self) -> Waiter | None:
        """Return who is next, None if nobody waits."""
        while (waiter := self.queue.head()) is not None and waiter.granted.done():
            self.queue.pop()
        return waiter

    def let_in(self, permit: Permit) -> None:
        """Let the `next` one through."""
        self.queue.pop().granted.set_result(permit)

    def pump(self) -> None:
        """Let everybody through who may go, and set the timer for the next one."""
        if not self.queue.size:
            return self._disarm()
        now = self.clock()
        self._expire(now)
        return self._arm(now, self._serve(now))

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to *loop*.

        Raises:
            SessionClosedError: Somebody waits on another running loop.
        """
        if self.loop is not None and self.queue.size and not self.loop.is_closed():
            raise SessionClosedError(
                f"{self.queue.size} requests of another event loop wait for this limiter: use one limiter per "
                "running loop, and RedisLimiter or RateLimits.split to share a budget"
            )
        self._disarm()
        self.queue, self._deadlines, self.loop = FairQueue(), [], loop

    def turn_away(self, error: Callable[[], GradientError]) -> None:
        """Let everybody who waits go with an error."""
        for waiter in self.queue:
            self.queue.discard(waiter, waiter.priority)
            if not waiter.granted.done():
                waiter.granted.set_exception(error())
        self._disarm()

    # The timer.

    def _arm(self, now: float, delay: float) -> None:
        if not self.queue.size:
            self._deadlines.clear()
            return self._disarm()
        while self._deadlines and self._deadlines[0][2].granted.done():
            heapq.heappop(self._deadlines)
        if self._deadlines:
            delay = min(delay, self._deadlines[0][0] - now)
        return self._wake_after(delay) if delay < math.inf else None

    def _wake_after(self, delay: float) -> None:
        assert self.loop is not None  # noqa: S101  as above
        if self.loop.is_closed():
            return
        when = self.loop.time() + max(_TICK, delay)
        if self._timer is None or when < self._timer.when():
            self._disarm()
            self._timer = self.loop.call_at(when, self._wake)

    def _wake(self) -> None:
        self._timer = None
        self.pump()

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Deadlines.

    def _set_deadline(self, waiter: Waiter, at: float) -> None:
        if len(self._deadlines) > 2 * self.queue.size + 64:
            self._deadlines = [entry for entry in self._deadlines if not entry[2].granted.done()]
            heapq.heapify(self._deadlines)
        heapq.heappush(self._deadlines, (at, next(self._numbers), waiter))
        if self._timer is not None and self._deadlines[0][2] is waiter:
            self._wake_after(at - self.clock())

    def refuse_before(self, at: float) -> None:
        """Let those go with an error at once whose time ends before anybody can be let in, which is *at*."""
        now = self.clock()
        while self._deadlines and self._deadlines[0][0] < at:
            waiter = heapq.heappop(self._deadlines)[2]
            if self.queue.discard(waiter, waiter.priority) and not waiter.granted.done():
                waiter.granted.set_exception(_too_early(at - now))

    def _expire(self, now: float) -> None:
        """Let those go with an error whose time ran out."""
        while self._deadlines and self._deadlines[0][0] <= now:
            waiter = heapq.heappop(self._deadlines)[2]
            if self.queue.discard(waiter, waiter.priority) and not waiter.granted.done():
                waiter.granted.set_exception(_out_of_time(now - waiter.since))


def _out_of_time(waited: float) -> APITimeoutError:
    return APITimeoutError(
        f"no permit of the rate limit came within {waited:.1f} s: allow more time, or send less", phase="limiter"
    )


def _too_early(wait: float) -> APITimeoutError:
    return APITimeoutError(
        f"the rate limit allows this request in {wait:.1f} s at the earliest, which is longer than it may wait: "
        "allow more time, or send less",
        phase="limiter",
    )


def closed() -> SessionClosedError:
    """Return the error for those who wait while a limiter is closed."""
    return SessionClosedError("the limiter was closed while this request waited for it; nothing was sent")
