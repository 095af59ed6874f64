"""Pauses, refusals, clocks, quotas of models and recovery."""

from typing import Any

import pytest

from gradient_async._protocol.rate_limit.server_feedback import ClockSkew
from tests.support.server_feedback import WALL, apply_headers, apply_refusal, longest_status, make_feedback

# Nothing remaining.


def test_remaining_0_waits_until_reset_but_at_most_one_short_window() -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=5000, remaining=0, reset=WALL + 20)
    assert feedback.bucket.compute_delay(0.0) == pytest.approx(20, abs=1)
    feedback = make_feedback()
    apply_headers(feedback, limit=5000, remaining=0, reset=WALL + 3000)
    assert feedback.bucket.compute_delay(0.0) == pytest.approx(60, abs=1)


def test_remaining_0_after_our_own_burst_is_not_foreign_usage() -> None:
    feedback = make_feedback(sent=250)
    apply_headers(feedback, limit=5000, remaining=0, reset=WALL + 3600, now=1.0, sent_at=0.0)
    assert longest_status(feedback, 1.0).foreign == 0
    assert feedback.bucket.compute_delay(1.0) == 59.25


# Refusals.


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        ({"retry_after": 29.0, "remaining": 0, "limit": 5000, "reset": WALL + 3000}, 29, 29.5),
        ({"retry_after": 0.4}, 0.4, 0.5),
        ({"retry_after": 1e12}, 3600, 3601),
        ({"retry_after": float("inf")}, 3600, 3601),
        ({"retry_after": 0.0}, 0.5, 0.625),
        ({"retry_after": -3.0}, 0.5, 0.625),
        ({"retry_after": float("nan")}, 0.5, 0.625),
        ({"remaining": 0, "reset": WALL + 77}, 77, 78.5),
        ({"reset": WALL + 77}, 77, 78.5),
        ({"remaining": 4000, "reset": WALL + 1800}, 0.5, 0.625),
        ({"remaining": 0, "reset": WALL - 1}, 0.5, 0.625),
        ({"remaining": 0, "reset": 0.0}, 0.5, 0.625),
        ({"remaining": 0, "reset": WALL + 1e9}, 3600, 3601),
        ({}, 0.5, 0.625),
    ],
)
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_a_refusal_pauses_for_the_stated_wait_or_longer(
    headers: dict[str, Any], low: float, high: float, chance: float
) -> None:
    feedback = make_feedback()
    wait = apply_refusal(feedback, chance=chance, **headers)
    assert low <= wait <= high
    assert feedback.bucket.compute_delay(0.0) >= wait


def test_refusals_without_a_stated_wait_back_off_up_to_a_minute_until_a_success() -> None:
    feedback, now, waits = make_feedback(), 0.0, []
    for _ in range(10):
        waits.append(apply_refusal(feedback, now=now))
        now += waits[-1] + 0.1
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    apply_headers(feedback, now=now)
    assert apply_refusal(feedback, now=now + 1) == 0.5


def test_a_success_sent_before_the_pause_does_not_reset_the_backoff() -> None:
    feedback = make_feedback()
    apply_refusal(feedback, now=1.0)
    apply_headers(feedback, sent_at=0.0, now=1.2)
    assert apply_refusal(feedback, now=5.0) == 1.0


def test_refusals_of_requests_sent_before_the_pause_ended_pause_once() -> None:
    feedback = make_feedback(sent=100)
    assert apply_refusal(feedback, now=1.0, sent_at=0.0, retry_after=10.0) == 10.0
    assert [apply_refusal(feedback, now=1.0 + n / 100, sent_at=0.0, retry_after=10.0) for n in range(90)] == [0.0] * 90
    assert apply_refusal(feedback, now=5.0, sent_at=1.1) == 0.0
    assert feedback.bucket.paused_until == 11.0


def test_a_late_refusal_with_a_longer_wait_prolongs_the_pause() -> None:
    feedback = make_feedback()
    apply_refusal(feedback, now=1.0, sent_at=0.0, retry_after=2.0)
    assert apply_refusal(feedback, now=1.5, sent_at=0.0, retry_after=30.0) == 30.0


def test_a_burst_refusal_fills_the_minute_and_not_the_hour() -> None:
    feedback = make_feedback(sent=1)
    apply_refusal(feedback, retry_after=29.0, limit=5000, remaining=0, reset=WALL + 3000)
    minute, hourly = feedback.bucket.describe_windows(30.0)
    assert minute.foreign > 100
    assert hourly.foreign == 0


