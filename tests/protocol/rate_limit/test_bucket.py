import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async.errors import ConfigurationError

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
SMALL = [(5, 3.0), (12, 12.0)]


def take(bucket, now, n):
    for _ in range(n):
        assert bucket.reserve(now) == 0.0


def test_a_token_comes_back_one_window_and_the_guard_after_it_was_spent():
    bucket = RollingTokenBucket([(2, 60.0)], guard=0.25)
    assert [bucket.reserve(now) for now in (0.0, 10.0)] == [0.0, 0.0]
    assert bucket.reserve(20.0) == 40.25
    assert bucket.reserve(60.25) == 0.0
    assert bucket.reserve(60.25) == 10.0


def test_a_refused_reservation_takes_nothing():
    bucket = RollingTokenBucket([(1, 1.0), (10, 100.0)], guard=0)
    take(bucket, 0.0, 1)
    for _ in range(50):
        assert bucket.reserve(0.5) == 0.5
    assert [window.used for window in bucket.describe_windows(0.5)] == [1, 1]


@pytest.mark.parametrize("start", [0.1, 1e6 + 0.1, 7e8 + 1 / 3])
def test_waiting_for_the_returned_delay_is_enough(start):
    bucket = RollingTokenBucket(SMALL, guard=0.1)
    now = start
    for _ in range(500):
        delay = bucket.reserve(now)
        if delay:
            now += delay
            assert bucket.reserve(now) == 0.0
        now += 0.0137


def test_a_refund_gives_the_token_back_to_every_window():
    bucket = RollingTokenBucket(SMALL)
    take(bucket, 0.0, 4)
    take(bucket, 1.0, 1)
    assert bucket.reserve(1.0) > 0
    assert bucket.refund(0.0)
    assert bucket.reserve(1.0) == 0.0
    assert [window.used for window in bucket.describe_windows(1.0)] == [5, 5]


def test_a_refund_of_what_was_never_taken_gives_nothing():
    bucket = RollingTokenBucket(SMALL)
    take(bucket, 1.0, 5)
    assert not bucket.refund(0.5)
    assert not bucket.refund(2.0)
    assert bucket.reserve(2.0) > 0


def test_a_held_token_counts_until_it_is_stamped_and_a_window_longer():
    bucket = RollingTokenBucket([(1, 60.0)], guard=0.25)
    assert bucket.reserve_unsent(0.0) == 0.0
    assert bucket.reserve(1000.0) > 0
    assert bucket.start_reserved(1000.0) == 1000.0
    assert bucket.reserve(1000.0) == 60.25
    assert bucket.reserve(1060.25) == 0.0


def test_a_released_token_is_free_at_once():
    bucket = RollingTokenBucket([(1, 60.0)])
    assert bucket.reserve_unsent(0.0) == 0.0
    bucket.release_reserved()
    assert bucket.reserve(0.0) == 0.0


def test_a_pause_is_never_shortened():
    bucket = RollingTokenBucket(SMALL)
    bucket.pause(10.0)
    bucket.pause(5.0)
    assert bucket.reserve(1.0) == 9.0
    assert bucket.reserve(10.0) == 0.0


def test_a_clock_that_goes_backwards_frees_nothing_early():
    bucket = RollingTokenBucket([(2, 10.0)], guard=0)
    take(bucket, 100.0, 1)
    take(bucket, 50.0, 1)
    assert bucket.reserve(60.5) == pytest.approx(49.5)


def test_memory_is_bounded_by_the_capacity():
    bucket = RollingTokenBucket([(10, 0.001), (1000, 1.0)], guard=0)
    now = 0.0
    for _ in range(20_000):
        now += bucket.reserve(now)
    assert len(bucket.sent_times) <= 1000 * 1.25 + 65


@pytest.mark.parametrize("guard", [-0.1, float("nan"), float("inf")])
def test_a_guard_that_cannot_work_is_refused(guard):
    with pytest.raises(ConfigurationError, match="guard"):
        RollingTokenBucket(SMALL, guard=guard)


@pytest.mark.parametrize(("limits", "hours"), [(DOCUMENTED, 2), ([(50, 3.0), (200, 12.0)], 0.1)])
def test_two_saturated_hours_without_one_refusal(service, limits, hours):
    chance = random.Random(1)
    bucket, server, on_the_way = RollingTokenBucket(limits), service(limits), []
    now, end = 0.0, hours * 3600
    while now < end:
        delay = bucket.reserve(now)
        if delay:
            now += delay
        else:
            on_the_way.append(now + chance.uniform(0.0, 0.2499))
    for at in sorted(on_the_way):
        server.receive(at)
    assert server.refused == 0
    assert server.admitted >= 0.99 * end * min(capacity / (period + 0.25) for capacity, period in limits)


