"""Which failures are sent again, after which delay, and within which budget."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import (
    APIConnectionError,
    APITimeoutError,
    ConfigurationError,
    GradientError,
    RateLimitError,
    RateLimitInfo,
    ResponseDecodeError,
    RetryPolicy,
)
from gradient_async._protocol.http.retry import RetryBudget
from gradient_async.errors import status_error_class


def status_error(code: int, **facts: Any) -> GradientError:
    return status_error_class(code)("m", status=code, **facts)


def next_delay(error: GradientError, policy: RetryPolicy | None = None, **facts: Any) -> float | None:
    facts = {"attempt": 1, "idempotent": False, "remaining": math.inf, "chance": 0.5} | facts
    return (policy or RetryPolicy()).next_delay(error, **facts)


@pytest.mark.parametrize("code", [408, 429, 502, 503, 504])
def test_a_refusing_status_is_sent_again(code: int) -> None:
    assert next_delay(status_error(code)) is not None


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 409, 412, 422, 418, 500, 529])
def test_any_other_status_is_not_sent_again_by_default(code: int) -> None:
    assert next_delay(status_error(code)) is None


@pytest.mark.parametrize("code", [400, 401, 402, 403, 404, 409, 422])
def test_a_client_error_is_never_sent_again(code: int) -> None:
    assert next_delay(status_error(code), RetryPolicy(replay="always"), idempotent=True) is None


@pytest.mark.parametrize(
    ("error", "safe"),
    [
        (APIConnectionError("m"), True),
        (APIConnectionError("m", maybe_sent=True), False),
        (APITimeoutError("m", phase="connect"), True),
        (APITimeoutError("m", phase="pool"), True),
        (APITimeoutError("m", phase="first_byte", maybe_sent=True), False),
        (APITimeoutError("m", phase="idle", maybe_sent=True), False),
        (status_error(500), False),
    ],
)
def test_a_request_that_may_have_been_billed_is_sent_again_only_on_demand(error: GradientError, *, safe: bool) -> None:
    assert (next_delay(error) is not None) is safe
    assert next_delay(error, RetryPolicy(replay="always")) is not None
    assert next_delay(error, idempotent=True) is not None


@pytest.mark.parametrize(
    "error", [APITimeoutError("m", phase="limiter"), APITimeoutError("m", phase="total"), ResponseDecodeError("m")]
)
def test_a_spent_deadline_and_an_undecodable_response_are_final(error: GradientError) -> None:
    assert next_delay(error, RetryPolicy(replay="always"), idempotent=True) is None


def test_no_attempt_follows_the_last() -> None:
    assert next_delay(status_error(429), RetryPolicy(attempts=3), attempt=2) is not None
    assert next_delay(status_error(429), RetryPolicy(attempts=3), attempt=3) is None


@given(st.integers(1, 60), st.floats(0, 1))
def test_backoff_doubles_up_to_its_bound_with_full_jitter(attempt: int, chance: float) -> None:
    policy = RetryPolicy(attempts=100, first=0.5, longest=30)
    wait = next_delay(status_error(503), policy, attempt=attempt, chance=chance)
    assert wait == pytest.approx(chance * min(30, 0.5 * 2 ** (attempt - 1)))


def test_the_backoff_of_very_many_attempts_stays_at_its_bound() -> None:
    policy = RetryPolicy(attempts=10**9, first=0.5, longest=30)
    assert next_delay(status_error(429), policy, attempt=10**8, chance=1) == 30


@given(st.floats(0, 1e6), st.floats(0, 1))
def test_jitter_is_added_to_a_requested_delay_never_subtracted(asked: float, chance: float) -> None:
    wait = next_delay(status_error(429, retry_after=asked), chance=chance)
    assert wait is not None
    assert asked <= wait <= asked + 0.5


def test_a_delay_that_does_not_fit_the_deadline_is_not_begun() -> None:
    assert next_delay(status_error(429, retry_after=29), remaining=20) is None
    assert next_delay(status_error(429, retry_after=29), remaining=31) is not None
    assert next_delay(status_error(429, retry_after=1e35), remaining=600) is None


@pytest.mark.parametrize(
    ("limits", "seconds"),
    [
        (RateLimitInfo(reset=130.0, date=100.0), 30),
        (RateLimitInfo(reset=90.0, date=100.0), 0),
        (RateLimitInfo(reset=130.0), 0),
        (RateLimitInfo(reset_requests=0.0, reset_tokens_per_minute=105.0, date=100.0), 5),
    ],
)
def test_without_retry_after_a_429_waits_for_the_soonest_reset(limits: RateLimitInfo, seconds: float) -> None:
    assert next_delay(status_error(429, rate_limit=limits), chance=0) == seconds


@pytest.mark.parametrize(
    "wrong", [{"attempts": 0}, {"first": -1}, {"longest": 0.1}, {"budget": -1}, {"first": math.nan}]
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigurationError, match="RetryPolicy"):
        RetryPolicy(**wrong)  # type: ignore[arg-type]


def test_an_outage_empties_the_retry_budget_and_successes_refill_it() -> None:
    budget, error = RetryBudget(3), status_error(503)
    assert [budget.try_spend(error) for _ in range(5)] == [True, True, True, False, False]
    for _ in range(10):
        budget.refill()
    assert [budget.try_spend(error) for _ in range(2)] == [True, False]


def test_a_thousand_calls_in_an_outage_retry_at_most_the_budget() -> None:
    budget = RetryBudget(RetryPolicy().budget)
    retries = sum(budget.try_spend(status_error(503)) for _ in range(1000) for _ in range(3))
    assert retries <= 20


def test_the_retry_budget_is_bounded_and_a_429_is_free() -> None:
    budget = RetryBudget(1)
    for _ in range(100):
        budget.refill()
    assert budget.try_spend(RateLimitError("m"))
    assert [budget.try_spend(status_error(503)) for _ in range(2)] == [True, False]
