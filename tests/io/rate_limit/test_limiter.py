import asyncio
import random

import pytest

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APITimeoutError, ConfigurationError, SessionClosedError
from gradient_async.models.response_meta import RateLimitInfo

pytestmark = pytest.mark.looptime

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]


def limiter_of(*windows, guard=0.0, **options):
    return RateLimiter(RateLimits(windows=windows), guard=guard, chance=lambda: 0.0, **options)


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def clock():
    return asyncio.get_running_loop().time()


class Log:
    """Who got a permit, and when."""

    def __init__(self, limiter):
        self.limiter = limiter
        self.entries = []

    def start(self, name, **options):
        return asyncio.create_task(self._take(name, options))

    async def _take(self, name, options):
        permit = await self.limiter.acquire(**options)
        self.entries.append((name, round(clock(), 2)))
        return permit

    @property
    def names(self):
        return [name for name, _ in self.entries]

    @property
    def times(self):
        return [at for _, at in self.entries]


async def test_permits_are_free_until_a_window_is_full_and_come_back_one_by_one():
    limiter = limiter_of((2, 10.0))
    log = Log(limiter)
    first = log.start(1)
    await asyncio.sleep(3)
    await asyncio.gather(first, *(log.start(n) for n in range(2, 6)))
    assert log.entries == [(1, 0), (2, 3), (3, 10.0), (4, 13.0), (5, 20.0)]


async def test_an_uncontended_acquire_does_not_give_up_control():
    limiter = limiter_of((2, 10.0))
    coroutine = limiter.acquire()
    with pytest.raises(StopIteration) as done:
        coroutine.send(None)
    assert done.value.value.waited == 0.0


async def test_first_come_first_served():
    log = Log(limiter_of((3, 1.0)))
    await asyncio.gather(*(log.start(n) for n in range(50)))
    assert log.names == list(range(50))


async def test_nobody_overtakes_the_queue_when_a_token_comes_back():
    limiter = limiter_of((1, 1.0))
    log = Log(limiter)
    waiting = [log.start(n) for n in range(3)]
    await asyncio.sleep(1.0)
    late = log.start("late")
    await asyncio.gather(*waiting, late)
    assert log.names == [0, 1, 2, "late"]


async def test_interactive_goes_first_and_bulk_gets_one_of_eight():
    limiter = limiter_of((1, 1.0))
    await limiter.acquire()
    log = Log(limiter)
    tasks = [log.start("b", priority="bulk") for _ in range(5)]
    await settle()
    tasks += [log.start("i") for _ in range(30)]
    await asyncio.gather(*tasks)
    assert "".join(log.names) == "iiiiiiib" * 4 + "iib"


async def test_bulk_uses_everything_when_nobody_else_waits():
    log = Log(limiter_of((10, 1.0)))
    await asyncio.gather(*(log.start(n, priority="bulk") for n in range(40)))
    assert log.times[-1] == pytest.approx(3.0, abs=0.01)


async def test_an_unknown_priority_is_refused():
    limiter = limiter_of((1, 1.0))
    await limiter.acquire()
    with pytest.raises(ConfigurationError, match="'interactive' or 'bulk'"):
        await limiter.acquire("urgent")


# Permits.


async def test_a_refund_wakes_the_next_one_at_once_and_counts_once():
    limiter = limiter_of((1, 60.0))
    permit = await limiter.acquire()
    log = Log(limiter)
    waiting = [log.start(n) for n in range(2)]
    await asyncio.sleep(5)
    permit.refund()
    permit.refund()
    await asyncio.gather(*waiting)
    assert log.entries == [(0, 5.0), (1, 65.0)]


async def test_a_held_permit_counts_from_when_it_was_sent():
    limiter = limiter_of((1, 60.0))
    permit = await limiter.acquire(hold=True)
    log = Log(limiter)
    waiting = log.start("next")
    await asyncio.sleep(1000)
    assert log.entries == []
    assert limiter.status().held == 1
    assert permit.sent() == 1000.0
    await waiting
    assert log.entries == [("next", 1060.0)]


