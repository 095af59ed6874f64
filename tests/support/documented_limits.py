"""The rolling windows as the service counts them: written from the documents, knows nothing of the limiter."""

from collections import deque

import pytest


class Service:
    """Counts every request it lets in for exactly one period; refuses what exceeds a window."""

    def __init__(self, windows):
        self.windows = [(capacity, period, deque()) for capacity, period in windows]
        self.admitted = 0
        self.refused = 0
        self.fullest = [0 for _ in windows]

    def receive(self, at):
        for _, period, times in self.windows:
            while times and at - times[0] >= period:
                times.popleft()
        if any(len(times) >= capacity for capacity, _, times in self.windows):
            self.refused += 1
            return False
        for place, (_, _, times) in enumerate(self.windows):
            times.append(at)
            self.fullest[place] = max(self.fullest[place], len(times))
        self.admitted += 1
        return True

    def remaining(self, at):
        capacity, period, times = self.windows[-1]
        return capacity - sum(at - time < period for time in times)

    def reset(self, at):
        _, period, times = self.windows[-1]
        return min((time for time in times if at - time < period), default=at) + period


@pytest.fixture(scope="session")
def service():
    """Make an independent server-side count of *windows*."""
    return Service
