"""`Permit`, which allows one request, and `Limiter`, what every limiter can do.

Contract: a permit counts from the moment it was given, or, if it was acquired with ``hold=True``, from
`Permit.sent`, and until then it counts without end. Nothing here waits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import attrs

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.priority_queue import Priority
    from gradient_async._protocol.rate_limit.status import LimiterStatus
    from gradient_async._protocol.rate_limit.token_budget import TokenSpend
    from gradient_async.models.response_meta import RateLimitInfo

__all__ = ["Limiter", "Permit", "PermitOwner"]


class PermitOwner(Protocol):
    """What a permit needs of the limiter that gave it."""

    def _permit_sent(self, permit: Permit) -> None: ...

    def _permit_refunded(self, permit: Permit) -> None: ...

    def _permit_settled(self, permit: Permit, tokens: int) -> None: ...


@attrs.define(eq=False)
class Permit:
    """Allows one request.

    Attributes:
        sent_at: When the request counts from, on the limiter's clock; when it was given, until `sent`.
        held: Whether it counts without end because its request is not sent yet.
        waited: Seconds it was waited for.
        refunded: Whether it was given back.
    """

    _owner: PermitOwner = attrs.field(repr=False)
    sent_at: float
    held: bool = False
    spend: TokenSpend | None = attrs.field(default=None, repr=False)
    waited: float = 0.0
    refunded: bool = False

    def sent(self) -> float:
        """Let the permit count from now: its request is being written. Return `sent_at`.

        Raises:
            RuntimeError: The permit was given back.
        """
        if self.refunded:
            raise RuntimeError("this permit was given back: acquire another one")
        self._owner._permit_sent(self)
        return self.sent_at

    def refund(self) -> None:
        """Give the permit back because surely nothing was sent; any number of times."""
        if not self.refunded:
            self.refunded = True
            self._owner._permit_refunded(self)

    def settle(self, tokens: int) -> None:
        """Correct the estimate of ``acquire(tokens=...)`` to the *tokens* the response reports."""
        if not self.refunded:
            self._owner._permit_settled(self, tokens)

    def __del__(self) -> None:
        # A held permit that is forgotten would be lost for ever; it counts as sent instead.
        if self.held and not self.refunded:
            self._owner._permit_sent(self)


class Limiter(Protocol):
    """What the request pipeline needs: `RateLimiter` in one process, `RedisLimiter` across many."""

    async def acquire(
        self,
        priority: Priority = "interactive",
        *,
        timeout: float | None = None,
        tokens: int = 0,
        hold: bool = False,
    ) -> Permit:
        """Return once one request may be sent; *timeout* in seconds."""
        ...

    def apply_response(self, info: RateLimitInfo, *, status: int, sent_at: float) -> None:
        """Learn from the headers of a response to the request that was sent at *sent_at*."""
        ...

    def pause(self, seconds: float = 0.0, *, until: float | None = None) -> None:
        """Give out no permit for *seconds*, or before *until*."""
        ...

    def status(self) -> LimiterStatus:
        """Return what is used, free and waited for."""
        ...

    def estimate(self, n: int = 1) -> float:
        """Return the seconds until *n* more requests could have been sent."""
        ...

    async def aclose(self) -> None:
        """Let everybody who waits go with an error, and release what the limiter opened."""
        ...
