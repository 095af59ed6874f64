"""Foreign usage, uncounted refusals and announced limits, from the quota headers."""

from typing import Any
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.quota_reconciler import QuotaReconciler
from tests.support.server_feedback import WALL, apply_headers, apply_refusal, longest_status, make_feedback

# Foreign usage.


def test_requests_counted_beyond_our_own_are_foreign() -> None:
    feedback = make_feedback(sent=100)
    apply_headers(feedback, limit=5000, remaining=3900, now=1.0)
    assert (longest_status(feedback, 1.0).foreign, longest_status(feedback, 1.0).used) == (1000, 1100)


def test_our_own_requests_are_not_foreign() -> None:
    feedback = make_feedback(sent=100)
    apply_headers(feedback, limit=5000, remaining=4900, now=1.0)
    assert longest_status(feedback, 1.0).foreign == 0


def test_requests_sent_after_the_response_are_not_foreign() -> None:
    feedback = make_feedback(sent=10)
    for _ in range(50):
        feedback.bucket.reserve(2.0)
    apply_headers(feedback, limit=5000, remaining=4990, sent_at=0.0, now=3.0)
    assert longest_status(feedback, 3.0).foreign == 0
    apply_headers(feedback, limit=5000, remaining=4940, sent_at=2.0, now=3.0)
    assert longest_status(feedback, 3.0).foreign == 0


def test_foreign_usage_shrinks_when_the_service_counts_less() -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=5000, remaining=4000, now=1.0)
    apply_headers(feedback, limit=5000, remaining=4600, now=2.0)
    assert longest_status(feedback, 2.0).foreign == 400


def test_foreign_usage_expires_evenly_between_reset_and_an_hour() -> None:
    feedback = make_feedback(guard=0.0)
    apply_headers(feedback, limit=5000, remaining=4000, reset=WALL + 1800)
    foreign = [longest_status(feedback, now).foreign for now in (0.0, 1799.0, 2700.0, 3599.0, 3600.0)]
    assert foreign[:2] == [1000, 1000]
    assert foreign[2] == pytest.approx(500, abs=2)
    assert foreign[3] <= 1
    assert foreign[4] == 0


@pytest.mark.parametrize("reset", [(WALL + 1800) * 1000, WALL + 86_400])
def test_an_impossible_reset_does_not_prolong_foreign_usage(reset: float) -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=5000, remaining=4000, reset=reset)
    assert [longest_status(feedback, now).foreign for now in (0.0, 3601.0)] == [1000, 0]


def test_a_response_to_an_older_request_frees_nothing() -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=5000, remaining=4000, sent_at=10.0, now=11.0)
    apply_headers(feedback, limit=1200, remaining=1200, sent_at=5.0, now=12.0)
    assert (longest_status(feedback, 12.0).foreign, longest_status(feedback, 12.0).capacity) == (1000, 5000)


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 300))
def test_the_order_of_responses_does_not_invent_foreign_usage(order: list[int], others: int) -> None:
    feedback = make_feedback()
    for n in range(12):
        feedback.bucket.reserve(float(n))
    for n in order:
        apply_headers(feedback, limit=5000, remaining=5000 - others - n - 1, sent_at=float(n), now=20.0)
    assert others - 12 <= longest_status(feedback, 20.0).foreign <= others


def test_foreign_usage_since_the_last_response_counts_in_the_minute_too() -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=5000, remaining=5000, now=1.0)
    apply_headers(feedback, limit=5000, remaining=4900, now=3.0)
    assert [window.foreign for window in feedback.bucket.describe_windows(3.0)] == [100, 100]
    assert [window.foreign for window in feedback.bucket.describe_windows(64.0)] == [0, 100]


def test_refused_requests_that_the_service_does_not_count_free_their_tokens() -> None:
    feedback = make_feedback(sent=100)
    for _ in range(40):
        apply_refusal(feedback, now=1.0, sent_at=0.0, retry_after=1.0)
    apply_headers(feedback, limit=5000, remaining=4940, now=5.0)
    assert longest_status(feedback, 5.0).used == 60


def test_an_uncounted_refusal_frees_a_token_no_longer_than_it_counts() -> None:
    feedback = make_feedback([(10, 6.0), (20, 60.0)], guard=0.0, sent=10)
    for _ in range(8):
        apply_refusal(feedback, now=1.0, sent_at=0.0, retry_after=1.0)
    apply_headers(feedback, limit=20, remaining=18, now=5.0)
    assert longest_status(feedback, 5.0).used == 2
    now, sent = 200.0, 0
    while now < 260.0:
        delay = feedback.bucket.reserve(now)
        now, sent = now + delay, sent + (not delay)
    assert sent == 20


def test_requests_that_the_service_counts_late_free_no_token() -> None:
    feedback = make_feedback(sent=100)
    apply_headers(feedback, limit=5000, remaining=4940, now=5.0)
    assert longest_status(feedback, 5.0).used == 100


