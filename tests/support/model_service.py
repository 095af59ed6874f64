"""The quotas of models as the service describes them: written from its documents, independent of the limiter."""

from typing import Any


class RefillingQuota:
    """A bucket of *limit* tokens per *period*, refilled continuously; it holds *burst* times the limit.

    Attributes:
        admitted: Number of admitted requests.
        refused: Number of refused requests.
    """

    def __init__(self, limit: int, *, period: float = 60.0, burst: float = 1.25) -> None:
        self.limit, self._rate, self._capacity = limit, limit / period, limit * burst
        self.level, self._updated_at = self._capacity, 0.0
        self.admitted = self.refused = 0

    def receive(self, at: float) -> bool:
        """Return whether the service admits a request that arrives at *at*, not earlier than the one before."""
        self.level = min(self._capacity, self.level + (at - self._updated_at) * self._rate)
        self._updated_at = at
        is_admitted = self.level >= 1 - 1e-9
        self.level -= is_admitted
        self.admitted += is_admitted
        self.refused += not is_admitted
        return is_admitted

    def describe(self, wall: float) -> dict[str, Any]:
        """Return the headers of the response, as keywords of `RateLimitInfo`; *wall* is the epoch time."""
        reset = 0 if self.level >= 1 else int(wall)
        return {"limit_requests": self.limit, "remaining_requests": int(self.level), "reset_requests": reset}
