"""`ServerFeedback`: updates the bucket from the headers of each response.

A response may reveal foreign usage of the key, a new limit, or that everybody has to pause.

Contract: pure. ``now`` and ``sent_at`` are on the bucket's clock, ``wall`` is epoch seconds, ``chance`` is
a random number in [0, 1). All times are in seconds.

Source: seed document 001, "Rate Limit", for ``ratelimit-*`` and ``retry-after``. The ``x-ratelimit-*``
family describes refilling buckets, whose ``reset`` may be in the past when a request is refused.

A refusal (429) pauses once: further refusals of requests that were sent before the pause ended belong to the
same incident. Example: 90 requests sent at 0.0 are refused from 1.0 on with ``retry-after: 10``; the first refusal
pauses until 11.0, the other 89 change nothing.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort

import attrs

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.window import Window
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["ClockSkew", "ServerFeedback"]

_TOO_MANY_REQUESTS = 429
_MINUTE = 60.0
"""Seconds: the period of the quotas of a model tier."""
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 60.0
_LARGEST_JITTER = 0.5
_ROUNDING = 1.0
"""Seconds: ``retry-after``, ``reset`` and ``Date`` are whole numbers."""


@attrs.define(eq=False, repr=False)
class ClockSkew:
    """How far the service's clock is ahead of ours, as an interval that every ``Date`` header narrows.

    Attributes:
        low: Lower bound in seconds.
        high: Upper bound in seconds.
    """

    low: float = -math.inf
    high: float = math.inf

    def apply_date(self, date: float, *, wall: float, elapsed: float) -> None:
        """Narrow the interval by a response that arrived at *wall*, *elapsed* seconds after its request was sent."""
        low = date - wall
        high = low + _ROUNDING + (elapsed if elapsed > 0 else 0.0)
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


@attrs.define(eq=False, repr=False)
class ServerFeedback:
    """Updates a bucket from responses.

    Attributes:
        bucket: The bucket to update.
        tiers: Whether ``x-ratelimit-limit-requests`` may raise the limits, see ``RateLimits.tiers``.
    """

    bucket: RollingTokenBucket
    tiers: bool = False
    _skew: ClockSkew = attrs.field(factory=ClockSkew, init=False)
    _incidents: int = attrs.field(default=0, init=False)
    """Pauses for refusals since the last success."""
    _pause_end: float = attrs.field(default=-math.inf, init=False)
    _refused_sent_times: list[float] = attrs.field(factory=list, init=False, repr=False)

    def apply_headers(
        self, info: RateLimitInfo, *, status: int, sent_at: float, now: float, wall: float, chance: float
    ) -> float:
        """Update the bucket from the headers and the status of a response.

        Returns:
            The seconds of a pause that begins now, 0.0 for no pause.
        """
        if info.date is not None:
            self._skew.apply_date(info.date, wall=wall, elapsed=now - sent_at)
        if info.limit_requests is not None:
            self._apply_tier_limit(info, refused=status == _TOO_MANY_REQUESTS)
        if status == _TOO_MANY_REQUESTS:
            return self._apply_refusal(info, sent_at=sent_at, now=now, wall=wall, chance=chance)
        if status < 400 and sent_at >= self._pause_end:
            self._incidents = 0
        if info.limit is not None or info.remaining is not None:
            self._apply_quota(info, sent_at=sent_at, now=now, wall=wall)
        if info.remaining_requests == 0 or info.remaining_tokens_per_minute == 0:
            return self._pause_for_tier(info, now=now, wall=wall)
        return 0.0

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

    def shift_refusals(self, shift: float) -> None:
        """Move every time by *shift* seconds, for a new clock."""
        self._pause_end += shift
        self._refused_sent_times = [sent_at + shift for sent_at in self._refused_sent_times]

    # Refusals.

    def _apply_refusal(self, info: RateLimitInfo, *, sent_at: float, now: float, wall: float, chance: float) -> float:
        """Pause for a 429, once for all requests that were sent before the pause ended."""
        self.bucket.observe(limit=info.limit, now=now, sent_at=sent_at)
        insort(self._drop_expired_refusals(now), sent_at)
        window, wait = self._read_refusal(info, wall)
        is_same_incident = sent_at < self._pause_end
        if is_same_incident and (not wait or now + wait - _ROUNDING <= self.bucket.paused_until):
            return 0.0
        self._incidents += not is_same_incident
        wait = wait or min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0 ** min(self._incidents - 1, 10))
        wait += chance * min(_LARGEST_JITTER, wait / 4)
        self._pause_end = now + wait
        self.bucket.mark_full(window, now=now, until=self._pause_end)
        self.bucket.pause(self._pause_end)
        return wait

    def _read_refusal(self, info: RateLimitInfo, wall: float) -> tuple[Window, float]:
        """Return the window that is full, and the stated wait in seconds, 0.0 if none is stated."""
        bucket = self.bucket
        longest = max(_LONGEST_BACKOFF, bucket.longest.span)
        if info.retry_after is not None:
            seconds = info.retry_after
            return bucket.shortest, min(seconds, longest) if seconds > 0 else 0.0
        if not info.remaining and (wait := self._compute_wait(info.reset, wall)) > 0:
            return bucket.longest, min(wait, longest)
        resets = (info.reset_requests, info.reset_tokens_per_minute, info.reset_tokens_per_day)
        waits = [wait for reset in resets if (wait := self._compute_wait(reset, wall)) > 0]
        return bucket.shortest, min([*waits, longest]) if waits else 0.0

    # The quotas of a model tier.

    def _apply_tier_limit(self, info: RateLimitInfo, *, refused: bool) -> None:
        """Set the shortest window from a tier's rate: lower it after a refusal, raise it only with *tiers*."""
        window = self.bucket.shortest
        limit = int((info.limit_requests or 0) * self.bucket.share * window.period / _MINUTE)
        if limit < 1:
            return
        if limit < window.capacity:
            if refused and not info.remaining_requests:
                self.bucket.set_capacity(window, limit)
        elif self.tiers:
            self._raise_limits(window, limit)
        elif window.capacity < window.declared:
            self.bucket.set_capacity(window, min(limit, window.declared))

    def _raise_limits(self, window: Window, limit: int) -> None:
        """Raise *window* to *limit*, and the longest window in proportion."""
        self.bucket.set_capacity(window, limit)
        longest = self.bucket.longest
        in_proportion = int(limit * longest.period / window.period)
        if in_proportion > longest.capacity:
            self.bucket.set_capacity(longest, in_proportion)

    def _pause_for_tier(self, info: RateLimitInfo, *, now: float, wall: float) -> float:
        """Pause until an exhausted tier quota resets, at most a minute; return the seconds."""
        exhausted_resets = [
            reset
            for remaining, reset in (
                (info.remaining_requests, info.reset_requests),
                (info.remaining_tokens_per_minute, info.reset_tokens_per_minute),
            )
            if remaining == 0
        ]
        wait = max((self._compute_wait(reset, wall) for reset in exhausted_resets), default=0.0)
        wait = min(_LONGEST_BACKOFF, wait)
        if wait <= 0 or now + wait - _ROUNDING <= self.bucket.paused_until:
            return 0.0
        self.bucket.pause(now + wait)
        return wait
