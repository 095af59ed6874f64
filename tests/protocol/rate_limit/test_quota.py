"""One quota of a model, against buckets as the service refills them."""

import itertools
import math
import random
from collections.abc import Callable
from heapq import heappop, heappush

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.model_budget import ModelBudget, ModelSpend
from gradient_async._protocol.rate_limit.quota import Quota
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.model_service import RefillingQuota

GUARD = 0.25


def make_quota(limit: int, remaining: int | None = None) -> Quota:
    """Return a quota that a response announced long ago, or at 0.0 with *remaining*."""
    quota, announced_at = Quota("requests", 60.0, GUARD, 1.0), 0.0 if remaining is not None else -100.0
    quota.apply_limit(limit, announced_at)
    left = max(0, limit - 1) if remaining is None else remaining
    quota.apply_remaining(left, now=announced_at, age=0.0, sent_after=0, unsure=0)
    return quota


def take_all(quota: Quota, now: float) -> int:
    taken = 0
    while not quota.compute_delay(now, 1):
        quota.take(1, hold=False)
        taken += 1
    return taken


def test_a_quota_is_spent_at_once_and_then_as_it_is_refilled() -> None:
    quota = make_quota(120)
    assert take_all(quota, 0.0) == 119  # one is the guard's
    assert 0 < quota.compute_delay(0.0, 1) <= 0.5
    assert take_all(quota, 10.0) == pytest.approx(20, abs=1)


def test_a_burst_larger_than_the_limit_is_used_if_the_service_announces_it() -> None:
    assert take_all(make_quota(120, 149), 0.0) == 149


def test_a_low_remaining_number_is_usage_of_others() -> None:
    quota = make_quota(120)
    quota.apply_remaining(5, now=0.0, age=0.0, sent_after=0, unsure=0)
    assert take_all(quota, 0.0) in (5, 6)


def test_remaining_of_a_request_sent_long_ago_counts_what_was_refilled_since() -> None:
    quota = make_quota(120)
    quota.apply_remaining(0, now=30.0, age=30.0, sent_after=10, unsure=10)
    assert take_all(quota, 30.0) == pytest.approx(50, abs=1)


def test_held_tokens_are_not_refilled() -> None:
    quota = make_quota(120)
    for _ in range(100):
        quota.take(1, hold=True)
    assert take_all(quota, 3600.0) == pytest.approx(20, abs=1)
    for _ in range(100):
        quota.start_held(1, 3600.0)
    assert take_all(quota, 3600.0) == 0
    assert take_all(quota, 3660.0) == pytest.approx(120, abs=1)


def test_an_empty_quota_waits_for_its_reset() -> None:
    quota = make_quota(120, 0)
    quota.empty_until = 5.0
    assert quota.compute_delay(1.0, 1) == 4.0
    assert quota.describe(1.0).next_free_at == 5.0


def test_a_request_larger_than_the_quota_waits_for_all_of_it() -> None:
    quota = make_quota(1000)
    assert quota.compute_delay(0.0, 500) == 0.0
    quota.take(500, hold=False)
    assert quota.compute_delay(0.0, 50_000) == pytest.approx(30, abs=1)


@pytest.mark.parametrize("limit", [0, 1, 10**12])
def test_odd_limits_still_admit_requests(limit: int) -> None:
    quota = make_quota(limit)
    assert quota.compute_delay(120.0, 1) == 0.0


def test_after_a_step_of_the_clock_back_a_quota_goes_on() -> None:
    quota = make_quota(120)
    take_all(quota, 1000.0)
    assert quota.compute_delay(10.0, 1) < 2.0
    assert quota.compute_delay(12.0, 1) == 0.0


LIMITS = st.sampled_from([1, 2, 3, 12, 120, 4500])
Step = tuple[str, float, float, float]
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["send", "burst", "hold", "refund", "release"]),
        st.integers(0, 2048).map(lambda n: n / 1024),  # seconds until the next step
        st.integers(0, 255).map(lambda n: n / 1024),  # seconds on the way to the service
        st.integers(0, 5120).map(lambda n: n / 1024),  # seconds until a response arrives, or a held request is sent
    ),
    min_size=1,
    max_size=80,
)


class Exchange:
    """Requests on their way to a service, and responses on their way back, in virtual time."""

    def __init__(self, limit: int, *, burst: float, responds: bool) -> None:
        self.service, self.budget, self._responds = (
            RefillingQuota(limit, burst=burst),
            ModelBudget(GUARD, 1.0, 0.0),
            responds,
        )
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._arrive(0.0, sent_at=0.0, later=0.0)

    def schedule(self, at: float, event: Callable[[float], None]) -> None:
        heappush(self._events, (at, next(self._numbers), event))

    def send(self, at: float, way: float, later: float) -> None:
        """Send a request that is *way* seconds on its way, and its response *later* seconds."""
        self.schedule(at + way, lambda arrived_at: self._arrive(arrived_at, sent_at=at, later=later))

    def start_held(self, spend: ModelSpend, at: float, way: float) -> None:
        """Send a request that took its token before."""

        def start(now: float) -> None:
            spend.start_held(now)
            self.send(now, way, 0.5)

        self.schedule(at, start)

    def run_until(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            at, _, event = heappop(self._events)
            event(at)

    def _arrive(self, at: float, *, sent_at: float, later: float) -> None:
        assert self.service.receive(at), f"the request sent at {sent_at} was refused"
        info = RateLimitInfo(**self.service.describe(at))
        if self._responds or not sent_at:
            self.schedule(at + later, lambda now: self._respond(info, sent_at, now))

    def _respond(self, info: RateLimitInfo, sent_at: float, now: float) -> None:
        self.budget.apply_headers(info, refused=False, sent_at=sent_at, now=now, server_now=now)


@settings(max_examples=300, deadline=None)
@given(LIMITS, STEPS, st.sampled_from([1.0, 1.25]), st.booleans())
def test_the_service_never_refuses_a_request_that_its_quota_admits(
    limit: int, steps: list[Step], burst: float, responds: bool
) -> None:
    exchange, now = Exchange(limit, burst=burst, responds=responds), 0.0
    budget = exchange.budget
    exchange.run_until(now)
    for kind, gap, way, later in steps:
        now += gap
        exchange.run_until(now)
        for _ in range(200 if kind == "burst" else 1):
            if budget.compute_delay(now, 0):
                break
            spend = budget.take(now, 0, hold=kind in ("hold", "release"))
            if kind in ("refund", "release"):
                spend.give_back(now)
            elif kind == "hold":
                exchange.start_held(spend, now + later, way)
            else:
                exchange.send(now, way, later)
    exchange.run_until(math.inf)


@pytest.mark.parametrize("burst", [1.0, 1.25])
@pytest.mark.parametrize("limit", [1, 2, 7, 120, 4500])
def test_an_hour_of_a_saturated_quota_is_used_to_99_percent_without_a_refusal(limit: int, burst: float) -> None:
    chance, service, quota = random.Random(limit), RefillingQuota(limit, burst=burst), make_quota(limit)
    arrivals, now = [], 0.0
    while now < 3600:
        delay = quota.compute_delay(now, 1)
        if delay:
            now += delay
            continue
        quota.take(1, hold=False)
        arrivals.append(now + chance.uniform(0, 0.249))
    for at in sorted(arrivals):
        service.receive(at)
    assert service.refused == 0
    assert service.admitted >= 0.99 * 60 * limit
