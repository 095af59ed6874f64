"""`LocalUsage`: the permits of one budget that this process used, and the usage that it saw.

No process is granted more than its own record allows, whatever Redis says: Redis may have lost its data, or its clock
may have been set. If data is lost, the record is written to Redis again, with the usage of all processes as it was
seen last. While Redis is away, a share of the budget limits this process.

Contract: pure; times are in seconds on the loop's clock. Memory is bounded by the largest capacity.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError
from gradient_async.limits.redis.local_tokens import LocalTokens

__all__ = ["CountedPermit", "LocalUsage"]

_MIN_PERMITS = 64
"""Permits remembered beyond twice the capacity before half of them are dropped."""


class CountedPermit(NamedTuple):
    """A permit that counts.

    Attributes:
        at: When it was sent, or, if it is held, granted.
        is_held: Whether its request is not sent yet, so that it counts without end.
        tokens: Model tokens that it takes, if they are limited.
    """

    at: float
    is_held: bool = False
    tokens: int = 0


class LocalUsage:
    """Counts the permits of this process by name: against the full budget, and against its share of it.

    Args:
        limits: The budget of all processes together.
        share: The fraction of it that this process may use while Redis is away.
        guard: Seconds added to every window.

    Attributes:
        full_bucket: The full budget as the service describes it. It takes requests of the other processes for foreign
            usage, so it does not decide; Redis and the record do.
        tokens: The model tokens of this process, None if they are not limited.
        longest_span: Seconds after which no permit counts any more.
        answered: Number of the last exchange about this budget that Redis answered, 0 for none.

    Raises:
        ConfigurationError: The share is not above 0 and at most 1.
    """

    def __init__(self, limits: RateLimits, *, share: float, guard: float) -> None:
        if not 0 < share <= 1:
            raise ConfigurationError(f"share is {share!r}: give the part of the budget, above 0 and at most 1")
        self.full_bucket = RollingTokenBucket.from_limits(limits, guard=guard)
        self._record = RollingTokenBucket(limits.windows, guard=guard)
        share_windows = [(max(1, int(capacity * share)), period) for capacity, period in limits.windows]
        self._share_bucket = RollingTokenBucket(share_windows, guard=guard, follow=False, share=share)
        self._buckets = (self.full_bucket, self._record, self._share_bucket)
        limit = limits.tokens_per_minute
        self.tokens = None if limit is None else LocalTokens(limit, share=share, guard=guard)
        spans = [limits.windows[-1][1] + guard, *([] if self.tokens is None else [self.tokens.span])]
        self.longest_span = max(spans)
        self.answered = 0
        self._max_permits = 2 * self.full_bucket.longest.capacity + _MIN_PERMITS
        self._last_sent_at = -math.inf
        self._permits: dict[str, CountedPermit] = {}
        self._seen_usage: list[int] = []
        self._seen_at = -math.inf

    @property
    def spans(self) -> list[tuple[int, float]]:
        """Capacity and span (seconds, with the guard) of every window of the full budget."""
        return [(window.capacity, window.span) for window in self.full_bucket.windows]

    @property
    def held(self) -> int:
        """Permits of requests that are still to be sent."""
        return self._record.reserved

    def has_permits(self, now: float) -> bool:
        """Whether a permit of this process counts at *now*."""
        return self.held > 0 or self._last_sent_at + self.longest_span > now

    def has_seen_usage(self, now: float) -> bool:
        """Whether usage of any process that this one saw may count at *now*."""
        return any(self._seen_usage) and self._seen_at + self.longest_span > now

    # Permits.

    def add_permit(self, name: str, now: float, *, hold: bool, tokens: int = 0) -> CountedPermit:
        """Count the permit *name* from *now*; with *hold*, without end until `start_permit` or `remove_permit`."""
        if self.tokens is None:
            tokens = 0
        else:
            self.tokens.add_spend(name, now, tokens, hold=hold)
        permit = self._permits[name] = CountedPermit(now, hold, tokens)
        self._last_sent_at = now
        for bucket in self._buckets:
            bucket.take_token(now, hold)
        if len(self._permits) > self._max_permits:
            self._drop_permits(now)
        return permit

    def _drop_permits(self, now: float) -> None:
        """Forget the expired permits, and the oldest others if there are too many: the budget is full without them."""
        after = now - self.longest_span
        counting = {name: permit for name, permit in self._permits.items() if permit.is_held or permit.at > after}
        surplus = max(0, len(counting) - self._max_permits // 2)
        for name in [name for name, permit in counting.items() if not permit.is_held][:surplus]:
            del counting[name]
        self._permits = counting

    def start_permit(self, name: str, now: float) -> CountedPermit:
        """Count the permit *name* from *now* instead."""
        permit = self._permits.get(name)
        self.remove_permit(name, now)
        return self.add_permit(name, now, hold=False, tokens=0 if permit is None else permit.tokens)

    def correct_tokens(self, name: str, now: float, tokens: int) -> CountedPermit | None:
        """Replace the estimated tokens of the permit *name*; return it if its tokens count and were others."""
        if self.tokens is None or not self.tokens.correct_spend(name, now, tokens) or name not in self._permits:
            return None
        permit = self._permits[name] = self._permits[name]._replace(tokens=tokens)
        return permit

    def remove_permit(self, name: str, now: float) -> None:
        """Stop counting the permit *name*."""
        if self.tokens is not None:
            self.tokens.remove_spend(name, now)
        permit = self._permits.pop(name, None)
        if permit is None:
            return
        for bucket in self._buckets:
            if permit.is_held:
                bucket.release_reserved()
            else:
                bucket.refund(permit.at)

    # Decisions.

    def count_allowed(self, now: float, most: int) -> int:
        """Return how many more permits the record allows at *now*, *most* or fewer."""
        self._update_capacities()
        record = self._record
        counted = len(record.sent_times) + record.reserved + most  # an upper bound, which is usually enough
        if all(window.capacity >= counted for window in record.windows):
            return most
        return min(most, record.count_free(now))

    def compute_delay(self, now: float) -> float:
        """Return the seconds until the record allows a permit, 0.0 if it does at *now*."""
        self._update_capacities()
        return self._record.compute_delay(now)

    def compute_share_delay(self, now: float, tokens: int = 0) -> float:
        """Return the seconds until the share of this process has room for a request that takes *tokens*."""
        delay = self._share_bucket.compute_delay(now)
        return delay if self.tokens is None else max(delay, self.tokens.compute_share_delay(now, tokens))

    def _update_capacities(self) -> None:
        for window, full in zip(self._record.windows, self.full_bucket.windows, strict=True):
            if window.capacity != full.capacity:
                self._record.set_capacity(window, full.capacity)

    # The data that Redis may lose.

    def see_usage(self, used: list[int], now: float) -> None:
        """Note the usage of the model tokens, if limited, and of every window by all processes, as Redis states it."""
        self._seen_usage, self._seen_at = used, now

    def list_floors(self, now: float) -> list[tuple[int, float]]:
        """Return the usage that this process saw last, and its age in seconds."""
        return [(used, now - self._seen_at) for used in self._seen_usage]

    def list_permits(self) -> dict[str, CountedPermit]:
        """Return every permit that counts, or counted when Redis last stated its usage, by name."""
        after = self._seen_at - self.longest_span
        return {name: permit for name, permit in self._permits.items() if permit.is_held or permit.at > after}
