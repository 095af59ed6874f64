"""`RedisLimiter`: one budget for many processes and machines.

Contract: the interface of `RateLimiter`. Redis decides, on its own clock; only the head of the local queue
asks it, for as many as wait. What this process sent is remembered in `gradient_async.limits.redis.local_log`: if Redis
loses its data, every process tells it again; `gradient_async.limits.redis.outage` knows when Redis is away.
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
from gradient_async._io.rate_limit.wait_queue import Turnstile, Waiter, closed
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.status import LimiterStatus, WindowStatus, describe, describe_html
from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis.background_writer import Errands
from gradient_async.limits.redis.local_log import SentHere
from gradient_async.limits.redis.outage import Outage, WhenDown
from gradient_async.limits.redis.permits import Permits
from gradient_async.limits.redis.server_feedback import SharedFeedback
from gradient_async.limits.redis.store import Answer, RedisStore, StoreDown
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["RedisLimiter", "WhenDown"]

_DEFAULT: Final = RateLimits()
_MOST_AT_ONCE = 64
_ASK_AGAIN = 5.0
"""Seconds after which the head asks again in any case: others may have given permits back."""


class RedisLimiter:
    """Gives out permits of one budget that every process with the same *key* shares.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://``.
        limits: The budget of all together; every process should state the same.
        key: What the budget is called, for several API keys in one Redis. Never put the API key itself here.
        when_down: What to do while Redis does not answer. ``"local_share"``: go on with *share* of the budget,
            counting what this process sent before. ``"fail_open"``: go on without a limit.
            ``"fail_closed"``: raise `APIConnectionError`.
        share: The part of the budget that this process may use alone, above 0, at most 1.
        guard: Seconds that every window is longer than the service's.
        timeout: Seconds that one call to Redis may take.
        wall: Epoch seconds, to read ``ratelimit-reset``.
        chance: A random number in [0, 1), for the jitter of a pause.

    Raises:
        ConfigurationError: The extra ``redis`` is not installed, or an argument cannot work.
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
        self.limits, self._guard = limits, guard
        self._sent = SentHere(limits, share=share, guard=guard)
        self._whole = self._sent.whole
        name = f"gradient-async:{key or 'default'}"
        self._new_store = functools.partial(RedisStore, url, key=name, timeout=timeout, longest=self._sent.longest)
        self._store = self._new_store()
        self._turnstile = Turnstile(time.monotonic, self._serve)
        self._errands = Errands(self._settle, self._go_down, self._settled)
        self._permits = Permits(self._sent, self._errands, clock=self._now, slack=guard / 4)
        self._outage = Outage(when_down, self._sent, self._permits)
        self._feedback = SharedFeedback(limits, self._whole, self._errands, wall=wall, chance=chance)
        self._generation: str | None = None
        self._ask_at = -math.inf
        self._used = [(0, 0) for _ in limits.windows]
        self._asking: asyncio.Task[None] | None = None

    async def acquire(
        self,
        priority: Priority = "interactive",
        *,
        timeout: float | None = None,
        tokens: int = 0,
        hold: bool = False,
    ) -> Permit:
        """Return once one request may be sent; see `RateLimiter.acquire`.

        Raises:
            APITimeoutError: The wait is longer than *timeout* seconds.
            APIConnectionError: Redis does not answer, and *when_down* is ``"fail_closed"``.
        """
        turnstile = self._turnstile
        loop = asyncio.get_running_loop()
        if loop is not turnstile.loop:
            self._bind(loop)
        waiter = Waiter(priority, timeout, tokens, hold)
        granted = turnstile.enter(waiter)
        if timeout is not None:
            turnstile.refuse_before(self._whole.paused_until)
        try:
            permit = await granted
        except BaseException:
            turnstile.leave(waiter)
            raise
        permit.waited = turnstile.clock() - waiter.since
        return permit

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to *loop* with new connections, which belong to a loop."""
        had_one = self._turnstile.loop is not None
        self._turnstile.bind(loop)
        self._turnstile.clock = loop_clock(loop)
        self._errands.bind(loop)
        self._asking = None
        if had_one:
            self._store = self._new_store()

    # Asking Redis.

    def _serve(self, now: float) -> float:
        """Start to ask for the head of the queue; return the seconds after which to do it again."""
        if now < self._outage.until:
            return min(self._outage.serve(self._turnstile, now), self._outage.until - now)
        again = max(self._ask_at, self._whole.paused_until)
        if now < again:
            return again - now
        if self._asking is None and self._turnstile.next() is not None:
            self._asking = self._errands.start(self._ask())
        return math.inf

    async def _ask(self) -> None:
        """Ask Redis until nobody waits or nothing is free."""
        try:
            while (count := min(self._turnstile.queue.size, _MOST_AT_ONCE)) and self._turnstile.next():
                if self._outage.is_untold:
                    await self._outage.replay(self._store, self._turnstile)
                known = self._generation
                answer = await self._store.ask(count, windows=self._sent.spans, generation=known)
                self._hand_out(answer)
                self._generation = answer.generation
                if known not in (None, answer.generation):
                    await self._outage.replay(self._store, self._turnstile)
                elif answer.wait:
                    self._wait_before_asking(answer.wait)
                    break
        except StoreDown as failure:
            self._go_down(failure)
        finally:
            self._asking = None
        self._turnstile.pump()

    def _wait_before_asking(self, wait: float) -> None:
        now = self._now()
        self._turnstile.refuse_before(now + wait)
        self._ask_at = now + min(wait, _ASK_AGAIN)

    def _hand_out(self, answer: Answer) -> None:
        """Give what Redis granted to those who wait; what nobody waits for any more goes back."""
        self._outage.end()
        now, self._used = self._now(), answer.used
        for member in answer.members:
            permit = self._permits.new(member, now, hold=True)
            waiter = self._turnstile.next()
            if waiter is None:
                permit.refund()
                continue
            if not waiter.hold:
                permit.sent()
            self._turnstile.let_in(permit)

    def _go_down(self, failure: StoreDown) -> None:
        self._generation = None
        self._outage.begin(failure, self._now())

    # Telling Redis.

    async def _settle(self, fates: dict[str, float | None]) -> None:
        now = self._now()
        await self._store.settle({name: None if at is None else now - at for name, at in fates.items()})

    def _settled(self) -> None:
        self._ask_at = -math.inf
        self._turnstile.pump()

    # Learning and telling.

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float) -> None:
        """Learn from the headers of a response, and share what concerns everybody; see `RateLimiter.apply_response`."""
        self._feedback.apply_response(info, self._store, status=status, sent_at=sent_at, now=self._now())

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Give out no permit, in any process, for *seconds*, or before *until* on the loop's clock."""
        seconds = seconds if until is None else until - self._now()
        if not -math.inf < seconds < math.inf:
            raise ConfigurationError(f"a pause of {seconds} s: give a finite number of seconds")
        self._whole.pause(self._now() + seconds)
        if seconds > 0:
            self._errands.tell(self._store.pause(seconds))

    def status(self) -> LimiterStatus:
        """Return the budget as Redis last described it, and the local queue."""
        now = self._now()
        free_at = max(now, self._ask_at, self._whole.paused_until)
        windows = [
            WindowStatus(capacity=w.capacity, period=w.period, used=used, foreign=foreign, next_free_at=free_at)
            for w, (used, foreign) in zip(self._whole.use(now), self._used, strict=True)
        ]
        paused_until = self._whole.paused_until
        return LimiterStatus(
            windows=tuple(windows),
            queued=self._turnstile.queue.size,
            paused_until=paused_until if paused_until > now else None,
            now=now,
        )

    def estimate(self, n: int = 1) -> float:
        """Return about how many seconds it takes until *n* more requests could have been sent, by the mean rate."""
        now, wanted = self._now(), self._turnstile.queue.size + n
        waits = [
            (wanted - window.free) * (window.period + self._guard) / window.capacity for window in self.status().windows
        ]
        return max(0.0, self._ask_at - now, self._whole.paused_until - now, *waits)

    async def aclose(self) -> None:
        """Let everybody who waits go with a `SessionClosedError`, settle, and close the connections."""
        self._turnstile.turn_away(closed)
        await self._errands.aclose(settles=not self._outage.is_now)
        await self._store.aclose()

    def _now(self) -> float:
        return self._turnstile.clock()

    def __repr__(self) -> str:
        return describe(type(self).__name__, self.status())

    def _repr_html_(self) -> str:
        return describe_html(type(self).__name__, self.status())