async def test_a_held_permit_can_be_given_back():
    limiter = limiter_of((1, 60.0))
    permit = await limiter.acquire(hold=True)
    log = Log(limiter)
    waiting = log.start("next")
    await asyncio.sleep(1000)
    permit.refund()
    await waiting
    assert log.entries == [("next", 1000.0)]


async def test_sent_moves_a_permit_that_already_counts():
    limiter = limiter_of((1, 60.0))
    permit = await limiter.acquire()
    await asyncio.sleep(30)
    permit.sent()
    assert limiter.estimate() == pytest.approx(60.0)


async def test_a_refunded_permit_cannot_be_sent():
    permit = await limiter_of((1, 60.0)).acquire()
    permit.refund()
    with pytest.raises(RuntimeError, match="acquire another"):
        permit.sent()


async def test_a_held_permit_that_is_forgotten_counts_as_sent():
    limiter = limiter_of((1, 60.0))
    await limiter.acquire(hold=True)
    assert limiter.status().held == 0
    assert limiter.estimate() == pytest.approx(60.0)


async def test_a_permit_says_how_long_it_was_waited_for():
    limiter = limiter_of((1, 7.0))
    assert (await limiter.acquire()).waited == 0.0
    assert (await limiter.acquire()).waited == pytest.approx(7.0)


# Cancellation.


@pytest.mark.parametrize("position", range(6))
async def test_cancelling_anyone_in_the_queue_moves_only_those_behind(position):
    limiter = limiter_of((1, 1.0))
    await limiter.acquire()
    log = Log(limiter)
    tasks = [log.start(n) for n in range(6)]
    await asyncio.sleep(0.5)
    tasks[position].cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert log.names == [n for n in range(6) if n != position]
    assert log.times == [1.0, 2.0, 3.0, 4.0, 5.0]


@pytest.mark.parametrize("steps", range(8))
async def test_a_cancellation_at_any_step_loses_no_permit(steps):
    limiter = limiter_of((2, 10.0))
    given = [await limiter.acquire(), await limiter.acquire()]
    log = Log(limiter)
    doomed, other = log.start("doomed"), log.start("other")
    await settle()
    given[0].refund()
    for _ in range(steps):
        await asyncio.sleep(0)
    doomed.cancel()
    result = (await asyncio.gather(doomed, return_exceptions=True))[0]
    if not isinstance(result, asyncio.CancelledError):
        result.refund()
    await settle()
    assert log.names[-1] == "other"
    assert limiter.status().windows[0].used == 2
    await other


async def test_a_cancellation_in_the_moment_of_the_grant_passes_the_permit_on():
    limiter = limiter_of((1, 60.0))
    permit = await limiter.acquire()
    log = Log(limiter)
    first, second = log.start(1), log.start(2)
    await settle()
    permit.refund()
    first.cancel()
    await settle()
    assert log.entries == [(2, 0.0)]
    assert second.done()


async def test_everybody_cancelled_leaves_an_idle_limiter_without_a_timer():
    limiter = limiter_of((1, 60.0))
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire(timeout=1000)) for _ in range(100)]
    await settle()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert limiter.status().queued == 0
    assert limiter._wait_queue._timer is None
    assert not limiter._wait_queue._deadlines


async def test_a_coroutine_that_is_closed_leaves_the_queue():
    limiter = limiter_of((1, 60.0))
    await limiter.acquire()
    coroutine = limiter.acquire()
    coroutine.send(None)
    assert limiter.status().queued == 1
    coroutine.close()
    assert limiter.status().queued == 0


# Time limits.


async def test_a_wait_that_cannot_fit_is_refused_at_once():
    limiter = limiter_of((2, 60.0))
    await limiter.acquire()
    await limiter.acquire()
    with pytest.raises(APITimeoutError, match=r"in 60\.0 s at the earliest") as refusal:
        await limiter.acquire(timeout=59.0)
    assert clock() == 0.0
    assert (refusal.value.phase, refusal.value.maybe_sent) == ("limiter", False)


async def test_the_place_in_the_queue_counts_for_the_refusal():
    limiter = limiter_of((1, 10.0))
    await limiter.acquire()
    log = Log(limiter)
    waiting = [log.start(n) for n in range(3)]
    await settle()
    with pytest.raises(APITimeoutError, match="with 3 before it"):
        await limiter.acquire(timeout=39.0)
    waiting.append(log.start("fits", timeout=41.0))
    await asyncio.gather(*waiting)
    assert log.entries[-1] == ("fits", 40.0)


