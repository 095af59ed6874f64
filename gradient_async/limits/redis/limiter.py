"""`RedisLimiter`: one budget for many processes and machines.

Contract: the interface of `RateLimiter`. Redis decides, on its own clock, and `local_usage` keeps a record that no
grant may exceed. Each process has one exchange with Redis at a time: it writes what became of earlier permits, and
requests as many as wait in its queue. `outage` handles the time while Redis is away.
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
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.status import LimiterStatus
from gradient_async._protocol.rate_limit.wait_details import WaitDetails
from gradient_async._protocol.rate_limit.wait_forecast import WaitForecast
from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis.background_task import BackgroundTask
from gradient_async.limits.redis.budget import SharedBudget
from gradient_async.limits.redis.connection import Connect, connect_address, connect_client
from gradient_async.limits.redis.dialogue import Dialogue
from gradient_async.limits.redis.failures import RedisUnavailable
from gradient_async.limits.redis.local_usage import CountedPermit
from gradient_async.limits.redis.lua_script import MAX_INTERVAL
from gradient_async.limits.redis.messages import Exchange
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.outage import Outage, WhenDown
from gradient_async.limits.redis.permits import Outcome, PermitIssuer
from gradient_async.limits.redis.replies import Reply
from gradient_async.limits.redis.shared_feedback import SharedFeedback
from gradient_async.limits.redis.store import RedisStore
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["RedisLimiter", "WhenDown"]

_DEFAULT: Final = RateLimits()
_LAYOUT = "v2"
"""Version of the keys in Redis. Processes with another one do not share their budgets."""
_MIN_INTERVAL = 0.005
"""Seconds after which permits are requested again at the earliest, if it was the turn of other processes."""
_COALESCE = 0.01
"""Seconds for which writes are collected."""
_CLOSE_TIMEOUT = 1.0
"""Seconds for which closing waits for the exchange in progress."""


class RedisLimiter(QueuedLimiter):
    """Grants permits of one budget that every process with the same *key* shares.

    Args:
        url: ``redis://``, ``rediss://`` or ``unix://`` for one server, ``redis+sentinel://host,host/service/0`` for the
            server that Sentinel names, ``redis+cluster://host,host`` for a cluster.
        client: A client of ``redis.asyncio`` to use instead of *url*. It is not closed by the limiter.
        limits: The budget of all processes together; every process should state the same.
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
        if limits.tokens_per_minute is not None:
            raise ConfigurationError("RedisLimiter does not share tokens_per_minute: leave it out, or use RateLimiter")
        super().__init__(time.monotonic)
        self.limits, self._guard, self._timeout = limits, guard, timeout
        self._connect = _choose_connection(url, client, timeout)
        self._store = RedisStore(self._connect, timeout=timeout)
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
        self._permits = PermitIssuer(usage, models, self._write_outcome, clock=self._read_clock, min_age=guard / 4)
        self._outage = Outage(when_down, usage, models, self._permits)
        pending = self._budget.pending
        self._feedback = SharedFeedback(limits, usage.full_bucket, pending, models, wall=wall, chance=chance)
        self._dialogue = Dialogue(self._budget, models)
        self._exchanges = BackgroundTask(self._run_exchanges, self._plan_exchange)
        self._next_request_at = self._free_at = self._replied_at = -math.inf
        self._look_at = math.inf

    def _try_acquire(self, tokens: int, hold: bool, model: str | None) -> None:  # noqa: FBT001  as in QueuedLimiter
        """Return None: only Redis grants permits."""

    def _enqueue_waiter(self, waiter: Waiter) -> asyncio.Future[Permit]:
        """Add *waiter* to the queue; reject each waiter with a deadline before a token is surely free."""
        self._dialogue.uses_hold = self._dialogue.uses_hold or waiter.hold
        is_alone = not self._wait_queue.waiters.size and self._exchanges.is_idle
        is_patient = waiter.timeout is None or waiter.timeout > self._store.longest_exchange
        if is_alone and is_patient:
            self._serving = waiter
        granted = self._wait_queue.enqueue(waiter, is_served=self._serving is waiter)
        if waiter.timeout is not None:
            now = self._read_clock()
            is_known = now < self._replied_at + MAX_INTERVAL and not self._outage.is_active
            self._wait_queue.reject_before(max(self._budget.paused_until, self._free_at if is_known else -math.inf))
            self._wait_queue.reject_waiter_before(waiter, self._models.find_earliest(waiter.model, now))
        return granted

    def _describe_wait(self, waiter: Waiter) -> WaitDetails:
        """Return how long *waiter*, which is in the queue, is expected to wait, and for which limit."""
        waiters, model, now = self._wait_queue.waiters, waiter.model, self._read_clock()
        ahead = max(0, waiters.count_ahead(waiter.priority) - 1)
        forecast = WaitForecast(
            bucket=self._budget.usage.full_bucket,
            token_budget=None,
            model_budget=self._models.budgets.by_model.get(model),
            now=now,
        )
        parked = max(0, waiters.count_parked(model, waiter.priority) - 1)
        seconds, limit = forecast.describe_wait(tokens=waiter.tokens, model=model, ahead=ahead, model_ahead=parked)
        seconds = max(seconds, self.estimate(0), self._models.find_expected(model, now) - now)
        return WaitDetails(seconds=seconds, limit=limit, queued=ahead, model=model, priority=waiter.priority)

    def _bind_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move the queue to *loop*, with new connections, because connections belong to a loop."""
        had_loop = self._wait_queue.loop is not None
        self._wait_queue.bind_loop(loop)
        self._wait_queue.clock = loop_clock(loop)
        self._exchanges.use_loop(loop)
        self._dialogue.forget_clock()
        if had_loop:
            self._store = RedisStore(self._connect, timeout=self._timeout)

    # Exchanges with Redis.

    async def _serve_queue(self, granted: asyncio.Future[Permit]) -> None:
        self._serving = None
        await self._exchanges.run_until(granted)

    def _grant_ready(self, now: float) -> float:
        """Start to request permits, or grant them without Redis; return the seconds until the next call."""
        if now < self._outage.retry_at:
            return min(self._outage.grant_without_redis(self._wait_queue, now), self._outage.retry_at - now)
        request_at = max(self._next_request_at, self._budget.paused_until)
        if now < request_at:
            return request_at - now
        if self._models.find_ready_waiter(self._wait_queue, now) is not None:
            self._exchanges.start()
        return self._wait_queue.waiters.find_unpark_time() - now

    async def _run_exchanges(self, done: asyncio.Future[Permit] | None = None) -> None:
        """Exchange messages until *done*, or nothing is to be written and nobody waits or no token is free."""
        while (done is None or not done.done()) and (message := self._build_exchange(self._read_clock())) is not None:
            sent_at, reply, failure = self._read_clock(), None, None
            try:
                reply = await self._store.exchange(message)
            except RedisUnavailable as error:
                failure = error
            finally:
                if reply is None:
                    self._dialogue.abandon_exchange(message)
            if reply is None or failure is not None:
                return self._apply_failure(failure or RedisUnavailable("no reply"))
            self._apply_reply(message, reply, sent_at=sent_at)
        return None

    def _build_exchange(self, now: float) -> Exchange | None:
        """Return the next message, None if none is due."""
        if now < self._outage.retry_at:
            return None
        if self._outage.needs_replay:
            self._outage.needs_replay = False
            self._budget.replay(now)
        waiter = self._models.find_ready_waiter(self._wait_queue, now)
        is_requested = waiter is not None and now >= max(self._next_request_at, self._budget.paused_until)
        if not (is_requested or self._dialogue.has_writes or now >= self._look_at):
            return None
        return self._dialogue.build_exchange(waiter, self._wait_queue.waiters, now)

    def _apply_failure(self, failure: RedisUnavailable) -> None:
        if failure.cure is not None and not self._dialogue.was_answered:
            return self._wait_queue.reject_all(failure.to_configuration_error)
        return self._outage.begin_outage(failure, self._read_clock())

    def _apply_reply(self, message: Exchange, reply: Reply, *, sent_at: float) -> None:
        """Grant the permits, and note when to ask for more."""
        self._outage.end_outage()
        now, budget, queue = self._read_clock(), reply.budgets[0], self._wait_queue
        model_delay = self._dialogue.apply_reply(message, reply, sent_at=sent_at, now=now)
        self._grant_permits(reply.names, now, hold=message.hold)
        self._look_at = now + MAX_INTERVAL if self._budget.usage.has_permits(now) else math.inf
        delay = budget.turn if len(reply.names) < max(1, message.wanted) else 0.0
        if model_delay and len(reply.names) < message.wanted:
            queue.waiters.park(self._dialogue.asked_model, now + min(model_delay, MAX_INTERVAL))
            delay = 0.0
        record_delay = self._budget.usage.compute_delay(now) if queue.waiters.size else 0.0
        self._delay_request(max(delay, record_delay), now=now)
        self._replied_at, self._free_at = now, now + max(budget.earliest, record_delay)
        queue.reject_before(self._free_at)

    def _grant_permits(self, names: list[str], now: float, *, hold: bool) -> None:
        """Give the granted permits to waiters for the model asked for; refund those that nobody waits for any more."""
        queue, model = self._wait_queue, self._dialogue.asked_model
        others = {} if queue.waiters.has_only(model) else queue.waiters.restrict_to(model)
        for number, name in enumerate(names):
            waiter = queue.next_waiter(now)
            if waiter is None:
                self._budget.pending.refund_all(names[number:])
                break
            permit = self._permits.issue_permit(name, now, waiter)
            if waiter.hold != hold:
                self._budget.pending.outcomes[name] = CountedPermit(now, waiter.hold)
            queue.grant(permit)
        queue.waiters.lift_restriction(others)

    def _delay_request(self, delay: float, *, now: float) -> None:
        """Request no permits for *delay* seconds, but at most for the interval after which others may have changed."""
        self._next_request_at = now + min(max(delay, _MIN_INTERVAL), MAX_INTERVAL) if delay else -math.inf

    def _plan_exchange(self) -> None:
        """Serve the queue, and exchange messages again when writes are due, without anybody waiting for it."""
        self._wait_queue.dispatch()
        now = self._read_clock()
        if self._outage.is_active:
            delay = max(self._outage.retry_at - now, 0.0) if self._dialogue.has_writes else self._look_at - now
        else:
            delay = _COALESCE if self._dialogue.has_writes and self._dialogue.was_answered else self._look_at - now
        self._exchanges.start_after(delay)

    def _write_outcome(self, name: str, outcome: Outcome) -> None:
        """Write soon what became of a permit."""
        self._budget.pending.outcomes[name] = outcome
        self._exchanges.start_after(_COALESCE)

    # Feedback, pauses and status.

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float, model: str | None = None) -> None:
        """Update the limiter from a response, in every process; see `RateLimiter.apply_response`."""
        self._feedback.apply_headers(info, model=model, status=status, sent_at=sent_at, now=self._read_clock())
        self._wait_queue.waiters.unpark(model)
        if self._dialogue.has_writes:
            self._exchanges.start_after(_COALESCE)

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
            self._exchanges.start_after(_COALESCE)

    def new_for_key(self, name: str) -> RedisLimiter:
        """Return a limiter of the same form for another key: its budget is beside this one's in the same Redis."""
        return self._new_limiter(f"{self._name}:{name}")

    def status(self, model: str | None = None) -> LimiterStatus:
        """Return the budget as Redis last described it, and the length of the local queue."""
        now, paused_until = self._read_clock(), self._budget.paused_until
        budgets = self._models.budgets
        quotas = budgets.by_model.get(model)
        return LimiterStatus(
            windows=tuple(self._budget.describe_windows(max(now, self._free_at, paused_until))),
            queued=self._wait_queue.waiters.size,
            held=self._budget.usage.held,
            paused_until=paused_until if paused_until > now else None,
            now=now,
            model=model,
            quotas=() if quotas is None else tuple(quotas.list_quotas(now)),
            model_paused_until=quotas.paused_until if quotas is not None and quotas.paused_until > now else None,
            models=tuple(name for name in budgets if name is not None),
        )

    def estimate(self, n: int = 1, model: str | None = None) -> float:
        """Return the approximate seconds until *n* more requests, to *model*, could have been sent.

        The mean rates of the windows, and of the model's quota of requests, decide.
        """
        now, waiters, status = self._read_clock(), self._wait_queue.waiters, self.status(model)
        wanted, of_model = waiters.size + n, waiters.count_model(model) + n
        waits = [(wanted - window.free) * (window.period + self._guard) / window.capacity for window in status.windows]
        quotas = [quota for quota in status.quotas if quota.unit == "requests"]
        waits += [(of_model - quota.free) * quota.period / quota.limit for quota in quotas]
        return max(0.0, self._free_at - now, self._budget.paused_until - now, *waits)

    async def aclose(self) -> None:
        """Reject every waiting request with a `SessionClosedError`, write outcomes, and close the connections."""
        self._wait_queue.reject_all(limiter_closed_error)
        await self._exchanges.stop(_CLOSE_TIMEOUT)
        is_bound = self._wait_queue.loop is asyncio.get_running_loop()
        if is_bound and self._exchanges.is_idle and self._dialogue.has_writes and not self._outage.is_active:
            await self._run_exchanges()
        await self._store.aclose()

    def _read_clock(self) -> float:
        return self._wait_queue.clock()


def _choose_connection(url: str | None, client: Any, timeout: float) -> Connect:
    if (url is None) == (client is None):
        raise ConfigurationError("give either the url of a Redis server, or a client of redis.asyncio")
    return connect_client(client) if url is None else connect_address(url, timeout=timeout)
