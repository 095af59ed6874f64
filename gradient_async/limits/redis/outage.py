"""`Outage`: what is done while Redis is away, and when it is back and may have lost what it counted.

Contract: one log line when it goes and one when it comes back. Times are in seconds on the loop's clock.
"""

from __future__ import annotations

import logging
import math
import secrets
from typing import Literal, get_args

import attrs

from gradient_async._io.rate_limit.wait_queue import Turnstile
from gradient_async.errors import APIConnectionError, ConfigurationError
from gradient_async.limits.redis.local_log import SentHere
from gradient_async.limits.redis.permits import Permits
from gradient_async.limits.redis.store import RedisStore, StoreDown

__all__ = ["Outage", "WhenDown"]

_log = logging.getLogger("gradient_async")

WhenDown = Literal["local_share", "fail_open", "fail_closed"]
_TRY_AGAIN = 1.0
_REPLAY_PAUSE = 0.5
"""Seconds that everybody gets to tell again what they sent, after Redis lost it."""


def _checked(policy: WhenDown) -> WhenDown:
    if policy not in get_args(WhenDown):
        raise ConfigurationError(f"when_down is {policy!r}: give one of {', '.join(get_args(WhenDown))}")
    return policy


@attrs.define
class Outage:
    """The present outage, if there is one.

    Attributes:
        policy: What is done meanwhile.
        until: When Redis is to be tried again.
        is_now: Whether the last call failed.
        is_untold: Whether Redis has yet to be told what was sent before and meanwhile.
    """

    policy: WhenDown = attrs.field(converter=_checked)
    _sent: SentHere
    _permits: Permits
    until: float = -math.inf
    is_now: bool = False
    is_untold: bool = False

    def begin(self, failure: StoreDown, now: float) -> None:
        """Go on without Redis; what was sent, if anything, is to be told again."""
        self.until = now + _TRY_AGAIN
        self.is_untold = self.is_untold or len(self._sent) > 0
        if not self.is_now:
            self.is_now = True
            _log.warning("rate limit: Redis does not answer (%s), going on with %s", failure, self.policy)

    def end(self) -> None:
        """Go on with Redis."""
        if self.is_now:
            self.is_now = False
            _log.warning("rate limit: Redis answers again, the budget is shared")

    def serve(self, turnstile: Turnstile, now: float) -> float:
        """Let through whom the policy allows; return the seconds until more may go."""
        if self.policy == "fail_closed":
            turnstile.turn_away(_unreachable)
        while turnstile.next() is not None:
            if self.policy == "local_share" and (delay := self._sent.delay_alone(now)):
                return delay
            turnstile.let_in(self._permits.new(f"alone:{secrets.token_hex(8)}", now, hold=False))
            self.is_untold = True
        return math.inf

    async def replay(self, store: RedisStore, turnstile: Turnstile) -> None:
        """Tell Redis all that this process sent, which it may have lost, while everybody else does the same."""
        await store.pause(_REPLAY_PAUSE)
        await store.settle({**self._sent.ages(turnstile.clock())})
        self.is_untold = False


def _unreachable() -> APIConnectionError:
    return APIConnectionError(
        "the shared rate limit is unreachable: Redis does not answer, and when_down is 'fail_closed'; nothing was sent"
    )
