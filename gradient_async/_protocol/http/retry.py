"""When to try again, and how long to wait first.

Contract: an answer may have been paid for as soon as the request was written, so by default only what surely was
not processed is sent again: a connection never made, a 429, and the refusals 408, 502, 503 and 504. A request that
changes nothing (`idempotent`) is also sent again after any other 5xx and after a lost connection.

Source: exponential backoff with full jitter; ``Retry-After`` in RFC 9110.
"""

from __future__ import annotations

from typing import Literal, get_args

import attrs

from gradient_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    GradientError,
    RateLimitError,
)

Replay = Literal["safe", "always"]
_REFUSALS = frozenset({408, 429, 502, 503, 504})
_MOST_DOUBLINGS = 100
"""A thousand and no float could hold the wait."""
_FINAL_PHASES = frozenset({"limiter", "total"})


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and how patiently a call is tried again.

    Attributes:
        attempts: Tries in all, the first included; 1 switches retries off.
        first: Upper bound of the first wait, in seconds; it doubles with every attempt.
        longest: Upper bound of any wait of our own, in seconds. A ``Retry-After`` may ask for more.
        replay: ``"safe"`` never sends again what may have been processed and billed; ``"always"`` does.
        budget: Retries a session may spend at once beyond those its successes earn; it keeps an outage from
            multiplying the traffic. A 429 costs nothing: the limiter paces it.
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 30.0
    replay: Replay = "safe"
    budget: int = 20

    def __attrs_post_init__(self) -> None:
        can_work = self.attempts >= 1 and 0 <= self.first <= self.longest and self.budget >= 0
        if not can_work or self.replay not in get_args(Replay):
            raise ConfigurationError(
                "RetryPolicy needs attempts >= 1, 0 <= first <= longest, budget >= 0 and replay 'safe' or 'always'; "
                f"got attempts={self.attempts}, first={self.first}, longest={self.longest}, budget={self.budget}, "
                f"replay={self.replay!r}."
            )

    def next_delay(
        self, error: GradientError, *, attempt: int, idempotent: bool, remaining: float, chance: float
    ) -> float | None:
        """Return the seconds to wait before the next attempt, None to give up.

        Args:
            error: How the attempt failed.
            attempt: Its number, from 1.
            idempotent: Whether sending the request twice does no harm.
            remaining: Seconds left of the whole call.
            chance: A random number from 0 to 1.
        """
        if attempt >= self.attempts or not self._may_resend(error, idempotent):
            return None
        wait = backoff_delay(self, attempt, chance) + requested_delay(error)
        return wait if wait < remaining else None

    def _may_resend(self, error: GradientError, idempotent: bool) -> bool:  # noqa: FBT001 - one of two facts
        if isinstance(error, APITimeoutError) and error.phase in _FINAL_PHASES:
            return False
        free = idempotent or self.replay == "always"
        if isinstance(error, APIConnectionError):
            return free or not error.maybe_sent
        if isinstance(error, APIStatusError):
            return error.status in _REFUSALS or (free and error.status >= 500)
        return False


def backoff_delay(policy: RetryPolicy, attempt: int, chance: float) -> float:
    """Return the seconds to wait of our own accord after the *attempt* with this number; *chance* is from 0 to 1."""
    doublings = min(attempt - 1, _MOST_DOUBLINGS)
    return chance * min(policy.longest, policy.first * 2.0**doublings)


def requested_delay(error: GradientError) -> float:
    """Return the seconds the service asked to wait: ``Retry-After``, else for a 429 until a quota resets."""
    if not isinstance(error, APIStatusError):
        return 0.0
    limits = error.rate_limit
    if error.retry_after is not None or error.status != 429 or limits is None or limits.date is None:
        return error.retry_after or 0.0
    quotas = (
        limits.reset_requests,
        limits.reset_tokens_per_minute,
        limits.reset_tokens_per_day,
        limits.reset,
    )
    waits = [reset - limits.date for reset in quotas if reset and reset > limits.date]
    return min(waits, default=0.0)


@attrs.define(eq=False, repr=False)
class RetryBudget:
    """Retries that a session may still spend: ten successes earn one."""

    retries: int
    _tenths: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tenths = 10 * self.retries

    def try_spend(self, error: GradientError) -> bool:
        """Spend one retry on *error*; False if none is left."""
        if isinstance(error, RateLimitError):
            return True
        if self._tenths < 10:
            return False
        self._tenths -= 10
        return True

    def refill(self) -> None:
        """Earn a tenth of a retry."""
        if self._tenths < 10 * self.retries:
            self._tenths += 1
