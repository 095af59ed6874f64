"""Time limits of a call and of its phases.

Contract: pure; every limit is in seconds.
"""

from __future__ import annotations

import math

import attrs

from gradient_async._value import FrozenValue
from gradient_async.errors import ConfigurationError, is_number, quote_argument

_MIN_TOTAL = 0.001
"""Seconds; a time limit must be above 0."""


@attrs.frozen(kw_only=True, eq=False, repr=False)
class Timeouts(FrozenValue):
    """Time limits in seconds; None means no limit.

    Attributes:
        connect: Opening a connection, TLS handshake included.
        first_byte: From sending the request to the status line of the response. By default only ``total`` limits
            it: a whole response begins when all of it is generated, after minutes for some models, and one that was
            given up on is billed all the same. Files of batches, which ``total`` does not limit, then wait for
            ``idle``.
        idle: Between two blocks of a response body.
        total: The whole call: limiter wait, backoff, every attempt, and a stream to its end.
        token_idle: Between two chunks of a stream. Keep-alive comments reset ``idle`` but not this limit.

    Raises:
        ConfigurationError: A limit is not a number above 0.

    Example:
        ``AsyncSession(timeouts=Timeouts(connect=5.0, total=120.0))``
    """

    connect: float | None = 10.0
    first_byte: float | None = None
    idle: float | None = 120.0
    total: float | None = 600.0
    token_idle: float | None = None

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Timeouts):
            seconds = getattr(self, field.name)
            if seconds is not None and not (is_number(seconds) and seconds > 0):
                raise ConfigurationError(
                    f"Timeouts({field.name}={quote_argument(seconds)}): give seconds above 0, or None for no limit."
                )

    @property
    def shortest(self) -> float:
        """The shortest limit of a phase in seconds; infinite if no phase has a limit."""
        return min(self.connect or math.inf, self.first_byte or math.inf, self.idle or math.inf)

    def override_with(self, timeout: float | Timeouts | None) -> Timeouts:
        """Return the limits of a call: a number as *timeout* replaces ``total``, a `Timeouts` replaces every limit."""
        if timeout is None:
            return self
        return timeout if isinstance(timeout, Timeouts) else attrs.evolve(self, total=timeout)


def limit_total(timeouts: Timeouts, remaining: float) -> Timeouts:
    """Return *timeouts* with the *remaining* seconds as their total: at least a millisecond; unchanged if infinite."""
    return timeouts if math.isinf(remaining) else attrs.evolve(timeouts, total=max(remaining, _MIN_TOTAL))
