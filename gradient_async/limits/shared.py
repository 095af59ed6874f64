"""`RedisLimiter`: one budget for many processes and machines.

Contract: the interface of `RateLimiter`. Redis decides, on its own clock; only the head of the local queue
asks it, for as many as wait. What this process sent is remembered here too: if Redis loses its data, every
process tells it again; while Redis is away, `when_down` decides.
"""

from __future__ import annotations

import asyncio
import functools
import logging
import math
import random
import secrets
import time
from collections.abc import Callable, Coroutine
from typing import Final, Literal, get_args

import attrs

from gradient_async._io.permit import Permit
from gradient_async._io.turnstile import Request, Turnstile, closed
from gradient_async._protocol.fairness import Priority
from gradient_async._protocol.learning import Learner
from gradient_async._protocol.limits import RateLimits
from gradient_async._protocol.ratelimit import RollingTokenBucket
from gradient_async._protocol.status import LimiterStatus, WindowStatus, describe, describe_html
from gradient_async.errors import APIConnectionError, ConfigurationError
from gradient_async.limits.redis_store import Answer, RedisStore, StoreDown
from gradient_async.models.meta import RateLimitInfo

__all__ = ["RedisLimiter", "WhenDown"]

_log = logging.getLogger("gradient_async")

WhenDown = Literal["local_share", "fail_open", "fail_closed"]
_DEFAULT: Final = RateLimits()
_MOST_AT_ONCE = 64
_TRY_AGAIN = 1.0
_ASK_AGAIN = 5.0
"""Seconds after which the head asks again in any case: others may have given permits back."""
_COALESCE = 0.01
_BLAME_EVERY = 1.0
_REPLAY_PAUSE = 0.5
"""Seconds that everybody gets to tell again what they sent, after Redis lost it."""


