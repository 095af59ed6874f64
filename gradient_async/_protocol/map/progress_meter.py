"""Counts the results of a map and estimates its rate and end.

Contract: pure; times are in seconds on one clock. Memory does not grow with the number of items.

The rate is that of the last two minutes, longer than the shortest window of the limiter: samples of (time, number of
results) are kept one second apart, and the rate is the slope from the oldest sample to now. The limiter may still allow
a burst that ends soon; therefore the time left is the larger of the one by the rate and the one by the limiter.
"""

from __future__ import annotations

from collections import deque

import attrs

from gradient_async._protocol.rate_limit.status import LimiterStatus
from gradient_async.models.map_progress import MapProgress

_SPAN = 120.0
_SAMPLE_EVERY = 1.0


@attrs.define(eq=False)
class ProgressMeter:
    """The counters of one map.

    Attributes:
        total: Number of items, None if unknown.
    """

    started_at: float
    total: int | None = None
    done: int = attrs.field(default=0, init=False)
    failed: int = attrs.field(default=0, init=False)
    restored: int = attrs.field(default=0, init=False)
    retried: int = attrs.field(default=0, init=False)
    tokens: int = attrs.field(default=0, init=False)
    _samples: deque[tuple[float, int]] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._samples = deque([(self.started_at, 0)])

    def start(self, now: float) -> None:
        """Begin to measure at *now*."""
        self.started_at = now
        self._samples = deque([(now, 0)])

    @property
    def remaining(self) -> int | None:
        """Number of items without a result, None if unknown."""
        return None if self.total is None else max(0, self.total - self.done)

    def count_restored(self, items: int = 1) -> None:
        """Count items with a result from the checkpoint."""
        self.done += items
        self.restored += items

    def count_answered(self, now: float, *, items: int = 1, attempts: int = 1, tokens: int = 0) -> None:
        """Count items that one call answered in so many *attempts*."""
        self.done += items
        self.tokens += tokens
        self._count_call(now, attempts)

    def count_failed(self, now: float, *, items: int = 1, attempts: int = 0) -> None:
        """Count the items of a failed call; 0 *attempts* were made if nothing was sent."""
        self.done += items
        self.failed += items
        self._count_call(now, attempts)

    def describe(
        self, now: float, *, in_flight: int = 0, waiting: int = 0, status: LimiterStatus | None, by_limiter: float = 0.0
    ) -> MapProgress:
        """Return the progress at *now*.

        Args:
            now: The time.
            in_flight: Items without a result that were taken from the source.
            waiting: Requests that wait for the limiter.
            status: The state of the limiter, None without one.
            by_limiter: Seconds until the limiter has admitted all remaining requests.
        """
        rate, (delay, limit) = self._compute_rate(now), (0.0, "")
        if waiting and status is not None:
            delay, limit = status.find_delay()
        return MapProgress(
            total=self.total,
            done=self.done,
            failed=self.failed,
            restored=self.restored,
            retried=self.retried,
            tokens=self.tokens,
            in_flight=in_flight,
            waiting=waiting,
            limiter_delay=delay,
            limit=limit,
            elapsed=now - self.started_at,
            rate=rate,
            seconds_left=self._estimate_end(rate, by_limiter),
        )

    def _count_call(self, now: float, attempts: int) -> None:
        self.retried += max(0, attempts - 1)
        if now - self._samples[-1][0] >= _SAMPLE_EVERY:
            self._samples.append((now, self.done - self.restored))
        while len(self._samples) > 1 and now - self._samples[0][0] > _SPAN:
            self._samples.popleft()

    def _estimate_end(self, rate: float, by_limiter: float) -> float | None:
        if not self.remaining:
            return None if self.remaining is None else 0.0
        return max(self.remaining / rate if rate else 0.0, by_limiter) or None

    def _compute_rate(self, now: float) -> float:
        since, count = self._samples[0]
        return (self.done - self.restored - count) / (now - since) if now > since else 0.0
