"""Counting in rolling windows, against a deque per window and against the service's own count."""

import random
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from tests.support.documented_limits import DocumentedLimits

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
SMALL = [(5, 3.0), (12, 12.0)]


def take_tokens(bucket: RollingTokenBucket, now: float, n: int) -> None:
    for _ in range(n):
        assert bucket.reserve(now) == 0.0


def test_a_token_returns_one_window_and_the_guard_after_it_was_spent() -> None:
    bucket = RollingTokenBucket([(2, 60.0)], guard=0.25)
    assert [bucket.reserve(now) for now in (0.0, 10.0)] == [0.0, 0.0]
    assert bucket.reserve(20.0) == 40.25
    assert bucket.reserve(60.25) == 0.0
    assert bucket.reserve(60.25) == 10.0


def test_a_refused_reservation_takes_no_token() -> None:
    bucket = RollingTokenBucket([(1, 1.0), (10, 100.0)], guard=0)
    take_tokens(bucket, 0.0, 1)
    for _ in range(50):
        assert bucket.reserve(0.5) == 0.5
    assert [window.used for window in bucket.describe_windows(0.5)] == [1, 1]


@pytest.mark.parametrize("start", [0.1, 1e6 + 0.1, 7e8 + 1 / 3])
def test_waiting_for_the_returned_delay_is_enough(start: float) -> None:
    bucket = RollingTokenBucket(SMALL, guard=0.1)
    now = start
    for _ in range(500):
        delay = bucket.reserve(now)
        if delay:
            now += delay
            assert bucket.reserve(now) == 0.0
        now += 0.0137


def test_a_refund_gives_the_token_back_to_every_window() -> None:
    bucket = RollingTokenBucket(SMALL)
    take_tokens(bucket, 0.0, 4)
    take_tokens(bucket, 1.0, 1)
    assert bucket.reserve(1.0) > 0
    assert bucket.refund(0.0)
    assert bucket.reserve(1.0) == 0.0
    assert [window.used for window in bucket.describe_windows(1.0)] == [5, 5]


def test_a_refund_of_a_token_never_taken_frees_nothing() -> None:
    bucket = RollingTokenBucket(SMALL)
    take_tokens(bucket, 1.0, 5)
    assert not bucket.refund(0.5)
    assert not bucket.refund(2.0)
    assert bucket.reserve(2.0) > 0


def test_a_reserved_token_counts_until_one_window_after_it_was_sent() -> None:
    bucket = RollingTokenBucket([(1, 60.0)], guard=0.25)
    assert bucket.reserve_unsent(0.0) == 0.0
    assert bucket.reserve(1000.0) > 0
    assert bucket.start_reserved(1000.0) == 1000.0
    assert bucket.reserve(1000.0) == 60.25
    assert bucket.reserve(1060.25) == 0.0


def test_a_released_token_is_free_at_once() -> None:
    bucket = RollingTokenBucket([(1, 60.0)])
    assert bucket.reserve_unsent(0.0) == 0.0
    bucket.release_reserved()
    assert bucket.reserve(0.0) == 0.0


def test_a_pause_is_never_shortened() -> None:
    bucket = RollingTokenBucket(SMALL)
    bucket.pause(10.0)
    bucket.pause(5.0)
    assert bucket.reserve(1.0) == 9.0
    assert bucket.reserve(10.0) == 0.0


@pytest.mark.parametrize("step", [0.001, 5.0, 50.0, 1e6])
def test_after_a_step_of_the_clock_back_a_wait_is_one_window_at_most(step: float) -> None:
    bucket = RollingTokenBucket([(2, 10.0)], guard=0)
    take_tokens(bucket, 95.0, 1)
    take_tokens(bucket, 100.0, 1)
    bucket.pause(103.0)
    now = 100.0 - step
    assert bucket.count_free(now) == 0
    assert bucket.reserve(now) == pytest.approx(5.0)
    assert bucket.paused_until == pytest.approx(now + 3.0)
    assert bucket.reserve(now + 5.0) == 0.0
    assert bucket.reserve(now + 5.0) == pytest.approx(5.0)


def test_memory_is_bounded_by_the_capacity() -> None:
    bucket = RollingTokenBucket([(10, 0.001), (1000, 1.0)], guard=0)
    now = 0.0
    for _ in range(20_000):
        now += bucket.reserve(now)
    assert len(bucket.sent_times) <= 1000 * 1.25 + 65


# Against the service.


@pytest.mark.parametrize(("limits", "hours"), [(DOCUMENTED, 2), ([(50, 3.0), (200, 12.0)], 0.1)])
def test_two_saturated_hours_have_no_refusal(limits: list[tuple[int, float]], hours: float) -> None:
    chance = random.Random(1)
    bucket, server = RollingTokenBucket(limits), DocumentedLimits(limits)
    arrivals: list[float] = []
    now, end = 0.0, hours * 3600
    while now < end:
        delay = bucket.reserve(now)
        if delay:
            now += delay
        else:
            arrivals.append(now + chance.uniform(0.0, 0.2499))
    for at in sorted(arrivals):
        server.receive(at)
    assert server.refused == 0
    assert server.admitted >= 0.99 * end * min(capacity / (period + 0.25) for capacity, period in limits)


