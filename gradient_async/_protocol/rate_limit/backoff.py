"""`RefusalBackoff`: how long a key, or a model, pauses after a refusal (429).

Contract: pure; times are in seconds on the limiter's clock.

A refusal pauses once: further refusals of requests that were sent before the pause ended belong to the same
incident. Example: 90 requests sent at 0.0 are refused from 1.0 on with ``retry-after: 10``; the first refusal
pauses until 11.0, the other 89 change nothing. A refusal without a stated wait pauses for 0.5 s, the next incident for
1 s, and so on up to a minute, until a request that was sent after a pause succeeds.
"""

from __future__ import annotations

import math

__all__ = ["ROUNDING", "RefusalBackoff"]

ROUNDING = 1.0
"""Seconds: ``retry-after``, ``reset`` and ``Date`` are whole numbers."""
_FIRST, _LONGEST = 0.5, 60.0
_LARGEST_JITTER = 0.5
_MAX_DOUBLINGS = 10


class RefusalBackoff:
    """The pauses of one key or model.

    Attributes:
        pause_end: End of the latest pause.
    """

    def __init__(self) -> None:
        self.pause_end = -math.inf
        self._incidents = 0
        """Pauses for refusals since the last success."""

    def start_pause(self, wait: float, *, sent_at: float, now: float, chance: float) -> float:
        """Return the seconds of the pause that a refusal begins, 0.0 if it belongs to the incident before.

        Args:
            wait: Seconds that the service states, 0.0 if it states none.
            sent_at: When the refused request was sent.
            now: When the refusal arrived.
            chance: A random number in [0, 1), for the jitter.
        """
        is_same_incident = sent_at < self.pause_end
        if is_same_incident and (not wait or now + wait - ROUNDING <= self.pause_end):
            return 0.0
        self._incidents += not is_same_incident
        wait = wait or min(_LONGEST, _FIRST * 2.0 ** min(self._incidents - 1, _MAX_DOUBLINGS))
        wait += chance * min(_LARGEST_JITTER, wait / 4)
        self.pause_end = now + wait
        return wait

    def apply_success(self, sent_at: float) -> bool:
        """Forget the incidents if the request was sent after the latest pause; return whether it was."""
        if sent_at < self.pause_end:
            return False
        self._incidents = 0
        return True

    def shift_times(self, shift: float) -> None:
        """Move the end of the pause by *shift* seconds, for a new clock."""
        self.pause_end += shift
