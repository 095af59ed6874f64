from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.quota_headers import QuotaReconciler
from gradient_async._protocol.rate_limit.server_feedback import ClockSkew, ServerFeedback
from gradient_async.models.response_meta import RateLimitInfo

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
WALL = 1_700_000_000.0  # epoch seconds at the bucket's time 0


def learner_of(windows=DOCUMENTED, *, sent=0, guard=0.25, tiers=False, **options):
    learner = ServerFeedback(RollingTokenBucket(windows, guard=guard, **options), tiers=tiers)
    for _ in range(sent):
        learner.bucket.reserve(0.0)
    return learner


def hear(learner, *, status=200, now=0.0, sent_at=None, skew=0.0, chance=0.0, **headers):
    headers.setdefault("date", int(WALL + now + skew))
    return learner.apply_headers(
        RateLimitInfo(**headers),
        status=status,
        sent_at=now if sent_at is None else sent_at,
        now=now,
        wall=WALL + now,
        chance=chance,
    )


def refuse(learner, **headers):
    return hear(learner, status=429, **headers)


def hour(learner, now=0.0):
    return learner.bucket.describe_windows(now)[-1]


# Others with the same key.


def test_what_the_service_counts_and_we_did_not_send_was_sent_by_others():
    learner = learner_of(sent=100)
    hear(learner, limit=5000, remaining=3900, now=1.0)
    assert (hour(learner, 1.0).foreign, hour(learner, 1.0).used) == (1000, 1100)


def test_our_own_use_is_not_held_against_us():
    learner = learner_of(sent=100)
    hear(learner, limit=5000, remaining=4900, now=1.0)
    assert hour(learner, 1.0).foreign == 0


def test_requests_on_their_way_are_not_taken_for_others():
    learner = learner_of(sent=10)
    for _ in range(50):
        learner.bucket.reserve(2.0)
    hear(learner, limit=5000, remaining=4990, sent_at=0.0, now=3.0)
    assert hour(learner, 3.0).foreign == 0
    hear(learner, limit=5000, remaining=4940, sent_at=2.0, now=3.0)
    assert hour(learner, 3.0).foreign == 0


def test_the_use_of_others_shrinks_when_the_service_counts_less():
    learner = learner_of()
    hear(learner, limit=5000, remaining=4000, now=1.0)
    hear(learner, limit=5000, remaining=4600, now=2.0)
    assert hour(learner, 2.0).foreign == 400


def test_the_use_of_others_ends_evenly_between_reset_and_an_hour():
    learner = learner_of(guard=0.0)
    hear(learner, limit=5000, remaining=4000, reset=WALL + 1800)
    foreign = [hour(learner, now).foreign for now in (0.0, 1799.0, 2700.0, 3599.0, 3600.0)]
    assert foreign[:2] == [1000, 1000]
    assert foreign[2] == pytest.approx(500, abs=2)
    assert foreign[3] <= 1
    assert foreign[4] == 0


@pytest.mark.parametrize("reset", [(WALL + 1800) * 1000, WALL + 86_400])
def test_a_reset_that_no_request_can_have_does_not_keep_the_use_of_others(reset):
    learner = learner_of()
    hear(learner, limit=5000, remaining=4000, reset=reset)
    assert [hour(learner, now).foreign for now in (0.0, 3601.0)] == [1000, 0]


def test_an_answer_to_an_older_request_does_no_harm():
    learner = learner_of()
    hear(learner, limit=5000, remaining=4000, sent_at=10.0, now=11.0)
    hear(learner, limit=1200, remaining=1200, sent_at=5.0, now=12.0)
    assert (hour(learner, 12.0).foreign, hour(learner, 12.0).capacity) == (1000, 5000)


@settings(max_examples=200, deadline=None)
@given(st.permutations(range(12)), st.integers(0, 300))
def test_the_order_of_answers_does_not_invent_others(order, others):
    learner = learner_of()
    for n in range(12):
        learner.bucket.reserve(float(n))
    for n in order:
        hear(learner, limit=5000, remaining=5000 - others - n - 1, sent_at=float(n), now=20.0)
    assert others - 12 <= hour(learner, 20.0).foreign <= others


