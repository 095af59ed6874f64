"""`ServerClock`: relates the clock of the Redis server to this process's own, and notices when it is set.

Contract: pure. The server's time is in epoch seconds, ``sent_at`` and ``arrived_at`` are on the loop's clock.

A reply says what the server's clock showed at some time between the call and the reply. So each exchange bounds the
difference of the clocks, and all of them together narrow the bounds. Example: a call from 10.0 to 10.2 that found the
server at 510.1 bounds the difference to 499.9 ... 500.1. If a call from 20.0 to 20.1 then finds it at 550.0, the
difference is at least 529.9: the server's clock went forward by 29.8 s or more.
"""

from __future__ import annotations

import math

import attrs

__all__ = ["ServerClock"]

_TOLERANCE = 0.25
"""Seconds by which the clocks may drift apart between two exchanges."""
_STALE_AFTER = 300.0
"""Seconds after which the clocks may have drifted further apart."""


@attrs.define
class ServerClock:
    """The difference of the server's clock and ours, as an interval.

    Attributes:
        low: Lower bound in seconds.
        high: Upper bound in seconds.
        checked_at: When the last reply arrived.
    """

    low: float = -math.inf
    high: float = math.inf
    checked_at: float = -math.inf

    def predict_time(self, now: float) -> float:
        """Return the time that the server should show when a call that is sent at *now* arrives; 0.0 if unknown."""
        return now + self.high if now - self.checked_at < _STALE_AFTER else 0.0

    def forget(self) -> None:
        """Predict nothing until the next reply, which took too long to tell a set clock from a slow call."""
        self.checked_at = -math.inf

    def apply_reply(self, server_time: float, *, sent_at: float, arrived_at: float) -> float:
        """Narrow the bounds; return by how many seconds the server's clock was set, 0.0 if it was not."""
        is_known = arrived_at - self.checked_at < _STALE_AFTER
        low, high, self.checked_at = server_time - arrived_at, server_time - sent_at, arrived_at
        step = low - self.high if low > self.high else high - self.low if high < self.low else 0.0
        if step:
            self.low, self.high = low, high
        else:
            self.low, self.high = max(low, self.low), min(high, self.high)
        return step if is_known and abs(step) > _TOLERANCE else 0.0
