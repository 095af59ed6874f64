"""What the limiter learns from a response: other users of the key, new limits, and when to pause.

Contract: pure. ``now`` and ``sent_at`` are on the bucket's clock, ``wall`` is epoch seconds, ``chance`` is
a random number in [0, 1). All in seconds.

Source: seed document 001, "Rate Limit", for ``ratelimit-*`` and ``retry-after``; the ``x-ratelimit-*``
family describes refilling buckets, whose ``reset`` may lie in the past of a request that was refused.

A refusal (429) pauses everybody once: refusals of requests that were sent before the pause ended are the
same incident.
"""

from __future__ import annotations

import math
from bisect import bisect_right, insort

import attrs

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.window import Window
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["ClockSkew", "ServerFeedback"]

_REFUSED = 429
_MINUTE = 60.0
"""Seconds: what the quotas of a tier are counted in."""
_FIRST_BACKOFF, _LONGEST_BACKOFF = 0.5, 60.0
_LARGEST_JITTER = 0.5
_ROUNDING = 1.0
"""Seconds: ``retry-after``, ``reset`` and ``Date`` are whole numbers."""


@attrs.define(eq=False, repr=False)
class ClockSkew:
    """How far the service's clock is ahead of ours, as an interval that every ``Date`` header narrows."""

    low: float = -math.inf
    high: float = math.inf

    def update(self, date: float, *, wall: float, elapsed: float) -> None:
        """Learn from a response that arrived at *wall*, *elapsed* seconds after its request was sent."""
        low = date - wall
        high = low + _ROUNDING + (elapsed if elapsed > 0 else 0.0)
        if low > self.high or high < self.low:
            self.low, self.high = low, high
            return
        if low > self.low:
            self.low = low
        if high < self.high:
            self.high = high

    def server_time(self, wall: float) -> float:
        """Return the service's epoch time, as early as it can be: no wait computed from it is too short."""
        return wall + self.low if self.low > -math.inf else wall


