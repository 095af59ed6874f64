"""`SharedFeedback`: updates this process from a response, and all processes from what concerns them.

Contract: nothing here waits; pauses and foreign usage are written to Redis with the next exchange. Times are in
seconds on the loop's clock, ``wall`` in epoch seconds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.server_feedback import ServerFeedback
from gradient_async.errors import escape_text
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.pending_writes import PendingWrites
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["SharedFeedback"]

_log = logging.getLogger("gradient_async")

_TOO_MANY_REQUESTS = 429
_MAX_NAME_CHARS = 100
_ALL = 1_000_000_000
_SHARE_COUNT_EVERY = 1.0
"""Seconds between two comparisons of the service's count with the requests of all processes."""


class SharedFeedback:
    """Applies responses to the bucket of this process, and shares pauses and foreign usage.

    Args:
        limits: The budget of all processes together.
        full_bucket: The full budget as this process knows it.
        pending: The writes to Redis.
        models: The quotas of models.
        wall: Epoch seconds.
        chance: A random number in [0, 1), for the jitter of a pause.
    """

    def __init__(
        self,
        limits: RateLimits,
        full_bucket: RollingTokenBucket,
        pending: PendingWrites,
        models: SharedModels,
        *,
        wall: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._full_bucket, self._pending, self._wall, self._chance = full_bucket, pending, wall, chance
        self._models = models
        self._feedback = ServerFeedback(full_bucket, models.budgets, tiers=limits.tiers)
        self._longest_number = len(limits.windows)
        self._count_shared_at = -math.inf

    def apply_headers(self, info: RateLimitInfo, *, model: str | None, status: int, sent_at: float, now: float) -> None:
        """Update this process from a response, and note what concerns the others."""
        wall = self._wall()
        is_refusal = status == _TOO_MANY_REQUESTS
        chance = self._chance() if is_refusal else 0.0
        assumed = [window.assumed for window in self._full_bucket.windows]
        pauses = self._feedback.apply_headers(
            info, model=model, status=status, sent_at=sent_at, now=now, wall=wall, chance=chance
        )
        self._models.share_limits(model, now)
        if any(assumed) and not is_refusal:
            self._share_release(assumed)
        if pauses.model:
            name = escape_text(model or "any model", _MAX_NAME_CHARS)
            _log.info("rate limit: status %s, nothing is sent to %s for %.1f s", status, name, pauses.model)
        if pauses.key:
            _log.info("rate limit: status %s, nothing is sent for %.1f s", status, pauses.key)
            is_longest = pauses.key > self._full_bucket.shortest.span + 1
            self._pending.add_pause(now + pauses.key, window=self._longest_number if is_longest else 1)
        is_due = now - self._count_shared_at >= _SHARE_COUNT_EVERY
        if not is_refusal and info.remaining and is_due and self._full_bucket.quota.covers_longest_window:
            self._count_shared_at = now
            self._pending.counted = self._read_count(info, sent_at=sent_at, now=now, wall=wall)

    def _share_release(self, assumed: list[int]) -> None:
        """Drop in Redis what was dropped here of the usage that was *assumed* in each window."""
        for number, (before, window) in enumerate(zip(assumed, self._full_bucket.windows, strict=True), 1):
            if window.assumed < before:
                self._pending.add_release(number, before - window.assumed if window.assumed else _ALL)

    def _read_count(
        self, info: RateLimitInfo, *, sent_at: float, now: float, wall: float
    ) -> tuple[int, float, float, float]:
        """Return the service's count of the longest window, for comparison with the requests of all processes."""
        window = self._full_bucket.longest
        limit = info.limit or window.capacity + window.headroom
        counted = limit - (info.remaining or 0) - window.headroom
        reset = max(0.0, min(info.reset - wall, window.period)) if info.reset else 0.0
        return counted, sent_at, now + reset, window.period
