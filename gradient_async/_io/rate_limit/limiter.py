"""`RateLimiter`: the bucket, a queue in front of it, and the clocks.

Contract: an uncontended `RateLimiter.acquire` neither waits nor locks. The limiter belongs to one event loop
at a time. Times are in seconds on that loop's clock.

Every decision is made in `gradient_async._protocol`, all waiting in `gradient_async._io.rate_limit.wait_queue`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from typing import Final

from gradient_async._io.deadline_timer import loop_clock
from gradient_async._io.rate_limit.permit import Limiter, Permit
from gradient_async._io.rate_limit.wait_queue import Turnstile, Waiter, closed
from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.server_feedback import ServerFeedback
from gradient_async._protocol.rate_limit.status import LimiterStatus, WindowStatus, describe, describe_html
from gradient_async._protocol.rate_limit.token_budget import TokenBudget
from gradient_async.errors import APITimeoutError, ConfigurationError
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["Limiter", "LimiterStatus", "Permit", "Priority", "RateLimiter", "WindowStatus"]

_log = logging.getLogger("gradient_async")

_DEFAULT: Final = RateLimits()
_SAME_CLOCK = 1.0
_REFUSED = 429


class RateLimiter:
    """Gives out permits as fast as every window allows.

    One limiter may serve any number of sessions of an event loop: they share its budget.

    Args:
        limits: The budget.
        guard: Seconds that every window is longer than the service's, against requests that overtake
            each other on the way.
        clock: Seconds that never go backwards; the running loop's clock by default.
        wall: Epoch seconds, to read ``ratelimit-reset``.
        chance: A random number in [0, 1), for the jitter of a pause.
    """

    def __init__(
        self,
        limits: RateLimits = _DEFAULT,
        *,
        guard: float = 0.25,
        clock: Callable[[], float] | None = None,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self.limits = limits
        self._bucket = RollingTokenBucket(limits.windows, guard=guard, follow=limits.follow, share=limits.share)
        self._feedback = ServerFeedback(self._bucket, tiers=limits.tiers)
        tokens = limits.tokens_per_minute
        self._budget = None if tokens is None else TokenBudget(tokens, guard=guard)
        self._own_clock = clock is not None
        self._wall, self._chance = wall, chance
        self._turnstile = Turnstile(clock or time.monotonic, self._serve)

    async def acquire(
        self,
        priority: Priority = "interactive",
        *,
        timeout: float | None = None,
        tokens: int = 0,
        hold: bool = False,
    ) -> Permit:
        """Return once one request may be sent.

        Args:
            priority: ``"interactive"`` goes before ``"bulk"``, which still gets one of eight while both wait.
            timeout: Seconds to wait at most, None for no limit.
            tokens: The model tokens the request is expected to use, for ``tokens_per_minute``.
            hold: Let the permit count until `Permit.sent` or `Permit.refund`, however long that takes,
                because a place in a pool or a connection is still to be waited for.

        Raises:
            APITimeoutError: The wait is longer than *timeout*: at once if that can be known, else after it.
            SessionClosedError: Requests of another running event loop wait for this limiter.
        """
        turnstile = self._turnstile
        loop = asyncio.get_running_loop()
        if loop is not turnstile.loop:
            self._bind(loop)
        permit = None if turnstile.queue.size else self._grant(turnstile.clock(), tokens, hold)
        if permit is not None:
            return permit
        if timeout is not None:
            self._check(priority, timeout)
        waiter = Waiter(priority, timeout, tokens, hold)
        granted = turnstile.enter(waiter)
        try:
            permit = await granted
        except BaseException:
            turnstile.leave(waiter)
            raise
        permit.waited = turnstile.clock() - waiter.since
        return permit

    def _check(self, priority: Priority, timeout: float) -> None:
        """Refuse to wait if that is surely longer than *timeout*; estimates of model tokens may yet be corrected."""
        now, ahead = self._turnstile.clock(), self._turnstile.ahead(priority)
        wait = self._bucket.earliest(now, ahead + 1, enough=timeout) - now
        if wait <= timeout:
            return
        raise APITimeoutError(
            f"the rate limit allows this request in {wait:.1f} s at the earliest, with {ahead} before it, "
            f"but it has only {max(0.0, timeout):.1f} s: allow more time, or send less",
            phase="limiter",
        )

    def _grant(self, now: float, tokens: int, hold: bool) -> Permit | None:  # noqa: FBT001  keywords cost 60 ns
        """Take a token, and its model tokens, if both are free."""
        budget, bucket = self._budget, self._bucket
        if budget is not None and budget.delay(now, tokens):
            return None
        if bucket.hold(now) if hold else bucket.reserve(now):
            return None
        return Permit(self, now, hold, None if budget is None else budget.spend(now, tokens, hold=hold))

    def _serve(self, now: float) -> float:
        """Let through whom the bucket admits; return the seconds until it may admit the next one."""
        bucket, budget, turnstile = self._bucket, self._budget, self._turnstile
        free = bucket.free(now)  # counted once: to ask the bucket for every waiter takes as long as to wake it
        while (waiter := turnstile.next()) is not None:
            delay = 0.0 if free > 0 else bucket.delay(now)
            if budget is not None:
                delay = max(delay, budget.delay(now, waiter.tokens))
            if delay:
                return delay
            free -= 1
            bucket.take(now, waiter.hold)
            spend = None if budget is None else budget.spend(now, waiter.tokens, hold=waiter.hold)
            turnstile.let_in(Permit(self, now, waiter.hold, spend))
        return math.inf

    # The event loop.

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to *loop*, which is allowed when nobody waits on another one."""
        self._turnstile.bind(loop)
        if not self._own_clock:
            self._exchange_clock(loop_clock(loop))

    def _exchange_clock(self, clock: Callable[[], float]) -> None:
        now = clock()
        shift = now - self._turnstile.clock()
        self._turnstile.clock = clock
        if abs(shift) < _SAME_CLOCK:
            return
        self._bucket.rebase(shift, now=now)
        self._feedback.rebase(shift)
        if self._budget is not None:
            self._budget.rebase(shift)

    # Permits.

    def _permit_sent(self, permit: Permit) -> None:
        now = self._turnstile.clock()
        if permit.spend is not None and self._budget is not None:
            permit.spend = self._budget.sent(permit.spend, now=now)
        if permit.held:
            permit.held = False
            permit.sent_at = self._bucket.stamp(now)
            return
        self._bucket.refund(permit.sent_at)
        permit.sent_at = self._bucket.spend(now)

    def _permit_refunded(self, permit: Permit) -> None:
        if permit.held:
            permit.held = False
            self._bucket.release()
        else:
            self._bucket.refund(permit.sent_at)
        if permit.spend is not None and self._budget is not None:
            self._budget.settle(permit.spend, 0, now=self._turnstile.clock())
        self._turnstile.pump()

    def _permit_settled(self, permit: Permit, tokens: int) -> None:
        if permit.spend is not None and self._budget is not None:
            self._budget.settle(permit.spend, tokens, now=self._turnstile.clock())
            self._turnstile.pump()

    # Learning and telling.

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float) -> None:
        """Learn from the headers of a response, refusals included; their order does not matter.

        Args:
            info: The headers.
            status: The HTTP status.
            sent_at: When its request was sent: ``Permit.sent_at``.
        """
        longest, turnstile = self._bucket.windows[-1], self._turnstile
        before = longest.capacity
        paused = self._feedback.apply_response(
            info,
            status=status,
            sent_at=sent_at,
            now=turnstile.clock(),
            wall=self._wall(),
            chance=self._chance() if status == _REFUSED else 0.0,
        )
        if paused:
            _log.info("rate limit: status %s, nothing is sent for %.1f s", status, paused)
        if longest.capacity != before:
            _log.info("rate limit: the service allows %s requests, not %s", longest.capacity, before)
        if turnstile.queue.size:
            turnstile.pump()

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Give out no permit for *seconds*, or before *until* on the loop's clock; never shortens a pause."""
        until = self._turnstile.clock() + seconds if until is None else until
        if not -math.inf < until < math.inf:
            raise ConfigurationError(f"a pause until {until}: give a finite number of seconds")
        self._bucket.pause(until)

    def status(self) -> LimiterStatus:
        """Return what is used, free and waited for."""
        now = self._turnstile.clock()
        paused_until = self._bucket.paused_until
        return LimiterStatus(
            windows=tuple(self._bucket.use(now)),
            queued=self._turnstile.queue.size,
            held=self._bucket.held,
            paused_until=paused_until if paused_until > now else None,
            tokens_used=None if self._budget is None else self._budget.used(now),
            now=now,
        )

    def estimate(self, n: int = 1) -> float:
        """Return the seconds until *n* more requests could have been sent, after all that wait already."""
        now = self._turnstile.clock()
        return self._bucket.forecast(now, self._turnstile.queue.size + n) - now

    async def aclose(self) -> None:
        """Let everybody who waits go with a `SessionClosedError`; the limiter itself stays usable."""
        self._turnstile.turn_away(closed)

    def __repr__(self) -> str:
        return describe(type(self).__name__, self.status())

    def _repr_html_(self) -> str:
        return describe_html(type(self).__name__, self.status())
