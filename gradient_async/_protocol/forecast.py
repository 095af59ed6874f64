"""When the next requests could be sent, and how full each window is: questions to a `Ledger`.

Contract: pure; nothing here changes what is counted. Times are in seconds on the ledger's clock.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import deque

from gradient_async._protocol.ledger import Ledger
from gradient_async._protocol.window import Window, WindowStatus

__all__ = ["earliest", "forecast", "use"]

_ONE_BY_ONE = 20_000
"""Grants that `forecast` follows one by one; beyond, it is a lower bound."""


def earliest(ledger: Ledger, now: float, nth: int = 1, *, enough: float = 0.0) -> float:
    """Return a time before which the *nth* next token is surely not free; constant work.

    Whatever is less than *enough* seconds away need not be exact: it may be any earlier time.
    """
    result, taken = max(now, ledger.paused_until), len(ledger.stamps) + ledger.held
    for window in ledger.windows:
        # All that is remembered is more than what counts: most long windows need no closer look.
        may_be_full = taken + len(window.others) + nth > window.capacity
        if may_be_full and ((nth - 1) // window.capacity + 1) * window.span > enough:
            result = max(result, _earliest_in(window, ledger, now, nth))
    return result


def forecast(ledger: Ledger, now: float, n: int) -> float:
    """Return when the *n*-th next request could be sent if all before it went as early as possible."""
    if n > _ONE_BY_ONE:
        return max(earliest(ledger, now, n), forecast(ledger, now, _ONE_BY_ONE))
    queues = [_expiries(window, ledger, now) for window in ledger.windows]
    at = max(now, ledger.paused_until)
    for _ in range(n):
        for queue, window in zip(queues, ledger.windows, strict=True):
            while len(queue) >= window.capacity:
                at = max(at, queue.popleft())
        for queue, window in zip(queues, ledger.windows, strict=True):
            queue.append(at + window.span)
    return at


def use(ledger: Ledger, now: float) -> list[WindowStatus]:
    """Return the state of every window at *now*."""
    return [
        WindowStatus(
            capacity=window.capacity,
            period=window.period,
            used=ledger.held + ledger.used(window, now),
            foreign=window.taken_by_others(now),
            next_free_at=max(now, ledger.paused_until, _earliest_in(window, ledger, now, 1)),
        )
        for window in ledger.windows
    ]


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
