"""`Quota`: one quota of a model, as a bucket that the service refills continuously.

Contract: pure; times are in seconds on the limiter's clock.

Source: the service's description of ``x-ratelimit-{limit,remaining,reset}-{requests,tokens-per-minute,
tokens-per-day}``: quotas for each account and model, in buckets that refill continuously.

The bucket. A quota of 120 requests per minute is a bucket that holds at least 120 tokens and gets two back each
second, up to its capacity. We keep our own level of it, so that a request is sent as soon as the service has a token
for it, and not before::

    now       0.0           0.5            1.0
    level     120           1              1
    send      120 at once   1              1, and so on: two per second

Guard. Two requests may be on their way for different times. A request that is overtaken by one that was sent
*guard* seconds later finds what is refilled in that time missing: our capacity is lower by it.

Corrections. A response to a request sent at *s* states the level *remaining* just after that request was counted.
Whatever we sent later than *s* is surely not part of it, whatever we sent before *s - guard* surely is::

    highest possible level = remaining + 1 + what was refilled since s - sent after s
    lowest possible level  = remaining - sent after s - guard, this request aside

The level is moved into that range: down, if others use the same quota, and up, if the bucket is larger than the
announced limit (the service admits bursts of 1.25 times the limit). ``limit - remaining`` is never read as usage: both
numbers drift.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.status import QuotaStatus

__all__ = ["Quota"]

_ROUNDING = 1e-9
"""Tokens: an error of floating point is not worth a wait."""


class Quota:
    """A bucket that is refilled evenly.

    Attributes:
        kind: Name of the quota, see `QuotaStatus`.
        period: Seconds in which *limit* tokens are refilled.
        guard: Seconds by which requests may overtake each other.
        share: The fraction of the quota that is ours.
        updated_at: Time of `level`.
        level: Free tokens at `updated_at`; negative after a request that took more than estimated.
        held: Tokens taken for requests that were not sent yet at `updated_at`.
        limit: Tokens per period as announced, at least 1.
        empty_until: Until when the service says the quota is empty.
        rate: Tokens that are refilled for us per second.
        capacity: Our part of the full bucket, less what the guard takes.
        _burst: Tokens of the full bucket, as far as we know.
        _surcharge: Tokens that the guard takes of each request where the bucket holds hardly one.
    """

    def __init__(self, kind: str, period: float, guard: float, share: float, updated_at: float) -> None:
        self.kind = kind
        self.period = period
        self.guard = guard
        self.share = share
        self.updated_at = updated_at
        self.level = 0.0
        self.held = 0.0
        self.limit = 1
        self.empty_until = -math.inf
        self.rate = 0.0
        self.capacity = 1.0
        self._burst = 1
        self._surcharge = 0.0

    def settle(self, now: float, spent: float, held: float) -> None:
        """Bring the level up to date: refilled until *now*, without the tokens *spent* since the last time.

        Args:
            now: The time.
            spent: Tokens taken since the last call, less those given back.
            held: Those taken for requests that are not sent yet. They are not refilled.
        """
        # When the tokens were spent is unknown. Refill first, because a full bucket refills nothing.
        level, elapsed = self.level, now - self.updated_at
        if elapsed > 0.0:
            level = min(level + elapsed * self.rate, self.capacity - self.held)
        self.level = min(level - spent * (1.0 + self._surcharge), self.capacity - held)
        self.held, self.updated_at = held, now  # also after a step of the clock back

    def compute_delay(self, now: float, cost: float, *, ahead: int = 0) -> float:
        """Return the seconds until *cost* tokens may be free, after *ahead* others; 0.0 if they are.

        A request for more than the bucket holds waits until it is full. At a reset that the service stated, it has
        enough for one request.
        """
        if self.empty_until > now:
            return self.empty_until - now + ahead / self.rate
        if self.empty_until > -math.inf:
            self.level, self.empty_until = max(self.level, min(cost, self.capacity)), -math.inf
        missing = min(cost, self.capacity) + ahead - self.level
        return missing / self.rate if missing > _ROUNDING else 0.0

    def count_free(self, now: float) -> int:
        """Return how many tokens may be spent at once."""
        return 0 if self.empty_until > now else max(0, math.floor(self.level + _ROUNDING))

    def apply_limit(self, limit: int) -> None:
        """Adopt an announced *limit*; the capacity that was learned belongs to the previous one."""
        limit = max(1, limit)
        if limit != self.limit or not self.rate:
            self.limit, self.rate = limit, limit * self.share / self.period
            self._set_burst(limit)

    def apply_remaining(self, remaining: int, *, age: float, sent_after: float, unsure: float) -> None:
        """Move the level into the range that a response allows.

        Args:
            remaining: Tokens left after the request was counted.
            age: Seconds since the request was sent.
            sent_after: Tokens that we sent later than that request.
            unsure: These, and those that may have overtaken it or been overtaken.
        """
        if not self.rate:
            self.apply_limit(remaining)
        if remaining >= self._burst:
            self._set_burst(remaining + 1)
        lowest = (remaining - unsure) * self.share - self.held
        highest = remaining + 1 + self.rate * max(age, 0.0) - sent_after - self.held
        self.level = min(max(self.level, lowest), max(highest, 0.0))

    def describe(self, now: float) -> QuotaStatus:
        """Return the state at *now*."""
        from gradient_async._protocol.rate_limit.status import QuotaStatus  # loaded when somebody asks

        at = now + self.compute_delay(now, 1.0)
        return QuotaStatus(
            kind=self.kind, limit=self.limit, period=self.period, free=self.count_free(now), next_free_at=at
        )

    def shift_times(self, shift: float) -> None:
        """Move every time by *shift* seconds, for a new clock."""
        self.updated_at += shift
        self.empty_until += shift

    def _set_burst(self, tokens: int) -> None:
        self._burst = tokens
        capacity = tokens * self.share - self.rate * self.guard
        self.capacity = max(1.0, capacity)
        self._surcharge = min(self.rate * self.guard, self.capacity - capacity)