@attrs.define(eq=False)
class SharedPermit(Permit):
    """A permit that Redis knows by name."""

    member: str = ""


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
        _check(limits, when_down, share)
        self.limits, self._when_down, self._guard = limits, when_down, guard
        self._longest = limits.windows[-1][1] + guard
        name = f"gradient-async:{key or 'default'}"
        self._new_store = functools.partial(RedisStore, url, key=name, timeout=timeout, longest=self._longest)
        self._store = self._new_store()
        alone = [(max(1, int(capacity * share)), period) for capacity, period in limits.windows]
        self._alone = RollingTokenBucket(alone, guard=guard, follow=False, share=share)
        self._whole = RollingTokenBucket(limits.windows, guard=guard, follow=limits.follow, share=limits.share)
        self._learner = Learner(self._whole, tiers=limits.tiers)
        self._turnstile = Turnstile(time.monotonic, self._serve)
        self._wall, self._chance = wall, chance
        self._sent: dict[str, float] = {}
        self._unsettled: dict[str, float | None] = {}
        self._generation: str | None = None
        self._ask_at = self._down_until = self._blamed_at = -math.inf
        self._is_down = self._in_outage = False
        self._used = [(0, 0) for _ in limits.windows]
        self._tasks: set[asyncio.Task[None]] = set()
        self._asking: asyncio.Task[None] | None = None
        self._settling: asyncio.TimerHandle | None = None

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
        loop = asyncio.get_running_loop()
        if loop is not self._turnstile.loop:
            self._bind(loop)
        return await self._turnstile.wait(Request(priority, timeout, tokens, hold))

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move to *loop* with new connections, which belong to a loop."""
        had_one = self._turnstile.loop is not None
        self._turnstile.bind(loop)
        self._turnstile.clock = loop.time
        self._asking, self._settling = None, None
        self._tasks.clear()
        if had_one:
            self._store = self._new_store()

    # Asking Redis.

    def _serve(self, now: float) -> float:
        """Start to ask for the head of the queue; return the seconds after which to do it again."""
        if now < self._down_until:
            return min(self._serve_alone(now), self._down_until - now)
        if now < self._ask_at:
            return self._ask_at - now
        if self._asking is None and self._turnstile.next() is not None:
            self._asking = self._start(self._ask())
        return math.inf

    async def _ask(self) -> None:
        """Ask Redis until nobody waits or nothing is free."""
        try:
            while (count := min(self._turnstile.size, _MOST_AT_ONCE)) and (head := self._turnstile.next()):
                hold = head.request.hold
                if self._in_outage:
                    await self._tell_again()
                known = self._generation
                answer = await self._store.ask(count, hold=hold, windows=self._windows(), generation=known)
                self._hand_out(answer, hold=hold)
                self._generation = answer.generation
                if known not in (None, answer.generation):
                    await self._tell_again()
                elif answer.wait:
                    self._wait_before_asking(answer.wait)
                    break
        except StoreDown as failure:
            self._go_down(failure)
        finally:
            self._asking = None
        self._turnstile.pump()

    def _windows(self) -> list[tuple[int, float]]:
        return [(window.capacity, window.period + self._guard) for window in self._whole.use(self._now())]

    def _wait_before_asking(self, wait: float) -> None:
        now = self._now()
        self._turnstile.refuse_before(now + wait)
        self._ask_at = now + min(wait, _ASK_AGAIN)

    def _hand_out(self, answer: Answer, *, hold: bool) -> None:
        """Give what Redis granted to those who wait; what nobody waits for any more goes back."""
        if self._is_down:
            self._is_down = False
            _log.warning("rate limit: Redis answers again, the budget is shared")
        now, self._used = self._now(), answer.used
        for member in answer.members:
            permit = self._permit(member, now, hold=hold)
            waiter = self._turnstile.next()
            if waiter is None:
                permit.refund()
                continue
            if hold and not waiter.request.hold:
                permit.sent()
            self._turnstile.let_in(permit)

    def _permit(self, member: str, now: float, *, hold: bool) -> SharedPermit:
        self._remember(member, now)
        return SharedPermit(self, now, hold, member=member)

    async def _tell_again(self) -> None:
        """Tell Redis all that this process sent, which it may have lost, while everybody else does the same."""
        await self._store.pause(_REPLAY_PAUSE)
        now = self._now()
        await self._store.settle({name: now - at for name, at in self._sent.items() if at + self._longest > now})
        self._in_outage = False

    # Without Redis.

    def _go_down(self, failure: StoreDown) -> None:
        now = self._now()
        self._down_until = now + _TRY_AGAIN
        self._generation, self._in_outage = None, self._in_outage or bool(self._sent)
        if not self._is_down:
            self._is_down = True
            _log.warning("rate limit: Redis does not answer (%s), going on with %s", failure, self._when_down)

    def _serve_alone(self, now: float) -> float:
        """Let through whom *when_down* allows; return the seconds until more may go."""
        if self._when_down == "fail_closed":
            self._turnstile.turn_away(_unreachable)
        while self._turnstile.next() is not None:
            if self._when_down == "local_share" and (delay := self._alone_delay(now)):
                return delay
            self._turnstile.let_in(self._permit(f"alone:{secrets.token_hex(8)}", now, hold=False))
        return math.inf

    def _alone_delay(self, now: float) -> float:
        return max(0.0, self._alone.delay(now), self._whole.paused_until - now)

    # What this process sent.

    def _remember(self, member: str, now: float) -> None:
        self._sent[member] = now
        self._alone.spend(now)
        self._whole.spend(now)
        if len(self._sent) > 2 * self._whole.longest.capacity + _MOST_AT_ONCE:
            self._sent = {name: at for name, at in self._sent.items() if at + self._longest > now}

    def _forget(self, permit: SharedPermit) -> None:
        self._sent.pop(permit.member, None)
        self._alone.refund(permit.sent_at)
        self._whole.refund(permit.sent_at)

    def _permit_sent(self, permit: Permit) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  this limiter made it
        now = self._now()
        if not permit.held and now - permit.sent_at < self._guard / 4:
            return
        self._forget(permit)
        permit.held, permit.sent_at = False, now
        self._remember(permit.member, now)
        self._settle_soon(permit.member, now)

    def _permit_refunded(self, permit: Permit) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  this limiter made it
        permit.held = False
        self._forget(permit)
        self._settle_soon(permit.member, None)

    def _permit_settled(self, permit: Permit, tokens: int) -> None:
        """Do nothing: model tokens are not shared."""

    def _settle_soon(self, member: str, at: float | None) -> None:
        self._unsettled[member] = at
        loop = self._turnstile.loop
        if self._settling is None and loop is not None and not loop.is_closed():
            self._settling = loop.call_later(_COALESCE, self._settle_now)

    def _settle_now(self) -> None:
        self._settling = None
        self._start(self._settle())

    async def _settle(self) -> None:
        """Tell Redis what was sent or given back since the last time; ask again if that made room."""
        unsettled, self._unsettled = self._unsettled, {}
        now = self._now()
        ages = {member: None if at is None else now - at for member, at in unsettled.items()}
        try:
            await self._store.settle(ages)
        except StoreDown as failure:
            self._unsettled = unsettled | self._unsettled
            return self._go_down(failure)
        self._ask_at = -math.inf
        return self._turnstile.pump()

    # Learning and telling.

    def observe(self, info: RateLimitInfo, *, status: int, sent_at: float) -> None:
        """Learn from the headers of a response, and share what concerns everybody; see `RateLimiter.observe`."""
        now, wall = self._now(), self._wall()
        paused = self._learner.learn(info, status=status, sent_at=sent_at, now=now, wall=wall, chance=self._chance())
        if paused:
            _log.info("rate limit: status %s, nothing is sent for %.1f s", status, paused)
            self._share_pause(paused)
        if status != 429 and info.remaining and self._whole.has_quota and now - self._blamed_at >= _BLAME_EVERY:
            self._blamed_at = now
            self._share_count(info, age=now - sent_at, wall=wall)

    def _share_pause(self, seconds: float) -> None:
        """Tell everybody of a pause, and that the window it belongs to is full."""
        hourly = seconds > self._whole.shortest.span + 1
        window = self._whole.longest if hourly else self._whole.shortest
        number = len(self.limits.windows) if hourly else 1
        self._tell(self._store.pause(seconds, window=number, capacity=window.capacity, span=window.span))

    def _share_count(self, info: RateLimitInfo, *, age: float, wall: float) -> None:
        window = self._whole.longest
        counted = (info.limit or window.capacity + window.slack) - (info.remaining or 0) - window.slack
        reset = max(0.0, min(info.reset - wall, window.period)) if info.reset else 0.0
        number = len(self.limits.windows)
        self._tell(self._store.blame(number, counted, age=age, reset=reset, span=window.span, period=window.period))

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Give out no permit, in any process, for *seconds*, or before *until* on the loop's clock."""
        seconds = seconds if until is None else until - self._now()
        if not -math.inf < seconds < math.inf:
            raise ConfigurationError(f"a pause of {seconds} s: give a finite number of seconds")
        self._whole.pause(self._now() + seconds)
        if seconds > 0:
            self._tell(self._store.pause(seconds))

    def _tell(self, call: Coroutine[object, object, None]) -> None:
        """Send *call* to Redis without waiting for it; without a loop there is nobody to tell."""
        loop = self._turnstile.loop
        if loop is None or loop.is_closed():
            return call.close()
        self._start(self._told(call))
        return None

    async def _told(self, call: Coroutine[object, object, None]) -> None:
        try:
            await call
        except StoreDown as failure:
            self._go_down(failure)

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
            queued=self._turnstile.size,
            paused_until=paused_until if paused_until > now else None,
            now=now,
        )

    def estimate(self, n: int = 1) -> float:
        """Return about how many seconds it takes until *n* more requests could have been sent, by the mean rate."""
        now, wanted = self._now(), self._turnstile.size + n
        waits = [
            (wanted - window.free) * (window.period + self._guard) / window.capacity for window in self.status().windows
        ]
        return max(0.0, self._ask_at - now, self._whole.paused_until - now, *waits)

    async def aclose(self) -> None:
        """Let everybody who waits go with a `SessionClosedError`, settle, and close the connections."""
        self._turnstile.turn_away(closed)
        if self._settling is not None:
            self._settling.cancel()
            self._settling = None
        if self._unsettled and not self._is_down:
            await self._settle()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._store.aclose()

    def _now(self) -> float:
        return self._turnstile.clock()

    def _start(self, work: Coroutine[object, object, None]) -> asyncio.Task[None]:
        assert self._turnstile.loop is not None  # noqa: S101  acquire binds one before anything is started
        task = self._turnstile.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def __repr__(self) -> str:
        return describe(type(self).__name__, self.status())

    def _repr_html_(self) -> str:
        return describe_html(type(self).__name__, self.status())


def _check(limits: RateLimits, when_down: str, share: float) -> None:
    if when_down not in get_args(WhenDown):
        raise ConfigurationError(f"when_down is {when_down!r}: give one of {', '.join(get_args(WhenDown))}")
    if not 0 < share <= 1:
        raise ConfigurationError(f"share is {share!r}: give the part of the budget, above 0 and at most 1")
    if limits.tokens_per_minute is not None:
        raise ConfigurationError("RedisLimiter does not share tokens_per_minute: leave it out, or use RateLimiter")


def _unreachable() -> APIConnectionError:
    return APIConnectionError(
        "the shared rate limit is unreachable: Redis does not answer, and when_down is 'fail_closed'; nothing was sent"
    )
