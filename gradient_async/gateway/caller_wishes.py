"""What a caller asks of the gateway itself, in headers that go no further: the place in the queue and a deadline.

Contract: pure.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import attrs

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async.errors import ConfigurationError, quote_argument

PRIORITY_HEADER = "X-Priority"
DEADLINE_HEADER = "X-Deadline"
_PRIORITIES: dict[str, Priority] = {"interactive": "interactive", "bulk": "bulk"}


def read_priority(headers: Mapping[str, str]) -> Priority:
    """Return the place at the limiter that ``X-Priority`` names, by default that of interactive calls.

    Raises:
        ConfigurationError: It names another one.
    """
    value = headers.get(PRIORITY_HEADER, "interactive").strip().lower()
    if value not in _PRIORITIES:
        raise ConfigurationError(f"{PRIORITY_HEADER} must be interactive or bulk; got {quote_argument(value)}.")
    return _PRIORITIES[value]


def read_timeouts(headers: Mapping[str, str], timeouts: Timeouts) -> Timeouts:
    """Return *timeouts* with the seconds of ``X-Deadline`` as their total, unchanged without that header.

    Raises:
        ConfigurationError: The header is not a positive number.
    """
    value = headers.get(DEADLINE_HEADER)
    if value is None:
        return timeouts
    try:
        seconds = float(value)
    except ValueError:
        seconds = math.nan
    if not 0 < seconds < math.inf:
        raise ConfigurationError(
            f"{DEADLINE_HEADER} must be the seconds within which the response is wanted; got {quote_argument(value)}."
        )
    return attrs.evolve(timeouts, total=seconds)
