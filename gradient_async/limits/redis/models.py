"""`SharedModels`: the quotas of models as this process knows them, and their part of an exchange.

Every request to a model passes two counts. The `ModelBudget` of this process, which learns from responses, is its own
record: nothing is granted beyond it. The buckets in Redis hold what all processes together took; an exchange lowers
them to the level that this process knows of, so that one response corrects all processes.

Contract: pure; times are in seconds on the loop's clock.
"""

from __future__ import annotations

import math

import attrs

from gradient_async._io.rate_limit.permit import Permit
from gradient_async._io.rate_limit.wait_queue import Waiter, WaitQueue
from gradient_async._protocol.rate_limit.model_budget import ModelBudget
from gradient_async._protocol.rate_limit.model_budgets import ModelBudgets
from gradient_async._protocol.rate_limit.quota import Quota
from gradient_async.limits.redis.messages import ModelTerms, QuotaTerms
from gradient_async.limits.redis.replies import ModelReply
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["SharedModels"]

_KINDS = ("requests", "tokens per minute", "tokens per day")
"""Quotas in the order of their numbers in Redis, from 1."""
_REQUESTS = 1
_MAX_MODELS = 4000
_FIRST_FLIGHT = QuotaTerms(number=0, rate=20.0, burst=10.0, level=10.0, cost=1.0)
"""All processes together send 10 requests at once, and 20 a second, to a model whose quotas none of them knows."""


@attrs.define
class _ModelWrites:
    """Writes about one model that wait for an exchange.

    Attributes:
        limits: Announced limits that are new, by the number of the quota.
        returned_requests: Requests of permits that were refunded.
        returned_tokens: Model tokens that were estimated and not used.
    """

    limits: dict[int, int] = attrs.field(factory=dict)
    returned_requests: int = 0
    returned_tokens: int = 0

    def merge(self, other: _ModelWrites) -> None:
        """Add the writes of an exchange that failed."""
        self.limits = other.limits | self.limits
        self.returned_requests += other.returned_requests
        self.returned_tokens += other.returned_tokens