def test_what_others_sent_since_the_last_answer_is_in_the_minute_too():
    learner = learner_of()
    hear(learner, limit=5000, remaining=5000, now=1.0)
    hear(learner, limit=5000, remaining=4900, now=3.0)
    assert [window.foreign for window in learner.bucket.describe_windows(3.0)] == [100, 100]
    assert [window.foreign for window in learner.bucket.describe_windows(64.0)] == [0, 100]


def test_refused_requests_that_the_service_does_not_count_are_not_held_against_us():
    learner = learner_of(sent=100)
    for _ in range(40):
        refuse(learner, now=1.0, sent_at=0.0, retry_after=1.0)
    hear(learner, limit=5000, remaining=4940, now=5.0)
    assert hour(learner, 5.0).used == 60


def test_a_refused_request_is_taken_back_for_no_longer_than_it_counts():
    learner = learner_of([(10, 6.0), (20, 60.0)], guard=0.0, sent=10)
    for _ in range(8):
        refuse(learner, now=1.0, sent_at=0.0, retry_after=1.0)
    hear(learner, limit=20, remaining=18, now=5.0)
    assert hour(learner, 5.0).used == 2
    now, sent = 200.0, 0
    while now < 260.0:
        delay = learner.bucket.reserve(now)
        now, sent = now + delay, sent + (not delay)
    assert sent == 20


def test_what_the_service_counts_late_is_no_credit():
    learner = learner_of(sent=100)
    hear(learner, limit=5000, remaining=4940, now=5.0)
    assert hour(learner, 5.0).used == 100


# The hourly limit.


@pytest.mark.parametrize("limit", [100, 1200, 5000, 20_000])
def test_the_announced_hourly_limit_is_adopted(limit):
    learner = learner_of()
    hear(learner, limit=limit, remaining=limit)
    assert [window.capacity for window in learner.bucket.describe_windows(0.0)] == [250, limit]


def test_a_limit_lower_than_what_is_used_waits_instead_of_failing():
    learner = learner_of(sent=200)
    hear(learner, limit=100, remaining=0, now=1.0, reset=WALL + 3600)
    assert learner.bucket.compute_delay(1.0) == pytest.approx(3599.25, abs=0.01)


def test_a_budget_that_does_not_follow_stays_below_the_announced_limit():
    learner = learner_of([(10, 60.0), (100, 3600.0)], follow=False)
    hear(learner, limit=5000, remaining=3000)
    assert (hour(learner).capacity, hour(learner).foreign) == (100, 0)
    hear(learner, limit=5000, remaining=40)
    assert hour(learner).foreign == 60
    hear(learner, limit=50, remaining=50)
    assert hour(learner).capacity == 50


def test_a_share_takes_its_part_and_leaves_the_others_theirs():
    learner = learner_of([(62, 60.0), (1250, 3600.0)], share=0.25)
    hear(learner, limit=10_000, remaining=4000)
    assert (hour(learner).capacity, hour(learner).foreign) == (2500, 0)
    hear(learner, limit=10_000, remaining=500)
    assert hour(learner).foreign == 2000


def test_the_hourly_number_never_raises_a_lone_minute():
    learner = learner_of([(250, 60.0)])
    hear(learner, limit=5000, remaining=10)
    assert hour(learner).capacity == 250
    assert hour(learner).foreign == 0


@pytest.mark.parametrize("limit", [0, -5])
def test_a_senseless_limit_is_ignored(limit):
    learner = learner_of()
    hear(learner, limit=limit, remaining=4000)
    assert hour(learner).capacity == 5000


# Nothing remaining.


def test_nothing_remaining_waits_for_reset_but_no_longer_than_one_short_window():
    learner = learner_of()
    hear(learner, limit=5000, remaining=0, reset=WALL + 20)
    assert learner.bucket.compute_delay(0.0) == pytest.approx(20, abs=1)
    learner = learner_of()
    hear(learner, limit=5000, remaining=0, reset=WALL + 3000)
    assert learner.bucket.compute_delay(0.0) == pytest.approx(60, abs=1)


