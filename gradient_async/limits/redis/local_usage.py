"""`LocalUsage`: the permits that this process used.

They are written to Redis again if it loses its data, and limit this process while Redis is away.

Contract: pure; times are in seconds on the loop's clock. Memory is bounded by the largest capacity.
"""

from __future__ import annotations

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError

__all__ = ["LocalUsage"]

_MIN_PERMITS = 64
"""Permits remembered beyond twice the capacity before expired ones are dropped."""


class LocalUsage:
    """Counts the permits of this process by name, against the full budget and against its share of it.

    Args:
        limits: The budget of all processes together.
        share: The fraction of it that this process may use while Redis is away.
        guard: Seconds added to every window.

    Attributes:
        full_bucket: The full budget as the service describes it, used by this process only.
        longest_span: Seconds after which no permit counts any more.

    Raises:
        ConfigurationError: The share is not above 0 and at most 1.
    """

    def __init__(self, limits: RateLimits, *, share: float, guard: float) -> None:
        if not 0 < share <= 1:
            raise ConfigurationError(f"share is {share!r}: give the part of the budget, above 0 and at most 1")
        self.full_bucket = RollingTokenBucket(limits.windows, guard=guard, follow=limits.follow, share=limits.share)
        share_windows = [(max(1, int(capacity * share)), period) for capacity, period in limits.windows]
        self._share_bucket = RollingTokenBucket(share_windows, guard=guard, follow=False, share=share)
        self.longest_span = limits.windows[-1][1] + guard
        self._sent_times: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._sent_times)

    @property
    def spans(self) -> list[tuple[int, float]]:
        """Capacity and span (seconds, with the guard) of every window of the full budget."""
        return [(window.capacity, window.span) for window in self.full_bucket.windows]

    def add_permit(self, name: str, now: float) -> None:
        """Count the permit *name* from *now*."""
        self._sent_times[name] = now
        self._share_bucket.record_sent(now)
        self.full_bucket.record_sent(now)
        if len(self._sent_times) > 2 * self.full_bucket.longest.capacity + _MIN_PERMITS:
            self._sent_times = {
                name: sent_at for name, sent_at in self._sent_times.items() if sent_at + self.longest_span > now
            }

    def remove_permit(self, name: str, sent_at: float) -> None:
        """Stop counting the permit *name*, which counted from *sent_at*."""
        self._sent_times.pop(name, None)
        self._share_bucket.refund(sent_at)
        self.full_bucket.refund(sent_at)

    def list_ages(self, now: float) -> dict[str, float]:
        """Return the age in seconds of every permit that still counts, by name."""
        return {name: now - sent_at for name, sent_at in self._sent_times.items() if sent_at + self.longest_span > now}

    def compute_share_delay(self, now: float) -> float:
        """Return the seconds until the share of this process has room; 0.0 if it has room at *now*."""
        return max(0.0, self._share_bucket.compute_delay(now), self.full_bucket.paused_until - now)
