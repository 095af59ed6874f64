"""`Quota`: what the quota headers make a `Ledger` believe, of the longest window and of others with the same key.

Contract: pure; times are in seconds on the ledger's clock. Answers may come in any order.

Source: seed document 001, "Rate Limit", for ``ratelimit-limit``, ``-remaining`` and ``-reset``.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Sequence

from gradient_async._protocol.rate_limit.window_counter import Ledger

__all__ = ["Quota"]

_HOUR = 3600.0
_ROUNDING = 1.0
"""Seconds: the service sends whole ones."""


class Quota:
    """Compares what the service counted with what we sent.

    Args:
        ledger: What is taught.
        follow: Whether a higher limit is adopted; a lower one always is.
        share: Our part of the limit the service announces.
    """

    __slots__ = ("_adopted", "_follow", "_heard", "_ledger", "share")

    def __init__(self, ledger: Ledger, *, follow: bool, share: float) -> None:
        self._ledger, self._follow, self.share = ledger, follow, share
        self._heard = -math.inf
        self._adopted: tuple[int | None, int] = (None, 0)

    @property
    def is_told(self) -> bool:
        """Whether the quota headers describe one of the windows: the hour, or the longest of several."""
        return len(self._ledger.windows) > 1 or self._ledger.longest.period >= _HOUR

    def is_as_expected(self, limit: int | None, remaining: int | None, *, now: float, asked: float) -> bool:
        """Say whether an answer teaches nothing, and remember that it came; most do not."""
        window, stamps = self._ledger.windows[-1], self._ledger.stamps
        if limit is None or not remaining or asked < self._heard or window.others or window.credit:
            return False
        if self._adopted != (limit, window.capacity):
            return False
        after = now - window.span
        forgotten = 0 if not stamps or stamps[0] > after else bisect_right(stamps, after)
        if limit - remaining > len(stamps) - forgotten:
            return False
        self._heard = asked
        return True

    def apply_quota(
        self,
        limit: int | None,
        remaining: int | None,
        reset: float | None,
        *,
        now: float,
        asked: float,
        refused: Sequence[float] = (),
    ) -> None:
        """Believe an answer to the request that was sent at *asked*; see `RollingTokenBucket.observe`."""
        newest = asked >= self._heard
        if reset is not None and reset > now + self._ledger.longest.span + _ROUNDING:
            reset = None  # nothing counts for so long: milliseconds, or a clock that we do not know
        if limit is not None and limit > 0 and newest:
            self._adopt(limit)
        if remaining is not None and self.is_told:
            window = self._ledger.longest
            counted = max(0, (limit or window.capacity + window.slack) - remaining)
            self._compare(counted, reset=reset, now=now, asked=asked)
            if newest:
                self._credit(counted, refused, now=now, asked=asked)
            if reset is not None and reset > now and newest:
                self._anchor(reset, now)
        self._heard = max(self._heard, asked)

    def rebase(self, shift: float) -> None:
        """Move everything by *shift* seconds: the clock was exchanged."""
        self._heard += shift

    def _adopt(self, limit: int) -> None:
        window = self._ledger.longest
        ours = max(1, int(limit * self.share))
        may_rise = self._follow and self.is_told
        window.capacity = ours if may_rise else min(window.declared, ours)
        window.slack = max(0, limit - window.capacity) if self.is_told else 0
        self._adopted = (limit, window.capacity)
        self._ledger.refit()

    def _compare(self, counted: int, *, reset: float | None, now: float, asked: float) -> None:
        """Count as taken by others what the service *counted* and we did not send."""
        window = self._ledger.longest
        window.taken_by_others(now)
        unknown = counted - self._ledger.sent(now - window.span, now) - len(window.others)
        if unknown > 0:
            return self._blame(unknown, reset=reset, now=now)
        if asked < self._heard:
            return None
        most = max(0, counted - self._ledger.sent(now - window.period, asked))
        while len(window.others) > most:
            window.others.popleft()
        return None

    def _credit(self, counted: int, refused: Sequence[float], *, now: float, asked: float) -> None:
        """Take back what we sent, but the service refused and did not count; if only some, then the oldest."""
        window = self._ledger.longest
        surplus = self._ledger.sent(now - window.period, asked) - counted
        window.credit = deque(at + window.span for at in refused[: max(0, surplus)])

    def _blame(self, unknown: int, *, reset: float | None, now: float) -> None:
        """Count *unknown* requests of others, which were sent since the last answer, in every window it was in."""
        longest = self._ledger.longest
        for window in self._ledger.windows:
            if window is not longest and self._heard + window.period <= now:
                continue
            first = self._heard + window.period
            if window is longest:
                first = max(first, reset or now + window.span / unknown)
            last = now + window.span
            window.blame_others(unknown, first=min(first, last), last=last)

    def _anchor(self, reset: float, now: float) -> None:
        """Let the first request of others end at *reset*, unless that is the end of one of ours."""
        window, stamps = self._ledger.longest, self._ledger.stamps
        others = window.others
        for i in range(bisect_left(others, reset)):
            others[i] = reset
        at = bisect_right(stamps, now - window.span)
        ours = stamps[at] + window.period if at < len(stamps) else math.inf
        if others and others[0] > reset and ours > reset + _ROUNDING:
            others[0] = reset
