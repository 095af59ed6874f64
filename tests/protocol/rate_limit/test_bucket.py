"""Settings, forecasts and descriptions of the bucket."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async.errors import ConfigurationError

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
SMALL = [(5, 3.0), (12, 12.0)]


@pytest.mark.parametrize("guard", [-0.1, float("nan"), float("inf")])
def test_an_invalid_guard_is_refused(guard: float) -> None:
    with pytest.raises(ConfigurationError, match="guard"):
        RollingTokenBucket(SMALL, guard=guard)


def test_the_repr_of_a_bucket_shows_windows_and_guard() -> None:
    assert repr(RollingTokenBucket(SMALL)) == "RollingTokenBucket([(5, 3.0), (12, 12.0)], guard=0.25)"


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.integers(0, 1024).map(lambda n: n / 1024), max_size=60),  # seconds before each request, exact in binary
    st.integers(1, 40),
)
def test_forecasts_are_exact_and_the_lower_bound_is_never_late(gaps: list[float], n: int) -> None:
    bucket, now = RollingTokenBucket(SMALL, guard=0.25), 0.0
    for gap in gaps:
        now += gap
        bucket.reserve(now)
    lower_bound, forecast, start = bucket.find_earliest(now, n), bucket.forecast_send_time(now, n), now
    for _ in range(n):
        while delay := bucket.reserve(now):
            now += delay
    assert lower_bound <= now + 1e-9
    assert forecast == pytest.approx(now, abs=1e-9)
    assert bucket.find_earliest(start, n) >= lower_bound


def test_a_forecast_of_a_million_requests_is_a_close_lower_bound() -> None:
    bucket = RollingTokenBucket(DOCUMENTED)
    assert 190 * 3600 < bucket.forecast_send_time(0.0, 1_000_000) <= 200 * 3601
