"""`RollingTokenBucket`: decides whether a request may be sent now, and when the next one may be.

Contract: pure. Time is an argument, in seconds on any clock; every ``now``, ``until`` and ``reset`` is on that one
clock. After a step of the clock back, no wait is longer than one window.

Source: seed document 001, "Rate Limit".

`window_counter` counts and explains the theory; `quota_reconciler` reconciles the count with the service's headers.
The bucket adds forecasts: when the n-th next request can be sent.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from gradient_async._protocol.rate_limit.quota_reconciler import QuotaReconciler
from gradient_async._protocol.rate_limit.rate_limits import PAUSE, RateLimits, format_limit, validate_windows
from gradient_async._protocol.rate_limit.window import Window
from gradient_async._protocol.rate_limit.window_counter import WindowCounter
from gradient_async.errors import ConfigurationError, is_number, quote_argument

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.status import WindowStatus

__all__ = ["RollingTokenBucket"]

_MAX_SIMULATED = 20_000
"""Requests that `RollingTokenBucket.forecast_send_time` simulates one by one; beyond, it returns a lower bound."""


class RollingTokenBucket(WindowCounter):
    """Tokens that each return exactly one window, plus the guard, after they were spent.

    A request takes a token in every window or in none. Memory is bounded by the largest capacity.

    Args:
        windows: ``(capacity, seconds)`` pairs.
        guard: Seconds added to every window. Requests whose delays on the way differ by at most this are not
            refused for overtaking each other.
        follow: Whether `observe` may raise the capacity; it may always lower it.
        share: The fraction of the announced limit that is ours, see ``RateLimits.split``.
        derives_minute: Whether the announced limit of an hour brings that of its minute, see
            ``RateLimits.derives_minute``.

    Raises:
        ConfigurationError: A window or the guard cannot work.

    Example::

        bucket = RollingTokenBucket([(2, 60.0)], guard=0.25)
        bucket.reserve(0.0)   # 0.0: taken
        bucket.reserve(10.0)  # 0.0: taken
        bucket.reserve(20.0)  # 40.25: not taken, the first token returns at 60.25
    """

    __slots__ = ("guard", "quota")

    @classmethod
    def from_limits(cls, limits: RateLimits, *, guard: float) -> RollingTokenBucket:
        """Return the bucket of the requests that *limits* allow."""
        follow, share, derives_minute = limits.follow, limits.share, limits.derives_minute
        return cls(limits.windows, guard=guard, follow=follow, share=share, derives_minute=derives_minute)

    def __init__(
        self,
        windows: Iterable[tuple[int, float]],
        *,
        guard: float = 0.25,
        follow: bool = True,
        share: float = 1.0,
        derives_minute: bool = False,
    ) -> None:
        if not is_number(guard) or not 0 <= guard < math.inf:
            raise ConfigurationError(f"guard is {quote_argument(guard)}: give seconds of at least 0")
        super().__init__([Window(size, size, period, period + guard) for size, period in validate_windows(windows)])
        self.guard = guard
        self.quota = QuotaReconciler(self, follow=follow, share=share, derives_minute=derives_minute)

    @property
    def share(self) -> float:
        """The fraction of the announced limit that is ours."""
        return self.quota.share

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
        """Apply the quota headers of a response that arrived at *now*.

        Args:
            limit: Requests per longest window, as the service counts.
            remaining: How many of them were left. A lower number than our own count explains is foreign usage.
            reset: When the oldest request that the service counts expires; no foreign request expires earlier.
            now: When the response arrived.
            sent_at: When its request was sent; requests sent later may be missing from the service's count.
                A response to an older request than the newest seen can only lower the number of free tokens.
            refused: Ascending sent times of our requests that were refused within the longest window.
                If the service counts fewer than we sent, these may be the uncounted ones.
        """
        request_sent_at = now if sent_at is None else sent_at
        self.quota.apply_quota(limit, remaining, reset, now=now, sent_at=request_sent_at, refused=refused)

    def mark_full(self, window: Window, *, now: float, until: float) -> None:
        """Assume that *window* is full up to *until*; this usage then expires evenly within one window from *now*."""
        free = window.capacity - self.reserved - self.count_used(window, now)
        window.assume_full(free, first=until, last=max(until, now + window.span))

    # Forecasts.

    def find_earliest(self, now: float, nth: int = 1, exact_beyond: float = 0.0) -> float:
        """Return a lower bound of the time when the *nth* next token is free, without simulating the ones before.

        A delay of at most *exact_beyond* seconds may be reported as any shorter one. Assumed usage does not count:
        it is dropped as soon as responses contradict it.
        """
        earliest = max(now, self.paused_until)
        most = len(self.sent_times) + self.reserved + nth  # an upper bound: most long windows need no closer look
        for window in self.windows:
            if most + len(window.foreign_usage) <= window.capacity:
                continue
            if ((nth - 1) // window.capacity + 1) * window.span <= exact_beyond:
                continue
            if not (window.foreign_usage and window.assumed):
                earliest = max(earliest, self._find_earliest_in(window, now, nth))
        return earliest

    def _find_earliest_in(self, window: Window, now: float, nth: int) -> float:
        full_windows, place = divmod(nth - 1, window.capacity)
        missing = place + 1 + self.reserved + self.count_used(window, now) - window.capacity
        return window.find_nth_expiry(self.sent_times, now, missing) + full_windows * window.span

    def describe_wait(self, now: float, nth: int) -> tuple[float, str]:
        """Return when the *nth* next token may be free, and the limit that it waits for."""
        waits = [
            (self._find_earliest_in(window, now, nth), format_limit(window.capacity, window.period))
            for window in self.windows
        ]
        return max([(now, ""), (self.paused_until, PAUSE), *waits])

    def forecast_send_time(self, now: float, n: int) -> float:
        """Return when the *n*-th next request can be sent if each one before it is sent as early as possible."""
        if n > _MAX_SIMULATED:
            return max(self.find_earliest(now, n), self.forecast_send_time(now, _MAX_SIMULATED))
        expiries = [
            deque(window.list_expiries(self.sent_times, now) + [now + window.span] * self.reserved)
            for window in self.windows
        ]
        at = max(now, self.paused_until)
        for _ in range(n):
            for queue, window in zip(expiries, self.windows, strict=True):
                while len(queue) >= window.capacity:
                    at = max(at, queue.popleft())
            for queue, window in zip(expiries, self.windows, strict=True):
                queue.append(at + window.span)
        return at

    def describe_windows(self, now: float) -> list[WindowStatus]:
        """Return the state of every window at *now*, the shortest first."""
        from gradient_async._protocol.rate_limit.status import WindowStatus  # loaded when somebody asks

        return [
            WindowStatus(
                capacity=window.capacity,
                period=window.period,
                used=self.reserved + self.count_used(window, now),
                foreign=window.count_foreign(now),
                next_free_at=max(now, self.paused_until, self._find_earliest_in(window, now, 1)),
            )
            for window in self.windows
        ]

    def shift_times(self, shift: float, *, now: float) -> None:
        """Move every time by *shift* seconds, for a new clock that shows *now*."""
        super().shift_times(shift, now=now)
        self.quota.shift_newest(shift)

    def __repr__(self) -> str:
        windows = [(window.capacity, window.period) for window in self.windows]
        return f"RollingTokenBucket({windows}, guard={self.guard})"