def test_nothing_remaining_after_our_own_burst_is_the_burst():
    learner = learner_of(sent=250)
    hear(learner, limit=5000, remaining=0, reset=WALL + 3600, now=1.0, sent_at=0.0)
    assert hour(learner, 1.0).foreign == 0
    assert learner.bucket.compute_delay(1.0) == 59.25


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
        ({"limit_requests": 120, "remaining_requests": 0, "reset_requests": WALL - 0.3}, 0.5, 0.625),
        ({"limit_requests": 120, "remaining_requests": 0, "reset_requests": WALL + 7}, 7, 8.5),
        ({"reset_requests": 0.0, "reset_tokens_per_minute": WALL + 9, "reset_tokens_per_day": WALL + 50}, 9, 10.5),
    ],
)
@pytest.mark.parametrize("chance", [0.0, 0.999])
def test_a_refusal_waits_what_it_states_and_never_less(headers, low, high, chance):
    learner = learner_of()
    wait = refuse(learner, chance=chance, **headers)
    assert low <= wait <= high
    assert learner.bucket.compute_delay(0.0) >= wait


def test_refusals_without_advice_back_off_up_to_a_minute_until_one_succeeds():
    learner, now, waits = learner_of(), 0.0, []
    for _ in range(10):
        waits.append(refuse(learner, now=now))
        now += waits[-1] + 0.1
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0]
    hear(learner, now=now)
    assert refuse(learner, now=now + 1) == 0.5


def test_a_success_from_before_the_pause_does_not_end_the_backoff():
    learner = learner_of()
    refuse(learner, now=1.0)
    hear(learner, sent_at=0.0, now=1.2)
    assert refuse(learner, now=5.0) == 1.0


def test_refusals_of_requests_sent_before_the_pause_ended_are_one_incident():
    learner = learner_of(sent=100)
    assert refuse(learner, now=1.0, sent_at=0.0, retry_after=10.0) == 10.0
    assert [refuse(learner, now=1.0 + n / 100, sent_at=0.0, retry_after=10.0) for n in range(90)] == [0.0] * 90
    assert refuse(learner, now=5.0, sent_at=1.1) == 0.0
    assert learner.bucket.paused_until == 11.0


def test_a_late_refusal_that_states_a_longer_wait_is_believed():
    learner = learner_of()
    refuse(learner, now=1.0, sent_at=0.0, retry_after=2.0)
    assert refuse(learner, now=1.5, sent_at=0.0, retry_after=30.0) == 30.0


def test_a_burst_refusal_leaves_the_hour_alone():
    learner = learner_of(sent=1)
    refuse(learner, retry_after=29.0, limit=5000, remaining=0, reset=WALL + 3000)
    minute, hourly = learner.bucket.describe_windows(30.0)
    assert minute.foreign > 100
    assert hourly.foreign == 0


def test_an_hourly_refusal_fills_the_hour_and_not_the_minute():
    learner = learner_of(sent=1)
    refuse(learner, remaining=0, reset=WALL + 600)
    minute, hourly = learner.bucket.describe_windows(599.0)
    assert minute.foreign == 0
    assert hourly.foreign == 4999
    assert learner.bucket.compute_delay(602.0) == 0.0


@pytest.mark.parametrize("headers", [{"retry_after": 1.0}, {"remaining": 0, "reset": WALL + 600}])
def test_a_refusal_of_a_window_without_end_fills_no_memory(headers):
    learner = learner_of([(10**12, 60.0), (10**13, 3600.0)])
    wait = refuse(learner, **headers)
    assert hour(learner).foreign <= 1_000_000
    assert learner.bucket.compute_delay(0.0) == wait


# Clocks.


@pytest.mark.parametrize("skew", [-7200.0, -3.0, 0.0, 0.9, 86_400.0])
def test_reset_is_read_on_the_services_clock(skew):
    learner = learner_of()
    wait = refuse(learner, remaining=0, reset=WALL + skew + 50, skew=skew)
    assert 50 <= wait <= 51


def test_a_wait_is_right_even_when_only_an_earlier_answer_had_a_date():
    learner = learner_of()
    hear(learner, skew=500.0)
    assert refuse(learner, remaining=0, reset=WALL + 550, date=None) == pytest.approx(50, abs=1)


def test_the_skew_becomes_sharper_than_a_second():
    skew = ClockSkew()
    for n in range(40):
        wall = WALL + n * 1.025
        skew.apply_date(int(wall + 0.3), wall=wall, elapsed=0.01)
    assert 0.2 <= skew.estimate_server_time(WALL) - WALL <= 0.3


def test_a_wall_clock_that_is_set_anew_is_noticed():
    skew = ClockSkew()
    skew.apply_date(WALL, wall=WALL, elapsed=0.1)
    skew.apply_date(WALL + 10, wall=WALL + 3610, elapsed=0.1)
    assert skew.estimate_server_time(WALL + 3620) == WALL + 20


