"""The quotas of a model, against buckets as the service refills them."""

import itertools
import math
import random
from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gradient_async._protocol.rate_limit.model_budget import ModelBudget
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.model_service import RefillingQuota

GUARD = 0.25
NEVER = -1000.0


def respond(
    budget: ModelBudget, *, now: float = 0.0, sent_at: float | None = None, refused: bool = False, **headers: Any
) -> None:
    """Apply the response to a request that was sent at *sent_at*, of a service whose clock shows *now* too."""
    sent_at = now if sent_at is None else sent_at
    budget.apply_headers(RateLimitInfo(**headers), refused=refused, sent_at=sent_at, now=now, server_now=now)


def make_budget(limit: int, remaining: int | None = None, *, share: float = 1.0) -> ModelBudget:
    """Return the budget of a model whose quota a response announced long ago, or at 0.0 with *remaining*."""
    budget = ModelBudget(GUARD, share, 0.0)
    left = max(0, limit - 1) if remaining is None else remaining
    respond(budget, now=NEVER if remaining is None else 0.0, limit_requests=limit, remaining_requests=left)
    return budget


def take_all(budget: ModelBudget, now: float, *, tokens: int = 0, hold: bool = False) -> int:
    taken = 0
    while not budget.compute_delay(now, tokens):
        budget.take(now, tokens, hold=hold)
        taken += 1
    return taken


def test_a_quota_is_spent_at_once_and_then_as_it_is_refilled() -> None:
    budget = make_budget(120)
    assert take_all(budget, 0.0) == 119  # one is the guard's
    assert 0 < budget.compute_delay(0.0, 0) <= 0.5
    assert take_all(budget, 10.0) == pytest.approx(20, abs=1)


def test_a_burst_larger_than_the_limit_is_used_if_the_service_announces_it() -> None:
    assert take_all(make_budget(120, 149), 0.0) == 149


def test_a_low_remaining_number_is_usage_of_others() -> None:
    budget = make_budget(120)
    respond(budget, remaining_requests=5)
    assert take_all(budget, 0.0) in (5, 6)


def test_remaining_of_a_request_sent_long_ago_counts_what_was_refilled_and_sent_since() -> None:
    budget = make_budget(120)
    budget.take(0.0, 0, hold=False)
    for _ in range(10):
        budget.take(1.0, 0, hold=False)
    respond(budget, now=30.0, sent_at=0.0, remaining_requests=0)
    assert take_all(budget, 30.0) == pytest.approx(51, abs=1)


def test_an_older_response_changes_nothing() -> None:
    budget = make_budget(120)
    respond(budget, now=10.0, remaining_requests=100)
    respond(budget, now=11.0, sent_at=5.0, remaining_requests=3)
    assert take_all(budget, 11.0) > 100


def test_an_older_response_without_a_limit_makes_no_quota() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    respond(budget, now=10.0)
    respond(budget, now=11.0, sent_at=5.0, remaining_requests=3)
    assert budget.compute_delay(11.0, 0) == 0.0
    assert budget.list_quotas(11.0) == []


def test_held_requests_are_not_refilled() -> None:
    budget = make_budget(120)
    for _ in range(100):
        budget.take(0.0, 0, hold=True)
    assert take_all(budget, 3600.0) == pytest.approx(20, abs=1)
    for _ in range(100):
        budget.start_held(3600.0, 0)
    assert take_all(budget, 3600.0) == 0
    assert take_all(budget, 3660.0) == pytest.approx(120, abs=1)


@pytest.mark.parametrize("held", [True, False])
def test_what_was_not_sent_is_given_back(held: bool) -> None:
    budget = make_budget(120)
    taken = take_all(budget, 0.0, hold=held)
    for _ in range(taken):
        budget.give_back(0.0, 0, held=held)
    assert take_all(budget, 0.0) == taken


def test_a_refused_request_is_not_counted() -> None:
    budget = make_budget(120, 10)
    taken = take_all(budget, 0.0)
    respond(budget, now=0.5, refused=True)
    assert take_all(budget, 0.5) == 2  # that one, and one that was refilled
    assert taken == 10


def test_an_empty_quota_waits_for_its_reset() -> None:
    budget = make_budget(120)
    respond(budget, now=1.0, remaining_requests=0, reset_requests=5)
    assert budget.compute_delay(1.0, 0) == 4.0
    assert budget.list_quotas(1.0)[0].next_free_at == 5.0
    respond(budget, now=2.0, remaining_requests=50, reset_requests=0)
    assert budget.compute_delay(2.0, 0) == 0.0


def test_a_request_larger_than_the_quota_waits_for_all_of_it() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    respond(budget, limit_tokens_per_minute=1000, remaining_tokens_per_minute=500)
    assert budget.compute_delay(0.0, 50_000) == pytest.approx(30, abs=1)
    assert budget.compute_delay(31.0, 50_000) == 0.0
    budget.take(31.0, 50_000, hold=False)
    assert budget.compute_delay(31.0, 1) == pytest.approx(49 * 60, rel=0.01)


def test_tokens_are_estimated_before_and_corrected_after() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    respond(budget, limit_tokens_per_minute=1000, remaining_tokens_per_minute=900)
    budget.take(0.0, 800, hold=False)
    assert budget.compute_delay(0.0, 300) > 0
    budget.correct_tokens(800, 200)
    assert budget.compute_delay(0.0, 300) == 0.0


