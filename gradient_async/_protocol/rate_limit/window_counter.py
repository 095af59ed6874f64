"""`Ledger`: what was spent, and whether one more may be.

Contract: pure; every time is in seconds on one clock that does not go backwards. Memory is bounded by the
largest capacity.

Source: seed document 001, "Rate Limit": "each request instead has its own timer", so a token comes back
one whole window after it was spent.

One list of stamps serves every window: a window of capacity C has room exactly when the C-th latest stamp
is older than the window.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque

from gradient_async._protocol.rate_limit.window import Window

__all__ = ["Ledger"]


class Ledger:
    """Counts requests in every window at once.

    Attributes:
        windows: The limits, the shortest first.
        stamps: When each of our requests counts from, in order; more than what still counts.
        held: Tokens that count without end, until `stamp` or `release`.
        paused_until: Nothing is free before this.
    """

    __slots__ = ("_most", "held", "paused_until", "stamps", "windows")

    def __init__(self, windows: list[Window]) -> None:
        self.windows = windows
        self.stamps: list[float] = []
        self.held = 0
        self.paused_until = -math.inf
        self.refit()

    @property
    def shortest(self) -> Window:
        """The window a burst runs into."""
        return self.windows[0]

    @property
    def longest(self) -> Window:
        """The window the quota headers describe, if they describe any."""
        return self.windows[-1]

    # Spending.

    def reserve(self, now: float) -> float:
        """Take a token of every window, which counts from *now*.

        Returns:
            0.0 if it was taken; else the seconds until one may be free, and nothing was taken.
        """
        delay = self.delay(now)
        if not delay:
            self.spend(now)
        return delay

    def hold(self, now: float) -> float:
        """Take a token as `reserve` does, but let it count, however long, until `stamp` or `release`."""
        delay = self.delay(now)
        if not delay:
            self.held += 1
        return delay

    def take(self, now: float, hold: bool) -> None:  # noqa: FBT001  keywords cost 60 ns
        """Take a token that `delay` said is free."""
        if hold:
            self.held += 1
        else:
            self.spend(now)

    def stamp(self, now: float) -> float:
        """Let a held token count from *now*: its request is being sent. Return the time it counts from."""
        self.held -= 1
        return self.spend(now)

    def release(self) -> None:
        """Give a held token back: its request was never sent."""
        self.held -= 1

    def refund(self, now_taken: float) -> bool:
        """Give back the token that was taken at *now_taken*; say whether there still was one."""
        at = bisect_left(self.stamps, now_taken)
        if at == len(self.stamps) or self.stamps[at] != now_taken:
            return False
        del self.stamps[at]
        return True

    def spend(self, now: float) -> float:
        """Count one request from *now*, room or not. Return that time, which is never before the last one."""
        stamps = self.stamps
        if stamps and stamps[-1] > now:
            now = stamps[-1]
        stamps.append(now)
        if len(stamps) > self._most:
            del stamps[: -max(window.capacity + len(window.credit) for window in self.windows)]
        return now

    def pause(self, until: float) -> None:
        """Give out nothing before *until*; an earlier pause is never shortened."""
        self.paused_until = max(self.paused_until, until)

    # Asking.

    def delay(self, now: float) -> float:
        """Return the seconds until a token may be free in every window; 0.0 if one is free at *now*."""
        ready = self.paused_until
        stamps = self.stamps
        for window in self.windows:
            room = window.capacity - self.held
            if window.credit:
                room += window.not_counted(now)
            if window.others:
                room -= window.taken_by_others(now)
            if room > len(stamps):
                continue
            back = stamps[-room] + window.span if room > 0 else now + window.span
            if back > ready:
                ready = max(ready, min(back, window.others[0])) if window.others and back > now else back
        if ready <= now:
            return 0.0
        delay = ready - now
        return delay if now + delay >= ready else math.nextafter(delay, math.inf)

    def free(self, now: float) -> int:
        """Return how many tokens can be taken at *now*, one after the other, before `delay` says to wait."""
        if self.paused_until > now:
            return 0
        return max(0, min(self._free_in(window, now) for window in self.windows))

    def _free_in(self, window: Window, now: float) -> int:
        room = window.capacity + window.not_counted(now) - self.held - window.taken_by_others(now)
        span, stamps = window.span, self.stamps
        # The sum that `delay` compares: a difference would round in another way.
        return room - len(stamps) + bisect_right(stamps, now, key=lambda stamp: stamp + span)

    def used(self, window: Window, now: float) -> int:
        """Return the tokens of *window* that count at *now*, without the held ones."""
        return max(0, self.sent(now - window.span) - window.not_counted(now)) + window.taken_by_others(now)

    def sent(self, after: float, upto: float = math.inf) -> int:
        """Return how many of our requests count from later than *after*, but not later than *upto*."""
        return bisect_right(self.stamps, upto) - bisect_right(self.stamps, after)

    def was_full(self, at: float) -> bool:
        """Say whether our own requests alone filled the shortest window at the time *at*."""
        window = self.windows[0]
        return self.sent(at - window.span, at) >= window.capacity - 1

    # Changing what it counts by.

    def resize(self, window: Window, capacity: int) -> None:
        """Let *window* admit *capacity* requests from now on."""
        window.capacity = max(1, capacity)
        self.refit()

    def refit(self) -> None:
        """Let memory follow the capacities."""
        self._most = max(window.capacity for window in self.windows) * 5 // 4 + 64

    def rebase(self, shift: float, *, now: float) -> None:
        """Move everything by *shift* seconds: the clock was exchanged for one that shows *now*."""
        self.stamps = [min(stamp + shift, now) for stamp in self.stamps]
        self.paused_until += shift
        for window in self.windows:
            window.others = deque(end + shift for end in window.others)
            window.credit = deque(end + shift for end in window.credit)
