"""`SharedPermit`, which Redis knows by name, and `PermitIssuer`, which issues the permits of one process.

Contract: nothing here waits; the outcome of a permit is written to Redis in the background. Times are in seconds on
the loop's clock.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from gradient_async._io.rate_limit.permit import Permit, PermitOwner
from gradient_async._io.rate_limit.wait_queue import Waiter
from gradient_async.limits.redis.local_usage import CountedPermit, LocalUsage
from gradient_async.limits.redis.models import SharedModels

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.token_budget import TokenSpend

__all__ = ["Outcome", "PermitIssuer", "SharedPermit"]

Outcome = CountedPermit | None
"""From when a permit counts, None if it was refunded."""


class SharedPermit(Permit):
    """A permit with its name in Redis.

    Attributes:
        name: Member of the sorted set of sent times.
    """

    __slots__ = ("name",)

    def __init__(self, owner: PermitOwner, sent_at: float, *, held: bool, spend: TokenSpend | None, name: str) -> None:
        super().__init__(owner, sent_at, held=held, spend=spend)
        self.name = name


class PermitIssuer:
    """Issues the permits of one process, and owns them.

    Args:
        usage: The count of permits to keep.
        models: The quotas of models to count them in.
        write_outcome: Writes the outcome of a permit to Redis.
        clock: The limiter's clock.
        min_age: Seconds between the grant and the request below which the sent time is not corrected.
    """

    def __init__(
        self,
        usage: LocalUsage,
        models: SharedModels,
        write_outcome: Callable[[str, Outcome], None],
        *,
        clock: Callable[[], float],
        min_age: float,
    ) -> None:
        self._usage, self._models, self._write_outcome = usage, models, write_outcome
        self._clock, self._min_age = clock, min_age

    def issue_permit(self, name: str, now: float, waiter: Waiter) -> SharedPermit:
        """Return a permit for *waiter* that Redis knows as *name*, and count it from *now*."""
        self._usage.add_permit(name, now, hold=waiter.hold, tokens=waiter.tokens)
        tokens = self._usage.tokens
        spend = None if tokens is None else tokens.find_spend(name)  # tells the pipeline to settle the permit
        permit = SharedPermit(self, now, held=waiter.hold, spend=spend, name=name)
        self._models.charge_permit(permit, waiter, now)
        return permit

    def _record_sent(self, permit: Permit) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  issued by `issue_permit`
        now = self._clock()
        if not permit.held and now - permit.sent_at < self._min_age:
            return
        self._models.start_permit(permit, now)
        permit.held, permit.sent_at = False, now
        self._write_outcome(permit.name, self._usage.start_permit(permit.name, now))

    def _record_refund(self, permit: Permit) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  issued by `issue_permit`
        now = self._clock()
        self._models.refund_permit(permit, now)
        permit.held = False
        self._usage.remove_permit(permit.name, now)
        self._write_outcome(permit.name, None)

    def _record_tokens(self, permit: Permit, tokens: int) -> None:
        assert isinstance(permit, SharedPermit)  # noqa: S101  issued by `issue_permit`
        self._models.correct_permit(permit, tokens)
        outcome = self._usage.correct_tokens(permit.name, self._clock(), tokens)
        if outcome is not None:
            self._write_outcome(permit.name, outcome)
