"""Requests to several models through one `RateLimiter`, in virtual time."""

import asyncio
import random
import time
from typing import Any

import pytest

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APITimeoutError
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.documented_limits import DocumentedLimits
from tests.support.model_service import RefillingQuota
from tests.support.permits import PermitLog, loop_time, make_limiter, run_pending

pytestmark = pytest.mark.looptime(noop_cycles=0)  # without I/O there is nothing to wait for between two timers


def announce(limiter: RateLimiter, model: str | None, *, status: int = 200, **headers: Any) -> None:
    """Apply the response to a request that was just sent."""
    limiter.apply_response(RateLimitInfo(**headers), status=status, sent_at=loop_time(), model=model)


def announce_requests(limiter: RateLimiter, model: str | None, limit: int, remaining: int) -> None:
    announce(limiter, model, limit_requests=limit, remaining_requests=remaining)


def make_roomy_limiter(**options: Any) -> RateLimiter:
    return make_limiter((10_000, 60.0), clock=loop_time, **options)


async def test_a_model_whose_quota_is_used_up_does_not_hold_back_another() -> None:
    limiter = make_roomy_limiter()
    announce_requests(limiter, "small", 60, 0)
    log = PermitLog(limiter)
    waiting = [log.start(n, model="small") for n in range(3)]
    await run_pending()
    assert (await limiter.acquire(model="other")).waited == 0.0
    assert (await limiter.acquire()).waited == 0.0
    await asyncio.gather(*waiting)
    assert log.entries == [(0, 1.0), (1, 2.0), (2, 3.0)]


async def test_waiters_of_another_model_pass_those_ahead_of_them() -> None:
    limiter = make_limiter((2, 10.0), clock=loop_time)
    announce_requests(limiter, "small", 60, 0)
    await limiter.acquire()
    await limiter.acquire()
    log = PermitLog(limiter)
    announce(limiter, "small", status=429, remaining_requests=0, reset_requests=0, retry_after=15.0)
    tasks = [log.start(f"small {n}", model="small") for n in range(3)]
    tasks += [log.start(f"other {n}", model="other") for n in range(2)]
    await asyncio.gather(*tasks)
    assert log.names[:2] == ["other 0", "other 1"]
    assert log.times[:2] == [10.0, 10.0]
    assert log.entries[2] == ("small 0", 20.0)


async def test_a_parked_request_keeps_its_place_before_later_ones_of_other_models() -> None:
    limiter = make_limiter((1, 10.0), clock=loop_time)
    await limiter.acquire()
    announce(limiter, "small", status=429, remaining_requests=0, retry_after=15.0)
    log = PermitLog(limiter)
    tasks = [log.start("small", model="small"), log.start("other 0", model="other")]
    await asyncio.sleep(12)
    tasks.append(log.start("other 1", model="other"))
    await asyncio.gather(*tasks)
    assert log.entries == [("other 0", 10.0), ("small", 20.0), ("other 1", 30.0)]


async def test_a_response_with_room_wakes_the_requests_of_its_model() -> None:
    limiter = make_roomy_limiter()
    announce_requests(limiter, "m", 1, 0)
    log = PermitLog(limiter)
    waiting = log.start("m", model="m")
    await asyncio.sleep(5)
    assert not waiting.done()
    announce_requests(limiter, "m", 120, 100)
    await waiting
    assert log.times == [5.0]


async def test_a_refund_wakes_the_next_request_of_its_model() -> None:
    limiter = make_roomy_limiter()
    announce_requests(limiter, "m", 1, 1)
    permit = await limiter.acquire(model="m", hold=True)
    log = PermitLog(limiter)
    waiting = log.start("next", model="m")
    await asyncio.sleep(5)
    permit.refund()
    await waiting
    assert log.times == [5.0]


async def test_a_wait_for_a_model_that_is_longer_than_the_timeout_fails_at_once() -> None:
    limiter = make_roomy_limiter()
    day = {"limit_tokens_per_day": 10**6, "remaining_tokens_per_day": 0}
    announce(limiter, "spent", status=429, retry_after=7200.0, **day)
    with pytest.raises(APITimeoutError, match=r"in 7200\.0 s"):
        await limiter.acquire(model="spent", timeout=60.0)
    assert loop_time() == 0.0
    assert (await limiter.acquire(model="fresh", timeout=1.0)).waited == 0.0


async def test_requests_ahead_for_another_model_do_not_make_a_timeout_hopeless() -> None:
    limiter = make_limiter((2, 60.0), clock=loop_time)
    announce_requests(limiter, "small", 1, 0)
    await limiter.acquire()
    await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire(model="small")) for _ in range(50)]
    await run_pending()
    assert (await limiter.acquire(model="other", timeout=61.0)).waited == 60.0
    for task in waiting:
        task.cancel()


