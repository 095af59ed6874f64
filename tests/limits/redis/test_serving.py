"""Exchanges in the task of a caller: a sole caller asks Redis itself, others wait for a task of the limiter."""

import asyncio
from unittest import mock

import pytest

from gradient_async.errors import APITimeoutError, SessionClosedError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.background_task import BackgroundTask
from tests.support.redis_faults import run_lossy_proxy
from tests.support.redis_server import RedisServer, open_limiter
from tests.support.waiting import HANG_SECONDS, wait_until

HOUR = 3600.0


async def wait_for_permits(limiter: RedisLimiter, count: int) -> None:
    """Acquire *count* permits at once."""
    await asyncio.wait_for(asyncio.gather(*(limiter.acquire() for _ in range(count))), HANG_SECONDS)


async def test_a_sole_caller_needs_no_task(url: str, key: str) -> None:
    async with open_limiter(url, (10, HOUR), key=key) as limiter:
        await limiter.acquire()
        with mock.patch.object(asyncio.get_running_loop(), "create_task") as create_task:
            await limiter.acquire()
        assert create_task.call_count == 0


async def test_a_caller_that_has_its_permit_does_not_serve_the_others(url: str, key: str) -> None:
    async with open_limiter(url, (300, HOUR), key=key) as limiter:
        await limiter.acquire()
        first = asyncio.create_task(limiter.acquire())
        others = [asyncio.create_task(limiter.acquire()) for _ in range(200)]
        await asyncio.wait_for(first, HANG_SECONDS)
        assert not all(other.done() for other in others)
        await asyncio.wait_for(asyncio.gather(*others), HANG_SECONDS)
        assert limiter.status().windows[0].used == 202


async def test_a_caller_that_is_cancelled_while_it_asks_keeps_no_permit_and_nobody_waiting(
    own_server: RedisServer,
) -> None:
    async with open_limiter(own_server.url, (10, HOUR), key="k", timeout=10.0) as limiter:
        await limiter.acquire()
        own_server.execute("CLIENT", "PAUSE", 200)
        asking = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(limiter.acquire()) for _ in range(3)]
        await asyncio.sleep(0)
        asking.cancel()
        await asyncio.wait_for(asyncio.gather(*others), HANG_SECONDS)
        await wait_until(lambda: limiter.status().windows[0].used == 4)
        with pytest.raises(asyncio.CancelledError):
            await asking


async def test_a_caller_with_less_time_than_an_exchange_is_refused_in_time(own_server: RedisServer) -> None:
    async with open_limiter(own_server.url, (10, HOUR), key="k", timeout=30.0) as limiter:
        await limiter.acquire()
        own_server.execute("CLIENT", "PAUSE", 60_000)
        with pytest.raises(APITimeoutError):
            await asyncio.wait_for(limiter.acquire(timeout=0.1), HANG_SECONDS / 2)
        own_server.stop()


async def test_closing_rejects_a_caller_that_asks(url: str, key: str) -> None:
    async with open_limiter(url, (10, HOUR), key=key) as limiter:
        await limiter.acquire()
        asking = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0)
        await limiter.aclose()
        with pytest.raises(SessionClosedError):
            await asyncio.wait_for(asking, HANG_SECONDS)


async def test_a_reply_to_an_earlier_exchange_grants_nothing(own_server: RedisServer) -> None:
    async with run_lossy_proxy(own_server) as proxy, open_limiter(proxy.url, (10, HOUR), key="k", share=0.1) as limiter:
        await limiter.acquire()
        proxy.double = 1
        await wait_for_permits(limiter, 9)
        assert limiter.status().windows[0].used == 10
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=5.0)


async def test_a_run_in_a_callers_task_excludes_others_and_is_waited_for() -> None:
    running, runs = asyncio.Event(), []

    async def run(done: asyncio.Future[None] | None) -> None:
        runs.append(done)
        await running.wait()

    background = BackgroundTask(run, lambda: runs.append(None))
    background.use_loop(asyncio.get_running_loop())
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    caller = asyncio.create_task(background.run_until(done))
    await asyncio.sleep(0)
    background.start()
    await asyncio.sleep(0)
    assert runs == [done]
    assert not background.is_idle
    stopping = asyncio.create_task(background.stop_task(HANG_SECONDS))
    await asyncio.sleep(0)
    running.set()
    await asyncio.gather(caller, stopping)
    assert background.is_idle
    assert runs == [done]
