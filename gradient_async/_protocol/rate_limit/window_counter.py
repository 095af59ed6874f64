"""`WindowCounter`: counts sent requests in every rolling window at once.

Contract: pure; every time is in seconds on one clock. Memory is bounded by the
largest capacity.

Source: seed document 001, "Rate Limit": "each request instead has its own timer".

Rolling windows. The service counts each request for exactly one window after it arrived, and refuses a request
that would make the count exceed the capacity. So a token returns one window after it was spent, not at a constant
rate. With 2 requests per 60 s::

    now      0.0   10.0   20.0             60.0        70.0
    send     A     B      C: refused       C: A's      D: B's
                                           token       token

A bucket that refills at a constant rate breaks this limit. With 250 per minute it starts full, sends 250 at
once, and refills one token every 0.24 s: 249 more before the first minute is over. The service has counted 250
after the first burst and refuses the other 249 of those 499.

Counting. One ascending list of sent times serves every window: a window of capacity C has room exactly when the
C-th latest sent time is older than the window. Above, at 20.0, the 2nd latest is A at 0.0, younger than 60 s:
wait 40 s. Spending appends, a refund deletes, and nothing has to be cleaned up when a token returns.

Guard. Requests take different times on their way. If A arrives 0.2 s late, the service counts it until 60.2 and
refuses a C that is sent at 60.0 and arrives at once. We therefore count each request for its *span*, the period
and the guard: with a guard of 0.25 s, C is sent at 60.25. Delays that differ by at most the guard cause no refusal.

Foreign usage. Others may use the same key. If the service has counted 1,100 requests and we sent 100 in that
window, the other 1,000 are foreign. When they were sent is unknown, so they expire evenly between the announced
reset, the end of the oldest, and one window from now.

Uncounted refusals. A service may or may not count what it refuses. We count each request when it is sent. If we
sent 100, 40 of them were refused, and the service has counted 60, it does not count refusals: the 40 sent times stay
in the list, and `Window.uncounted_refusals` subtracts them until they expire.

A clock that is set back. A sent time in the future would block its token for the length of the step. All times are
moved back with the clock instead, so that the latest request counts for one window from now on.

Reserved tokens. A request may get its token before it can be written, because it still waits for a connection.
Until then its token is reserved: it counts without end, and gets its sent time when the request is written.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque

from gradient_async._protocol.rate_limit.window import Window

__all__ = ["WindowCounter"]


class WindowCounter:
    """Counts requests in every window at once.

    Attributes:
        windows: The limits, the shortest first.
        sent_times: Time from which each of our requests counts, ascending; includes some that no longer count.
        reserved: Tokens taken for requests that are not sent yet; they count without end.
        paused_until: Time before which no token is free.
    """

    __slots__ = ("_max_sent_times", "paused_until", "reserved", "sent_times", "windows")

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self.sent_times: list[float] = []
        self.reserved = 0
        self.paused_until = -math.inf
        self.update_memory_limit()

    @property
    def shortest(self) -> Window:
        """The window that a burst fills first."""
        return self.windows[0]

    @property
    def longest(self) -> Window:
        """The window that the quota headers describe, if they describe any."""
        return self.windows[-1]

    # Spending.

    def reserve(self, now: float) -> float:
        """Take a token of every window; it counts from *now*.

        Returns:
            0.0 if a token was taken; else the seconds until one may be free, and nothing was taken.
        """
        delay = self.compute_delay(now)
        if not delay:
            self.record_sent(now)
        return delay

    def reserve_unsent(self, now: float) -> float:
        """Take a token like `reserve`; it counts without end until `start_reserved` or `release_reserved`."""
        delay = self.compute_delay(now)
        if not delay:
            self.reserved += 1
        return delay

    def take_token(self, now: float, hold: bool) -> None:  # noqa: FBT001  keywords cost 60 ns
        """Take a token after `compute_delay` returned 0.0; with *hold*, reserve it like `reserve_unsent`."""
        if hold:
            self.reserved += 1
        else:
            self.record_sent(now)

    def start_reserved(self, now: float) -> float:
        """Count a reserved token from *now*: its request is being sent. Return the time recorded."""
        self.reserved -= 1
        return self.record_sent(now)

    def release_reserved(self) -> None:
        """Give a reserved token back: its request was never sent."""
        self.reserved -= 1

    def refund(self, now_taken: float) -> bool:
        """Give back the token taken at *now_taken*; return whether it was still counted."""
        place = bisect_left(self.sent_times, now_taken)
        if place == len(self.sent_times) or self.sent_times[place] != now_taken:
            return False
        del self.sent_times[place]
        return True

    def record_sent(self, now: float) -> float:
        """Count one request from *now*, even without room. Return the time recorded, never before the last one."""
        sent_times = self.sent_times
        if sent_times and sent_times[-1] > now:
            now = sent_times[-1]
        sent_times.append(now)
        if len(sent_times) > self._max_sent_times:
            del sent_times[: -max(window.capacity + len(window.uncounted_refusals) for window in self.windows)]
        return now

    def pause(self, until: float) -> None:
        """Free no token before *until*; an earlier *until* does not shorten a pause."""
        self.paused_until = max(self.paused_until, until)

    # Asking.

    def compute_delay(self, now: float) -> float:
        """Return the seconds until a token may be free in every window; 0.0 if one is free at *now*."""
        sent_times = self.sent_times
        if sent_times and sent_times[-1] > now:
            self._follow_clock_back(now)
            sent_times = self.sent_times
        ready, used = self.paused_until, len(sent_times) + self.reserved
        for window in self.windows:
            if window.capacity > used and not window.foreign_usage:
                continue  # Hot: every uncontended request
            room = window.capacity - self.reserved
            if window.uncounted_refusals:
                room += window.count_uncounted_refusals(now)
            if window.foreign_usage:
                room -= window.count_foreign(now)
            if room > len(sent_times):
                continue
            free_at = sent_times[-room] + window.span if room > 0 else now + window.span
            if free_at > ready:
                # A foreign request may expire before one of ours.
                has_foreign = window.foreign_usage and free_at > now
                ready = max(ready, min(free_at, window.foreign_usage[0])) if has_foreign else free_at
        if ready <= now:
            return 0.0
        delay = ready - now
        return delay if now + delay >= ready else math.nextafter(delay, math.inf)

    def count_free(self, now: float) -> int:
        """Return how many tokens can be taken at *now*, one after the other, while `compute_delay` returns 0.0."""
        if self.sent_times and self.sent_times[-1] > now:
            self._follow_clock_back(now)
        if self.paused_until > now:
            return 0
        return max(0, min(self._count_free_in(window, now) for window in self.windows))

    def _count_free_in(self, window: Window, now: float) -> int:
        room = window.capacity + window.count_uncounted_refusals(now) - self.reserved - window.count_foreign(now)
        span, sent_times = window.span, self.sent_times
        # Compare the same sum as `compute_delay`: a difference would round differently.
        return room - len(sent_times) + bisect_right(sent_times, now, key=lambda sent_at: sent_at + span)

    def count_used(self, window: Window, now: float) -> int:
        """Return the tokens of *window* that count at *now*, without the reserved ones."""
        own = self.count_sent(now - window.span) - window.count_uncounted_refusals(now)
        return max(0, own) + window.count_foreign(now)

    def count_sent(self, after: float, upto: float = math.inf) -> int:
        """Return how many of our requests count from later than *after*, but not later than *upto*."""
        return bisect_right(self.sent_times, upto) - bisect_right(self.sent_times, after)

    def was_full(self, at: float) -> bool:
        """Return whether our own requests alone filled the shortest window at the time *at*."""
        window = self.windows[0]
        return self.count_sent(at - window.span, at) >= window.capacity - 1

    # Configuration.

    def set_capacity(self, window: Window, capacity: int) -> None:
        """Set the requests that *window* admits, at least 1."""
        window.capacity = max(1, capacity)
        self.update_memory_limit()

    def update_memory_limit(self) -> None:
        """Set the number of sent times to keep from the capacities in force."""
        self._max_sent_times = max(window.capacity for window in self.windows) * 5 // 4 + 64

    def _follow_clock_back(self, now: float) -> None:
        """Bring times of the future back: the clock was set. The latest request then counts from *now*."""
        self.shift_times(now - self.sent_times[-1], now=now)

    def shift_times(self, shift: float, *, now: float) -> None:
        """Move every time by *shift* seconds, for a new clock that shows *now*."""
        self.sent_times = [min(sent_at + shift, now) for sent_at in self.sent_times]
        self.paused_until += shift
        for window in self.windows:
            window.foreign_usage = deque(expiry + shift for expiry in window.foreign_usage)
            window.uncounted_refusals = deque(expiry + shift for expiry in window.uncounted_refusals)