# The hourly limit.


@pytest.mark.parametrize("limit", [100, 1200, 5000, 20_000])
def test_the_announced_hourly_limit_is_adopted(limit: int) -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=limit, remaining=limit)
    assert [window.capacity for window in feedback.bucket.describe_windows(0.0)] == [250, limit]


def test_a_limit_below_the_usage_makes_requests_wait() -> None:
    feedback = make_feedback(sent=200)
    apply_headers(feedback, limit=100, remaining=0, now=1.0, reset=WALL + 3600)
    assert feedback.bucket.compute_delay(1.0) == pytest.approx(3599.25, abs=0.01)


def test_a_limit_that_is_not_followed_leaves_headroom_to_others() -> None:
    feedback = make_feedback([(10, 60.0), (100, 3600.0)], follow=False)
    apply_headers(feedback, limit=5000, remaining=3000)
    assert (longest_status(feedback).capacity, longest_status(feedback).foreign) == (100, 0)
    apply_headers(feedback, limit=5000, remaining=40)
    assert longest_status(feedback).foreign == 60
    apply_headers(feedback, limit=50, remaining=50)
    assert longest_status(feedback).capacity == 50


def test_a_share_of_the_limit_leaves_headroom_to_others() -> None:
    feedback = make_feedback([(62, 60.0), (1250, 3600.0)], share=0.25)
    apply_headers(feedback, limit=10_000, remaining=4000)
    assert (longest_status(feedback).capacity, longest_status(feedback).foreign) == (2500, 0)
    apply_headers(feedback, limit=10_000, remaining=500)
    assert longest_status(feedback).foreign == 2000


def test_the_hourly_limit_is_not_applied_to_a_single_minute_window() -> None:
    feedback = make_feedback([(250, 60.0)])
    apply_headers(feedback, limit=5000, remaining=10)
    assert longest_status(feedback).capacity == 250
    assert longest_status(feedback).foreign == 0


@pytest.mark.parametrize("limit", [0, -5])
def test_a_limit_below_one_is_ignored(limit: int) -> None:
    feedback = make_feedback()
    apply_headers(feedback, limit=limit, remaining=4000)
    assert longest_status(feedback).capacity == 5000


# Through the bucket.


def test_observe_applies_the_quota_headers() -> None:
    bucket = RollingTokenBucket([(5, 60.0), (50, 3600.0)])
    bucket.observe(limit=50, remaining=0, reset=31.0, now=1.0)
    assert bucket.reserve(1.0) == 30.0
    bucket.observe(limit=80, remaining=80, reset=None, now=2.0)
    assert bucket.reserve(2.0) == 0.0
    assert bucket.describe_windows(2.0)[-1].capacity == 80


# The fast path of expected headers.

Response = tuple[float, int, float, int | None, int | None, float | None, int]
RESPONSES = st.tuples(
    st.floats(0.0, 30.0),  # seconds until it arrives
    st.integers(0, 3),  # requests sent meanwhile
    st.floats(0.0, 5.0),  # seconds since its request was sent
    st.sampled_from([None, 30, 40, 40, 40]),  # limit
    st.one_of(st.none(), st.integers(0, 45)),  # remaining
    st.sampled_from([None, 5.0, 50.0]),  # seconds until reset
    st.sampled_from([200, 200, 200, 429]),  # status
)


@settings(max_examples=300, deadline=None)
@given(st.lists(RESPONSES, max_size=40))
def test_the_fast_path_leaves_the_bucket_as_the_full_path_does(responses: list[Response]) -> None:
    fast, full = make_feedback([(10, 6.0), (40, 60.0)]), make_feedback([(10, 6.0), (40, 60.0)])
    without_fast_path = mock.patch.object(QuotaReconciler, "skip_if_expected", return_value=False)
    now = 0.0
    for gap, sends, elapsed, limit, remaining, reset, status in responses:
        now += gap
        headers: dict[str, Any] = {"limit": limit, "remaining": remaining, "reset": reset and WALL + now + reset}
        for feedback in (fast, full):
            for _ in range(sends):
                feedback.bucket.reserve(now)
        apply_headers(fast, status=status, now=now, sent_at=now - elapsed, **headers)
        with without_fast_path:
            apply_headers(full, status=status, now=now, sent_at=now - elapsed, **headers)
        assert fast.bucket.describe_windows(now) == full.bucket.describe_windows(now)
        assert fast.bucket.compute_delay(now) == full.bucket.compute_delay(now)


def test_expected_headers_take_the_fast_path() -> None:
    feedback = make_feedback(sent=20)
    apply_headers(feedback, limit=5000, remaining=4990, now=1.0)
    with mock.patch.object(RollingTokenBucket, "observe") as observe:
        for n in range(10):
            apply_headers(feedback, limit=5000, remaining=4990 - n, reset=WALL + 3000, now=1.0 + n)
    assert not observe.called