async def test_a_wait_that_turns_out_too_long_ends_on_time():
    limiter = limiter_of((1, 10.0))
    await limiter.acquire()
    log = Log(limiter)
    doomed = log.start("doomed", timeout=12.0)
    patient = log.start("patient")
    await settle()
    limiter.pause(20.0)
    with pytest.raises(APITimeoutError, match=r"within 12\.0 s"):
        await doomed
    assert clock() == pytest.approx(12.0, abs=0.01)
    await patient
    assert log.entries == [("patient", 20.0)]


async def test_a_shorter_deadline_behind_a_longer_one_is_kept():
    limiter = limiter_of((2, 1000.0))
    await limiter.acquire()
    await limiter.acquire()
    tasks = [asyncio.create_task(limiter.acquire(timeout=t)) for t in (1500.0, 1200.0)]
    await settle()
    limiter.pause(2000.0)
    for task, ends in zip(reversed(tasks), (1200.0, 1500.0), strict=True):
        with pytest.raises(APITimeoutError):
            await task
        assert clock() == pytest.approx(ends, abs=0.01)


@pytest.mark.parametrize("timeout", [0.0, -1.0])
async def test_no_time_at_all_is_enough_for_a_free_permit(timeout):
    limiter = limiter_of((1, 10.0))
    await limiter.acquire(timeout=timeout)
    with pytest.raises(APITimeoutError):
        await limiter.acquire(timeout=timeout)


# Pauses.


async def test_a_pause_holds_everybody_and_ends_at_the_limiters_pace():
    limiter = limiter_of((3, 10.0), clock=clock)  # from the start: the pause begins before anybody asks
    limiter.pause(30.0)
    log = Log(limiter)
    await asyncio.gather(*(log.start(n) for n in range(7)))
    assert log.times == [30.0, 30.0, 30.0, 40.0, 40.0, 40.0, 50.0]


async def test_after_a_refusal_permits_come_one_by_one():
    limiter = limiter_of((60, 60.0), (1000, 3600.0))
    await limiter.acquire()
    limiter.apply_response(RateLimitInfo(retry_after=10.0), status=429, sent_at=0.0)
    log = Log(limiter)
    await asyncio.gather(*(log.start(n) for n in range(30)))
    gaps = [later - earlier for earlier, later in zip(log.times, log.times[1:], strict=False)]
    assert log.times[0] >= 10.0
    assert min(gaps) > 0.5


async def test_many_refusals_pause_once():
    limiter = limiter_of((250, 60.0), (5000, 3600.0))
    for _ in range(200):
        await limiter.acquire()
    for _ in range(200):
        await asyncio.sleep(0.004)
        limiter.apply_response(RateLimitInfo(retry_after=5.0), status=429, sent_at=0.0)
    assert limiter.status().paused_until == pytest.approx(5.004, abs=0.001)


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
async def test_a_pause_without_an_end_is_refused(seconds):
    with pytest.raises(ConfigurationError, match="finite"):
        limiter_of((1, 1.0)).pause(seconds)


# Model tokens.


async def test_tokens_are_limited_per_minute_and_corrected_by_usage():
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    first = await limiter.acquire(tokens=600)
    log = Log(limiter)
    waiting = log.start("second", tokens=600)
    await asyncio.sleep(5)
    assert log.entries == []
    first.settle(300)
    await waiting
    assert log.entries == [("second", 5.0)]
    assert limiter.status().tokens_used == 900


async def test_a_request_larger_than_the_budget_goes_alone():
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    await limiter.acquire(tokens=1)
    assert (await limiter.acquire(tokens=50_000)).waited == pytest.approx(60.0)
    assert (await limiter.acquire(tokens=1)).waited == pytest.approx(60.0)


async def test_a_time_limit_waits_for_an_estimate_to_be_corrected():
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    first = await limiter.acquire(tokens=600)
    log = Log(limiter)
    waiting = log.start("second", tokens=600, timeout=10.0)
    await asyncio.sleep(5)
    first.settle(300)
    await waiting
    assert log.entries == [("second", 5.0)]


