"""Decides which failure ends a whole map.

Contract: pure. A refused key (401), a refused payment (402) and a missing permission (403) end it: every other request
would be refused too. Any other failure concerns its own item, unless *stop_after* of them follow each other.
"""

from __future__ import annotations

import attrs

from gradient_async.errors import APIStatusError, GradientError

_REFUSES_ALL = frozenset({401, 402, 403})


@attrs.define
class StopRule:
    """Counts failures that follow each other, in the order in which calls end."""

    stop_after: int | None = None
    _failures: int = attrs.field(default=0, init=False)

    def ends_map(self, error: GradientError | None) -> bool:
        """Count a result, None for a success; return whether its *error* ends the map."""
        if error is None:
            self._failures = 0
            return False
        self._failures += 1
        is_refused = isinstance(error, APIStatusError) and error.status in _REFUSES_ALL
        return is_refused or (self.stop_after is not None and self._failures >= self.stop_after)
