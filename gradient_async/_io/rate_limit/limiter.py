"""`RateLimiter`: the limiter of one process, a bucket with a queue in front of it.

Contract: an uncontended `RateLimiter.acquire` neither waits nor locks. The limiter belongs to one event loop
at a time. Times are in seconds on that loop's clock.

Every decision is made in `gradient_async._protocol.rate_limit`; every wait is in
`gradient_async._io.rate_limit.wait_queue`.
"""

from __future__ import annotations

import asyncio
import logging
import math
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from gradient_async._io.deadline_timer import loop_clock
from gradient_async._io.rate_limit.permit import Limiter, Permit
from gradient_async._io.rate_limit.queued_limiter import QueuedLimiter
from gradient_async._io.rate_limit.wait_queue import Waiter, limiter_closed_error
from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.model_budget import ModelBudget
from gradient_async._protocol.rate_limit.model_budgets import ModelBudgets
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async._protocol.rate_limit.rate_limits import RateLimits, require_limits
from gradient_async._protocol.rate_limit.server_feedback import ServerFeedback
from gradient_async.errors import APITimeoutError, ConfigurationError, escape_text
from gradient_async.models.response_meta import RateLimitInfo

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.status import LimiterStatus
    from gradient_async._protocol.rate_limit.token_budget import TokenBudget
    from gradient_async._protocol.rate_limit.wait_details import WaitDetails
    from gradient_async._protocol.rate_limit.wait_forecast import WaitForecast

__all__ = ["Limiter", "Permit", "Priority", "RateLimiter"]

_log = logging.getLogger("gradient_async")

_DEFAULT: Final = RateLimits()
_SAME_CLOCK = 1.0
"""Seconds: two clocks that differ by less are taken for the same."""
_TOO_MANY_REQUESTS = 429
_MAX_NAME_CHARS = 100