async def test_the_first_burst_to_a_model_waits_for_its_first_response() -> None:
    limiter = make_roomy_limiter()
    log = PermitLog(limiter)
    tasks = [log.start(n, model="m", hold=n < 10) for n in range(200)]
    await asyncio.sleep(0.3)
    assert len(log.entries) == 10
    for task in tasks[:10]:
        task.result().sent()
    limiter.apply_response(
        RateLimitInfo(limit_requests=120, remaining_requests=149), status=200, sent_at=0.3, model="m"
    )
    await run_pending()
    assert 140 <= len(log.entries) <= 150
    await asyncio.gather(*tasks)
    assert log.times[-1] == pytest.approx(0.3 + 50 / 2, abs=3)


async def test_a_model_that_does_not_respond_is_not_held_back_for_long() -> None:
    limiter = make_roomy_limiter()
    log = PermitLog(limiter)
    await asyncio.gather(*(log.start(n, model="m", hold=True) for n in range(200)))
    assert log.times == [0.0] * 10 + [1.0] * 10 + [2.0] * 20 + [3.0] * 40 + [4.0] * 80 + [5.0] * 40


async def test_a_model_that_is_first_asked_for_in_the_queue_has_a_first_flight_too() -> None:
    limiter = make_limiter((1, 10.0), (10_000, 60.0), clock=loop_time)
    await limiter.acquire()
    limiter._bucket.set_capacity(limiter._bucket.shortest, 10_000)
    limiter.pause(10.0)
    log = PermitLog(limiter)
    await asyncio.gather(*(log.start(n, model="m", hold=True) for n in range(30)))
    assert log.times == [10.0] * 10 + [11.0] * 10 + [12.0] * 10


async def test_an_estimate_for_a_model_regards_its_quota() -> None:
    limiter = make_roomy_limiter()
    announce_requests(limiter, "m", 60, 10)
    assert limiter.estimate(100) == limiter.estimate(100, "other") == 0.0
    assert limiter.estimate(100, "m") == 90.0
    waiting = [asyncio.create_task(limiter.acquire(model="m")) for _ in range(20)]
    await run_pending()
    assert limiter.estimate(1, "m") == 11.0
    await asyncio.gather(*waiting)
    announce(limiter, "m", limit_requests=60, remaining_requests=0, reset_requests=time.time() + 5)
    assert limiter.estimate(31, "m") == pytest.approx(35.0, abs=1.0)


async def test_many_model_tokens_for_a_parked_model_hold_back_no_other() -> None:
    limits = RateLimits(windows=[(1000, 60.0)], tokens_per_minute=1000)
    limiter = RateLimiter(limits, guard=0.0, clock=loop_time)
    await limiter.acquire(tokens=900)
    announce_requests(limiter, "small", 1, 0)
    waiting = asyncio.create_task(limiter.acquire(model="small", tokens=900))
    await run_pending()
    assert (await limiter.acquire(model="other", tokens=50)).waited == 0.0
    waiting.cancel()


async def test_status_shows_the_quotas_of_a_model_beside_the_windows_of_the_key() -> None:
    limiter = make_limiter((10, 60.0), clock=loop_time)
    announce(
        limiter,
        "m",
        limit_requests=120,
        remaining_requests=30,
        limit_tokens_per_day=8_000_000,
        remaining_tokens_per_day=800_000,
    )
    await limiter.acquire(model="m", tokens=1000)
    status = limiter.status("m")
    assert [(quota.kind, quota.limit, quota.free) for quota in status.quotas] == [
        ("requests", 120, 29),
        ("tokens per day", 8_000_000, 799_000),
    ]
    assert (status.model, status.models, status.windows[0].used) == ("m", ("m",), 1)
    assert limiter.status().quotas == limiter.status("unknown").quotas == ()


async def test_status_shows_the_pause_of_a_model() -> None:
    limiter = make_roomy_limiter()
    announce(limiter, "m", status=429, remaining_requests=0, retry_after=30.0)
    assert (limiter.status("m").model_paused_until, limiter.status("m").paused_until) == (30.0, None)
    assert limiter.status("other").model_paused_until is None


async def test_models_that_are_not_used_are_forgotten() -> None:
    limiter = make_roomy_limiter()
    for n in range(500):
        await limiter.acquire(model=f"old {n}")
        announce_requests(limiter, f"old {n}", 120, 100)
    announce(limiter, "paused", status=429, limit_tokens_per_day=9, remaining_tokens_per_day=0, retry_after=9000.0)
    await asyncio.sleep(3700)
    for n in range(1100):
        await limiter.acquire(model=f"new {n}")
    kept = set(limiter.status().models)
    assert "paused" in kept
    assert not any(name.startswith("old") for name in kept)


async def test_the_number_of_models_is_bounded() -> None:
    limiter = make_limiter((10**6, 60.0), clock=loop_time)
    for n in range(5000):
        await limiter.acquire(model=f"m{n}")
    assert len(limiter.status().models) <= 2000


async def test_a_new_event_loop_clock_moves_the_quotas_along() -> None:
    limiter = make_limiter((100, 60.0))
    limiter.apply_response(
        RateLimitInfo(limit_requests=60, remaining_requests=0, retry_after=20.0), status=429, sent_at=0.0, model="m"
    )
    assert (await limiter.acquire(model="m")).waited == pytest.approx(20.0, abs=0.5)


