"""`RollingTokenBucket`: says whether a request may be sent now, and when the next one may be.

Contract: pure. Time is an argument, in seconds on any clock that does not go backwards; every ``now``,
``until`` and ``reset`` here is on that one clock.

Source: seed document 001, "Rate Limit". A bucket that refills continuously lets 499 requests into the first
minute and is refused.

Counting is in `window_counter`, reconciling the service's headers in `quota_headers`.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable, Sequence

from gradient_async._protocol.rate_limit.quota_headers import Quota
from gradient_async._protocol.rate_limit.rate_limits import RateLimits, checked_windows
from gradient_async._protocol.rate_limit.window import Window, WindowStatus
from gradient_async._protocol.rate_limit.window_counter import Ledger
from gradient_async.errors import ConfigurationError

__all__ = ["RateLimits", "RollingTokenBucket"]


_ONE_BY_ONE = 20_000
"""Grants that `forecast` follows one by one; beyond, it is a lower bound."""


class RollingTokenBucket(Ledger):
    """Tokens that each come back exactly one window, and the guard, after they were spent.

    A request takes a token in every window or in none. Memory is bounded by the largest capacity.

    Args:
        windows: ``(capacity, seconds)`` pairs.
        guard: Seconds added to every window: a request that was delayed on its way by up to this much
            still counts at the service when the next one arrives undelayed.
        follow: Whether `observe` may raise the capacity; it always may lower it.
        share: Our part of the limit the service announces, see ``RateLimits.split``.
    """

    __slots__ = ("guard", "quota")

    def __init__(
        self,
        windows: Iterable[tuple[int, float]],
        *,
        guard: float = 0.25,
        follow: bool = True,
        share: float = 1.0,
    ) -> None:
        if not 0 <= guard < math.inf:
            raise ConfigurationError(f"guard is {guard!r}: give seconds of at least 0")
        super().__init__([Window(size, size, period, period + guard) for size, period in checked_windows(windows)])
        self.guard = guard
        self.quota = Quota(self, follow=follow, share=share)

    @property
    def share(self) -> float:
        """Our part of the limit the service announces."""
        return self.quota.share

    @property
    def has_quota(self) -> bool:
        """Whether the quota headers describe one of the windows: the hour, or the longest of several."""
        return self.quota.is_told

    def earliest(self, now: float, nth: int = 1, *, enough: float = 0.0) -> float:
        """Return a time before which the *nth* next token is surely not free; constant work.

        Whatever is less than *enough* seconds away need not be exact: it may be any earlier time.
        """
        result, taken = max(now, self.paused_until), len(self.stamps) + self.held
        for window in self.windows:
            # All that is remembered is more than what counts: most long windows need no closer look.
            may_be_full = taken + len(window.others) + nth > window.capacity
            if may_be_full and ((nth - 1) // window.capacity + 1) * window.span > enough:
                result = max(result, _earliest_in(window, self, now, nth))
        return result

    def forecast(self, now: float, n: int) -> float:
        """Return when the *n*-th next request could be sent if all before it went as early as possible."""
        if n > _ONE_BY_ONE:
            return max(self.earliest(now, n), self.forecast(now, _ONE_BY_ONE))
        queues = [_expiries(window, self, now) for window in self.windows]
        at = max(now, self.paused_until)
        for _ in range(n):
            for queue, window in zip(queues, self.windows, strict=True):
                while len(queue) >= window.capacity:
                    at = max(at, queue.popleft())
            for queue, window in zip(queues, self.windows, strict=True):
                queue.append(at + window.span)
        return at

    def use(self, now: float) -> list[WindowStatus]:
        """Return the state of every window at *now*."""
        return [
            WindowStatus(
                capacity=window.capacity,
                period=window.period,
                used=self.held + self.used(window, now),
                foreign=window.taken_by_others(now),
                next_free_at=max(now, self.paused_until, _earliest_in(window, self, now, 1)),
            )
            for window in self.windows
        ]

    def observe(
        self,
        *,
        limit: int | None = None,
        remaining: int | None = None,
        reset: float | None = None,
        now: float,
        sent_at: float | None = None,
        refused: Sequence[float] = (),
    ) -> None:
        """Believe the quota headers of a response that arrived at *now*.

        Args:
            limit: Requests per longest window, as the service counts.
            remaining: How many of them it had left; fewer than we know of were taken by others.
            reset: When the oldest request it counts ends. Nothing of others ends before.
            now: When the response arrived.
            sent_at: When its request was sent: what we sent since may not be counted in it. Older ones
                than the newest seen only ever lower what is free.
            refused: When those of our requests were sent, in order, that were refused in the longest window;
                if the service counts fewer than we sent, these may be missing.
        """
        asked = now if sent_at is None else sent_at
        self.quota.apply_quota(limit, remaining, reset, now=now, asked=asked, refused=refused)

    def exhaust(self, window: Window, *, now: float, until: float) -> None:
        """Believe that *window* is full until *until*, and that what we did not send ends evenly after it."""
        missing = window.capacity - self.held - self.used(window, now)
        window.fill(missing, first=until, last=max(until, now + window.span))

    def rebase(self, shift: float, *, now: float) -> None:
        """Move everything by *shift* seconds: the clock was exchanged for one that shows *now*."""
        super().rebase(shift, now=now)
        self.quota.rebase(shift)

    def __repr__(self) -> str:
        windows = [(window.capacity, window.period) for window in self.windows]
        return f"RollingTokenBucket({windows}, guard={self.guard})"


def _earliest_in(window: Window, ledger: Ledger, now: float, nth: int) -> float:
    cycles, place = divmod(nth - 1, window.capacity)
    missing = place + 1 + ledger.held + ledger.used(window, now) - window.capacity
    return _back(window, ledger.stamps, now, missing) + cycles * window.span


def _back(window: Window, stamps: list[float], now: float, missing: int) -> float:
    """Return when *missing* of the tokens that count at *now* have come back."""
    if missing <= 0:
        return now
    if window.others or window.credit:
        expiries = window.expiries(stamps, now)
        return expiries[missing - 1] if missing <= len(expiries) else now + window.span
    last = bisect_right(stamps, now - window.span) + missing - 1
    return stamps[last] + window.span if last < len(stamps) else now + window.span


def _expiries(window: Window, ledger: Ledger, now: float) -> deque[float]:
    return deque(window.expiries(ledger.stamps, now) + [now + window.span] * ledger.held)
