"""`RollingTokenBucket`: says whether a request may be sent now, and when the next one may be.

Contract: pure. Time is an argument, in seconds on any clock that does not go backwards; every ``now``,
``until`` and ``reset`` here is on that one clock.

Source: seed document 001, "Rate Limit": "each request instead has its own timer", so a token comes back
one whole window after it was spent. A bucket that refills continuously lets 499 requests into the first
minute and is refused.

One list of stamps serves every window: a window of capacity C has room exactly when the C-th latest stamp
is older than the window.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Iterable

from gradient_async._protocol.limits import RateLimits, checked_windows
from gradient_async._protocol.window import Window, WindowStatus
from gradient_async.errors import ConfigurationError

__all__ = ["RateLimits", "RollingTokenBucket"]

_HOUR = 3600.0
_ROUNDING = 1.0
"""Seconds: the service sends whole ones."""
_FORECAST = 20_000
"""Grants that `RollingTokenBucket.forecast` follows one by one; beyond, it is a lower bound."""


class RollingTokenBucket:
    """Tokens that each come back exactly one window, and the guard, after they were spent.

    A request takes a token in every window or in none. Memory is bounded by the largest capacity.

    Args:
        windows: ``(capacity, seconds)`` pairs.
        guard: Seconds added to every window: a request that was delayed on its way by up to this much
            still counts at the service when the next one arrives undelayed.
        follow: Whether `observe` may raise the capacity; it always may lower it.
        share: Our part of the limit the service announces, see ``RateLimits.split``.
    """

    __slots__ = (
        "_follow",
        "_heard",
        "_keep",
        "_stamps",
        "_windows",
        "guard",
        "held",
        "paused_until",
        "share",
    )

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
        self.guard, self._follow, self.share = guard, follow, share
        self._windows = [Window(size, size, period, period + guard) for size, period in checked_windows(windows)]
        self._stamps: list[float] = []
        self._keep = max(window.capacity for window in self._windows)
        self.held = 0
        self.paused_until = self._heard = -math.inf

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

    def stamp(self, now: float) -> float:
        """Let a held token count from *now*: its request is being sent. Return the time it counts from."""
        self.held -= 1
        return self.spend(now)

    def release(self) -> None:
        """Give a held token back: its request was never sent."""
        self.held -= 1

    def refund(self, now_taken: float) -> bool:
        """Give back the token that was taken at *now_taken*; say whether there still was one."""
        at = bisect_left(self._stamps, now_taken)
        if at == len(self._stamps) or self._stamps[at] != now_taken:
            return False
        del self._stamps[at]
        return True

    def spend(self, now: float) -> float:
        """Count one request from *now*, room or not. Return that time, which is never before the last one."""
        stamps = self._stamps
        if stamps and stamps[-1] > now:
            now = stamps[-1]
        stamps.append(now)
        if len(stamps) > self._keep * 1.25 + 64:
            del stamps[: -self._keep]
        return now

    def pause(self, until: float) -> None:
        """Give out nothing before *until*; an earlier pause is never shortened."""
        self.paused_until = max(self.paused_until, until)

    # Asking.

    def delay(self, now: float) -> float:
        """Return the seconds until a token may be free in every window; 0.0 if one is free at *now*."""
        ready = self.paused_until
        stamps = self._stamps
        for window in self._windows:
            room = window.capacity + window.credit - self.held
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

    def earliest(self, now: float, nth: int = 1) -> float:
        """Return a time before which the *nth* next token is surely not free; constant work."""
        earliest, taken = max(now, self.paused_until), len(self._stamps) + self.held
        for window in self._windows:
            # All that is remembered is more than what counts: most long windows need no closer look.
            if taken + len(window.others) + nth > window.capacity:
                earliest = max(earliest, self._window_earliest(window, now, nth))
        return earliest

    def _window_earliest(self, window: Window, now: float, nth: int) -> float:
        cycles, place = divmod(nth - 1, window.capacity)
        missing = place + 1 + self.held + self._used(window, now) - window.capacity
        return self._back(window, now, missing) + cycles * window.span

    def _back(self, window: Window, now: float, missing: int) -> float:
        """Return when *missing* of the tokens that count at *now* have come back."""
        if missing <= 0:
            return now
        if window.others:
            expiries = window.expiries(self._stamps, now)
            return expiries[missing - 1] if missing <= len(expiries) else now + window.span
        last = bisect_right(self._stamps, now - window.span) + missing - 1
        return self._stamps[last] + window.span if last < len(self._stamps) else now + window.span

    def forecast(self, now: float, n: int) -> float:
        """Return when the *n*-th next request could be sent if all before it went as early as possible."""
        if n > _FORECAST:
            return max(self.earliest(now, n), self.forecast(now, _FORECAST))
        queues = [self._expiries(window, now) for window in self._windows]
        at = max(now, self.paused_until)
        for _ in range(n):
            for queue, window in zip(queues, self._windows, strict=True):
                while len(queue) >= window.capacity + window.credit:
                    at = max(at, queue.popleft())
            for queue, window in zip(queues, self._windows, strict=True):
                queue.append(at + window.span)
        return at

    def _expiries(self, window: Window, now: float) -> deque[float]:
        return deque(window.expiries(self._stamps, now) + [now + window.span] * self.held)

    def use(self, now: float) -> list[WindowStatus]:
        """Return the state of every window at *now*."""
        return [
            WindowStatus(
                capacity=window.capacity,
                period=window.period,
                used=self.held + self._used(window, now),
                foreign=window.taken_by_others(now),
                next_free_at=max(now, self.paused_until, self._window_earliest(window, now, 1)),
            )
            for window in self._windows
        ]

    def _used(self, window: Window, now: float) -> int:
        return max(0, self._sent(now - window.span) - window.credit) + window.taken_by_others(now)

    def _sent(self, after: float, upto: float = math.inf) -> int:
        """Return how many of our requests count from later than *after*, but not later than *upto*."""
        return bisect_right(self._stamps, upto) - bisect_right(self._stamps, after)

    def was_full(self, at: float) -> bool:
        """Say whether our own requests alone filled the shortest window at the time *at*."""
        window = self._windows[0]
        return self._sent(at - window.span, at) >= window.capacity - 1

    # Learning.

    @property
    def shortest(self) -> Window:
        """The window a burst runs into."""
        return self._windows[0]

    @property
    def longest(self) -> Window:
        """The window the quota headers describe, if `has_quota`."""
        return self._windows[-1]

    @property
    def has_quota(self) -> bool:
        """Whether the quota headers describe one of the windows: the hour, or the longest of several."""
        return len(self._windows) > 1 or self.longest.period >= _HOUR

    def observe(
        self,
        *,
        limit: int | None = None,
        remaining: int | None = None,
        reset: float | None = None,
        now: float,
        sent_at: float | None = None,
        refused: int = 0,
    ) -> None:
        """Believe the quota headers of a response that arrived at *now*.

        Args:
            limit: Requests per longest window, as the service counts.
            remaining: How many of them it had left; fewer than we know of were taken by others.
            reset: When the oldest request it counts ends. Nothing of others ends before.
            now: When the response arrived.
            sent_at: When its request was sent: what we sent since may not be counted in it. Older ones
                than the newest seen only ever lower what is free.
            refused: How many of our requests were refused in the longest window; if the service counts
                fewer than we sent, so many may be missing.
        """
        asked = now if sent_at is None else sent_at
        newest = asked >= self._heard
        if limit is not None and limit > 0 and newest:
            self._adopt(limit)
        if remaining is not None and self.has_quota:
            total = limit or self.longest.capacity + self.longest.slack
            self._compare(max(0, total - remaining), reset=reset, now=now, asked=asked)
            if newest:
                self._credit(max(0, total - remaining), refused, now=now, asked=asked)
            if reset is not None and reset > now and newest:
                self._anchor(reset, now)
        self._heard = max(self._heard, asked)

    def _adopt(self, limit: int) -> None:
        window = self.longest
        ours = max(1, int(limit * self.share))
        may_rise = self._follow and self.has_quota
        window.capacity = ours if may_rise else min(window.declared, ours)
        window.slack = max(0, limit - window.capacity) if self.has_quota else 0
        self._keep = max(self._keep, window.capacity)

    def _compare(self, counted: int, *, reset: float | None, now: float, asked: float) -> None:
        """Count as taken by others what the service *counted* and we did not send."""
        window = self.longest
        window.taken_by_others(now)
        unknown = counted - self._sent(now - window.span, now) - len(window.others)
        if unknown > 0:
            return self._blame(unknown, reset=reset, now=now)
        if asked < self._heard:
            return None
        most = max(0, counted - self._sent(now - window.period, asked))
        while len(window.others) > most:
            window.others.popleft()
        return None

    def _credit(self, counted: int, refused: int, *, now: float, asked: float) -> None:
        """Take back what we sent, but the service refused and did not count."""
        window = self.longest
        surplus = self._sent(now - window.period, asked) - counted
        window.credit = max(0, min(refused, surplus))

    def _blame(self, unknown: int, *, reset: float | None, now: float) -> None:
        """Count *unknown* requests of others, which were sent since the last answer, in every window it was in."""
        for window in self._windows:
            if window is not self.longest and self._heard + window.period <= now:
                continue
            first = self._heard + window.period
            if window is self.longest:
                first = max(first, reset or now + window.span / unknown)
            last = now + window.span
            window.blame_others(unknown, first=min(first, last), last=last)

    def _anchor(self, reset: float, now: float) -> None:
        """Let the first request of others end at *reset*, unless that is the end of one of ours."""
        window, others = self.longest, self.longest.others
        for i in range(bisect_left(others, reset)):
            others[i] = reset
        at = bisect_right(self._stamps, now - window.span)
        ours = self._stamps[at] + window.period if at < len(self._stamps) else math.inf
        if others and others[0] > reset and ours > reset + _ROUNDING:
            others[0] = reset

    def exhaust(self, window: Window, *, now: float, until: float) -> None:
        """Believe that *window* is full until *until*, and that what we did not send ends evenly after it."""
        missing = window.capacity - self.held - self._used(window, now)
        window.fill(missing, first=until, last=max(until, now + window.span))

    def resize(self, window: Window, capacity: int) -> None:
        """Let *window* admit *capacity* requests from now on."""
        window.capacity = max(1, capacity)
        self._keep = max(self._keep, window.capacity)

    def rebase(self, shift: float, *, now: float) -> None:
        """Move everything by *shift* seconds: the clock was exchanged for one that shows *now*."""
        self._stamps = [min(stamp + shift, now) for stamp in self._stamps]
        self.paused_until += shift
        self._heard += shift
        for window in self._windows:
            window.others = deque(end + shift for end in window.others)

    def __repr__(self) -> str:
        windows = [(window.capacity, window.period) for window in self._windows]
        return f"RollingTokenBucket({windows}, guard={self.guard})"