class RateLimiter(QueuedLimiter):
    """Grants permits as fast as every window allows.

    One limiter may serve any number of sessions of an event loop: they share its budget.

    Args:
        limits: The budget.
        guard: Seconds added to every window. Requests whose delays on the way differ by at most this are not
            refused for overtaking each other.
        clock: Seconds that never go backwards; the running loop's clock by default.
        wall: Epoch seconds, to read ``ratelimit-reset``.
        chance: A random number in [0, 1), for the jitter of a pause.

    Raises:
        ConfigurationError: The guard is negative or not finite.

    Example::

        limiter = RateLimiter(RateLimits(per_minute=100))
        async with AsyncSession(limits=limiter) as one, AsyncSession(limits=limiter) as two:
            ...  # both sessions together send 100 requests per minute
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
        super().__init__(clock or time.monotonic)
        self.limits = require_limits(limits)
        self._bucket = RollingTokenBucket.from_limits(limits, guard=guard)
        self._models = ModelBudgets(guard=guard, share=limits.share)
        self._feedback = ServerFeedback(self._bucket, self._models, tiers=limits.tiers)
        tokens = limits.tokens_per_minute
        self._token_budget = None if tokens is None else _new_token_budget(tokens, guard)
        self._has_own_clock = clock is not None
        self._wall, self._chance = wall, chance

    # Granting.

    def _try_acquire(self, tokens: int, hold: bool, model: str | None) -> Permit | None:  # noqa: FBT001  keywords cost 60 ns
        """Return a permit if a request and its model tokens are free, else None. Hot: every uncontended request."""
        now, bucket, token_budget = self._wait_queue.clock(), self._bucket, self._token_budget
        model_budget = self._models.by_model.get(model)
        if model_budget is None:
            if model is not None:
                model_budget = self._models.add_model(model, now)
        elif model_budget.is_counted and model_budget.compute_delay(now, tokens):
            return None
        if token_budget is not None and token_budget.compute_delay(now, tokens):
            return None
        if bucket.reserve_unsent(now) if hold else bucket.reserve(now):
            return None
        if token_budget is not None:
            return self._issue_permit(now, model_budget, tokens, hold, model)
        if model_budget is None or not model_budget.is_counted:
            return Permit(self, now, hold, None, model)
        model_budget.take(now, tokens, hold=hold)
        return Permit(self, now, hold, None, model, model_budget, tokens)

    def _enqueue_waiter(self, waiter: Waiter) -> asyncio.Future[Permit]:
        """Add *waiter* to the queue, unless its wait is surely longer than its timeout."""
        wait_queue, timeout = self._wait_queue, waiter.timeout
        if timeout is not None:
            now, model_budget = waiter.since, self._models.by_model.get(waiter.model)
            is_counted = model_budget is not None and model_budget.is_counted
            # Not even behind all that wait is the usual wait too long: then nobody needs to count those ahead.
            if is_counted or self._bucket.find_earliest(now, wait_queue.waiters.size + 1, timeout) - now > timeout:
                self._require_time(waiter, timeout, model_budget if is_counted else None)
        return wait_queue.enqueue(waiter)

    def _require_time(self, waiter: Waiter, timeout: float, model_budget: ModelBudget | None) -> None:
        """Raise if the wait of *waiter* is surely longer than *timeout*; *model_budget* is given if it is counted.

        If models have quotas, requests of others ahead do not count: this one may pass while they wait. Nor do model
        tokens: the estimates of the requests ahead may still be corrected.
        """
        now, model, waiters = waiter.since, waiter.model, self._wait_queue.waiters
        is_ordered = waiters.has_only(model) or not self._models.any_counts()
        ahead, parked = waiters.count_ahead(waiter.priority) if is_ordered else 0, 0
        earliest = self._bucket.find_earliest(now, ahead + 1, timeout)
        if model_budget is not None:
            parked = waiters.count_parked(model, waiter.priority)
            earliest = max(earliest, model_budget.find_earliest(now, max(ahead, parked)))
        if earliest - now > timeout:
            forecast = self._forecast_wait(model, now)
            _, limit = forecast.describe_wait(tokens=0, model=model, ahead=ahead, model_ahead=parked)
            raise APITimeoutError(
                f"the rate limit allows this request in {earliest - now:.1f} s at the earliest, with "
                f"{max(ahead, parked)} before it ({limit}), but it has only {max(0.0, timeout):.1f} s: allow more "
                "time, or send less",
                phase="limiter",
            )

    def _grant_ready(self, now: float) -> float:
        """Grant permits to the waiters that the key and their models admit; return the seconds until the next one."""
        bucket, token_budget, wait_queue, models = self._bucket, self._token_budget, self._wait_queue, self._models
        free = bucket.count_free(now)  # counted once: asking the bucket for each waiter costs as much as waking it
        while (waiter := wait_queue.next_waiter(now)) is not None:
            if free <= 0 and (delay := bucket.compute_delay(now)):
                return delay
            model, tokens = waiter.model, waiter.tokens
            model_budget = None if model is None and not models.by_model else models.find_or_add(model, now)
            if model_budget is not None and (delay := model_budget.compute_delay(now, tokens)):
                wait_queue.waiters.park(model, now + delay)
                continue
            if token_budget is not None and (delay := token_budget.compute_delay(now, tokens)):
                return delay
            free -= 1
            bucket.take_token(now, waiter.hold)
            if model_budget is None and token_budget is None:  # Hot: spares a call for each waiter
                wait_queue.grant(Permit(self, now, waiter.hold, None, model))
            else:
                wait_queue.grant(self._issue_permit(now, model_budget, tokens, waiter.hold, model))
        return wait_queue.waiters.find_unpark_time() - now

    def _issue_permit(
        self,
        now: float,
        model_budget: ModelBudget | None,
        tokens: int,
        hold: bool,  # noqa: FBT001  as above
        model: str | None,
    ) -> Permit:
        """Take the model tokens and the quotas for a request, after its token of the key; return the permit."""
        spend = None if self._token_budget is None else self._token_budget.spend_tokens(now, tokens, hold=hold)
        if model_budget is None or not model_budget.is_counted:
            return Permit(self, now, hold, spend, model)
        model_budget.take(now, tokens, hold=hold)
        return Permit(self, now, hold, spend, model, model_budget, tokens)

    def _describe_wait(self, waiter: Waiter) -> WaitDetails:
        """Return how long *waiter*, which is in the queue, is expected to wait, and for which limit."""
        from gradient_async._protocol.rate_limit.wait_details import WaitDetails  # loaded when somebody waits

        waiters, model, priority = self._wait_queue.waiters, waiter.model, waiter.priority
        ahead, parked = max(0, waiters.count_ahead(priority) - 1), max(0, waiters.count_parked(model, priority) - 1)
        forecast = self._forecast_wait(model, self._wait_queue.clock())
        seconds, limit = forecast.describe_wait(tokens=waiter.tokens, model=model, ahead=ahead, model_ahead=parked)
        return WaitDetails(seconds=seconds, limit=limit, queued=ahead, model=model, priority=priority)

    def _forecast_wait(self, model: str | None, now: float) -> WaitForecast:
        from gradient_async._protocol.rate_limit.wait_forecast import WaitForecast  # loaded when somebody waits

        model_budget = self._models.by_model.get(model)
        return WaitForecast(bucket=self._bucket, token_budget=self._token_budget, model_budget=model_budget, now=now)

    # The event loop.

    def _bind_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Move the queue to *loop*, and use its clock unless the limiter has its own."""
        self._wait_queue.bind_loop(loop)
        if not self._has_own_clock:
            self._switch_clock(loop_clock(loop))

    def _switch_clock(self, clock: Callable[[], float]) -> None:
        """Use *clock*; move every recorded time to it."""
        now = clock()
        shift = now - self._wait_queue.clock()
        self._wait_queue.clock = clock
        if abs(shift) < _SAME_CLOCK:
            return
        self._bucket.shift_times(shift, now=now)
        self._feedback.shift_times(shift)
        if self._token_budget is not None:
            self._token_budget.shift_spends(shift)

    # The owner of the permits.

    def _record_sent(self, permit: Permit) -> None:
        now = self._wait_queue.clock()
        if permit.spend is not None and self._token_budget is not None:
            permit.spend = self._token_budget.restart_spend(permit.spend, now=now)
        if permit.model_budget is not None and permit.held:
            permit.model_budget.start_held(now, permit.tokens)
        if permit.held:
            permit.held = False
            permit.sent_at = self._bucket.start_reserved(now)
            return
        self._bucket.refund(permit.sent_at)
        permit.sent_at = self._bucket.record_sent(now)

    def _record_refund(self, permit: Permit) -> None:
        now, held = self._wait_queue.clock(), permit.held
        permit.held = False
        if held:
            self._bucket.release_reserved()
        else:
            self._bucket.refund(permit.sent_at)
        if permit.spend is not None and self._token_budget is not None:
            self._token_budget.correct_spend(permit.spend, 0, now=now)
        if permit.model_budget is not None:
            permit.model_budget.give_back(now, permit.tokens, held=held)
        self._retry_waiters(permit.model)

    def _retry_waiters(self, model: str | None) -> None:
        """Grant permits anew: the budget of the key or of *model* has changed."""
        self._wait_queue.waiters.unpark(model)
        self._wait_queue.dispatch()

    def _record_tokens(self, permit: Permit, tokens: int) -> None:
        if permit.spend is not None and self._token_budget is not None:
            self._token_budget.correct_spend(permit.spend, tokens, now=self._wait_queue.clock())
        if permit.model_budget is not None:
            permit.model_budget.correct_tokens(permit.tokens, tokens)
        permit.tokens = tokens
        self._retry_waiters(permit.model)

    # Feedback, pauses and status.

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float, model: str | None = None) -> None:
        """Update the limiter from the headers of a response or a refusal. Responses may come in any order.

        Args:
            info: The headers.
            status: The HTTP status.
            sent_at: When its request was sent: ``Permit.sent_at``.
            model: The model that its request named.
        """
        longest, wait_queue = self._bucket.windows[-1], self._wait_queue
        previous_capacity = longest.capacity
        pauses = self._feedback.apply_headers(
            info,
            model=model,
            status=status,
            sent_at=sent_at,
            now=wait_queue.clock(),
            wall=self._wall(),
            chance=self._chance() if status == _TOO_MANY_REQUESTS else 0.0,
        )
        if pauses.key:
            _log.info("rate limit: status %s, nothing is sent for %.1f s", status, pauses.key)
        if pauses.model:
            name = escape_text(model or "any model", _MAX_NAME_CHARS)
            _log.info("rate limit: status %s, nothing is sent to %s for %.1f s", status, name, pauses.model)
        if longest.capacity != previous_capacity:
            _log.info("rate limit: the service allows %s requests, not %s", longest.capacity, previous_capacity)
        if wait_queue.waiters.size:
            self._retry_waiters(model)

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Grant no permit for *seconds*, or before *until* on the loop's clock. A pause is never shortened.

        Raises:
            ConfigurationError: The end of the pause is not finite.
        """
        until = self._wait_queue.clock() + seconds if until is None else until
        if not -math.inf < until < math.inf:
            raise ConfigurationError(f"a pause until {until}: give a finite number of seconds")
        self._bucket.pause(until)

    def new_for_key(self, name: str) -> RateLimiter:  # noqa: ARG002  the interface of `Limiter`
        """Return a limiter of the same form for another key: the same limits, nothing used."""
        guard, clock = self._bucket.guard, self._wait_queue.clock if self._has_own_clock else None
        return RateLimiter(self.limits, guard=guard, clock=clock, wall=self._wall, chance=self._chance)

    def status(self, model: str | None = None) -> LimiterStatus:
        """Return the usage of every window, the queue length and the pause; with *model*, its quotas too."""
        from gradient_async._protocol.rate_limit.status import LimiterStatus  # loaded when somebody asks

        now = self._wait_queue.clock()
        paused_until, budget = self._bucket.paused_until, self._models.by_model.get(model)
        return LimiterStatus(
            windows=tuple(self._bucket.describe_windows(now)),
            queued=self._wait_queue.waiters.size,
            held=self._bucket.reserved,
            paused_until=paused_until if paused_until > now else None,
            tokens_used=None if self._token_budget is None else self._token_budget.count_tokens(now),
            now=now,
            model=model,
            quotas=tuple(budget.list_quotas(now)) if budget else (),
            model_paused_until=budget.paused_until if budget and budget.paused_until > now else None,
            models=tuple(name for name in self._models if name is not None),
        )

    def estimate(self, n: int = 1, model: str | None = None) -> float:
        """Return the seconds until *n* more requests, to *model*, could have been sent, after all that already wait."""
        now, waiters, budget = self._wait_queue.clock(), self._wait_queue.waiters, self._models.by_model.get(model)
        at = self._bucket.forecast_send_time(now, waiters.size + n)
        if budget is not None and budget.is_counted and n > 0:
            at = max(at, budget.find_earliest(now, waiters.count_model(model) + n - 1))
        return at - now

    async def aclose(self) -> None:
        """Reject every waiting request with a `SessionClosedError`; the limiter itself stays usable."""
        self._wait_queue.reject_all(limiter_closed_error)


def _new_token_budget(tokens: int, guard: float) -> TokenBudget:
    from gradient_async._protocol.rate_limit.token_budget import TokenBudget  # most programs state no such limit

    return TokenBudget(tokens, guard=guard)
