"""`ExchangeProtocol`: the exchanges of one process, as messages that it builds and replies that it applies.

Contract: pure, except for log records. Times are in seconds on the loop's clock. One exchange at a time: a message is
built, then either its reply is applied or it is abandoned.
"""

from __future__ import annotations

import logging
import secrets

from gradient_async._io.rate_limit.wait_queue import Waiter
from gradient_async._protocol.rate_limit.priority_queue import PriorityQueue
from gradient_async.limits.redis.budget import SharedBudget
from gradient_async.limits.redis.messages import Exchange
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.replies import Reply
from gradient_async.limits.redis.server_clock import ServerClock

__all__ = ["ExchangeProtocol"]

_log = logging.getLogger("gradient_async")

_MAX_PERMITS_PER_EXCHANGE = 64


class ExchangeProtocol:
    """Numbers the exchanges of one process, and knows the state that they are about.

    Args:
        budget: The budget of the key.
        models: The quotas of its models.

    Attributes:
        asked_model: The model whose requests the current exchange is for.
        uses_hold: Whether requests have asked for permits that are held until they are sent.
        was_answered: Whether Redis has ever replied to this process.
    """

    def __init__(self, budget: SharedBudget, models: SharedModels) -> None:
        self._budget, self._models = budget, models
        self._server_clock = ServerClock()
        self._process, self._seq = secrets.token_hex(6), 0
        self.asked_model: str | None = None
        self.uses_hold = self.was_answered = False

    @property
    def has_writes(self) -> bool:
        """Whether there is something to write."""
        return bool(self._budget.pending) or self._models.has_writes()

    def forget_clock(self) -> None:
        """Relate the server's clock to a new one of this process."""
        self._server_clock = ServerClock()

    def build_exchange(self, waiter: Waiter | None, waiters: PriorityQueue[Waiter], now: float) -> Exchange:
        """Return a message that makes all writes, and requests permits for the model of *waiter*."""
        self._seq += 1
        self.asked_model = None if waiter is None else waiter.model
        demand = 0 if waiter is None else waiters.count_model(waiter.model)
        costs = self._list_costs(waiter, waiters)
        return Exchange(
            process=self._process,
            seq=self._seq,
            wanted=self._count_wanted(demand, costs, now),
            costs=costs,
            hold=self.uses_hold,
            expected=self._server_clock.predict_time(now),
            budgets=[self._budget.take_terms(demand=waiters.size if demand else 0, now=now)],
            models=self._models.take_terms(waiter, now),
            asks_model=self._models.is_asked(waiter, now),
        )

    def _list_costs(self, waiter: Waiter | None, waiters: PriorityQueue[Waiter]) -> list[int]:
        """Return the model tokens that *waiter* and those after it take, as far as they are limited."""
        if waiter is None or self._budget.usage.tokens is None:
            return []
        if waiters.count_model(waiter.model) == 1:
            return [waiter.tokens]
        others = waiters.list_entries(waiter.model, _MAX_PERMITS_PER_EXCHANGE)
        return [waiter.tokens, *(other.tokens for other in others if other is not waiter)]

    def _count_wanted(self, demand: int, costs: list[int], now: float) -> int:
        """Return how many permits to request for *demand* waiters: no more than the record of this process allows."""
        if self._budget.pending.is_replay or now < self._budget.paused_until:
            return 0
        most = self._models.count_allowed(self.asked_model, now, min(demand, _MAX_PERMITS_PER_EXCHANGE))
        allowed, tokens = self._budget.usage.count_allowed(now, most), self._budget.usage.tokens
        return allowed if tokens is None else tokens.count_affordable(costs[:allowed], now)

    def abandon_exchange(self, message: Exchange) -> None:
        """Give back the permits that Redis may have granted without our learning of it; keep the writes."""
        self._budget.restore_writes()
        self._models.restore_writes()
        self._budget.pending.refund_all(message.name_permits(message.wanted))

    def apply_reply(self, message: Exchange, reply: Reply, *, sent_at: float, now: float) -> float:
        """Apply all but the permits; return the seconds until the quotas of the model admit the next request."""
        self.was_answered = True
        step = self._server_clock.apply_reply(reply.server_time, sent_at=sent_at, arrived_at=now)
        if step:
            _log.warning("rate limit: the clock of the Redis server was set by %+.1f s", step)
        elif reply.is_clock_off:
            self._server_clock.forget()
        self._budget.apply_reply(reply.budgets[0], message.seq, now, was_clock_set=bool(step))
        return 0.0 if reply.model is None else self._models.apply_reply(reply.model, self.asked_model, now)