def test_a_saturated_minute_limit_reaches_99_percent_of_the_optimum():
    bucket, now, sent, hours = RollingTokenBucket([(250, 60.0)]), 0.0, 0, 10
    while now < hours * 3600:
        delay = bucket.reserve(now)
        now, sent = now + delay, sent + (not delay)
    assert sent >= 0.99 * hours * 60 * 250


# Multiples of 1/1024 s are exact in binary, so that the model may compare without a tolerance.
def moments(longest):
    return st.integers(0, int(longest * 1024)).map(lambda n: n / 1024)


actions = st.lists(
    st.tuples(
        st.sampled_from(["send", "hold", "refund", "release", "pause"]),
        moments(2.0),  # until the next action
        moments(5.0),  # how long a held permit is held
        moments(0.25),  # how long the request is on its way
    ),
    min_size=1,
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(actions)
def test_the_service_never_refuses_whatever_is_held_refunded_or_delayed(service, steps):
    bucket, server = RollingTokenBucket(SMALL, guard=0.25), service(SMALL)
    now, held, arrivals = 0.0, [], []
    for action, gap, holding, latency in steps:
        now += gap
        for until, delay in sorted(entry for entry in held if entry[0] <= now):
            held.remove((until, delay))
            arrivals.append(
                bucket.start_reserved(until if not bucket.sent_times else max(until, bucket.sent_times[-1])) + delay
            )
        if action == "pause":
            bucket.pause(now + holding / 10)
        elif action in ("hold", "release"):
            if not bucket.reserve_unsent(now):
                if action == "release":
                    bucket.release_reserved()
                else:
                    held.append((now + holding, latency))
        elif not bucket.reserve(now):
            if action == "refund":
                bucket.refund(now)
            else:
                arrivals.append(now + latency)
    for at in sorted(arrivals):
        server.receive(at)
    assert server.refused == 0


@settings(max_examples=200, deadline=None)
@given(st.lists(moments(1.0), max_size=60), st.integers(0, 4), st.integers(1, 40))
def test_forecasts_are_right_and_the_quick_bound_is_never_late(gaps, held, n):
    bucket, now = RollingTokenBucket(SMALL, guard=0.25), 0.0
    for gap in gaps:
        now += gap
        bucket.reserve(now)
    early, foretold, start = bucket.find_earliest(now, n), bucket.forecast_send_time(now, n), now
    for _ in range(n):
        while delay := bucket.reserve(now):
            now += delay
    assert early <= now + 1e-9
    assert foretold == pytest.approx(now, abs=1e-9)
    assert bucket.find_earliest(start, n) >= early


def test_a_forecast_of_a_million_is_quick_and_no_more_than_the_truth():
    bucket = RollingTokenBucket(DOCUMENTED)
    assert 190 * 3600 < bucket.forecast_send_time(0.0, 1_000_000) <= 200 * 3601


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(moments(1.5), st.booleans()), max_size=100))
def test_one_list_of_stamps_equals_a_deque_per_window(steps):
    bucket, plain, now = RollingTokenBucket(SMALL, guard=0.25), [deque() for _ in SMALL], 0.0
    for gap, refund in steps:
        now += gap
        for spent, (_, period) in zip(plain, SMALL, strict=True):
            while spent and spent[0] + period + 0.25 <= now:
                spent.popleft()
        free = all(len(spent) < capacity for spent, (capacity, _) in zip(plain, SMALL, strict=True))
        assert (bucket.reserve(now) == 0.0) == free
        if free and refund:
            bucket.refund(now)
        elif free:
            for spent in plain:
                spent.append(now)
    assert [window.used for window in bucket.describe_windows(now)] == [len(spent) for spent in plain]


TIMES = st.floats(0, 30) | st.sampled_from([0.1, 0.3, 3.0, 3.1, 3.4, 12.0])


@given(
    st.lists(st.tuples(TIMES, st.sampled_from(["spend", "hold", "observe", "credit", "pause"])), max_size=40),
    TIMES,
    st.booleans(),
)
def test_so_many_are_free_as_can_be_taken_one_after_the_other(events, later, hold):
    bucket, now = RollingTokenBucket(SMALL, guard=0.1), 0.0
    for step, event in events:
        now += step / 10
        if event == "spend":
            bucket.record_sent(now)
        elif event == "hold":
            bucket.reserve_unsent(now)
        elif event == "observe":
            bucket.observe(limit=12, remaining=3, reset=now + 5, now=now)
        elif event == "credit":
            bucket.windows[-1].uncounted_refusals = deque([now + 5.0, now + 12.0])
        else:
            bucket.pause(now + step / 10)
    now += later
    for left in range(bucket.count_free(now), 0, -1):
        assert (bucket.count_free(now), bucket.compute_delay(now)) == (left, 0.0)
        bucket.take_token(now, hold)
    assert bucket.count_free(now) == 0
    assert bucket.compute_delay(now) > 0