@pytest.mark.parametrize("held", [59.0, 600.0])
async def test_tokens_that_are_held_count_from_when_they_were_sent(held):
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    permit = await limiter.acquire(tokens=1000, hold=True)
    log = Log(limiter)
    waiting = log.start("next", tokens=1000)
    await asyncio.sleep(held)
    permit.sent()
    await waiting
    assert log.times == [held + 60.0]


async def test_a_refund_gives_the_tokens_back():
    limiter = RateLimiter(RateLimits(tokens_per_minute=1000), guard=0.0)
    permit = await limiter.acquire(tokens=1000)
    permit.refund()
    assert (await limiter.acquire(tokens=1000)).waited == 0.0


# Telling.


async def test_status_and_estimate():
    limiter = limiter_of((2, 10.0), (5, 100.0))
    assert limiter.estimate(2) == 0.0
    assert limiter.estimate(3) == pytest.approx(10.0)
    assert limiter.estimate(6) == pytest.approx(100.0)
    await limiter.acquire()
    await limiter.acquire()
    waiting = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(4)
    status = limiter.status()
    assert [(w.capacity, w.used, w.free) for w in status.windows] == [(2, 2, 0), (5, 2, 3)]
    assert [w.next_free_at for w in status.windows] == [10.0, 4.0]
    assert (status.queued, status.paused_until, status.foreign, status.free) == (1, None, 0, 0)
    assert limiter.estimate() == pytest.approx(6.0)
    assert repr(limiter) == "<RateLimiter 2/2 in 10 s, 2/5 in 100 s, 1 queued>"
    assert "<td>10 s</td><td>2</td><td>2</td>" in limiter._repr_html_()
    await waiting


async def test_closing_lets_everybody_go_and_keeps_the_limiter_usable():
    limiter = limiter_of((1, 10.0))
    await limiter.acquire()
    waiting = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
    await settle()
    await limiter.aclose()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [SessionClosedError] * 3
    await limiter.acquire()


# Everything together.


async def test_two_saturated_hours_of_concurrent_workers_without_one_refusal(service):
    limiter, server = RateLimiter(), service(DOCUMENTED)
    chance = random.Random(5)

    async def worker():
        while clock() < 7200:
            permit = await limiter.acquire(hold=True)
            await asyncio.sleep(chance.choice([0, 0, 0, 0.1, 30]))
            sent_at = permit.sent()
            await asyncio.sleep(chance.uniform(0, 0.24))
            fine = server.receive(clock())
            info = RateLimitInfo(limit=5000, remaining=server.remaining(clock()))
            await asyncio.sleep(chance.uniform(0, 2))
            limiter.apply_response(info, status=200 if fine else 429, sent_at=sent_at)

    await asyncio.gather(*(worker() for _ in range(300)))
    assert server.refused == 0
    assert server.admitted >= 9900


@pytest.mark.parametrize("seed", range(12))
async def test_no_window_is_ever_exceeded_under_chaos(seed, service):
    windows = [(5, 3.0), (12, 12.0)]
    limiter, server = RateLimiter(RateLimits(windows=windows), guard=0.25), service(windows)
    chance = random.Random(seed)

    async def request():
        options = {"priority": chance.choice(["interactive", "bulk"]), "hold": chance.random() < 0.5}
        permit = await limiter.acquire(timeout=chance.choice([None, 5.0, 100.0]), **options)
        try:
            await asyncio.sleep(chance.choice([0.0, chance.uniform(0, 6)]) if options["hold"] else 0.0)
            if chance.random() < 0.2:
                return permit.refund()
            permit.sent()
        except asyncio.CancelledError:
            permit.refund()
            raise
        await asyncio.sleep(chance.uniform(0, 0.249))
        return server.receive(clock())

    tasks = []
    for _ in range(150):
        tasks.append(asyncio.create_task(request()))
        await asyncio.sleep(chance.choice([0.0, chance.expovariate(2)]))
        if chance.random() < 0.2:
            chance.choice(tasks).cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert server.refused == 0
    assert limiter.status().held == limiter.status().queued == 0
    assert server.admitted > 50
