"""`SharedPermit`, which Redis knows by name, and `Permits`, which gives them out and hears what they came to.

Contract: nothing here waits; what Redis should know of a permit is told in the background. Times are in seconds
on the loop's clock.
"""

from __future__ import annotations

from collections.abc import Callable

import attrs

from gradient_async._io.rate_limit.permit import Permit
from gradient_async.limits.redis.background_writer import Errands
from gradient_async.limits.redis.local_log import SentHere

__all__ = ["Permits", "SharedPermit"]


@attrs.define(eq=False)
class SharedPermit(Permit):
    """A permit that Redis knows by name."""

    member: str = ""


class Permits:
    """The owner of the permits of one process.

    Args:
        sent: Where they are counted.
        errands: Who tells Redis.
        clock: The limiter's clock.
        slack: Seconds between a permit and its request that are not worth telling.
    """

    def __init__(self, sent: SentHere, errands: Errands, *, clock: Callable[[], float], slack: float) -> None:
        self._sent, self._errands, self._clock, self._slack = sent, errands, clock, slack

    def new(self, member: str, now: float, *, hold: bool) -> SharedPermit:
        """Return a permit that Redis knows as *member*, and count it."""
        self._sent.remember(member, now)
        return SharedPermit(self, now, hold, member=member)

    def _permit_sent(self, permit: Permit) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  `new` made it
        now = self._clock()
        if not permit.held and now - permit.sent_at < self._slack:
            return
        self._sent.forget(permit.member, permit.sent_at)
        permit.held, permit.sent_at = False, now
        self._sent.remember(permit.member, now)
        self._errands.settle_soon(permit.member, now)

    def _permit_refunded(self, permit: Permit) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  `new` made it
        permit.held = False
        self._sent.forget(permit.member, permit.sent_at)
        self._errands.settle_soon(permit.member, None)

    def _permit_settled(self, permit: Permit, tokens: int) -> None:
        """Do nothing: model tokens are not shared."""
