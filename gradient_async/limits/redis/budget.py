"""`SharedBudget`: one budget as this process knows it, and its part of an exchange.

Contract: pure, except for log records. Times are in seconds on the loop's clock.
"""

from __future__ import annotations

import logging
import math

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.status import WindowStatus
from gradient_async.limits.redis.local_usage import LocalUsage
from gradient_async.limits.redis.messages import BudgetTerms
from gradient_async.limits.redis.pending_writes import PendingWrites
from gradient_async.limits.redis.replies import BudgetReply

__all__ = ["SharedBudget"]

_log = logging.getLogger("gradient_async")


class SharedBudget:
    """The record of this process, the writes that wait, and the usage that Redis stated last.

    Args:
        key: The key in Redis.
        limits: The budget of all processes together.
        share: The fraction of it that this process may use while Redis is away.
        guard: Seconds added to every window.

    Attributes:
        usage: The permits of this process.
        pending: The writes that the next exchange takes along.
        tokens_used: Model tokens that all processes used, as Redis stated it last; None if they are not limited.
        tokens_free_at: When the next request finds the model tokens that it needs.
    """

    def __init__(self, key: str, limits: RateLimits, *, share: float, guard: float) -> None:
        self._key = key
        self.usage = LocalUsage(limits, share=share, guard=guard)
        self.pending = PendingWrites()
        self._in_flight = PendingWrites()
        self._shared_usage = [(0, 0) for _ in limits.windows]
        self.tokens_used = None if limits.tokens_per_minute is None else 0
        self.tokens_free_at = -math.inf

    @property
    def paused_until(self) -> float:
        """Time before which nobody sends."""
        return self.usage.full_bucket.paused_until

    def replay(self, now: float) -> None:
        """Write every permit of this process again: Redis was away."""
        self.pending.add_replay(self.usage, now, is_lost=False)

    def take_terms(self, *, demand: int, now: float) -> BudgetTerms:
        """Return the part of an exchange; its writes are in flight until `restore_writes` or `apply_reply`."""
        self._in_flight = self.pending.take()
        return self._in_flight.build_terms(self._key, self.usage, demand=demand, now=now)

    def restore_writes(self) -> None:
        """Keep the writes of an exchange that failed for the next one."""
        self.pending.restore(self._in_flight)

    def apply_reply(self, reply: BudgetReply, seq: int, now: float, *, was_clock_set: bool) -> None:
        """Apply the reply to exchange *seq*; write the record again if Redis lost it or dates it wrongly."""
        self.usage.answered = seq
        if reply.pause:
            self.usage.full_bucket.pause(now + reply.pause)
        may_count = self.usage.has_permits(now) or self.usage.has_seen_usage(now)
        if was_clock_set or (reply.is_lost and may_count):
            if reply.is_lost:
                _log.warning("rate limit: Redis lost data of the budget; this process writes its part again")
            return self.pending.add_replay(self.usage, now, is_lost=True)
        self._shared_usage = reply.usage
        used = [used for used, _ in reply.usage]
        if reply.tokens is not None:
            self.tokens_used, self.tokens_free_at = reply.tokens.used, now + reply.tokens.delay
            used = [reply.tokens.used, *used]
        return self.usage.see_usage(used, now)

    def describe_windows(self, free_at: float) -> list[WindowStatus]:
        """Return the state of every window as Redis stated it last; tokens are free at *free_at*."""
        return [
            WindowStatus(capacity=w.capacity, period=w.period, used=used, foreign=foreign, next_free_at=free_at)
            for w, (used, foreign) in zip(self.usage.full_bucket.windows, self._shared_usage, strict=True)
        ]
