"""Counting and estimating, on a clock of numbers."""

from __future__ import annotations

import pytest

from gradient_async._protocol.map.progress_meter import ProgressMeter
from gradient_async._protocol.map.stop_rule import StopRule
from gradient_async._protocol.rate_limit.status import LimiterStatus, WindowStatus
from gradient_async.errors import APIConnectionError, BadRequestError, GradientError, status_error_class


def new_meter(total: int | None = None) -> ProgressMeter:
    meter = ProgressMeter(0.0, total)
    meter.start(100.0)
    return meter


def test_counts_add_up() -> None:
    meter = new_meter(10)
    meter.count_restored(3)
    meter.count_answered(101.0, attempts=3, tokens=7)
    meter.count_failed(102.0, attempts=1)
    meter.count_failed(102.0)
    progress = meter.describe(110.0, in_flight=2, status=None)
    assert (progress.done, progress.failed, progress.restored, progress.retried) == (6, 2, 3, 2)
    assert (progress.tokens, progress.elapsed, progress.in_flight) == (7, 10.0, 2)


def test_the_rate_is_that_of_the_last_two_minutes() -> None:
    meter = new_meter(1000)
    for second in range(1, 301):
        for _ in range(10 if second <= 150 else 2):
            meter.count_answered(100.0 + second)
    progress = meter.describe(400.0, status=None)
    assert progress.rate == pytest.approx(2.0, rel=0.05)


def test_restored_items_do_not_count_for_the_rate() -> None:
    meter = new_meter(1000)
    meter.count_restored(500)
    for second in range(1, 11):
        meter.count_answered(100.0 + second)
    progress = meter.describe(110.0, status=None)
    assert progress.rate == pytest.approx(1.0)
    assert progress.seconds_left == pytest.approx(490.0)


@pytest.mark.parametrize(
    ("total", "done", "by_limiter", "left"),
    [
        (None, 5, 0.0, None),
        (10, 0, 0.0, None),
        (10, 0, 60.0, 60.0),
        (10, 5, 60.0, 60.0),
        (10, 5, 0.0, 5.0),
        (5, 5, 9.0, 0.0),
    ],
)
def test_the_time_left_is_the_larger_of_rate_and_limiter(
    total: int | None, done: int, by_limiter: float, left: float | None
) -> None:
    meter = new_meter(total)
    for number in range(done):
        meter.count_answered(101.0 + number)
    assert meter.describe(105.0, status=None, by_limiter=by_limiter).seconds_left == (
        None if left is None else pytest.approx(left)
    )


@pytest.mark.parametrize(
    ("paused_until", "next_free_at", "delay"), [(None, 50.0, 0.0), (None, 91.0, 41.0), (60.0, 50.0, 10.0)]
)
def test_the_limiter_delay_ends_when_every_window_and_the_pause_allow_it(
    paused_until: float | None, next_free_at: float, delay: float
) -> None:
    window = WindowStatus(capacity=1, period=60.0, used=1, foreign=0, next_free_at=next_free_at)
    status = LimiterStatus(windows=(window,), paused_until=paused_until, now=50.0)
    progress = new_meter(None).describe(105.0, waiting=1, status=status)
    assert (progress.limiter_delay, bool(progress.limit)) == (delay, delay > 0)
    assert new_meter(None).describe(105.0, waiting=0, status=status).limiter_delay == 0.0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 408, 422, 429, 500, 503])
def test_only_refusals_of_the_key_end_a_map_at_once(status: int) -> None:
    error = status_error_class(status)("m", status=status)
    assert StopRule().ends_map(error) == (status in (401, 402, 403))


def test_a_run_of_failures_ends_a_map() -> None:
    rule = StopRule(stop_after=3)
    run: list[GradientError | None] = [BadRequestError("m"), APIConnectionError("m"), None, *[BadRequestError("m")] * 3]
    assert [rule.ends_map(error) for error in run] == [False] * 5 + [True]
