"""One limit of the bucket, and what others with the same key have taken of it.

Contract: pure; every time is in seconds on the bucket's clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

import attrs

__all__ = ["Window", "WindowStatus"]

_MOST_OTHERS = 1_000_000
"""Requests of others that are remembered: a window that has room for more is no limit, and would fill the memory."""


@attrs.frozen(kw_only=True)
class WindowStatus:
    """The state of one window.

    Attributes:
        capacity: Requests the window admits.
        period: Its length in seconds, without the guard.
        used: Tokens taken: sent or held by us, and taken by others.
        foreign: The part of ``used`` that others took with the same key.
        next_free_at: When a token is free in this window; the time of asking if one is.
    """

    capacity: int
    period: float
    used: int
    foreign: int
    next_free_at: float

    @property
    def free(self) -> int:
        """Tokens left in this window."""
        return max(0, self.capacity - self.used)


@attrs.define(eq=False, repr=False)
class Window:
    """One limit.

    Attributes:
        declared: The capacity the user stated.
        capacity: The capacity in force.
        span: Seconds until a request is forgotten: the period and the guard.
        slack: Requests the service admits beyond our capacity; others may take that many unnoticed.
        others: When each request that somebody else sent stops counting, in order.
        credit: When each request of ours is forgotten that the service refused and, as it turned out, does not
            count, in order.
    """

    declared: int
    capacity: int
    period: float
    span: float
    slack: int = 0
    others: deque[float] = attrs.field(factory=deque)
    credit: deque[float] = attrs.field(factory=deque)

    def taken_by_others(self, now: float) -> int:
        """Return how much of our capacity others hold at *now*."""
        others = self.others
        while others and others[0] <= now:
            others.popleft()
        return max(0, len(others) - self.slack)

    def not_counted(self, now: float) -> int:
        """Return how many of our requests, remembered at *now*, the service does not count."""
        credit = self.credit
        while credit and credit[0] <= now:
            credit.popleft()
        return len(credit)

    def blame_others(self, count: int, *, first: float, last: float) -> None:
        """Count *count* more requests of others, which end evenly between *first* and *last*."""
        count = min(count, _MOST_OTHERS - len(self.others))
        if count <= 0:
            return
        step = max(0.0, last - first) / count
        self.others = deque(sorted([*self.others, *(first + step * i for i in range(count))]))

    def fill(self, missing: int, *, first: float, last: float) -> None:
        """Let others hold *missing* more tokens of our capacity, the unnoticed ones included."""
        if missing > 0:
            self.blame_others(missing + max(0, self.slack - len(self.others)), first=first, last=last)

    def expiries(self, stamps: list[float], now: float) -> list[float]:
        """Return when each token that counts at *now* comes back, in order."""
        ours = [stamp + self.span for stamp in stamps[bisect_right(stamps, now - self.span) :]]
        for end in self.credit:
            place = bisect_right(ours, end)
            del ours[max(0, place - 1) : place]
        taken = self.taken_by_others(now)
        return sorted([*ours, *list(self.others)[:taken]]) if taken else ours