async def test_a_limiter_for_another_key_knows_no_quotas() -> None:
    limiter = make_limiter((3, 60.0), clock=loop_time)
    announce_requests(limiter, "m", 120, 0)
    await limiter.acquire()
    other = limiter.new_for_key("agent")
    assert other.status("m").quotas == ()
    assert [window.used for window in other.status().windows] == [0]
    assert other.limits == limiter.limits


# Against the service.

LARGE = {"large": 120, "middle": 60, "small": 12}
"""Tiers that admit more than the key."""
SMALL = {"large": 30, "middle": 20, "small": 12}


class Account:
    """The service: windows of the key, and a quota for each model."""

    def __init__(self, tiers: dict[str, int], *, burst: float) -> None:
        self.key = DocumentedLimits([(250, 60.0), (5000, 3600.0)])
        self.models = {model: RefillingQuota(limit, burst=burst) for model, limit in tiers.items()}

    def receive(self, model: str, at: float) -> tuple[int, dict[str, Any]]:
        """Return the status and the headers of a response."""
        quota = self.models[model]
        if not quota.receive(at):
            return 429, quota.describe(at)
        admitted = self.key.receive(at)
        headers = {"limit": 5000, "remaining": self.key.count_remaining(at), **quota.describe(at)}
        return (200 if admitted else 429), headers

    @property
    def refused(self) -> int:
        return self.key.refused + sum(quota.refused for quota in self.models.values())


@pytest.mark.parametrize("burst", [1.0, 1.25])
@pytest.mark.parametrize(("tiers", "optimum"), [(LARGE, 5000), (SMALL, 62 * 30)])
async def test_saturated_models_of_different_tiers_are_never_refused_and_used_fully(
    tiers: dict[str, int], optimum: int, burst: float
) -> None:
    limiter, account, chance = RateLimiter(RateLimits()), Account(tiers, burst=burst), random.Random(optimum)
    end = loop_time() + 1800

    async def work(model: str) -> None:
        while loop_time() < end:
            permit = await limiter.acquire(model=model, hold=True, priority=chance.choice(["interactive", "bulk"]))
            await asyncio.sleep(chance.choice([0, 0, 0, 5]))
            sent_at = permit.sent()
            await asyncio.sleep(chance.uniform(0, 0.24))
            status, headers = account.receive(model, loop_time())
            await asyncio.sleep(chance.choice([0.1, 0.7, 10]))
            limiter.apply_response(RateLimitInfo(**headers), status=status, sent_at=sent_at, model=model)

    await asyncio.gather(*(work(model) for model in tiers for _ in range(100)))
    assert account.refused == 0
    assert account.key.admitted >= 0.99 * optimum


@pytest.mark.parametrize("seed", range(8))
async def test_no_quota_of_key_model_or_agent_is_exceeded_under_chaos(seed: int) -> None:
    chance, windows = random.Random(seed), [(20, 3.0), (60, 12.0)]
    limiter = RateLimiter(RateLimits(windows=windows), guard=0.25)
    limiters = {None: limiter, "agent": limiter.new_for_key("agent")}
    keys = {name: DocumentedLimits(windows) for name in limiters}
    quotas = {(name, model): RefillingQuota(limit) for name in limiters for model, limit in (("a", 240), ("b", 30))}

    async def send_request() -> None:
        name, model = chance.choice([None, "agent"]), chance.choice(["a", "b", "free"])
        options: dict[str, Any] = {"priority": chance.choice(["interactive", "bulk"]), "hold": chance.random() < 0.5}
        permit = await limiters[name].acquire(model=model, timeout=chance.choice([None, 5.0, 100.0]), **options)
        try:
            await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 4)]) if options["hold"] else 0.0)
            if chance.random() < 0.2:
                permit.refund()
                return
            sent_at = permit.sent()
        except asyncio.CancelledError:
            permit.refund()
            raise
        await asyncio.sleep(chance.uniform(0, 0.249))
        quota = quotas.get((name, model))
        fine = (quota is None or quota.receive(loop_time())) and keys[name].receive(loop_time())
        headers = {} if quota is None else quota.describe(loop_time())
        await asyncio.sleep(chance.uniform(0, 2))
        info = RateLimitInfo(limit=60, remaining=keys[name].count_remaining(loop_time()), **headers)
        limiters[name].apply_response(info, status=200 if fine else 429, sent_at=sent_at, model=model)

    tasks = []
    for _ in range(300):
        tasks.append(asyncio.create_task(send_request()))
        await asyncio.sleep(chance.choice([0.0, chance.expovariate(4)]))
        if chance.random() < 0.1:
            chance.choice(tasks).cancel()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert {type(result) for result in results} <= {type(None), APITimeoutError, asyncio.CancelledError}
    assert [key.refused for key in keys.values()] == [0, 0]
    assert [quota.refused for quota in quotas.values()] == [0] * 4
    assert [each.status().held + each.status().queued for each in limiters.values()] == [0, 0]
    assert sum(key.admitted for key in keys.values()) > 100
