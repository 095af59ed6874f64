"""The rolling windows as the service counts them: written from the documents, independent of the limiter."""

from collections import deque
from collections.abc import Iterable


class DocumentedLimits:
    """Counts every admitted request for exactly one period; refuses a request that exceeds a window.

    Attributes:
        admitted: Number of admitted requests.
        refused: Number of refused requests.
    """

    def __init__(self, windows: Iterable[tuple[int, float]]) -> None:
        self._windows: list[tuple[int, float, deque[float]]] = [
            (capacity, period, deque()) for capacity, period in windows
        ]
        self.admitted = 0
        self.refused = 0

    def receive(self, at: float) -> bool:
        """Return whether the service admits a request that arrives at *at*."""
        self._forget_expired(at)
        if any(len(times) >= capacity for capacity, _, times in self._windows):
            self.refused += 1
            return False
        for _, _, times in self._windows:
            times.append(at)
        self.admitted += 1
        return True

    def count_remaining(self, at: float) -> int:
        """Return ``ratelimit-remaining`` at *at*."""
        self._forget_expired(at)
        capacity, _, times = self._windows[-1]
        return capacity - len(times)

    def _forget_expired(self, at: float) -> None:
        for _, period, times in self._windows:
            while times and at - times[0] >= period:
                times.popleft()
