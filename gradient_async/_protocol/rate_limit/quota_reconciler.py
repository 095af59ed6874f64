"""`QuotaReconciler`: brings a `WindowCounter` into line with the quota headers of the service.

Contract: pure; times are in seconds on the counter's clock. Responses may arrive in any order.

Source: seed document 001, "Rate Limit", for ``ratelimit-limit``, ``-remaining`` and ``-reset``.

The headers describe the longest window. Example: we sent 100 requests and a response says limit 5,000, remaining
3,900. The service has counted 1,100, so 1,000 are foreign. If the next response says remaining 4,300, at most
600 are foreign now, and the oldest 400 of them are dropped.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

from gradient_async._protocol.rate_limit.window_counter import WindowCounter

__all__ = ["QuotaReconciler"]

_MINUTE, _HOUR = 60.0, 3600.0
_MINUTES_PER_LIMIT = 20
"""The service admits 5 % of the hourly limit in a minute."""
_ROUNDING = 1.0
"""Seconds: the service sends whole ones."""


class QuotaReconciler:
    """Compares the service's count with our own, and updates the counter.

    Args:
        counter: The counter to update.
        follow: Whether a higher limit is adopted; a lower one always is.
        share: The fraction of the announced limit that is ours.
        derives_minute: Whether an announced limit of an hour sets that of the minute, to 5 %.
    """

    __slots__ = ("_applied_limit", "_counter", "_derives_minute", "_follow", "_newest_sent_at", "share")

    def __init__(self, counter: WindowCounter, *, follow: bool, share: float, derives_minute: bool) -> None:
        self._counter, self._follow, self.share = counter, follow, share
        self._newest_sent_at = -math.inf
        self._derives_minute = derives_minute
        self._applied_limit: tuple[int | None, int] = (None, 0)

    @property
    def covers_longest_window(self) -> bool:
        """Whether the headers describe our longest window: it is one of several, or an hour or more."""
        return len(self._counter.windows) > 1 or self._counter.longest.period >= _HOUR

    def skip_if_expected(self, limit: int | None, remaining: int | None, *, now: float, sent_at: float) -> bool:
        """Return whether the headers agree with our count, and if so only record that they arrived.

        Hot: most responses take this path.
        """
        window, sent_times = self._counter.windows[-1], self._counter.sent_times
        if limit is None or not remaining or sent_at < self._newest_sent_at:
            return False
        if window.foreign_usage or window.uncounted_refusals or self._applied_limit != (limit, window.capacity):
            return False
        after = now - window.span
        expired = 0 if not sent_times or sent_times[0] > after else bisect_right(sent_times, after)
        if limit - remaining > len(sent_times) - expired:
            return False
        self._newest_sent_at = sent_at
        return True

    def apply_quota(
        self,
        limit: int | None,
        remaining: int | None,
        reset: float | None,
        *,
        now: float,
        sent_at: float,
        refused: Sequence[float] = (),
    ) -> None:
        """Apply the headers of a response to the request sent at *sent_at*; see `RollingTokenBucket.observe`."""
        is_newest = sent_at >= self._newest_sent_at
        if reset is not None and reset > now + self._counter.longest.span + _ROUNDING:
            reset = None  # no request counts for so long: the value is in milliseconds or on an unknown clock
        if limit is not None and limit > 0 and is_newest:
            self._apply_limit(limit)
        if remaining is not None and self.covers_longest_window:
            window = self._counter.longest
            counted = max(0, (limit or window.capacity + window.headroom) - remaining)
            self._update_foreign_usage(counted, reset=reset, now=now, sent_at=sent_at)
            if is_newest:
                self._update_uncounted_refusals(counted, refused, now=now, sent_at=sent_at)
            if reset is not None and reset > now and is_newest:
                self._align_foreign_usage(reset, now)
        self._newest_sent_at = max(self._newest_sent_at, sent_at)

    def shift_newest(self, shift: float) -> None:
        """Move the sent time of the newest response by *shift* seconds, for a new clock."""
        self._newest_sent_at += shift

    def _apply_limit(self, limit: int) -> None:
        """Set the capacity and the headroom of the longest window from the announced *limit*."""
        window = self._counter.longest
        own = max(1, int(limit * self.share))
        may_rise = self._follow and self.covers_longest_window
        window.capacity = own if may_rise else min(window.declared, own)
        window.headroom = max(0, limit - window.capacity) if self.covers_longest_window else 0
        self._applied_limit = (limit, window.capacity)
        if self._derives_minute:
            self._derive_minute(own)
        self._counter.update_memory_limit()

    def _derive_minute(self, hourly: int) -> None:
        """Set the minute to 5 % of an *hourly* limit; raise it only if it was declared as 5 % as well."""
        minute, hour = self._counter.shortest, self._counter.longest
        if (minute.period, hour.period) != (_MINUTE, _HOUR):
            return
        own = max(1, hourly // _MINUTES_PER_LIMIT)
        may_rise = self._follow and minute.declared == hour.declared // _MINUTES_PER_LIMIT
        minute.capacity = own if may_rise else min(minute.declared, own)

    def _update_foreign_usage(self, counted: int, *, reset: float | None, now: float, sent_at: float) -> None:
        """Set the foreign usage of the longest window to the requests *counted* by the service that are not ours."""
        window = self._counter.longest
        window.count_foreign(now)  # drops what has expired
        unknown = counted - self._counter.count_sent(now - window.span, now) - len(window.foreign_usage)
        if unknown > 0:
            return self._add_foreign_usage(unknown, reset=reset, now=now)
        if sent_at < self._newest_sent_at:
            return None
        most = max(0, counted - self._counter.count_sent(now - window.period, sent_at))
        while len(window.foreign_usage) > most:
            window.foreign_usage.popleft()
        return None

    def _add_foreign_usage(self, unknown: int, *, reset: float | None, now: float) -> None:
        """Add *unknown* foreign requests, sent since the newest response, to every window they still count in."""
        longest = self._counter.longest
        for window in self._counter.windows:
            if window is not longest and self._newest_sent_at + window.period <= now:
                continue
            first = self._newest_sent_at + window.period
            if window is longest:
                first = max(first, reset or now + window.span / unknown)
            last = now + window.span
            window.add_foreign_usage(unknown, first=min(first, last), last=last)

    def _update_uncounted_refusals(self, counted: int, refused: Sequence[float], *, now: float, sent_at: float) -> None:
        """Treat as many of the oldest *refused* requests as uncounted as the service *counted* fewer than we sent."""
        window = self._counter.longest
        surplus = self._counter.count_sent(now - window.period, sent_at) - counted
        window.uncounted_refusals = deque(at + window.span for at in refused[: max(0, surplus)])

    def _align_foreign_usage(self, reset: float, now: float) -> None:
        """Make the first foreign request expire at *reset*, unless one of our own requests does."""
        window, sent_times = self._counter.longest, self._counter.sent_times
        foreign_usage = window.foreign_usage
        for i in range(bisect_left(foreign_usage, reset)):
            foreign_usage[i] = reset
        oldest = bisect_right(sent_times, now - window.span)
        own_reset = sent_times[oldest] + window.period if oldest < len(sent_times) else math.inf
        if foreign_usage and foreign_usage[0] > reset and own_reset > reset + _ROUNDING:
            foreign_usage[0] = reset