def test_an_hourly_refusal_fills_the_hour_and_not_the_minute() -> None:
    feedback = make_feedback(sent=1)
    apply_refusal(feedback, remaining=0, reset=WALL + 600)
    minute, hourly = feedback.bucket.describe_windows(599.0)
    assert minute.foreign == 0
    assert hourly.foreign == 4999
    assert feedback.bucket.compute_delay(602.0) == 0.0


@pytest.mark.parametrize("headers", [{"retry_after": 1.0}, {"remaining": 0, "reset": WALL + 600}])
def test_a_refusal_in_a_huge_window_does_not_fill_memory(headers: dict[str, Any]) -> None:
    feedback = make_feedback([(10**12, 60.0), (10**13, 3600.0)])
    wait = apply_refusal(feedback, **headers)
    assert longest_status(feedback).foreign <= 100_000
    assert feedback.bucket.compute_delay(0.0) == wait


# Clocks.


@pytest.mark.parametrize("skew", [-7200.0, -3.0, 0.0, 0.9, 86_400.0])
def test_reset_is_read_on_the_clock_of_the_service(skew: float) -> None:
    feedback = make_feedback()
    wait = apply_refusal(feedback, remaining=0, reset=WALL + skew + 50, skew=skew)
    assert 50 <= wait <= 51


def test_the_clock_skew_of_an_earlier_response_applies_to_one_without_a_date() -> None:
    feedback = make_feedback()
    apply_headers(feedback, skew=500.0)
    assert apply_refusal(feedback, remaining=0, reset=WALL + 550, date=None) == pytest.approx(50, abs=1)


def test_the_clock_skew_becomes_sharper_than_a_second() -> None:
    skew = ClockSkew()
    for n in range(40):
        wall = WALL + n * 1.025
        skew.apply_date(int(wall + 0.3), wall=wall, elapsed=0.01)
    assert 0.2 <= skew.estimate_server_time(WALL) - WALL <= 0.3


def test_a_wall_clock_that_is_set_restarts_the_clock_skew() -> None:
    skew = ClockSkew()
    skew.apply_date(WALL, wall=WALL, elapsed=0.1)
    skew.apply_date(WALL + 10, wall=WALL + 3610, elapsed=0.1)
    assert skew.estimate_server_time(WALL + 3620) == WALL + 20


# The quotas of models.


def test_a_refused_model_does_not_change_the_windows_of_the_key() -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit_requests=120, remaining_requests=100)
    apply_headers(feedback, status=429, limit_requests=120, remaining_requests=0)
    assert [window.capacity for window in feedback.bucket.describe_windows(0.0)] == [250, 5000]
    assert [window.used for window in feedback.bucket.describe_windows(0.0)] == [0, 0]


def test_the_quotas_of_models_raise_the_limits_only_with_tiers() -> None:
    without_tiers, with_tiers = make_feedback(), make_feedback(tiers=True)
    for feedback in (without_tiers, with_tiers):
        apply_headers(feedback, limit_requests=4000, remaining_requests=3999)
        apply_headers(feedback, limit_requests=500, remaining_requests=499, model="other")
    assert [window.capacity for window in without_tiers.bucket.describe_windows(0.0)] == [250, 5000]
    assert [window.capacity for window in with_tiers.bucket.describe_windows(0.0)] == [4500, 270_000]


EMPTY: dict[str, Any] = {"limit_requests": 120, "remaining_requests": 0}
SOME: dict[str, Any] = {"limit_requests": 120, "remaining_requests": 9}
DAY: dict[str, Any] = {"limit_tokens_per_day": 10**6, "remaining_tokens_per_day": 0}


@pytest.mark.parametrize(
    ("headers", "key", "model"),
    [
        ({}, True, False),
        ({"retry_after": 5.0}, True, False),
        ({"limit": 5000, "remaining": 0, "reset": WALL + 60}, True, False),
        ({"limit": 5000, "remaining": 0, "retry_after": 5.0}, True, False),
        (EMPTY, False, True),
        (DAY, False, True),
        ({"limit_tokens_per_minute": 10**5, "remaining_tokens_per_minute": 0}, False, True),
        ({"reset_tokens_per_day": WALL + 7200}, False, True),
        ({**EMPTY, "retry_after": 5.0}, False, True),
        ({**SOME, "retry_after": 5.0}, False, True),
        ({**EMPTY, "limit": 5000, "remaining": 4000, "reset": WALL + 60}, False, True),
        ({**SOME, "limit": 5000, "remaining": 0, "reset": WALL + 60}, True, False),
        ({**EMPTY, "limit": 5000, "remaining": 0, "reset": WALL + 60}, True, True),
        ({**SOME, **DAY}, False, True),
    ],
)
def test_a_refusal_binds_the_key_or_the_model_as_its_headers_say(
    headers: dict[str, Any], key: bool, model: bool
) -> None:
    feedback = make_feedback()
    pauses = apply_headers(feedback, status=429, **headers)
    assert (pauses.key > 0, pauses.model > 0) == (key, model)
    assert (feedback.bucket.compute_delay(0.0) > 0) == key
    budget = feedback.models.by_model.get("m")
    assert (budget is not None and budget.compute_delay(0.0, 1) > 0) == model


