"""`SharedFeedback`: what one process learns from a response, and what of it concerns all of them.

Contract: nothing here waits; what others should know is told in the background. Times are in seconds on the
loop's clock, ``wall`` in epoch seconds.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.rate_limit.server_feedback import ServerFeedback
from gradient_async.limits.redis.background_writer import Errands
from gradient_async.limits.redis.store import RedisStore
from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["SharedFeedback"]

_log = logging.getLogger("gradient_async")

_REFUSED = 429
_BLAME_EVERY = 1.0
"""Seconds between two comparisons of what the service counted with what all processes sent."""


class SharedFeedback:
    """Learns for this process, and tells the others of pauses and of foreign use.

    Args:
        limits: The budget of all together.
        whole: The budget, as far as this process knows it.
        errands: Who tells Redis.
        wall: Epoch seconds.
        chance: A random number in [0, 1), for the jitter of a pause.
    """

    def __init__(
        self,
        limits: RateLimits,
        whole: RollingTokenBucket,
        errands: Errands,
        *,
        wall: Callable[[], float],
        chance: Callable[[], float],
    ) -> None:
        self._whole, self._errands, self._wall, self._chance = whole, errands, wall, chance
        self._feedback = ServerFeedback(whole, tiers=limits.tiers)
        self._longest = len(limits.windows)
        self._blamed_at = -math.inf

    def apply_response(
        self, info: RateLimitInfo, store: RedisStore, *, status: int, sent_at: float, now: float
    ) -> None:
        """Learn from a response, and tell *store* what concerns everybody."""
        wall = self._wall()
        chance = self._chance() if status == _REFUSED else 0.0
        paused = self._feedback.apply_response(info, status=status, sent_at=sent_at, now=now, wall=wall, chance=chance)
        if paused:
            _log.info("rate limit: status %s, nothing is sent for %.1f s", status, paused)
            self._share_pause(paused, store)
        if status != _REFUSED and info.remaining and self._whole.has_quota and now - self._blamed_at >= _BLAME_EVERY:
            self._blamed_at = now
            self._share_count(info, store, age=now - sent_at, wall=wall)

    def _share_pause(self, seconds: float, store: RedisStore) -> None:
        """Tell everybody of a pause, and that the window it belongs to is full."""
        hourly = seconds > self._whole.shortest.span + 1
        window = self._whole.longest if hourly else self._whole.shortest
        number = self._longest if hourly else 1
        self._errands.tell(store.pause(seconds, window=number, capacity=window.capacity, span=window.span))

    def _share_count(self, info: RateLimitInfo, store: RedisStore, *, age: float, wall: float) -> None:
        window = self._whole.longest
        counted = (info.limit or window.capacity + window.slack) - (info.remaining or 0) - window.slack
        reset = max(0.0, min(info.reset - wall, window.period)) if info.reset else 0.0
        span, period = window.span, window.period
        self._errands.tell(store.blame(self._longest, counted, age=age, reset=reset, span=span, period=period))