@pytest.mark.parametrize("quota", ["requests", "tokens_per_minute", "tokens_per_day"])
def test_each_triplet_is_followed_by_itself(quota: str) -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    some: dict[str, Any] = {f"limit_{quota}": 1000, f"remaining_{quota}": 2, f"reset_{quota}": 0}
    respond(budget, **some)
    assert budget.compute_delay(0.0, 2) == 0.0
    respond(budget, **{**some, f"remaining_{quota}": 0, f"reset_{quota}": 40})
    assert budget.compute_delay(0.0, 2) == 40.0
    assert budget.compute_delay(40.0, 2) == 0.0
    assert [status.kind for status in budget.list_quotas(0.0)] == [quota.replace("_", " ")]


@pytest.mark.parametrize("headers", [{"limit_requests": 12}, {"remaining_requests": 7}, {"reset_requests": 9}])
def test_a_part_of_a_triplet_is_read(headers: dict[str, Any]) -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    respond(budget, **headers)
    expected = {"limit_requests": 12, "remaining_requests": 7}.get(next(iter(headers)))
    assert (take_all(budget, 0.0) if expected else None) == expected


@pytest.mark.parametrize("limit", [0, 1, 10**12])
def test_odd_limits_still_admit_requests(limit: int) -> None:
    assert make_budget(limit).compute_delay(120.0, 0) == 0.0


def test_a_share_of_a_quota_is_a_part_of_it() -> None:
    assert take_all(make_budget(120, share=0.25), 0.0) == 29


def test_after_a_step_of_the_clock_back_a_quota_goes_on() -> None:
    budget = make_budget(120)
    take_all(budget, 1000.0)
    assert budget.compute_delay(10.0, 0) < 2.0
    assert budget.compute_delay(12.0, 0) == 0.0


# The first flight.


def test_a_model_without_a_response_admits_a_first_flight_in_stages() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    assert take_all(budget, 5.0, hold=True) == 10
    assert budget.compute_delay(5.25, 0) == 0.75
    assert take_all(budget, 6.0) == 10
    assert take_all(budget, 8.5) == 60
    assert budget.compute_delay(8.5, 0) == 0.5
    assert budget.compute_delay(10.0, 0) == 0.0
    assert not budget.is_counted


def test_the_first_response_ends_the_first_flight() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    take_all(budget, 0.0)
    respond(budget, now=0.1, sent_at=0.0, limit_requests=120, remaining_requests=149)
    assert take_all(budget, 0.1) == pytest.approx(140, abs=1)


def test_a_first_response_without_quotas_ends_the_counting() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    take_all(budget, 0.0)
    respond(budget, now=0.1, sent_at=0.0)
    assert not budget.is_counted
    assert budget.compute_delay(0.1, 10**9) == 0.0


def test_requests_of_a_first_flight_that_were_not_sent_do_not_count() -> None:
    budget = ModelBudget(GUARD, 1.0, 0.0)
    for _ in range(1000):
        assert budget.compute_delay(0.0, 0) == 0.0
        budget.take(0.0, 0, hold=True)
        budget.give_back(0.0, 0, held=True)


# Against the service.

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
        self.service, self.budget = RefillingQuota(limit, burst=burst), ModelBudget(GUARD, 1.0, 0.0)
        self._responds = responds
        self._events: list[tuple[float, int, Callable[[float], None]]] = []
        self._numbers = itertools.count()
        self._arrive(0.0, sent_at=0.0, later=0.0)

    def schedule(self, at: float, event: Callable[[float], None]) -> None:
        heappush(self._events, (at, next(self._numbers), event))

    def send(self, at: float, way: float, later: float) -> None:
        """Send a request that is *way* seconds on its way, and its response *later* seconds."""
        self.schedule(at + way, lambda arrived_at: self._arrive(arrived_at, sent_at=at, later=later))

    def start_held(self, at: float, way: float) -> None:
        """Send a request that took its token before."""

        def start(now: float) -> None:
            self.budget.start_held(now, 0)
            self.send(now, way, 0.5)

        self.schedule(at, start)

    def run_until(self, until: float) -> None:
        while self._events and self._events[0][0] <= until:
            at, _, event = heappop(self._events)
            event(at)

    def _arrive(self, at: float, *, sent_at: float, later: float) -> None:
        assert self.service.receive(at), f"the request sent at {sent_at} was refused"
        headers = self.service.describe(at)
        if self._responds or not sent_at:
            self.schedule(at + later, lambda now: respond(self.budget, now=now, sent_at=sent_at, **headers))


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
            held = kind in ("hold", "release")
            budget.take(now, 0, hold=held)
            if kind in ("refund", "release"):
                budget.give_back(now, 0, held=held)
            elif held:
                exchange.start_held(now + later, way)
            else:
                exchange.send(now, way, later)
    exchange.run_until(math.inf)


@pytest.mark.parametrize("burst", [1.0, 1.25])
@pytest.mark.parametrize("limit", [1, 2, 7, 120, 4500])
def test_an_hour_of_a_saturated_quota_is_used_to_99_percent_without_a_refusal(limit: int, burst: float) -> None:
    chance, service, budget = random.Random(limit), RefillingQuota(limit, burst=burst), make_budget(limit)
    arrivals, now = [], 0.0
    while now < 3600:
        delay = budget.compute_delay(now, 0)
        if delay:
            now += delay
            continue
        budget.take(now, 0, hold=False)
        arrivals.append(now + chance.uniform(0, 0.249))
    for at in sorted(arrivals):
        service.receive(at)
    assert service.refused == 0
    assert service.admitted >= 0.99 * 60 * limit
