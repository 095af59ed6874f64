"""`RedisLimiter`: one budget for many processes and machines.

Contract: the interface of `RateLimiter`. Redis decides, on its own clock. Each process sends one request at a time to
Redis, for as many permits as wait in its queue. `local_usage` remembers the permits of this process, to write
them again if Redis loses its data; `outage` handles the time while Redis is away.
"""

from __future__ import annotations

import asyncio
import functools
import math
import random
import time
from collections.abc import Callable
from typing import Final

from gradient_async._io.deadline_timer import loop_clock
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._io.rate_limit.queued_limiter import QueuedLimiter
from gradient_async._io.rate_limit.wait_queue import Waiter, limiter_closed_error
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.status import LimiterStatus, WindowStatus
from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis.background_writer import BackgroundWriter, PermitOutcomes
from gradient_async.limits.redis.local_usage import LocalUsage
from gradient_async.limits.redis.outage import Outage, WhenDown
from gradient_async.limits.redis.permits import PermitIssuer
from gradient_async.limits.redis.shared_feedback import SharedFeedback
from gradient_async.limits.redis.store import Grant, RedisStore, RedisUnavailable
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["RedisLimiter", "WhenDown"]

_DEFAULT: Final = RateLimits()
_MAX_PERMITS_PER_REQUEST = 64
_MAX_REQUEST_INTERVAL = 5.0
"""Seconds after which a waiting process asks Redis again in any case: others may have refunded permits."""


