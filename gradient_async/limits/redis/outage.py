"""`Outage`: what happens while Redis is away.

Contract: one log line when Redis goes away and one when it is back. A pause that the service asked for holds, whatever
the policy. Times are in seconds on the loop's clock.
"""

from __future__ import annotations

import logging
import math
import secrets
from typing import Literal, get_args

import attrs

from gradient_async._io.rate_limit.wait_queue import WaitQueue
from gradient_async.errors import APIConnectionError, ConfigurationError
from gradient_async.limits.redis.failures import RedisUnavailable
from gradient_async.limits.redis.local_usage import LocalUsage
from gradient_async.limits.redis.models import SharedModels
from gradient_async.limits.redis.permits import PermitIssuer

__all__ = ["Outage", "WhenDown"]

_log = logging.getLogger("gradient_async")

WhenDown = Literal["local_share", "fail_open", "fail_closed"]
_RETRY_AFTER = 1.0
"""Seconds after a failed call until Redis is tried again."""


def _validate_policy(policy: WhenDown) -> WhenDown:
    if policy not in get_args(WhenDown):
        raise ConfigurationError(f"when_down is {policy!r}: give one of {', '.join(get_args(WhenDown))}")
    return policy


@attrs.define
class Outage:
    """The current outage, if any.

    Attributes:
        policy: How permits are granted meanwhile.
        retry_at: Time from which Redis is tried again.
        is_active: Whether the last call failed.
        needs_replay: Whether permits were granted that Redis does not know.
    """

    policy: WhenDown = attrs.field(converter=_validate_policy)
    _usage: LocalUsage
    _models: SharedModels
    _permits: PermitIssuer
    retry_at: float = -math.inf
    is_active: bool = False
    needs_replay: bool = False

    def begin_outage(self, failure: RedisUnavailable, now: float) -> None:
        """Go on without Redis."""
        self.retry_at = now + _RETRY_AFTER
        if not self.is_active:
            self.is_active = True
            _log.warning("rate limit: Redis does not answer (%s), going on with %s", failure, self.policy)

    def end_outage(self) -> None:
        """Go on with Redis."""
        if self.is_active:
            self.is_active, self.retry_at = False, -math.inf
            _log.warning("rate limit: Redis answers again, the budget is shared")

    def grant_without_redis(self, wait_queue: WaitQueue, now: float) -> float:
        """Grant permits as the policy allows; return the seconds until the next one may be granted."""
        if self.policy == "fail_closed":
            wait_queue.reject_all(_unreachable_error)
        while (waiter := self._models.find_ready_waiter(wait_queue, now)) is not None:
            if delay := self._compute_delay(now, waiter.tokens):
                return delay
            wait_queue.grant(self._permits.issue_permit(f"alone:{secrets.token_hex(8)}", now, waiter))
            self.needs_replay = True
        return wait_queue.waiters.find_unpark_time() - now

    def _compute_delay(self, now: float, tokens: int) -> float:
        share_delay = self._usage.compute_share_delay(now, tokens) if self.policy == "local_share" else 0.0
        return max(0.0, share_delay, self._usage.full_bucket.paused_until - now)


def _unreachable_error() -> APIConnectionError:
    return APIConnectionError(
        "the shared rate limit is unreachable: Redis does not answer, and when_down is 'fail_closed'; nothing was sent"
    )
