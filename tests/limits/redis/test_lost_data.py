"""Data that Redis loses, replies that get lost on the way, and steps of the server's clock."""

import asyncio
import contextlib
import os
import signal
import time

import pytest
import redis

from gradient_async.limits.redis.server_clock import ServerClock
from tests.support.redis_faults import run_lossy_proxy, run_server_with_settable_clock
from tests.support.redis_server import (
    RedisServer,
    open_limiter,
    open_two_limiters,
    run_replicated_pair,
    take_permits,
)
from tests.support.waiting import HANG_SECONDS, wait_until

HOUR = 3600.0


def count_in_densest_window(times: list[float], period: float) -> int:
    """Return the largest number of *times* within any *period*."""
    return max(sum(start <= at < start + period for at in times) for start in times)


# Lost data.


@pytest.mark.parametrize(("used", "is_one_idle"), [((15, 5), False), ((15, 5), True), ((1, 12), False), ((5, 5), True)])
async def test_a_lost_key_neither_grants_nor_costs_permits(
    url: str, key: str, used: tuple[int, int], is_one_idle: bool
) -> None:
    async with open_two_limiters(url, (20, HOUR), key=key) as (one, two):
        taken = await take_permits(one, used[0]) + await take_permits(two, used[1])
        with redis.Redis.from_url(url) as client:
            assert client.delete(f"{{gradient-async:{key}}}:v2") == 1
        taken += await take_permits(two, 20)
        if not is_one_idle:
            taken += await take_permits(one, 20)
        assert taken == 20