class RedisLimiter(QueuedLimiter):
    """Grants permits of one budget that every process with the same *key* shares.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        limits: The budget of all processes together; every process should state the same.
        key: Name of the budget, for several API keys in one Redis. Never put the API key itself here.
        when_down: What to do while Redis does not answer. ``"local_share"``: go on with *share* of the budget,
            counting what this process sent before. ``"fail_open"``: go on without a limit.
            ``"fail_closed"``: raise `APIConnectionError`.
        share: The fraction of the budget that this process may use alone, above 0, at most 1.
        guard: Seconds added to every window.
        timeout: Seconds that one call to Redis may take.
        wall: Epoch seconds, to read ``ratelimit-reset``.
        chance: A random number in [0, 1), for the jitter of a pause.

    Raises:
        ConfigurationError: The extra ``redis`` is not installed, or an argument cannot work.

    Example::

        limiter = RedisLimiter("redis://localhost", limits=RateLimits(), when_down="local_share")
        async with AsyncSession(limits=limiter) as session:
            ...
        await limiter.aclose()
    """

    def __init__(
        self,
        url: str,
        *,
        limits: RateLimits = _DEFAULT,
        key: str | None = None,
        when_down: WhenDown = "local_share",
        share: float = 0.25,
        guard: float = 0.25,
        timeout: float = 1.0,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        if limits.tokens_per_minute is not None:
            raise ConfigurationError("RedisLimiter does not share tokens_per_minute: leave it out, or use RateLimiter")
        super().__init__(time.monotonic)
        self.limits, self._guard = limits, guard
        self._usage = LocalUsage(limits, share=share, guard=guard)
        self._full_bucket = self._usage.full_bucket
        self._name = key or "default"
        self._new_limiter = functools.partial(
            RedisLimiter,
            url,
            limits=limits,
            when_down=when_down,
            share=share,
            guard=guard,
            timeout=timeout,
            wall=wall,
            chance=chance,
        )
        name, longest_span = f"gradient-async:{self._name}", self._usage.longest_span
        self._open_store = functools.partial(RedisStore, url, key=name, timeout=timeout, longest_span=longest_span)
        self._store = self._open_store()
        self._writer = BackgroundWriter(self._write_outcomes, self._enter_outage, self._request_again)
        self._permits = PermitIssuer(self._usage, self._writer, clock=self._read_clock, min_age=guard / 4)
        self._outage = Outage(when_down, self._usage, self._permits)
        self._feedback = SharedFeedback(limits, self._full_bucket, self._writer, wall=wall, chance=chance)
        self._generation: str | None = None
        self._next_request_at = -math.inf
        self._shared_usage = [(0, 0) for _ in limits.windows]
        self._request: asyncio.Task[None] | None = None

    def _try_acquire(self, tokens: int, hold: bool, model: str | None) -> None:  # noqa: FBT001  as in QueuedLimiter
        """Return None: only Redis grants permits."""

    def _enqueue_waiter(self, waiter: Waiter) -> asyncio.Future[Permit]:
        """Add *waiter* to the queue; reject each waiter with a deadline before the end of the pause."""
        granted = self._wait_queue.enqueue(waiter)
        if waiter.timeout is not None:
            self._wait_queue.reject_before(self._full_bucket.paused_until)
        return granted

    def _bind_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move the queue to *loop*, with new connections, because connections belong to a loop."""
        had_loop = self._wait_queue.loop is not None
        self._wait_queue.bind_loop(loop)
        self._wait_queue.clock = loop_clock(loop)
        self._writer.use_loop(loop)
        self._request = None
        if had_loop:
            self._store = self._open_store()

    # Requesting permits.

    def _grant_ready(self, now: float) -> float:
        """Start to request permits, or grant them without Redis; return the seconds until the next call."""
        if now < self._outage.retry_at:
            return min(self._outage.grant_without_redis(self._wait_queue, now), self._outage.retry_at - now)
        request_at = max(self._next_request_at, self._full_bucket.paused_until)
        if now < request_at:
            return request_at - now
        if self._request is None and self._wait_queue.next_waiter() is not None:
            self._request = self._writer.start_task(self._request_permits())
        return math.inf

    async def _request_permits(self) -> None:
        """Request permits until nobody waits or no token is free."""
        queue = self._wait_queue
        try:
            while (count := min(queue.waiters.size, _MAX_PERMITS_PER_REQUEST)) and queue.next_waiter():
                if self._outage.needs_replay:
                    await self._outage.replay_usage(self._store, queue)
                known = self._generation
                grant = await self._store.request_permits(count, windows=self._usage.spans, generation=known)
                self._apply_grant(grant)
                self._generation = grant.generation
                if known not in (None, grant.generation):
                    await self._outage.replay_usage(self._store, queue)
                elif grant.wait:
                    self._delay_request(grant.wait)
                    break
        except RedisUnavailable as failure:
            self._enter_outage(failure)
        finally:
            self._request = None
        queue.dispatch()

    def _delay_request(self, wait: float) -> None:
        """Request no permits for *wait* seconds; reject each waiter with a deadline before that."""
        now = self._read_clock()
        self._wait_queue.reject_before(now + wait)
        self._next_request_at = now + min(wait, _MAX_REQUEST_INTERVAL)

    def _apply_grant(self, grant: Grant) -> None:
        """Give the granted permits to waiters; refund those that nobody waits for any more."""
        self._outage.end_outage()
        now, self._shared_usage = self._read_clock(), grant.usage
        for name in grant.names:
            permit = self._permits.issue_permit(name, now, hold=True)
            waiter = self._wait_queue.next_waiter()
            if waiter is None:
                permit.refund()
                continue
            if not waiter.hold:
                permit.sent()
            self._wait_queue.grant(permit)

    def _enter_outage(self, failure: RedisUnavailable) -> None:
        self._generation = None
        self._outage.begin_outage(failure, self._read_clock())

    # Writing outcomes.

    async def _write_outcomes(self, outcomes: PermitOutcomes) -> None:
        now = self._read_clock()
        ages = {name: None if sent_at is None else now - sent_at for name, sent_at in outcomes.items()}
        await self._store.settle_permits(ages)

    def _request_again(self) -> None:
        """Request permits at once: outcomes were written, which may have freed tokens."""
        self._next_request_at = -math.inf
        self._wait_queue.dispatch()

    # Feedback, pauses and status.

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float, model: str | None = None) -> None:  # noqa: ARG002  not yet
        """Update the limiter from a response, in every process; see `RateLimiter.apply_response`."""
        self._feedback.apply_headers(info, self._store, status=status, sent_at=sent_at, now=self._read_clock())

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Grant no permit, in any process, for *seconds*, or before *until* on the loop's clock.

        Raises:
            ConfigurationError: The end of the pause is not finite.
        """
        seconds = seconds if until is None else until - self._read_clock()
        if not -math.inf < seconds < math.inf:
            raise ConfigurationError(f"a pause of {seconds} s: give a finite number of seconds")
        self._full_bucket.pause(self._read_clock() + seconds)
        if seconds > 0:
            self._writer.start_write(self._store.pause(seconds))

    def new_for_key(self, name: str) -> RedisLimiter:
        """Return a limiter of the same form for another key: its budget is beside this one's in the same Redis."""
        return self._new_limiter(key=f"{self._name}:{name}")

    def status(self, model: str | None = None) -> LimiterStatus:  # noqa: ARG002  not yet
        """Return the budget as Redis last described it, and the length of the local queue."""
        now, paused_until = self._read_clock(), self._full_bucket.paused_until
        free_at = max(now, self._next_request_at, paused_until)
        windows = [
            WindowStatus(capacity=w.capacity, period=w.period, used=used, foreign=foreign, next_free_at=free_at)
            for w, (used, foreign) in zip(self._full_bucket.windows, self._shared_usage, strict=True)
        ]
        return LimiterStatus(
            windows=tuple(windows),
            queued=self._wait_queue.waiters.size,
            paused_until=paused_until if paused_until > now else None,
            now=now,
        )

    def estimate(self, n: int = 1) -> float:
        """Return the approximate seconds until *n* more requests could have been sent, from the mean rate."""
        now, wanted = self._read_clock(), self._wait_queue.waiters.size + n
        waits = [
            (wanted - window.free) * (window.period + self._guard) / window.capacity for window in self.status().windows
        ]
        return max(0.0, self._next_request_at - now, self._full_bucket.paused_until - now, *waits)

    async def aclose(self) -> None:
        """Reject every waiting request with a `SessionClosedError`, write outcomes, and close the connections."""
        self._wait_queue.reject_all(limiter_closed_error)
        await self._writer.aclose(flush=not self._outage.is_active)
        await self._store.aclose()

    def _read_clock(self) -> float:
        return self._wait_queue.clock()
