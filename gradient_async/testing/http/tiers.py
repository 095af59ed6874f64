"""The quotas of models, which a tier of accounts has, and their response headers.

Contract: pure; the time is an argument. Each key and model has buckets of its own, which refill continuously. A success
carries the headers of all three quotas, a refusal those of the quota that refused, and no ``retry-after``. The tokens
of a request are a quarter of the bytes of its body; its completion does not count.
Source: the service's description of ``x-ratelimit-*``, and the headers observed on the serverless hosts: a bucket of
requests holds 1.25 times its limit, and the reset of a refusal is truncated to a full second, slightly in the past.

Example: a tier of 4 requests per minute admits 5 at once. The sixth is refused with ``x-ratelimit-remaining-requests:
0``; 15 seconds later one is admitted again.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from gradient_async.testing.http.rate_limits import Verdict

_BURST = 1.25


@attrs.frozen
class Tier:
    """The quotas of a model.

    Attributes:
        requests: Requests per minute.
        tokens_per_minute: Tokens per minute.
        tokens_per_day: Tokens per day.
    """

    requests: int
    tokens_per_minute: int = attrs.field(default=750_000, kw_only=True)
    tokens_per_day: int = attrs.field(default=8_000_000, kw_only=True)


Tiers = int | Tier | Mapping[str, "int | Tier"]
"""A tier for every model, as its requests per minute or in full, or a tier for each model by name."""


@attrs.define
class _Bucket:
    """One quota of a model."""

    name: str
    limit: int
    period: float
    capacity: float
    _level: float = attrs.field(init=False)
    _updated_at: float | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._level = self.capacity

    def admits(self, now: float, cost: float) -> bool:
        """Whether *cost* tokens are in the bucket at *now*; more than it holds are admitted when it is full."""
        elapsed = now - (now if self._updated_at is None else self._updated_at)
        self._level = min(self.capacity, self._level + elapsed * self.limit / self.period)
        self._updated_at = now
        return self._level >= min(cost, self.capacity)

    def spend(self, cost: float) -> None:
        self._level -= cost

    def success_headers(self, now: float) -> dict[str, str]:
        """Return the triplet of an admitted request: the reset is 0 unless the bucket is empty."""
        missing = 1 - self._level
        return self._headers(reset=math.ceil(now + missing * self.period / self.limit) if missing > 0 else 0)

    def refusal_headers(self, now: float, cost: float) -> dict[str, str]:
        """Return the triplet of a refused request: the reset is when the bucket has enough, truncated."""
        missing = min(cost, self.capacity) - self._level
        return self._headers(reset=int(now + missing * self.period / self.limit), remaining=0)

    def _headers(self, *, reset: int, remaining: int | None = None) -> dict[str, str]:
        left = max(0, int(self._level)) if remaining is None else remaining
        return {
            f"x-ratelimit-limit-{self.name}": str(self.limit),
            f"x-ratelimit-remaining-{self.name}": str(left),
            f"x-ratelimit-reset-{self.name}": str(reset),
        }


@attrs.define
class TierLimits:
    """The quotas of every model for one key; a request without a model, or for one without a tier, is admitted.

    Attributes:
        tiers: The tiers.
        scale: The factor by which the buckets refill faster than the clock.
    """

    tiers: Tiers
    scale: float = 1.0
    _buckets: dict[str, tuple[_Bucket, ...]] = attrs.field(factory=dict, init=False)

    def admit_request(self, now: float, *, model: str | None = None, tokens: int = 0) -> Verdict:
        """Admit or refuse a request that arrives at *now*, in epoch seconds."""
        tier = None if model is None else self._find_tier(model)
        if model is None or tier is None:
            return Verdict(admitted=True, headers={})
        if model not in self._buckets:
            self._buckets[model] = self._new_buckets(tier)
        buckets = self._buckets[model]
        costs = [1.0 if bucket.name == "requests" else float(tokens) for bucket in buckets]
        refusing = [each for each in zip(buckets, costs, strict=True) if not each[0].admits(now, each[1])]
        if refusing:
            bucket, cost = refusing[0]
            return Verdict(admitted=False, headers=bucket.refusal_headers(now, cost))
        headers: dict[str, str] = {}
        for bucket, cost in zip(buckets, costs, strict=True):
            bucket.spend(cost)
            headers |= bucket.success_headers(now)
        return Verdict(admitted=True, headers=headers)

    def describe_quota(self, now: float) -> Mapping[str, str]:  # noqa: ARG002 - of the protocol
        """Return no headers: only users of a model see its quotas."""
        return {}

    def _find_tier(self, model: str) -> Tier | None:
        tier = self.tiers.get(model) if isinstance(self.tiers, Mapping) else self.tiers
        return Tier(tier) if isinstance(tier, int) else tier

    def _new_buckets(self, tier: Tier) -> tuple[_Bucket, ...]:
        minute, day = 60 / self.scale, 86_400 / self.scale
        return (
            _Bucket("requests", tier.requests, minute, tier.requests * _BURST),
            _Bucket("tokens-per-minute", tier.tokens_per_minute, minute, tier.tokens_per_minute),
            _Bucket("tokens-per-day", tier.tokens_per_day, day, tier.tokens_per_day),
        )