def test_a_saturated_minute_window_reaches_99_percent_of_its_capacity() -> None:
    bucket, now, sent, hours = RollingTokenBucket([(250, 60.0)]), 0.0, 0, 10
    while now < hours * 3600:
        delay = bucket.reserve(now)
        now, sent = now + delay, sent + (not delay)
    assert sent >= 0.99 * hours * 60 * 250


def seconds_up_to(longest: float) -> st.SearchStrategy[float]:
    """Draw multiples of 1/1024 s: exact in binary, so that models may compare without a tolerance."""
    return st.integers(0, int(longest * 1024)).map(lambda n: n / 1024)


Action = tuple[str, float, float, float]

ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["send", "hold", "refund", "release", "pause"]),
        seconds_up_to(2.0),  # until the next action
        seconds_up_to(5.0),  # how long a token is reserved
        seconds_up_to(0.25),  # how long the request is on its way
    ),
    min_size=1,
    max_size=120,
)


@settings(max_examples=300, deadline=None)
@given(ACTIONS)
def test_the_service_never_refuses_requests_that_are_reserved_refunded_or_delayed(actions: list[Action]) -> None:
    bucket, server = RollingTokenBucket(SMALL, guard=0.25), DocumentedLimits(SMALL)
    now = 0.0
    reserved: list[tuple[float, float]] = []
    arrivals: list[float] = []
    for action, gap, hold_time, latency in actions:
        now += gap
        for until, delay in sorted(entry for entry in reserved if entry[0] <= now):
            reserved.remove((until, delay))
            sent_at = until if not bucket.sent_times else max(until, bucket.sent_times[-1])
            arrivals.append(bucket.start_reserved(sent_at) + delay)
        if action == "pause":
            bucket.pause(now + hold_time / 10)
        elif action in ("hold", "release"):
            if not bucket.reserve_unsent(now):
                if action == "release":
                    bucket.release_reserved()
                else:
                    reserved.append((now + hold_time, latency))
        elif not bucket.reserve(now):
            if action == "refund":
                bucket.refund(now)
            else:
                arrivals.append(now + latency)
    for at in sorted(arrivals):
        server.receive(at)
    assert server.refused == 0


# Against simpler models.


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(seconds_up_to(1.5), st.booleans()), max_size=100))
def test_one_list_of_sent_times_equals_a_deque_per_window(steps: list[tuple[float, bool]]) -> None:
    bucket, now = RollingTokenBucket(SMALL, guard=0.25), 0.0
    model: list[deque[float]] = [deque() for _ in SMALL]
    for gap, refund in steps:
        now += gap
        for spent, (_, period) in zip(model, SMALL, strict=True):
            while spent and spent[0] + period + 0.25 <= now:
                spent.popleft()
        free = all(len(spent) < capacity for spent, (capacity, _) in zip(model, SMALL, strict=True))
        assert (bucket.reserve(now) == 0.0) == free
        if free and refund:
            bucket.refund(now)
        elif free:
            for spent in model:
                spent.append(now)
    assert [window.used for window in bucket.describe_windows(now)] == [len(spent) for spent in model]


TIMES = st.floats(0, 30) | st.sampled_from([0.1, 0.3, 3.0, 3.1, 3.4, 12.0])
EVENTS = st.sampled_from(["send", "hold", "observe", "uncounted refusal", "pause"])


@given(st.lists(st.tuples(TIMES, EVENTS), max_size=40), TIMES, st.booleans())
def test_count_free_equals_the_tokens_that_can_be_taken_one_by_one(
    events: list[tuple[float, str]], later: float, hold: bool
) -> None:
    bucket, now = RollingTokenBucket(SMALL, guard=0.1), 0.0
    for step, event in events:
        now += step / 10
        if event == "send":
            bucket.record_sent(now)
        elif event == "hold":
            bucket.reserve_unsent(now)
        elif event == "observe":
            bucket.observe(limit=12, remaining=3, reset=now + 5, now=now)
        elif event == "uncounted refusal":
            bucket.windows[-1].uncounted_refusals = deque([now + 5.0, now + 12.0])
        else:
            bucket.pause(now + step / 10)
    now += later
    for expected in range(bucket.count_free(now), 0, -1):
        assert (bucket.count_free(now), bucket.compute_delay(now)) == (expected, 0.0)
        bucket.take_token(now, hold)
    assert bucket.count_free(now) == 0
    assert bucket.compute_delay(now) > 0