class SharedModels:
    """The models of one key.

    Args:
        guard: Seconds by which requests may overtake each other.
        share: The fraction of the quotas that all processes together may use.

    Attributes:
        budgets: The quotas as this process knows them.
    """

    def __init__(self, *, guard: float, share: float) -> None:
        self.budgets = ModelBudgets(guard=guard, share=share)
        self._pending: dict[str | None, _ModelWrites] = {}
        self._in_flight: dict[str | None, _ModelWrites] = {}
        self._known_limits: dict[str | None, dict[int, int]] = {}
        self._free_times: dict[str | None, float] = {}
        self._flown: dict[str | None, int] = {}

    # Waiting requests.

    def find_ready_waiter(self, wait_queue: WaitQueue, now: float) -> Waiter | None:
        """Return the waiter to serve next; park the models whose quotas admit none, by the record of this process."""
        while (waiter := wait_queue.next_waiter(now)) is not None:
            budget = self._find_counted(waiter.model, now)
            delay = 0.0 if budget is None else budget.compute_delay(now, waiter.tokens)
            if not delay:
                return waiter
            wait_queue.waiters.park(waiter.model, now + delay)
        return None

    def count_allowed(self, model: str | None, now: float, most: int) -> int:
        """Return how many requests to *model*, *most* or fewer, the first flight of this process allows."""
        budget = self._find_counted(model, now)
        return most if budget is None else int(min(most, budget.count_flight_room(now)))

    def charge_permit(self, permit: Permit, waiter: Waiter, now: float) -> None:
        """Count *permit*, which *waiter* gets, in the quotas of its model."""
        budget = self._find_counted(waiter.model, now)
        permit.model = waiter.model
        if budget is not None:
            permit.model_budget, permit.tokens = budget, waiter.tokens
            if budget.count_flight_room(now) < math.inf:
                self._flown[waiter.model] = self._flown.get(waiter.model, 0) + 1
            budget.take(now, waiter.tokens, hold=waiter.hold)

    def start_permit(self, permit: Permit, now: float) -> None:
        """Count a held *permit* from *now*: its request is being sent."""
        if permit.model_budget is not None and permit.held:
            permit.model_budget.start_held(now, permit.tokens)

    def refund_permit(self, permit: Permit, now: float) -> None:
        """Give back the budget of *permit*."""
        if permit.model_budget is not None:
            permit.model_budget.give_back(now, permit.tokens, held=permit.held)
            writes = self._find_writes(permit.model)
            writes.returned_requests += 1
            writes.returned_tokens += permit.tokens

    def correct_permit(self, permit: Permit, tokens: int) -> None:
        """Replace the estimated tokens of *permit* by those really used."""
        if permit.model_budget is not None:
            permit.model_budget.correct_tokens(permit.tokens, tokens)
            self._find_writes(permit.model).returned_tokens += permit.tokens - tokens
        permit.tokens = tokens

    def find_earliest(self, model: str | None, now: float) -> float:
        """Return a lower bound of the time when a request to *model* may be sent, by the record of this process."""
        budget = self.budgets.by_model.get(model)
        return now if budget is None or not budget.is_counted else budget.find_earliest(now, 0)

    def find_expected(self, model: str | None, now: float) -> float:
        """Return when a request to *model* may be sent as Redis stated it last; a refund may change that."""
        return max(now, self._free_times.get(model, now))

    # Exchanges.

    def share_limits(self, model: str | None, now: float) -> None:
        """Write for all processes what a response has changed for *model*: its announced limits, or a pause."""
        budget = self.budgets.by_model.get(model)
        if budget is None:
            return
        limits = {_KINDS.index(quota.kind) + 1: quota.limit for quota in budget.list_quotas(now)}
        if limits != self._known_limits.get(model, {}):
            self._known_limits[model] = limits
            self._find_writes(model).limits.update(limits)
        elif budget.paused_until > now:
            self._find_writes(model)

    def take_terms(self, waiter: Waiter | None, now: float) -> list[ModelTerms]:
        """Return the part of an exchange about models: that of *waiter* first if its quotas count, then all writes."""
        self._in_flight, self._pending = self._pending, {}
        models = list(self._in_flight)
        if waiter is not None and self._find_counted(waiter.model, now) is not None:
            models = [waiter.model, *(model for model in models if model != waiter.model)]
        return [self._build_terms(model, 0 if waiter is None else waiter.tokens, now) for model in models]

    def is_asked(self, waiter: Waiter | None, now: float) -> bool:
        """Whether the first of the terms is about the model of *waiter*."""
        return waiter is not None and self._find_counted(waiter.model, now) is not None

    def restore_writes(self) -> None:
        """Keep the writes of an exchange that failed for the next one."""
        for model, writes in self._in_flight.items():
            self._find_writes(model).merge(writes)

    def apply_reply(self, reply: ModelReply, model: str | None, now: float) -> float:
        """Adopt what Redis knows about *model*; return the seconds until its quotas admit the next request."""
        budget = self.budgets.by_model.get(model) or self.budgets.add_model(model, now)
        if reply.pause:
            budget.paused_until = max(budget.paused_until, now + reply.pause)
        known = self._known_limits.get(model, {})
        unknown = {number: limit for number, limit in reply.limits.items() if number not in known}
        if unknown:
            self._known_limits[model] = known | unknown
            info = RateLimitInfo(
                limit_requests=unknown.get(1),
                limit_tokens_per_minute=unknown.get(2),
                limit_tokens_per_day=unknown.get(3),
            )
            budget.apply_headers(info, refused=False, sent_at=now, now=now, server_now=now)
        self._free_times[model] = now + reply.delay
        if len(self._free_times) > _MAX_MODELS:
            self._forget_unused()
        return reply.delay

    def _forget_unused(self) -> None:
        """Forget the models whose budgets are forgotten."""
        by_model = self.budgets.by_model
        self._free_times = {model: at for model, at in self._free_times.items() if model in by_model}
        self._flown = {model: count for model, count in self._flown.items() if model in by_model}
        self._known_limits = {model: limits for model, limits in self._known_limits.items() if model in by_model}

    def _build_terms(self, model: str | None, tokens: int, now: float) -> ModelTerms:
        budget = self.budgets.by_model.get(model)
        writes = self._in_flight.get(model, _ModelWrites())
        quotas = [] if budget is None else [_describe_quota(quota, tokens, now) for quota in budget.settle_quotas(now)]
        returned = {quota.number: writes.returned_tokens for quota in quotas}
        returned |= {_REQUESTS: writes.returned_requests} if _REQUESTS in returned else {}
        return ModelTerms(
            name="-" if model is None else f"={model}",
            quotas=quotas or [_FIRST_FLIGHT],
            limits=writes.limits,
            returned=returned,
            pause=0.0 if budget is None else max(0.0, budget.paused_until - now),
            flown=self._flown.get(model, 0),
        )

    def _find_counted(self, model: str | None, now: float) -> ModelBudget | None:
        """Return the budget of *model* if its requests are counted; a new one for a model that is new."""
        budget = self.budgets.by_model.get(model)
        if budget is None and model is not None:
            budget = self.budgets.add_model(model, now)
        return budget if budget is not None and budget.is_counted else None

    def _find_writes(self, model: str | None) -> _ModelWrites:
        return self._pending.setdefault(model, _ModelWrites())

    def has_writes(self) -> bool:
        """Whether an exchange has to write something about a model."""
        return bool(self._pending)


def _describe_quota(quota: Quota, tokens: int, now: float) -> QuotaTerms:
    wait = quota.compute_delay(now, 1.0)
    return QuotaTerms(
        number=_KINDS.index(quota.kind) + 1,
        rate=quota.rate,
        burst=quota.capacity,
        level=1.0 - wait * quota.rate if wait else quota.level,
        cost=1.0 if quota.kind == _KINDS[0] else max(1.0, tokens),
    )
