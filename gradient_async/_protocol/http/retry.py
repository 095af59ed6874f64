"""Retries: which failures are sent again, after which delay, and how many a session may spend.

Contract: pure; time and chance are arguments. A completion may be billed as soon as its request was written, so by
default only requests that the service surely did not process are sent again.

Source: section "HTTP Statuses" of the inference overview; "Exponential Backoff And Jitter" (AWS Architecture Blog)
for full jitter; the retry token bucket of the AWS SDKs and of gRPC (gRFC A6); ``Retry-After`` in RFC 9110.
"""

from __future__ import annotations

from typing import Literal, get_args

import attrs

from gradient_async._value import FrozenValue
from gradient_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    GradientError,
    RateLimitError,
    is_count,
    is_number,
    may_be_processed,
    quote_argument,
)

# What is sent again, and why:
#
#   failure                                      sent again if replay  because
#   -------------------------------------------  --------------------  -------------------------------------------
#   no connection was made, or a pooled one      any                   the service has not seen the request
#     proved closed before it took anything
#   time limit in phase pool or connect          any                   nothing was sent
#   status 429                                   any                   the service refused the request
#   status 503, the service's own JSON refusal   any                   the service refused the request
#   status 408, 500, 502, 504, another 503,      "answered", "always"  behind gateways each was seen while the
#     any other 5xx that may pass                                      service went on generating
#   connection lost after the request was sent   "always"              a response, and its bill, may have been due
#   time limit in phase first_byte or idle       "always"              the service may still be generating
#   time limit in phase limiter or total         none                  no time is left for another attempt
#   certificate not accepted                     none                  the host has no other
#   status 501, 505 or 511; any other 4xx; an    none                  the same request fails in the same way
#     undecodable response
#
# A request that changes nothing (a GET) is sent again as with "always". `maybe_sent` of an error says on which side of
# this table a failure is. `attempts=1` sends nothing twice, whatever the failure.
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

Replay = Literal["safe", "answered", "always"]
_FINAL_PHASES = frozenset({"limiter", "total"})
_MAX_DOUBLINGS = 100
"""Keeps ``2.0**n`` finite; a thousand doublings overflow a float."""
_TENTHS_PER_RETRY = 10


@attrs.frozen(kw_only=True, eq=False, repr=False)
class RetryPolicy(FrozenValue):
    """How often and after which delays a failed call is sent again.

    Attributes:
        attempts: Maximum number of attempts, the first included; 1 switches retries off.
        first: Upper bound of the first delay, in seconds; it doubles with each attempt.
        longest: Upper bound of the policy's own delays, in seconds. A ``Retry-After`` may ask for more.
        replay: ``"safe"`` sends again what was surely not processed: no connection was made; 429; 503 that is the
            service's own JSON refusal. ``"answered"`` adds every other error response that may pass (408, 500, 502,
            503, 504, whoever wrote it), which may be billed again. ``"always"`` adds lost connections and time limits.
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
        are_counts = is_count(self.attempts) and is_count(self.budget, least=0)
        are_seconds = is_number(self.first) and is_number(self.longest) and 0 <= self.first <= self.longest
        if not (are_counts and are_seconds) or self.replay not in get_args(Replay):
            values = ", ".join(
                f"{field.name}={quote_argument(getattr(self, field.name))}" for field in attrs.fields(RetryPolicy)
            )
            raise ConfigurationError(
                "RetryPolicy needs whole numbers attempts >= 1 and budget >= 0, seconds 0 <= first <= longest, and "
                f"replay 'safe', 'answered' or 'always'; got {values}."
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
        if isinstance(error, APIConnectionError):
            return not error.permanent and (not error.maybe_sent or idempotent or self.replay == "always")
        if not isinstance(error, APIStatusError):
            return False
        is_refusal = error.status in (429, 503) and not error.maybe_sent
        return is_refusal or (may_be_processed(error.status) and (idempotent or self.replay != "safe"))


def backoff_delay(policy: RetryPolicy, attempt: int, chance: float) -> float:
    """Return the policy's own delay in seconds after *attempt* (from 1); *chance* is a random number from 0 to 1."""
    doublings = min(attempt - 1, _MAX_DOUBLINGS)
    return chance * min(policy.longest, policy.first * 2.0**doublings)


def requested_delay(error: GradientError) -> float:
    """Return the seconds that the service asked to wait, 0.0 if it did not."""
    return (error.retry_after if isinstance(error, APIStatusError) else None) or 0.0


class RetryBudget:
    """The retries that a session may still spend: a token bucket that successes refill.

    Attributes:
        capacity: Retries in the full bucket, where it starts.
    """

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
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