# The tiers of models.


def test_a_tier_that_refuses_lowers_the_short_window_and_a_later_one_raises_it_again():
    learner = learner_of()
    hear(learner, limit_requests=120, remaining_requests=100)
    assert learner.bucket.describe_windows(0.0)[0].capacity == 250
    refuse(learner, limit_requests=120, remaining_requests=0)
    assert learner.bucket.describe_windows(0.0)[0].capacity == 120
    hear(learner, limit_requests=4500, remaining_requests=4000)
    assert learner.bucket.describe_windows(0.0)[0].capacity == 250


@pytest.mark.parametrize(("window", "lowered"), [((10, 1.0), 2), ((5000, 3600.0), 5000), ((9000, 3600.0), 7200)])
def test_a_tier_counts_per_minute_whatever_the_window(window, lowered):
    learner = learner_of([window])
    refuse(learner, limit_requests=120, remaining_requests=0)
    assert hour(learner).capacity == lowered


def test_a_higher_tier_is_used_only_when_asked_for():
    plain, asked = learner_of(), learner_of(tiers=True)
    for learner in (plain, asked):
        hear(learner, limit_requests=4500, remaining_requests=4000)
    assert [window.capacity for window in plain.bucket.describe_windows(0.0)] == [250, 5000]
    assert [window.capacity for window in asked.bucket.describe_windows(0.0)] == [4500, 270_000]


def test_a_tier_with_nothing_left_pauses_until_it_has_and_at_most_a_minute():
    learner = learner_of()
    assert hear(learner, remaining_requests=0, reset_requests=WALL + 5) == pytest.approx(5, abs=1)
    learner = learner_of()
    assert hear(learner, remaining_tokens_per_minute=0, reset_tokens_per_minute=WALL + 500) == 60.0
    learner = learner_of()
    assert hear(learner, remaining_requests=0, reset_requests=0.0) == 0.0


# The bucket's own door.


def test_observe_alone_believes_the_service():
    bucket = RollingTokenBucket([(5, 60.0), (50, 3600.0)])
    bucket.observe(limit=50, remaining=0, reset=31.0, now=1.0)
    assert bucket.reserve(1.0) == 30.0
    bucket.observe(limit=80, remaining=80, reset=None, now=2.0)
    assert bucket.reserve(2.0) == 0.0
    assert bucket.describe_windows(2.0)[-1].capacity == 80


# The short cut for answers that say nothing new.


@settings(max_examples=300, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 30.0),  # until the next answer
            st.integers(0, 3),  # what is sent meanwhile
            st.floats(0.0, 5.0),  # how long the answer took
            st.sampled_from([None, 30, 40, 40, 40]),  # the limit
            st.one_of(st.none(), st.integers(0, 45)),  # what remains of it
            st.sampled_from([None, 5.0, 50.0]),  # until reset
            st.sampled_from([200, 200, 200, 429]),
        ),
        max_size=40,
    )
)
def test_what_an_ordinary_answer_skips_would_have_changed_nothing(steps):
    quick, full = learner_of([(10, 6.0), (40, 60.0)]), learner_of([(10, 6.0), (40, 60.0)])
    now, none_expected = 0.0, mock.patch.object(QuotaReconciler, "skip_if_expected", return_value=False)
    for gap, sends, took, limit, remaining, reset, status in steps:
        now += gap
        headers = {"limit": limit, "remaining": remaining, "reset": reset and WALL + now + reset}
        for learner in (quick, full):
            for _ in range(sends):
                learner.bucket.reserve(now)
        hear(quick, status=status, now=now, sent_at=now - took, **headers)
        with none_expected:
            hear(full, status=status, now=now, sent_at=now - took, **headers)
        assert quick.bucket.describe_windows(now) == full.bucket.describe_windows(now)
        assert quick.bucket.compute_delay(now) == full.bucket.compute_delay(now)


def test_an_ordinary_answer_is_taken_the_short_way():
    learner = learner_of(sent=20)
    hear(learner, limit=5000, remaining=4990, now=1.0)
    with mock.patch.object(RollingTokenBucket, "observe", side_effect=AssertionError):
        for n in range(10):
            hear(learner, limit=5000, remaining=4990 - n, reset=WALL + 3000, now=1.0 + n)
