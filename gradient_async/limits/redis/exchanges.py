"""`Exchanges`: when one process exchanges messages with Redis, and who gets the permits that it grants.

Contract: one exchange at a time, either in the task of a sole caller or in one of its own. Times are in seconds on the
loop's clock. Every decision about the content of a message is made in `exchange_protocol`.
"""

from __future__ import annotations

import asyncio
import math

from gradient_async._io.rate_limit.permit import Permit
from gradient_async._io.rate_limit.wait_queue import Waiter, WaitQueue
from gradient_async.limits.redis.background_task import BackgroundTask
from gradient_async.limits.redis.budget import SharedBudget
from gradient_async.limits.redis.exchange_protocol import ExchangeProtocol
from gradient_async.limits.redis.failures import RedisUnavailable
from gradient_async.limits.redis.local_usage import CountedPermit
from gradient_async.limits.redis.lua_script import MAX_INTERVAL
from gradient_async.limits.redis.messages import Exchange
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.outage import Outage, WhenDown
from gradient_async.limits.redis.permits import Outcome, PermitIssuer
from gradient_async.limits.redis.replies import Reply
from gradient_async.limits.redis.store import RedisStore

__all__ = ["Exchanges"]

_MIN_INTERVAL = 0.005
"""Seconds after which permits are requested again at the earliest, if it was the turn of other processes."""
_COALESCE = 0.01
"""Seconds for which writes are collected."""
_CLOSE_TIMEOUT = 1.0
"""Seconds for which closing waits for the exchange in progress."""