@attrs.define(eq=False, repr=False)
class ServerFeedback:
    """Turns responses into what the bucket believes.

    Attributes:
        bucket: What is taught.
        tiers: Whether ``x-ratelimit-limit-requests`` may raise the limits, see ``RateLimits.tiers``.
    """

    bucket: RollingTokenBucket
    tiers: bool = False
    _skew: ClockSkew = attrs.field(factory=ClockSkew, init=False)
    _refusals: int = attrs.field(default=0, init=False)
    _until: float = attrs.field(default=-math.inf, init=False)
    _refused_at: list[float] = attrs.field(factory=list, init=False, repr=False)

    def apply_response(
        self, info: RateLimitInfo, *, status: int, sent_at: float, now: float, wall: float, chance: float
    ) -> float:
        """Teach the bucket what a response said.

        Returns:
            The seconds of a pause that begins now, 0.0 for none.
        """
        if info.date is not None:
            self._skew.update(info.date, wall=wall, elapsed=now - sent_at)
        if info.limit_requests is not None:
            self._learn_tier(info, refused=status == _REFUSED)
        if status == _REFUSED:
            return self._refused(info, sent_at=sent_at, now=now, wall=wall, chance=chance)
        if status < 400 and sent_at >= self._until:
            self._refusals = 0
        if info.limit is not None or info.remaining is not None:
            self._learn_quota(info, sent_at=sent_at, now=now, wall=wall)
        if info.remaining_requests == 0 or info.remaining_tokens_per_minute == 0:
            return self._tier_pause(info, now=now, wall=wall)
        return 0.0

    def _wait_for(self, reset: float | None, wall: float) -> float:
        """Return the seconds until *reset*; not positive if it is absent, 0 or past."""
        return reset - self._skew.server_time(wall) if reset else 0.0

    def _learn_quota(self, info: RateLimitInfo, *, sent_at: float, now: float, wall: float) -> None:
        """Learn the hourly headers of an answer that was no refusal."""
        limit, remaining, bucket = info.limit, info.remaining, self.bucket
        if not self._refused_at and bucket.quota.is_as_expected(limit, remaining, now=now, asked=sent_at):
            return
        wait = self._wait_for(info.reset, wall)
        if remaining == 0:
            # 0 may mean the burst: then our own count tells, or one short window is the longest wait.
            remaining = None if bucket.was_full(sent_at) else 0
            wait = min(wait, bucket.shortest.period)
        reset = now + wait if wait > 0 else None
        refused = self._recently_refused(now)
        bucket.observe(limit=limit, remaining=remaining, reset=reset, now=now, sent_at=sent_at, refused=refused)

    def _recently_refused(self, now: float) -> list[float]:
        """Return when those were sent that were refused and still are among the bucket's stamps, in order."""
        del self._refused_at[: bisect_right(self._refused_at, now - self.bucket.longest.period)]
        return self._refused_at

    def rebase(self, shift: float) -> None:
        """Move everything by *shift* seconds: the clock was exchanged."""
        self._until += shift
        self._refused_at = [at + shift for at in self._refused_at]

    # Refusals.

    def _refused(self, info: RateLimitInfo, *, sent_at: float, now: float, wall: float, chance: float) -> float:
        """Pause for a 429, once for all that were sent before the pause ended."""
        self.bucket.observe(limit=info.limit, now=now, sent_at=sent_at)
        insort(self._recently_refused(now), sent_at)
        window, wait = self._stated(info, wall)
        if sent_at < self._until and (not wait or now + wait - _ROUNDING <= self.bucket.paused_until):
            return 0.0
        self._refusals += sent_at >= self._until
        wait = wait or self._backoff()
        wait += chance * min(_LARGEST_JITTER, wait / 4)
        self._until = now + wait
        self.bucket.exhaust(window, now=now, until=self._until)
        self.bucket.pause(self._until)
        return wait

    def _stated(self, info: RateLimitInfo, wall: float) -> tuple[Window, float]:
        """Return the window that a refusal is about, and the seconds to wait that it states, 0.0 for none."""
        bucket = self.bucket
        longest = max(_LONGEST_BACKOFF, bucket.longest.span)
        if info.retry_after is not None:
            seconds = info.retry_after
            return bucket.shortest, min(seconds, longest) if seconds > 0 else 0.0
        if not info.remaining and (wait := self._wait_for(info.reset, wall)) > 0:
            return bucket.longest, min(wait, longest)
        resets = (info.reset_requests, info.reset_tokens_per_minute, info.reset_tokens_per_day)
        waits = [wait for reset in resets if (wait := self._wait_for(reset, wall)) > 0]
        return bucket.shortest, min([*waits, longest]) if waits else 0.0

    def _backoff(self) -> float:
        return min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0 ** min(self._refusals - 1, 10))

    # The quotas of a model's tier.

    def _learn_tier(self, info: RateLimitInfo, *, refused: bool) -> None:
        """Let the shortest window follow a tier's rate: down when it refused us, up only if asked for."""
        window = self.bucket.shortest
        limit = int((info.limit_requests or 0) * self.bucket.share * window.period / _MINUTE)
        if limit < 1:
            return
        if limit < window.capacity:
            if refused and not info.remaining_requests:
                self.bucket.resize(window, limit)
        elif self.tiers:
            self._raise(window, limit)
        elif window.capacity < window.declared:
            self.bucket.resize(window, min(limit, window.declared))

    def _raise(self, window: Window, limit: int) -> None:
        self.bucket.resize(window, limit)
        longest = self.bucket.longest
        in_proportion = int(limit * longest.period / window.period)
        if in_proportion > longest.capacity:
            self.bucket.resize(longest, in_proportion)

    def _tier_pause(self, info: RateLimitInfo, *, now: float, wall: float) -> float:
        """Pause when a tier has nothing left, until it says it has; at most a minute."""
        spent = [
            reset
            for remaining, reset in (
                (info.remaining_requests, info.reset_requests),
                (info.remaining_tokens_per_minute, info.reset_tokens_per_minute),
            )
            if remaining == 0
        ]
        wait = min(_LONGEST_BACKOFF, max((self._wait_for(reset, wall) for reset in spent), default=0.0))
        if wait <= 0 or now + wait - _ROUNDING <= self.bucket.paused_until:
            return 0.0
        self.bucket.pause(now + wait)
        return wait
