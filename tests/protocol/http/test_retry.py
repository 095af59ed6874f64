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
    ProtocolError,
    RateLimitError,
    ResponseDecodeError,
    RetryPolicy,
)
from gradient_async._protocol.http.retry import Replay, RetryBudget
from gradient_async.errors import status_error_class


def status_error(code: int, **facts: Any) -> GradientError:
    return status_error_class(code)("m", status=code, **facts)


def next_delay(error: GradientError, policy: RetryPolicy | None = None, **facts: Any) -> float | None:
    facts = {"attempt": 1, "idempotent": False, "remaining": math.inf, "chance": 0.5} | facts
    return (policy or RetryPolicy()).next_delay(error, **facts)


REPLAYS: list[Replay] = ["safe", "answered", "always"]
ANSWERED: set[Replay] = {"answered", "always"}
NEVER: set[Replay] = set()
LOST = APIConnectionError("m", maybe_sent=True)
CASES: list[tuple[GradientError, set[Replay]]] = [
    (APIConnectionError("m"), {"safe", "answered", "always"}),
    (APITimeoutError("m", phase="connect"), {"safe", "answered", "always"}),
    (APITimeoutError("m", phase="pool"), {"safe", "answered", "always"}),
    (status_error(429), {"safe", "answered", "always"}),
    (status_error(503, maybe_sent=False), {"safe", "answered", "always"}),
    *[(status_error(code), ANSWERED) for code in (408, 500, 502, 503, 504, 520, 524, 529)],
    (LOST, {"always"}),
    (APITimeoutError("m", phase="first_byte", maybe_sent=True), {"always"}),
    (APITimeoutError("m", phase="idle", maybe_sent=True), {"always"}),
    *[(status_error(code), NEVER) for code in (400, 401, 402, 403, 404, 409, 412, 413, 418, 422, 501, 505, 511)],
    (APITimeoutError("m", phase="limiter"), set()),
    (APITimeoutError("m", phase="total", maybe_sent=True), set()),
    (APIConnectionError("m", permanent=True), set()),
    (ProtocolError("m"), set()),
    (ResponseDecodeError("m"), set()),
]


def describe_case(value: object) -> str | None:
    return f"{type(value).__name__} {getattr(value, 'status', '')}" if isinstance(value, GradientError) else None


@pytest.mark.parametrize(("error", "replays"), CASES, ids=describe_case)
def test_replay_decides_what_is_sent_again(error: GradientError, replays: set[Replay]) -> None:
    assert {replay for replay in REPLAYS if next_delay(error, RetryPolicy(replay=replay)) is not None} == replays


@pytest.mark.parametrize(("error", "replays"), CASES, ids=describe_case)
def test_a_request_that_changes_nothing_is_sent_again_as_with_always(
    error: GradientError, replays: set[Replay]
) -> None:
    assert (next_delay(error, idempotent=True) is not None) is ("always" in replays)


@pytest.mark.parametrize(("error", "replays"), CASES, ids=describe_case)
@pytest.mark.parametrize("replay", REPLAYS)
def test_one_attempt_is_never_followed_by_another(error: GradientError, replays: set[Replay], replay: Replay) -> None:
    assert next_delay(error, RetryPolicy(attempts=1, replay=replay), idempotent=True) is None


@pytest.mark.parametrize(("error", "replays"), CASES, ids=describe_case)
def test_what_is_sent_again_by_default_was_surely_not_processed(error: GradientError, replays: set[Replay]) -> None:
    assert "safe" not in replays or not error.maybe_sent


def test_no_attempt_follows_the_last() -> None:
    assert next_delay(status_error(429), RetryPolicy(attempts=3), attempt=2) is not None
    assert next_delay(status_error(429), RetryPolicy(attempts=3), attempt=3) is None


@given(st.integers(1, 60), st.floats(0, 1))
def test_backoff_doubles_up_to_its_bound_with_full_jitter(attempt: int, chance: float) -> None:
    policy = RetryPolicy(attempts=100, first=0.5, longest=30)
    wait = next_delay(status_error(429), policy, attempt=attempt, chance=chance)
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
    "wrong",
    [{"attempts": 0}, {"first": -1}, {"longest": 0.1}, {"budget": -1}, {"first": math.nan}, {"replay": "never"}],
)
def test_a_policy_that_cannot_work_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="RetryPolicy"):
        RetryPolicy(**wrong)


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