@pytest.mark.parametrize(
    ("headers", "low", "high"),
    [
        (EMPTY, 0.5, 0.625),
        ({**EMPTY, "reset_requests": WALL - 0.3}, 0.5, 0.625),
        ({**EMPTY, "reset_requests": WALL + 7}, 7, 8.5),
        ({**EMPTY, "retry_after": 3.0}, 3, 3.5),
        ({"reset_requests": 0.0, "reset_tokens_per_minute": WALL + 9, "reset_tokens_per_day": WALL + 50}, 9, 10.5),
        ({**DAY, "reset_tokens_per_day": WALL + 7200, "reset_requests": WALL + 1}, 7200, 7201.5),
        ({**EMPTY, "reset_requests": WALL + 40, **DAY, "reset_tokens_per_day": WALL + 7200}, 7200, 7201.5),
        ({**DAY, "reset_tokens_per_day": WALL + 1e9}, 86_400, 86_401),
    ],
)
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_a_refused_model_pauses_for_the_stated_wait_or_longer(
    headers: dict[str, Any], low: float, high: float, chance: float
) -> None:
    feedback = make_feedback()
    wait = apply_headers(feedback, status=429, chance=chance, **headers).model
    assert low <= wait <= high
    assert feedback.models.by_model["m"].compute_delay(0.0, 1) >= wait
    assert feedback.bucket.compute_delay(0.0) == 0.0


@pytest.mark.parametrize("headers", [EMPTY, {"reset_requests": WALL - 1}])
def test_a_success_ends_the_backoff_of_its_model_alone(headers: dict[str, Any]) -> None:
    feedback = make_feedback()
    for model in ("m", "other"):
        for now in (0.0, 10.0):
            apply_headers(feedback, status=429, now=now, model=model, **headers)
    apply_headers(feedback, now=11.0, sent_at=10.5)  # sent before the pause ended
    apply_headers(feedback, now=20.0)
    pauses = [apply_headers(feedback, status=429, now=30.0, model=model, **headers).model for model in ("m", "other")]
    assert pauses == [0.5, 2.0]


def test_refusals_of_one_model_do_not_count_against_another() -> None:
    feedback = make_feedback()
    first = [apply_headers(feedback, status=429, now=now, **EMPTY).model for now in (0.0, 10.0, 20.0)]
    other = apply_headers(feedback, status=429, now=30.0, model="other", **EMPTY).model
    assert (first, other) == ([0.5, 1.0, 2.0], 0.5)


# Recovery.


def test_successes_after_the_pause_return_the_count_of_the_key() -> None:
    feedback = make_feedback(sent=100)
    apply_refusal(feedback, now=1.0, sent_at=0.0, retry_after=1.0)
    assert feedback.bucket.count_free(2.5) < 10
    free = []
    for n in range(9):
        apply_headers(feedback, now=3.0 + n / 10)
        free.append(feedback.bucket.count_free(3.0 + n / 10))
    assert free[0] < 10
    assert free[-1] == 150
    assert free == sorted(free)


def test_a_success_that_was_sent_before_the_pause_ended_returns_nothing() -> None:
    feedback = make_feedback(sent=100)
    apply_refusal(feedback, now=1.0, sent_at=0.0, retry_after=1.0)
    for _ in range(20):
        apply_headers(feedback, now=2.5, sent_at=0.5)
    assert feedback.bucket.count_free(2.5) < 10


def test_usage_of_others_that_the_service_counted_is_not_returned() -> None:
    feedback = make_feedback(sent=10)
    apply_headers(feedback, now=1.0, limit=5000, remaining=4000)
    apply_refusal(feedback, now=2.0, retry_after=1.0)
    for n in range(20):
        apply_headers(feedback, now=4.0 + n / 10)
    assert longest_status(feedback, 6.0).foreign >= 989  # one expired meanwhile
