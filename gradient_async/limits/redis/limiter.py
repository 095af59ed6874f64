"""`RedisLimiter`: one budget for many processes and machines.

Contract: the interface of `RateLimiter`. Redis decides, on its own clock, and `local_usage` keeps a record that no
grant may exceed. Each process has one exchange with Redis at a time (`exchanges`): it writes what became of earlier
permits, and requests as many as wait in its queue. `outage` handles the time while Redis is away.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Callable
from typing import Any, Final

from gradient_async._io.deadline_timer import loop_clock
from gradient_async._io.rate_limit.permit import Permit
from gradient_async._io.rate_limit.queued_limiter import QueuedLimiter
from gradient_async._io.rate_limit.wait_queue import Waiter, limiter_closed_error
from gradient_async._protocol.rate_limit.rate_limits import RateLimits, format_limit, require_limits
from gradient_async._protocol.rate_limit.status import LimiterStatus
from gradient_async._protocol.rate_limit.wait_details import WaitDetails
from gradient_async._protocol.rate_limit.wait_forecast import WaitForecast
from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis.budget import SharedBudget
from gradient_async.limits.redis.connection import Connect, connect_address, connect_client
from gradient_async.limits.redis.exchanges import Exchanges
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.outage import WhenDown
from gradient_async.limits.redis.shared_feedback import SharedFeedback
from gradient_async.limits.redis.store import RedisStore
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["RedisLimiter", "WhenDown"]

_DEFAULT: Final = RateLimits()
_LAYOUT = "v2"
"""Version of the keys in Redis. Processes with another one do not share their budgets."""


class RedisLimiter(QueuedLimiter):
    """Grants permits of one budget that every process with the same *key* shares.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` for one server, ``redis+sentinel://host,host/service/0`` for the
            server that Sentinel names, ``redis+cluster://host,host`` for a cluster.
        client: A client of ``redis.asyncio`` to use instead of *url*. It is not closed by the limiter.
        limits: The budget of all processes together, with ``tokens_per_minute`` if that is to be limited; every process
            should state the same.
        key: Name of the budget, for several API keys in one Redis. Never put the API key itself here.
        when_down: What to do while Redis does not answer. ``"local_share"``: go on with *share* of the budget,
            counting what this process sent before. ``"fail_open"``: go on without a limit, except for pauses that
            the service asks for. ``"fail_closed"``: raise `APIConnectionError`.
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
        url: str | None = None,
        *,
        client: Any = None,  # a client of redis-py, which is an extra, or of a package like it
        limits: RateLimits = _DEFAULT,
        key: str | None = None,
        when_down: WhenDown = "local_share",
        share: float = 0.25,
        guard: float = 0.25,
        timeout: float = 1.0,
        wall: Callable[[], float] = time.time,
        chance: Callable[[], float] = random.random,
    ) -> None:
        super().__init__(time.monotonic)
        self.limits, self._guard, self._timeout = require_limits(limits), guard, timeout
        self._connect = _choose_connection(url, client, timeout)
        self._name = key or "default"
        self._new_limiter: Callable[[str], RedisLimiter] = lambda name: RedisLimiter(
            url,
            client=client,
            limits=limits,
            key=name,
            when_down=when_down,
            share=share,
            guard=guard,
            timeout=timeout,
            wall=wall,
            chance=chance,
        )
        budget_key = f"{{gradient-async:{self._name}}}:{_LAYOUT}"
        self._budget = SharedBudget(budget_key, limits, share=share, guard=guard)
        usage = self._budget.usage
        self._models = models = SharedModels(guard=guard, share=limits.share)
        pending = self._budget.pending
        self._feedback = SharedFeedback(limits, usage.full_bucket, pending, models, wall=wall, chance=chance)
        self._exchanges = Exchanges(
            self._wait_queue,
            self._budget,
            models,
            RedisStore(self._connect, timeout=timeout),
            when_down=when_down,
            guard=guard,
        )

    def _try_acquire(self, tokens: int, hold: bool, model: str | None) -> None:  # noqa: FBT001  as in QueuedLimiter
        """Return None: only Redis grants permits."""

    def _enqueue_waiter(self, waiter: Waiter) -> asyncio.Future[Permit]:
        """Add *waiter* to the queue; reject each waiter with a deadline before a token is surely free."""
        protocol = self._exchanges.protocol
        protocol.uses_hold = protocol.uses_hold or waiter.hold
        if self._exchanges.may_serve(waiter):
            self._serving = waiter
        granted = self._wait_queue.enqueue(waiter, is_served=self._serving is waiter)
        if waiter.timeout is not None:
            now = self._read_clock()
            self._wait_queue.reject_before(self._exchanges.find_earliest(now))
            self._wait_queue.reject_waiter_before(waiter, self._models.find_earliest(waiter.model, now))
        return granted

    def _describe_wait(self, waiter: Waiter) -> WaitDetails:
        """Return how long *waiter*, which is in the queue, is expected to wait, and for which limit."""
        waiters, model, now = self._wait_queue.waiters, waiter.model, self._read_clock()
        ahead = max(0, waiters.count_ahead(waiter.priority) - 1)
        forecast = WaitForecast(
            bucket=self._budget.usage.full_bucket,
            token_budget=None if self._budget.usage.tokens is None else self._budget.usage.tokens.record,
            model_budget=self._models.budgets.by_model.get(model),
            now=now,
        )
        parked = max(0, waiters.count_parked(model, waiter.priority) - 1)
        seconds, limit = forecast.describe_wait(tokens=waiter.tokens, model=model, ahead=ahead, model_ahead=parked)
        seconds = max(seconds, self._estimate_key(0, now), self._models.find_expected(model, now) - now)
        tokens = self._budget.usage.tokens
        if tokens is not None and self._budget.tokens_free_at - now > seconds:
            seconds = self._budget.tokens_free_at - now
            limit = format_limit(tokens.record.capacity, tokens.record.period, "tokens")
        return WaitDetails(seconds=seconds, limit=limit, queued=ahead, model=model, priority=waiter.priority)

    def _bind_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move the queue to *loop*, with new connections, because connections belong to a loop."""
        had_loop = self._wait_queue.loop is not None
        self._wait_queue.bind_loop(loop)
        self._wait_queue.clock = loop_clock(loop)
        self._exchanges.use_loop(loop)
        if had_loop:
            self._exchanges.store = RedisStore(self._connect, timeout=self._timeout)

    async def _serve_queue(self, granted: asyncio.Future[Permit]) -> None:
        self._serving = None
        await self._exchanges.serve_until(granted)

    def _grant_ready(self, now: float) -> float:
        """Start to request permits, or grant them without Redis; return the seconds until the next call."""
        return self._exchanges.request_permits(now)

    # Feedback, pauses and status.

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float, model: str | None = None) -> None:
        """Update the limiter from a response, in every process; see `RateLimiter.apply_response`."""
        self._feedback.apply_headers(info, model=model, status=status, sent_at=sent_at, now=self._read_clock())
        self._wait_queue.waiters.unpark(model)
        self._exchanges.write_soon()

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Grant no permit, in any process, for *seconds*, or before *until* on the loop's clock.

        Raises:
            ConfigurationError: The end of the pause is not finite.
        """
        now = self._read_clock()
        seconds = seconds if until is None else until - now
        if not -math.inf < seconds < math.inf:
            raise ConfigurationError(f"a pause of {seconds} s: give a finite number of seconds")
        self._budget.usage.full_bucket.pause(now + seconds)
        if seconds > 0:
            self._budget.pending.add_pause(now + seconds)
            self._exchanges.write_soon()

    def new_for_key(self, name: str) -> RedisLimiter:
        """Return a limiter of the same form for another key: its budget is beside this one's in the same Redis."""
        return self._new_limiter(f"{self._name}:{name}")

    def status(self, model: str | None = None) -> LimiterStatus:
        """Return the budget as Redis last described it, and the length of the local queue."""
        now, paused_until = self._read_clock(), self._budget.paused_until
        budgets = self._models.budgets
        quotas = budgets.by_model.get(model)
        return LimiterStatus(
            windows=tuple(self._budget.describe_windows(max(now, self._exchanges.free_at, paused_until))),
            queued=self._wait_queue.waiters.size,
            held=self._budget.usage.held,
            paused_until=paused_until if paused_until > now else None,
            tokens_used=self._budget.tokens_used,
            now=now,
            model=model,
            quotas=() if quotas is None else tuple(quotas.list_quotas(now)),
            model_paused_until=quotas.paused_until if quotas is not None and quotas.paused_until > now else None,
            models=tuple(name for name in budgets if name is not None),
        )

    def estimate(self, n: int = 1, model: str | None = None) -> float:
        """Return the approximate seconds until *n* more requests, to *model*, could have been sent.

        What this process sent is forecast exactly. What others sent, as Redis stated it last, is assumed to expire at
        the mean rate of each window; what they will send is unknown.
        """
        now, waiters = self._read_clock(), self._wait_queue.waiters
        model_budget, at = self._models.budgets.by_model.get(model), now
        if model_budget is not None and model_budget.is_counted and n > 0:
            at = model_budget.find_earliest(now, waiters.count_model(model) + n - 1)
        at = max(at, self._models.find_expected(model, now))
        forecast = self._budget.usage.full_bucket.forecast_send_time(now, waiters.size + n)
        return max(self._estimate_key(n, now), forecast - now, at - now)

    def _estimate_key(self, n: int, now: float) -> float:
        """Return the approximate seconds until *n* more requests could have been sent, by the mean rates of the key."""
        wanted = self._wait_queue.waiters.size + n
        windows = self._budget.describe_windows(now)
        waits = [(wanted - window.free) * (window.period + self._guard) / window.capacity for window in windows]
        return max(0.0, self._exchanges.free_at - now, self._budget.paused_until - now, *waits)

    async def aclose(self) -> None:
        """Reject every waiting request with a `SessionClosedError`, write outcomes, and close the connections."""
        self._wait_queue.reject_all(limiter_closed_error)
        await self._exchanges.aclose()

    def _read_clock(self) -> float:
        return self._wait_queue.clock()


def _choose_connection(url: str | None, client: Any, timeout: float) -> Connect:
    if (url is None) == (client is None):
        raise ConfigurationError("give either the url of a Redis server, or a client of redis.asyncio")
    return connect_client(client) if url is None else connect_address(url, timeout=timeout)