class Exchanges:
    """Requests permits for the waiters of a queue, and writes what became of earlier ones.

    Args:
        wait_queue: The requests that wait in this process.
        budget: The budget of the key.
        models: The quotas of its models.
        store: Makes the exchanges of the first event loop.
        when_down: What to do while Redis does not answer.
        guard: Seconds added to every window.

    Attributes:
        store: Makes the exchanges; replaced for another event loop.
        protocol: The messages and replies.
        free_at: When a token may be free for any process, as Redis stated it last.
    """

    def __init__(
        self,
        wait_queue: WaitQueue,
        budget: SharedBudget,
        models: SharedModels,
        store: RedisStore,
        *,
        when_down: WhenDown,
        guard: float,
    ) -> None:
        self._wait_queue, self._budget, self._models, self.store = wait_queue, budget, models, store
        usage = budget.usage
        self._permits = PermitIssuer(usage, models, self._write_outcome, clock=self._read_clock, min_age=guard / 4)
        self._outage = Outage(when_down, usage, models, self._permits)
        self.protocol = ExchangeProtocol(budget, models)
        self._task = BackgroundTask(self._run_exchanges, self._plan_exchange)
        self._next_request_at = self.free_at = self._replied_at = -math.inf
        self._look_at, self._tokens_at, self._tokens_cost = math.inf, -math.inf, 0

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run on *loop* from now on, with its clock."""
        self._task.use_loop(loop)
        self.protocol.forget_clock()

    def may_serve(self, waiter: Waiter) -> bool:
        """Whether the caller of *waiter* may exchange messages itself: nobody else waits, and it has enough time."""
        is_alone = not self._wait_queue.waiters.size and self._task.is_idle
        return is_alone and (waiter.timeout is None or waiter.timeout > self.store.longest_exchange)

    async def serve_until(self, granted: asyncio.Future[Permit]) -> None:
        """Exchange messages in the calling task until *granted* is done, or nothing is due."""
        await self._task.run_until(granted)

    def find_earliest(self, now: float) -> float:
        """Return a lower bound of the time when a permit may be granted: the past if nothing is known."""
        is_known = now < self._replied_at + MAX_INTERVAL and not self._outage.is_active
        return max(self._budget.paused_until, self.free_at if is_known else -math.inf)

    def request_permits(self, now: float) -> float:
        """Start to request permits, or grant them without Redis; return the seconds until the next call."""
        if now < self._outage.retry_at:
            return min(self._outage.grant_without_redis(self._wait_queue, now), self._outage.retry_at - now)
        request_at = max(self._next_request_at, self._budget.paused_until)
        if now < request_at:
            return request_at - now
        waiter = self._models.find_ready_waiter(self._wait_queue, now)
        if waiter is not None:
            if now < (tokens_at := self._find_token_time(waiter)):
                return tokens_at - now
            self._task.start()
        return self._wait_queue.waiters.find_unpark_time() - now

    def _find_token_time(self, waiter: Waiter) -> float:
        """Return when to ask for the model tokens of *waiter*: at once if it needs less than the last one."""
        return self._tokens_at if waiter.tokens >= self._tokens_cost else -math.inf

    def write_soon(self) -> None:
        """Make the writes that wait, if there are any, with those of the next few milliseconds."""
        if self.protocol.has_writes:
            self._task.start_after(_COALESCE)

    async def aclose(self) -> None:
        """Make the last writes, and close the connections."""
        await self._task.stop_task(_CLOSE_TIMEOUT)
        is_bound = self._wait_queue.loop is asyncio.get_running_loop()
        if is_bound and self._task.is_idle and self.protocol.has_writes and not self._outage.is_active:
            await self._run_exchanges()
        await self.store.aclose()

    async def _run_exchanges(self, done: asyncio.Future[Permit] | None = None) -> None:
        """Exchange messages until *done*, or nothing is to be written and nobody waits or no token is free."""
        while (done is None or not done.done()) and (message := self._build_exchange(self._read_clock())) is not None:
            sent_at, reply, failure = self._read_clock(), None, None
            try:
                reply = await self.store.exchange(message)
            except RedisUnavailable as error:
                failure = error
            finally:
                if reply is None:
                    self.protocol.abandon_exchange(message)
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
        is_requested = waiter is not None and now >= max(
            self._next_request_at, self._budget.paused_until, self._find_token_time(waiter)
        )
        if not (is_requested or self.protocol.has_writes or now >= self._look_at):
            return None
        return self.protocol.build_exchange(waiter, self._wait_queue.waiters, now)

    def _apply_failure(self, failure: RedisUnavailable) -> None:
        if failure.cure is not None and not self.protocol.was_answered:
            return self._wait_queue.reject_all(failure.to_configuration_error)
        return self._outage.begin_outage(failure, self._read_clock())

    def _apply_reply(self, message: Exchange, reply: Reply, *, sent_at: float) -> None:
        """Grant the permits, and note when to ask for more."""
        self._outage.end_outage()
        now, budget, queue = self._read_clock(), reply.budgets[0], self._wait_queue
        model_delay = self.protocol.apply_reply(message, reply, sent_at=sent_at, now=now)
        self._grant_permits(message, reply.names, now)
        self._look_at = now + MAX_INTERVAL if self._budget.usage.has_permits(now) else math.inf
        delay = budget.turn if len(reply.names) < max(1, message.wanted) else 0.0
        if model_delay and len(reply.names) < message.wanted:
            queue.waiters.park(self.protocol.asked_model, now + min(model_delay, MAX_INTERVAL))
            delay = 0.0
        record_delay = self._budget.usage.compute_delay(now) if queue.waiters.size else 0.0
        self._delay_request(max(delay, record_delay), now=now)
        self._delay_tokens(message, reply, now)
        self._replied_at, self.free_at = now, now + max(budget.earliest, record_delay)
        queue.reject_before(self.free_at)

    def _delay_tokens(self, message: Exchange, reply: Reply, now: float) -> None:
        """Note for how long the next request finds too few model tokens, in Redis or by the record of this process."""
        self._tokens_at, granted = -math.inf, len(reply.names)
        tokens, stated = self._budget.usage.tokens, reply.budgets[0].tokens
        if tokens is not None and stated is not None and granted < len(message.costs):
            self._tokens_cost = message.costs[granted]
            delay = max(stated.delay, tokens.record.compute_delay(now, self._tokens_cost))
            self._tokens_at = now + min(max(delay, _MIN_INTERVAL), MAX_INTERVAL) if delay else -math.inf

    def _grant_permits(self, message: Exchange, names: list[str], now: float) -> None:
        """Give the granted permits to waiters for the model asked for; refund those that nobody waits for any more.

        The model tokens that were granted go to whoever is served, so that those asked for in another order fit too.
        """
        queue, model, costs = self._wait_queue, self.protocol.asked_model, message.costs
        free = sum(costs[: len(names)]) if costs else math.inf
        others = {} if queue.waiters.has_only(model) else queue.waiters.restrict_to(model)
        for number, name in enumerate(names):
            waiter = queue.next_waiter(now)
            if waiter is None or waiter.tokens > free:
                self._budget.pending.refund_all(names[number:])
                break
            permit = self._permits.issue_permit(name, now, waiter)
            if waiter.hold != message.hold or (costs and waiter.tokens != costs[number]):
                self._budget.pending.outcomes[name] = CountedPermit(now, waiter.hold, waiter.tokens)
            free -= waiter.tokens
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
            delay = max(self._outage.retry_at - now, 0.0) if self.protocol.has_writes else self._look_at - now
        else:
            delay = _COALESCE if self.protocol.has_writes and self.protocol.was_answered else self._look_at - now
        self._task.start_after(delay)

    def _write_outcome(self, name: str, outcome: Outcome) -> None:
        """Write soon what became of a permit."""
        self._budget.pending.outcomes[name] = outcome
        self.write_soon()

    def _read_clock(self) -> float:
        return self._wait_queue.clock()