async def test_a_key_that_was_evicted_is_written_again(own_server: RedisServer) -> None:
    own_server.execute("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    async with open_limiter(own_server.url, (20, HOUR), key="k") as limiter:
        assert await take_permits(limiter, 12) == 12
        own_server.execute("CONFIG", "SET", "maxmemory", 1)
        with contextlib.suppress(redis.OutOfMemoryError):
            own_server.execute("SET", "another key", "needs memory")
        own_server.execute("CONFIG", "SET", "maxmemory", 0)
        assert own_server.execute("EXISTS", "{gradient-async:k}:v2") == 0
        assert await take_permits(limiter, 20) == 8


async def test_permits_that_were_not_replicated_before_a_failover_count() -> None:
    with run_replicated_pair() as (primary, replica):
        async with run_lossy_proxy(primary) as proxy, open_two_limiters(proxy.url, (20, HOUR), key="k") as (one, two):
            assert [await take_permits(one, 1), await take_permits(two, 1)] == [1, 1]
            primary.execute("SET", "mark", 1)
            primary.execute("WAIT", 1, 3000)
            replica.execute("REPLICAOF", "NO", "ONE")  # nothing of what follows reaches it
            assert [await take_permits(one, 10), await take_permits(two, 4)] == [10, 4]
            primary.stop()
            proxy.target = replica.port
            proxy.cut()
            assert await take_permits(two, 20) + await take_permits(one, 20) == 4


async def test_usage_of_a_process_that_is_gone_counts_after_an_empty_restart(own_server: RedisServer) -> None:
    async with open_limiter(own_server.url, (20, HOUR), key="k", share=0.05) as gone:
        assert await take_permits(gone, 15) == 15
    async with open_limiter(own_server.url, (20, HOUR), key="k", share=0.05) as limiter:
        assert await take_permits(limiter, 3) == 3
        own_server.stop()
        own_server.start()
        assert await take_permits(limiter, 20) == 2


async def test_a_held_permit_counts_after_its_key_was_lost(url: str, key: str) -> None:
    async with open_limiter(url, (2, HOUR), key=key) as limiter:
        permit = await limiter.acquire(hold=True)
        with redis.Redis.from_url(url) as client:
            client.delete(f"{{gradient-async:{key}}}:v2")
        assert await take_permits(limiter, 9) == 1
        permit.refund()
        await wait_until(lambda: limiter.status().windows[0].used == 1)
        assert await take_permits(limiter, 9) == 1


# Lost replies.


@pytest.mark.parametrize("lost", [1, 2, 3])
async def test_a_lost_reply_gives_its_permits_back_at_once(own_server: RedisServer, lost: int) -> None:
    async with run_lossy_proxy(own_server) as proxy, open_limiter(proxy.url, (10, HOUR), key="k", share=0.1) as limiter:
        assert await take_permits(limiter, 1) == 1
        proxy.lose = lost
        assert await take_permits(limiter, 20) == 9
        assert limiter.status().windows[0].used == 10


async def test_a_script_that_runs_after_its_timeout_grants_nothing(own_server: RedisServer) -> None:
    async with open_limiter(own_server.url, (10, HOUR), key="k", share=0.1, timeout=0.2) as limiter:
        assert await take_permits(limiter, 1) == 1
        process = own_server.process
        assert process is not None
        os.kill(process.pid, signal.SIGSTOP)
        waiting = [asyncio.create_task(limiter.acquire()) for _ in range(9)]
        await asyncio.sleep(0.5)
        os.kill(process.pid, signal.SIGCONT)
        await asyncio.wait_for(asyncio.gather(*waiting), HANG_SECONDS)
        assert limiter.status().windows[0].used == 10


async def test_a_paused_server_keeps_no_permits(own_server: RedisServer) -> None:
    async with open_limiter(own_server.url, (10, HOUR), key="k", share=0.1, timeout=0.2) as limiter:
        assert await take_permits(limiter, 1) == 1
        own_server.execute("CLIENT", "PAUSE", 500)
        assert await take_permits(limiter, 20) == 9


async def test_many_pauses_at_once_are_one_write(url: str, key: str, caplog: pytest.LogCaptureFixture) -> None:
    async with open_two_limiters(url, (500, 60.0), key=key) as (one, two):
        await one.acquire()
        began = time.monotonic()
        for number in range(120):
            one.pause(number / 200)
        await asyncio.sleep(0.1)
        await asyncio.wait_for(two.acquire(), HANG_SECONDS)
        assert time.monotonic() - began > 0.5
    assert not caplog.records


# Steps of the server's clock.


@pytest.mark.parametrize("step", [30, -5000])
async def test_a_step_of_the_servers_clock_neither_grants_nor_blocks(
    step: int, caplog: pytest.LogCaptureFixture
) -> None:
    capacity, period = 6, 1.0
    times: list[float] = []

    async def acquire() -> None:
        await limiter.acquire()
        times.append(time.monotonic())

    with run_server_with_settable_clock() as clock:
        async with open_limiter(clock.server.url, (capacity, period), key="k", guard=0.1) as limiter:
            await asyncio.gather(*(acquire() for _ in range(capacity)))
            clock.move(step)
            async with asyncio.timeout(HANG_SECONDS):
                await asyncio.gather(*(acquire() for _ in range(2 * capacity)))
    assert count_in_densest_window(times, period) == capacity
    assert max(times) - min(times) < 20 * period
    assert [record.getMessage() for record in caplog.records if "clock" in record.getMessage()]


async def test_a_pause_is_not_prolonged_by_a_step_back() -> None:
    with run_server_with_settable_clock() as clock:
        async with open_two_limiters(clock.server.url, (100, 60.0), key="k") as (one, two):
            await asyncio.gather(one.acquire(), two.acquire())
            one.pause(0.5)
            await asyncio.sleep(0.1)
            clock.move(-600)
            began = time.monotonic()
            await asyncio.wait_for(two.acquire(), HANG_SECONDS)
            assert time.monotonic() - began < 10


@pytest.mark.parametrize(
    ("replies", "steps"),
    [
        ([(510.1, 10.0, 10.2), (520.1, 20.0, 20.2)], [0, 0]),
        ([(510.1, 10.0, 10.2), (550.0, 20.0, 20.1)], [0, pytest.approx(29.8)]),
        ([(510.1, 10.0, 10.2), (490.0, 20.0, 20.1)], [0, pytest.approx(-29.9)]),
        ([(510.1, 10.0, 10.2), (522.0, 20.0, 23.0)], [0, 0]),  # a slow call
        ([(510.1, 10.0, 10.2), (520.3, 20.0, 20.1)], [0, 0]),  # they drift
        ([(510.1, 10.0, 10.2), (9000.0, 700.0, 700.1)], [0, 0]),  # an exchange too long ago
    ],
)
def test_a_step_of_the_clock_is_told_from_slow_calls(
    replies: list[tuple[float, float, float]], steps: list[float]
) -> None:
    clock = ServerClock()
    assert [clock.apply_reply(shown, sent_at=sent, arrived_at=arrived) for shown, sent, arrived in replies] == steps
