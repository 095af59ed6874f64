"""`ServerFeedback`: updates the bucket of a key, and the quotas of its models, from the headers of each response.

A response may reveal foreign usage of the key, a new limit, or that everybody has to pause.

Contract: pure. ``now`` and ``sent_at`` are on the bucket's clock, ``wall`` is epoch seconds, ``chance`` is
a random number in [0, 1). All times are in seconds.

Source: seed document 001, "Rate Limit", for ``ratelimit-*`` and ``retry-after``. The ``x-ratelimit-*``
family describes the quotas of a model, in refilling buckets, whose ``reset`` may be in the past when a request is
refused.

Who is bound by a refusal (429)::

    the headers                                      pauses
    -----------------------------------------------  -----------------
    an x-ratelimit-* quota with nothing remaining    the model
    ratelimit-remaining: 0                           the key
    both of these                                    both
    some x-ratelimit-* quota, none of these          the model
    retry-after alone, or nothing                    the key

After a refusal of the key, the window that refused is filled with assumed usage of others, so that requests go on
one by one. Each success that was sent after the pause drops some of it: one request, then two, four, and so on. So the
count returns within seconds if there is room, and two clients that share a key do not refuse each other in turns.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort

from gradient_async._protocol.rate_limit.backoff import ROUNDING, RefusalBackoff
from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.model_budgets import ModelBudgets
from gradient_async._protocol.rate_limit.quota_triplets import find_bound, states_quota
from gradient_async._protocol.rate_limit.window import Window
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["ClockSkew", "Pauses", "ServerFeedback"]

_TOO_MANY_REQUESTS = 429
_MINUTE = 60.0
"""Seconds: the period of the quotas of a model."""


class ClockSkew:
    """How far the service's clock is ahead of ours, as an interval that every ``Date`` header narrows.

    Attributes:
        low: Lower bound in seconds.
        high: Upper bound in seconds.
    """

    def __init__(self) -> None:
        self.low = -math.inf
        self.high = math.inf

    def apply_date(self, date: float, *, wall: float, elapsed: float) -> None:
        """Narrow the interval by a response that arrived at *wall*, *elapsed* seconds after its request was sent."""
        low = date - wall
        high = low + ROUNDING + (elapsed if elapsed > 0 else 0.0)
        if low > self.high or high < self.low:
            self.low, self.high = low, high  # one of the clocks was set
            return
        if low > self.low:
            self.low = low
        if high < self.high:
            self.high = high

    def estimate_server_time(self, wall: float) -> float:
        """Return the earliest possible epoch time of the service, so that no wait computed from it is too short."""
        return wall + self.low if self.low > -math.inf else wall


class Pauses:
    """The pauses that a response begins.

    Attributes:
        key: Seconds of the pause of the whole key, 0.0 for none.
        model: Seconds of the pause of the model, likewise.
    """

    __slots__ = ("key", "model")

    def __init__(self, key: float = 0.0, model: float = 0.0) -> None:
        self.key = key
        self.model = model


_NO_PAUSES = Pauses()


class ServerFeedback:
    """Updates the budgets of one key from responses.

    Attributes:
        bucket: The bucket of the key.
        models: The quotas of its models.
        tiers: Whether the quotas of models may raise the limits of the key, see ``RateLimits.tiers``.
    """

    def __init__(self, bucket: RollingTokenBucket, models: ModelBudgets, *, tiers: bool) -> None:
        self.bucket = bucket
        self.models = models
        self.tiers = tiers
        self._skew = ClockSkew()
        self._backoff = RefusalBackoff()
        self._release = 0
        """Assumed requests that the next success drops from each window; 0 if none are assumed."""
        self._refused_sent_times: list[float] = []

    def apply_headers(
        self,
        info: RateLimitInfo,
        *,
        model: str | None = None,
        status: int,
        sent_at: float,
        now: float,
        wall: float,
        chance: float,
    ) -> Pauses:
        """Update the budgets from the headers and the status of a response to a request to *model*."""
        if info.date is not None:
            self._skew.apply_date(info.date, wall=wall, elapsed=now - sent_at)
        if status == _TOO_MANY_REQUESTS:
            return self._apply_refusal(info, model, sent_at=sent_at, now=now, wall=wall, chance=chance)
        budget = self.models.by_model.get(model)
        if budget is not None:
            budget.used_at = now
            if budget.was_refused and status < 400:
                budget.apply_success(sent_at)
        if (budget is not None and budget.is_counted) or states_quota(info):
            self._apply_model_headers(info, model, refused=False, sent_at=sent_at, now=now, wall=wall)
        if self._release and status < 400:
            self._release_assumed(sent_at, now)
        if info.limit is not None or info.remaining is not None:
            self._apply_quota(info, sent_at=sent_at, now=now, wall=wall)
        return _NO_PAUSES

    def _compute_wait(self, reset: float | None, wall: float) -> float:
        """Return the seconds until the epoch time *reset*; 0.0 or less if it is absent, 0 or past."""
        return reset - self._skew.estimate_server_time(wall) if reset else 0.0

    def _apply_quota(self, info: RateLimitInfo, *, sent_at: float, now: float, wall: float) -> None:
        """Apply the hourly headers of a response that is not a refusal."""
        limit, remaining, bucket = info.limit, info.remaining, self.bucket
        if not self._refused_sent_times and bucket.quota.skip_if_expected(limit, remaining, now=now, sent_at=sent_at):
            return
        wait = self._compute_wait(info.reset, wall)
        if remaining == 0:
            # 0 may be about a burst. Then use our own count, and wait for one short window at most.
            remaining = None if bucket.was_full(sent_at) else 0
            wait = min(wait, bucket.shortest.period)
        reset = now + wait if wait > 0 else None
        refused = self._drop_expired_refusals(now)
        bucket.observe(limit=limit, remaining=remaining, reset=reset, now=now, sent_at=sent_at, refused=refused)

    def _drop_expired_refusals(self, now: float) -> list[float]:
        """Return the ascending sent times of the refused requests that the service may still count."""
        expired = bisect_right(self._refused_sent_times, now - self.bucket.longest.period)
        del self._refused_sent_times[:expired]
        return self._refused_sent_times

    def _release_assumed(self, sent_at: float, now: float) -> None:
        """Drop a part of the assumed usage: a request that was sent after the pause succeeded."""
        if not self._backoff.apply_success(sent_at):
            return
        left = [window.drop_assumed(self._release, now) for window in self.bucket.windows]
        self._release = 2 * self._release if any(left) else 0

    def shift_times(self, shift: float) -> None:
        """Move every time by *shift* seconds, for a new clock."""
        self._backoff.shift_times(shift)
        self.models.shift_times(shift)
        self._refused_sent_times = [sent_at + shift for sent_at in self._refused_sent_times]

    # Refusals.

    def _apply_refusal(
        self, info: RateLimitInfo, model: str | None, *, sent_at: float, now: float, wall: float, chance: float
    ) -> Pauses:
        """Pause the key, the model or both for a 429, once for all requests that were sent before the pause ended."""
        self.bucket.observe(limit=info.limit, now=now, sent_at=sent_at)
        insort(self._drop_expired_refusals(now), sent_at)
        self._apply_model_headers(info, model, refused=True, sent_at=sent_at, now=now, wall=wall)
        key = model_seconds = 0.0
        binds_key, binds_model = find_bound(info)
        if binds_model:
            server_now = self._skew.estimate_server_time(wall)
            budget = self.models.by_model.get(model) or self.models.add_model(model, now)
            model_seconds = budget.apply_refusal(info, sent_at=sent_at, now=now, server_now=server_now, chance=chance)
        if binds_key:
            key = self._pause_key(info, sent_at=sent_at, now=now, wall=wall, chance=chance)
        return Pauses(key, model_seconds)

    def _pause_key(self, info: RateLimitInfo, *, sent_at: float, now: float, wall: float, chance: float) -> float:
        window, wait = self._read_refusal(info, wall)
        wait = self._backoff.start_pause(wait, sent_at=sent_at, now=now, chance=chance)
        if wait:
            self.bucket.mark_full(window, now=now, until=now + wait)
            self.bucket.pause(now + wait)
            self._release = 1
        return wait

    def _read_refusal(self, info: RateLimitInfo, wall: float) -> tuple[Window, float]:
        """Return the window that is full, and the stated wait in seconds, 0.0 if none is stated."""
        bucket = self.bucket
        longest = max(_MINUTE, bucket.longest.span)
        if info.retry_after is not None:
            seconds = info.retry_after
            return bucket.shortest, min(seconds, longest) if seconds > 0 else 0.0
        if not info.remaining and (wait := self._compute_wait(info.reset, wall)) > 0:
            return bucket.longest, min(wait, longest)
        return bucket.shortest, 0.0

    # The quotas of the model.

    def _apply_model_headers(
        self, info: RateLimitInfo, model: str | None, *, refused: bool, sent_at: float, now: float, wall: float
    ) -> None:
        budget = self.models.by_model.get(model)
        if budget is None:
            if not states_quota(info):
                return
            budget = self.models.add_model(model, now)
        server_now = self._skew.estimate_server_time(wall)
        previous = budget.requests_per_minute
        budget.apply_headers(info, refused=refused, sent_at=sent_at, now=now, server_now=server_now)
        if self.tiers and budget.requests_per_minute != previous:
            self._raise_limits()

    def _raise_limits(self) -> None:
        """Raise the shortest window to the sum of the quotas of all models, and the longest in proportion."""
        shortest, longest = self.bucket.shortest, self.bucket.longest
        per_minute = self.models.sum_requests_per_minute() * self.bucket.share
        self.bucket.set_capacity(shortest, max(shortest.declared, int(per_minute * shortest.period / _MINUTE)))
        if longest is not shortest:
            in_proportion = int(shortest.capacity * longest.period / shortest.period)
            self.bucket.set_capacity(longest, max(longest.declared, in_proportion))
