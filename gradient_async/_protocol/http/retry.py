"""Retries: which failures are sent again, after which delay, and how many a session may spend.

Contract: pure; time and chance are arguments. A completion may be billed as soon as its request was written, so by
default only requests that the service surely did not process are sent again.

Source: section "HTTP Statuses" of the inference overview; "Exponential Backoff And Jitter" (AWS Architecture Blog)
for full jitter; the retry token bucket of the AWS SDKs and of gRPC (gRFC A6); ``Retry-After`` in RFC 9110.
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

# What is sent again, and why:
#
#   failure                                     sent again              because
#   ------------------------------------------  ----------------------  ---------------------------------------------
#   no connection was made                      always                  the service has not seen the request
#   time limit in phase pool or connect         always                  nothing was sent
#   status 408, 429, 502, 503, 504              always                  the service or a gateway refused the request
#   any other 5xx                               idempotent or "always"  the service may have processed it, then failed
#   connection lost after the request was sent  idempotent or "always"  a response, and its bill, may have been due
#   time limit in phase first_byte or idle      idempotent or "always"  the service may still be generating
#   time limit in phase limiter or total        never                   no time is left for another attempt
#   any other 4xx, an undecodable response      never                   the same request fails in the same way
#
# "idempotent" is a request that changes nothing (a GET); "always" is `RetryPolicy.replay`. Beyond this table, the
# pipeline resends a request at once, and once, when a pooled connection turned out to be closed already.
#
# How long, and how often:
#
# Delay. Attempt n waits chance * min(longest, first * 2**(n-1)) seconds (full jitter: clients that failed together
# come back apart), plus the seconds that the service asked for. Jitter is added to a requested wait and never
# shortens it. A wait that does not end before the deadline of the call is not begun: the error is raised at once.
#
# Budget. A session's retries are tokens in a bucket: a retry takes one, a success returns a tenth, and the bucket
# never holds more than `RetryPolicy.budget`. In an outage the bucket empties and each call fails after one attempt,
# so that retries add at most a tenth to the traffic instead of multiplying it by `attempts`. A 429 takes no token: the
# rate limiter already paces the request that follows.
#
# Example: first=0.5, longest=30, budget=2, chance=0.5; every attempt of call A gets 503. A waits 0.25 s (a token is
# taken, 1 remains), then 0.5 s (0 remain), then raises the 503 although attempts=4 would allow a fourth attempt. Ten
# later successes return one token. With "Retry-After: 20" the first wait is 20.25 s.

Replay = Literal["safe", "always"]
_REFUSED_STATUSES = frozenset({408, 429, 502, 503, 504})
_FINAL_PHASES = frozenset({"limiter", "total"})
_MAX_DOUBLINGS = 100
"""Keeps ``2.0**n`` finite; a thousand doublings overflow a float."""
_TENTHS_PER_RETRY = 10


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often and after which delays a failed call is sent again.

    Attributes:
        attempts: Maximum number of attempts, the first included; 1 switches retries off.
        first: Upper bound of the first delay, in seconds; it doubles with each attempt.
        longest: Upper bound of the policy's own delays, in seconds. A ``Retry-After`` may ask for more.
        replay: ``"safe"`` sends again only what was surely not processed; ``"always"`` also sends again what may have
            been processed and billed.
        budget: Retries that a session may spend beyond those that its successes earn (ten successes earn one). It
            keeps an outage from multiplying the traffic. A 429 costs nothing: the limiter paces it.

    Raises:
        ConfigurationError: A value is out of range; the message lists all five.

    Example:
        ``AsyncSession(retry=RetryPolicy(attempts=6, longest=60.0))``
    """

    attempts: int = 4
    first: float = 0.5
    longest: float = 30.0
    replay: Replay = "safe"
    budget: int = 20

    def __attrs_post_init__(self) -> None:
        in_range = self.attempts >= 1 and 0 <= self.first <= self.longest and self.budget >= 0
        if not in_range or self.replay not in get_args(Replay):
            raise ConfigurationError(
                "RetryPolicy needs attempts >= 1, 0 <= first <= longest, budget >= 0 and replay 'safe' or 'always'; "
                f"got attempts={self.attempts}, first={self.first}, longest={self.longest}, budget={self.budget}, "
                f"replay={self.replay!r}."
            )

    def next_delay(
        self, error: GradientError, *, attempt: int, idempotent: bool, remaining: float, chance: float
    ) -> float | None:
        """Return the delay before the next attempt in seconds, None to give up.

        Args:
            error: The error of the failed attempt.
            attempt: The number of the failed attempt, from 1.
            idempotent: Whether processing the request twice is harmless.
            remaining: Seconds until the deadline of the call.
            chance: A random number from 0 to 1.
        """
        if attempt >= self.attempts or not self._may_resend(error, idempotent):
            return None
        delay = backoff_delay(self, attempt, chance) + requested_delay(error)
        return delay if delay < remaining else None

    def _may_resend(self, error: GradientError, idempotent: bool) -> bool:  # noqa: FBT001 - one of two facts
        if isinstance(error, APITimeoutError) and error.phase in _FINAL_PHASES:
            return False
        may_repeat = idempotent or self.replay == "always"
        if isinstance(error, APIConnectionError):
            return may_repeat or not error.maybe_sent
        if isinstance(error, APIStatusError):
            return error.status in _REFUSED_STATUSES or (may_repeat and error.status >= 500)
        return False


def backoff_delay(policy: RetryPolicy, attempt: int, chance: float) -> float:
    """Return the policy's own delay in seconds after *attempt* (from 1); *chance* is a random number from 0 to 1."""
    doublings = min(attempt - 1, _MAX_DOUBLINGS)
    return chance * min(policy.longest, policy.first * 2.0**doublings)


def requested_delay(error: GradientError) -> float:
    """Return the seconds that the service asked to wait: ``Retry-After``, or for a 429 the soonest quota reset."""
    if not isinstance(error, APIStatusError):
        return 0.0
    limits = error.rate_limit
    if error.retry_after is not None or error.status != 429 or limits is None or limits.date is None:
        return error.retry_after or 0.0
    resets = (
        limits.reset_requests,
        limits.reset_tokens_per_minute,
        limits.reset_tokens_per_day,
        limits.reset,
    )
    delays = [reset - limits.date for reset in resets if reset and reset > limits.date]
    return min(delays, default=0.0)


@attrs.define(eq=False, repr=False)
class RetryBudget:
    """The retries that a session may still spend: a token bucket that successes refill.

    Attributes:
        capacity: Retries in the full bucket, where it starts.
    """

    capacity: int
    _tenths: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._tenths = _TENTHS_PER_RETRY * self.capacity

    def try_spend(self, error: GradientError) -> bool:
        """Take one retry for *error* and return True, or return False if the bucket is empty. A 429 is free."""
        if isinstance(error, RateLimitError):
            return True
        if self._tenths < _TENTHS_PER_RETRY:
            return False
        self._tenths -= _TENTHS_PER_RETRY
        return True

    def refill(self) -> None:
        """Return a tenth of a retry to the bucket: a call has succeeded."""
        if self._tenths < _TENTHS_PER_RETRY * self.capacity:
            self._tenths += 1
