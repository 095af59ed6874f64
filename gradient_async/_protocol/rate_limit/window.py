"""`Window`: one rolling limit, and the usage of it that is not in our own list of sent times.

Contract: pure; every time is in seconds on the bucket's clock. `window_counter` explains the algorithm.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

__all__ = ["Window"]

_MAX_FOREIGN_USAGE = 100_000
"""Foreign requests remembered per window. A larger window never binds; remembering all would exhaust memory."""


class Window:
    """One rolling limit.

    Attributes:
        declared: Capacity stated by the user, in requests.
        capacity: Capacity in force, in requests.
        period: Seconds for which the service counts a request.
        span: Seconds for which we count a request: the period and the guard.
        headroom: Requests the service admits beyond *capacity*. That many foreign requests take no token of ours.
        foreign_usage: Expiry times of the requests that others sent with the same key, ascending.
        assumed: How many of these, the last ones to expire, were assumed after a refusal and never counted.
        uncounted_refusals: Expiry times of our refused requests that the service does not count, ascending.
    """

    def __init__(self, declared: int, capacity: int, period: float, span: float) -> None:
        self.declared = declared
        self.capacity = capacity
        self.period = period
        self.span = span
        self.headroom = 0
        self.foreign_usage: deque[float] = deque()
        self.uncounted_refusals: deque[float] = deque()
        self.assumed = 0

    def count_foreign(self, now: float) -> int:
        """Drop expired foreign usage; return how many of our tokens others hold at *now*."""
        foreign_usage = self.foreign_usage
        while foreign_usage and foreign_usage[0] <= now:
            foreign_usage.popleft()
        return max(0, len(foreign_usage) - self.headroom)

    def count_uncounted_refusals(self, now: float) -> int:
        """Drop expired refusals; return how many of our sent times the service does not count at *now*."""
        refusals = self.uncounted_refusals
        while refusals and refusals[0] <= now:
            refusals.popleft()
        return len(refusals)

    def add_foreign_usage(self, count: int, *, first: float, last: float) -> None:
        """Add *count* foreign requests that expire evenly between *first* and *last*."""
        count = min(count, _MAX_FOREIGN_USAGE - len(self.foreign_usage))
        if count <= 0:
            return
        step = max(0.0, last - first) / count
        self.foreign_usage = deque(sorted([*self.foreign_usage, *(first + step * i for i in range(count))]))

    def assume_full(self, count: int, *, first: float, last: float) -> None:
        """Assume foreign requests that take *count* more of our tokens, including those that use up the headroom."""
        if count > 0:
            unused_headroom, known = max(0, self.headroom - len(self.foreign_usage)), len(self.foreign_usage)
            self.add_foreign_usage(count + unused_headroom, first=first, last=last)
            self.assumed += len(self.foreign_usage) - known

    def drop_assumed(self, count: int, now: float) -> int:
        """Drop at most *count* assumed requests; return how many are left."""
        self.count_foreign(now)
        self.assumed = min(self.assumed, len(self.foreign_usage))
        for _ in range(min(count, self.assumed)):
            self.foreign_usage.pop()
            self.assumed -= 1
        return self.assumed

    def list_expiries(self, sent_times: list[float], now: float) -> list[float]:
        """Return when each token that counts at *now* returns, ascending."""
        own = [sent_at + self.span for sent_at in sent_times[bisect_right(sent_times, now - self.span) :]]
        for expiry in self.uncounted_refusals:
            end = bisect_right(own, expiry)
            del own[max(0, end - 1) : end]
        foreign = self.count_foreign(now)
        return sorted([*own, *list(self.foreign_usage)[:foreign]]) if foreign else own

    def find_nth_expiry(self, sent_times: list[float], now: float, n: int) -> float:
        """Return when *n* of the tokens that count at *now* have returned; *now* if *n* is not positive."""
        if n <= 0:
            return now
        if self.foreign_usage or self.uncounted_refusals:
            expiries = self.list_expiries(sent_times, now)
            return expiries[n - 1] if n <= len(expiries) else now + self.span
        last = bisect_right(sent_times, now - self.span) + n - 1
        return sent_times[last] + self.span if last < len(sent_times) else now + self.span
