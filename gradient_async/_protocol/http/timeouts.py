"""How long each part of a call may take."""

from __future__ import annotations

import math

import attrs

from gradient_async.errors import ConfigurationError


@attrs.frozen(kw_only=True)
class Timeouts:
    """Limits in seconds; None stands for no limit.

    Attributes:
        connect: Opening a connection, TLS included.
        first_byte: From the request being sent to the status line.
        idle: Between two pieces of a body.
        total: The whole call: limiter wait, backoff, every attempt, and the whole of a stream.
        token_idle: Between two chunks of a stream; unlike ``idle``, keep-alive comments do not count as life.
    """

    connect: float | None = 10.0
    first_byte: float | None = 60.0
    idle: float | None = 60.0
    total: float | None = 600.0
    token_idle: float | None = None

    def __attrs_post_init__(self) -> None:
        for field in attrs.fields(Timeouts):
            seconds = getattr(self, field.name)
            if seconds is not None and not (isinstance(seconds, int | float) and seconds > 0):
                raise ConfigurationError(
                    f"Timeouts({field.name}={seconds!r}): give seconds above 0, or None for no limit."
                )

    @property
    def shortest(self) -> float:
        """The shortest limit of a phase, in seconds; infinite if none has one."""
        return min(self.connect or math.inf, self.first_byte or math.inf, self.idle or math.inf)

    def override_with(self, timeout: float | Timeouts | None) -> Timeouts:
        """Return these limits with a call's own: a number replaces ``total``, a `Timeouts` all of them."""
        if timeout is None:
            return self
        return timeout if isinstance(timeout, Timeouts) else attrs.evolve(self, total=timeout)
