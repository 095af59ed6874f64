"""One budget of several limiters, over a real Redis."""

import asyncio
import subprocess
import sys
import time
from typing import Any
from unittest import mock

import pytest

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APITimeoutError, ConfigurationError, SessionClosedError
from gradient_async.limits import RedisLimiter
from tests.support.redis_server import open_limiter, open_two_limiters
from tests.support.waiting import HANG_SECONDS


async def test_two_limiters_share_one_budget(url: str, key: str) -> None:
    async with open_two_limiters(url, (3, 0.5), (100, 60.0), key=key) as (one, two):
        began = time.monotonic()
        await asyncio.gather(*(limiter.acquire() for limiter in [one, two] * 3))
        assert time.monotonic() - began >= 0.5
        assert one.status().windows[1].used + two.status().windows[1].used > 6


async def test_another_key_is_another_budget(url: str, key: str) -> None:
    async with (
        open_limiter(url, (1, 60.0), key=f"{key} a") as one,
        open_limiter(url, (1, 60.0), key=f"{key} b") as two,
    ):
        await asyncio.wait_for(asyncio.gather(one.acquire(), two.acquire()), HANG_SECONDS)
        assert [limiter.status().windows[0].used for limiter in (one, two)] == [1, 1]


async def test_a_permit_takes_a_token_of_every_window_or_of_none(url: str, key: str) -> None:
    async with open_limiter(url, (1, 5.0), (5, 60.0), key=key) as limiter:
        await limiter.acquire()
        for _ in range(10):
            with pytest.raises(APITimeoutError):
                await limiter.acquire(timeout=0.01)
        assert [window.used for window in limiter.status().windows] == [1, 1]


async def test_a_refund_frees_a_token_for_other_processes(url: str, key: str) -> None:
    async with open_two_limiters(url, (1, 60.0), key=key) as (one, two):
        permit = await one.acquire()
        permit.refund()
        permit.refund()
        await asyncio.sleep(0.1)
        await asyncio.wait_for(two.acquire(), HANG_SECONDS)
        assert two.status().windows[0].used == 1


async def test_a_local_refund_grants_the_next_permit(url: str, key: str) -> None:
    async with open_limiter(url, (1, 60.0), key=key) as limiter:
        permit = await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.1)
        permit.refund()
        await asyncio.wait_for(waiting, HANG_SECONDS)
        assert limiter.status().windows[0].used == 1


async def test_a_held_permit_counts_from_its_sent_time(url: str, key: str) -> None:
    async with open_limiter(url, (1, 0.4), key=key) as limiter:
        permit = await limiter.acquire(hold=True)
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.6)
        assert not waiting.done()
        began = time.monotonic()
        permit.sent()
        await asyncio.wait_for(waiting, HANG_SECONDS)
        assert time.monotonic() - began > 0.39


async def test_a_held_permit_counts_until_sent_when_requested_with_others(url: str, key: str) -> None:
    async with open_limiter(url, (2, 0.3), key=key) as limiter:
        _, permit = await asyncio.gather(limiter.acquire(), limiter.acquire(hold=True))
        await asyncio.sleep(0.4)
        await limiter.acquire(hold=True)
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=0.1)
        permit.sent()


async def test_a_wait_longer_than_the_timeout_is_refused_at_once(url: str, key: str) -> None:
    async with open_limiter(url, (1, 600.0), key=key) as limiter:
        await limiter.acquire()
        with pytest.raises(APITimeoutError, match="at the earliest") as refusal:
            await asyncio.wait_for(limiter.acquire(timeout=300.0), HANG_SECONDS)
        assert (refusal.value.phase, refusal.value.maybe_sent) == ("limiter", False)


async def test_waiters_are_served_in_order_with_fewer_requests_to_redis(url: str, key: str) -> None:
    async with open_limiter(url, (10, 0.1), key=key) as limiter:
        order: list[int] = []

        async def acquire_as(n: int) -> None:
            await limiter.acquire()
            order.append(n)

        with mock.patch.object(
            limiter._exchanges.store, "exchange", wraps=limiter._exchanges.store.exchange
        ) as exchanges:
            await asyncio.gather(*(acquire_as(n) for n in range(60)))
        assert order == list(range(60))
        assert exchanges.call_count < 60


async def test_cancelled_waiters_take_no_token(url: str, key: str) -> None:
    async with open_limiter(url, (5, 60.0), key=key) as limiter:
        tasks = [asyncio.create_task(limiter.acquire()) for _ in range(5)]
        await asyncio.sleep(0)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.sleep(0.1)
        for _ in range(5):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        assert limiter.status().windows[0].used == 5


def test_a_limiter_moves_to_the_next_event_loop(url: str, key: str) -> None:
    limiter = RedisLimiter(url, limits=RateLimits(windows=[(2, 60.0)]), key=key)

    async def acquire_once() -> None:
        await limiter.acquire()
        await limiter.aclose()

    asyncio.run(acquire_once())
    asyncio.run(acquire_once())
    assert limiter.status().windows[0].used == 2


async def test_closing_rejects_every_waiter(url: str, key: str) -> None:
    async with open_limiter(url, (1, 60.0), key=key) as limiter:
        await limiter.acquire()
        waiting = asyncio.create_task(limiter.acquire())
        await asyncio.sleep(0.1)
        await limiter.aclose()
        with pytest.raises(SessionClosedError):
            await waiting


def test_importing_the_package_does_not_import_redis() -> None:
    code = "import sys, gradient_async.limits; sys.exit('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"when_down": "panic"}, "local_share, fail_open, fail_closed"),
        ({"share": 0.0}, "share is 0.0"),
        ({"share": 1.5}, "share is 1.5"),
    ],
)
def test_invalid_settings_are_refused(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        RedisLimiter("redis://localhost", **options)
