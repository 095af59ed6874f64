"""The delay until the next poll of a job."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import Batch, ConfigurationError, Poll, RequestCounts
from gradient_async._protocol.batch.poll_schedule import PollSchedule


def job(done: int = 0, total: int = 100) -> Batch:
    return Batch(batch_id="b", status="in_progress", request_counts=RequestCounts(total=total, completed=done))


def poll_times(done_at: Callable[[float], int], seconds: float, total: int = 1000) -> Sequence[float]:
    schedule, now, times = PollSchedule(Poll(), 0.0), 0.0, []
    while now < seconds:
        times.append(now)
        now += schedule.next_delay(job(done=done_at(now), total=total), now=now, chance=0.0)
    return times


def test_the_delay_shrinks_near_the_end() -> None:
    times = poll_times(lambda now: min(1000, int(now)), 1010)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert max(gaps) > 30
    assert gaps[-1] <= 5


@given(st.floats(0.01, 10), st.floats(1, 100), st.floats(0, 1, exclude_max=True), st.floats(0, 1e6))
def test_the_delay_stays_within_its_bounds(first: float, factor: float, chance: float, age: float) -> None:
    poll = Poll(first=first, longest=first * factor)
    wait = PollSchedule(poll, 0.0).next_delay(job(), now=age, chance=chance)
    assert poll.first <= wait <= poll.longest * 1.2


@pytest.mark.parametrize(("requests", "delay"), [(1, 2), (2, 4), (61, 122)])
def test_a_poll_of_several_requests_is_followed_by_a_longer_delay(requests: int, delay: float) -> None:
    assert PollSchedule(Poll(), 0.0).next_delay(job(), now=0.0, chance=0.0, requests=requests) == delay


@pytest.mark.parametrize(("first", "longest"), [(0, 1), (2, 1), (-1, 1), (1, float("inf")), (float("nan"), 1)])
def test_invalid_poll_bounds_are_refused(first: float, longest: float) -> None:
    with pytest.raises(ConfigurationError):
        Poll(first=first, longest=longest)


def test_the_example_of_the_module_has_these_polls() -> None:
    times = poll_times(lambda now: min(600, int(now)), 604, total=600)
    assert len(times) == 49
    rounded = [round(seconds, 1) for seconds in times]
    assert rounded[10:13] == [20.0, 22.0, 24.2]
    assert rounded[-4:] == [562.0, 599.4, 601.4, 603.4]
