"""`SentHere`: what this process sent, which it tells again if Redis loses it, and lives by while Redis is away.

Contract: pure; times are in seconds on the loop's clock. Memory is bounded by the largest capacity.
"""

from __future__ import annotations

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError

__all__ = ["SentHere"]

_SOME_MORE = 64


class SentHere:
    """Counts the permits of this process by name, against the whole budget and against its share.

    Args:
        limits: The budget of all together.
        share: The part of it that this process may use alone.
        guard: Seconds that every window is longer than the service's.

    Attributes:
        whole: The budget as the service describes it, used by this process only.
    """

    def __init__(self, limits: RateLimits, *, share: float, guard: float) -> None:
        if not 0 < share <= 1:
            raise ConfigurationError(f"share is {share!r}: give the part of the budget, above 0 and at most 1")
        self.whole = RollingTokenBucket(limits.windows, guard=guard, follow=limits.follow, share=limits.share)
        alone = [(max(1, int(capacity * share)), period) for capacity, period in limits.windows]
        self._alone = RollingTokenBucket(alone, guard=guard, follow=False, share=share)
        self.longest = limits.windows[-1][1] + guard
        self._times: dict[str, float] = {}

    def __len__(self) -> int:
        return len(self._times)

    @property
    def spans(self) -> list[tuple[int, float]]:
        """The capacity and the span of every window of the whole budget."""
        return [(window.capacity, window.span) for window in self.whole.windows]

    def remember(self, name: str, now: float) -> None:
        """Count the permit *name* from *now*."""
        self._times[name] = now
        self._alone.spend(now)
        self.whole.spend(now)
        if len(self._times) > 2 * self.whole.longest.capacity + _SOME_MORE:
            self._times = {name: at for name, at in self._times.items() if at + self.longest > now}

    def forget(self, name: str, at: float) -> None:
        """Count the permit *name*, which counted from *at*, no more."""
        self._times.pop(name, None)
        self._alone.refund(at)
        self.whole.refund(at)

    def ages(self, now: float) -> dict[str, float]:
        """Return how many seconds ago every permit that still counts was sent."""
        return {name: now - at for name, at in self._times.items() if at + self.longest > now}

    def delay_alone(self, now: float) -> float:
        """Return the seconds until the share of this process has room; 0.0 if it has at *now*."""
        return max(0.0, self._alone.delay(now), self.whole.paused_until - now)
