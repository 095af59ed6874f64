"""Policies while Redis is away, and the replay of usage that it lost."""

import asyncio
import logging

import pytest
import redis

from gradient_async.errors import APIConnectionError, APITimeoutError
from tests.support.redis_server import RedisServer, open_limiter, open_two_limiters
from tests.support.waiting import HANG_SECONDS

UNREACHABLE = "redis://:secret@127.0.0.1:1/0"


async def test_fail_closed_raises_an_error_without_the_address(caplog: pytest.LogCaptureFixture) -> None:
    async with open_limiter(UNREACHABLE, (5, 60.0), key="k", when_down="fail_closed") as limiter:
        for _ in range(3):
            with pytest.raises(APIConnectionError, match="fail_closed") as failure:
                await limiter.acquire()
        assert failure.value.maybe_sent is False
        assert "secret" not in str(failure.value) + repr(limiter) + caplog.text


async def test_fail_open_grants_without_limit() -> None:
    async with open_limiter(UNREACHABLE, (1, 60.0), key="k", when_down="fail_open") as limiter:
        waited = [(await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)).waited for _ in range(20)]
        assert max(waited[1:]) < HANG_SECONDS


async def test_local_share_grants_only_the_share_and_logs_once(caplog: pytest.LogCaptureFixture) -> None:
    async with open_limiter(UNREACHABLE, (8, 60.0), key="k", share=0.25) as limiter:
        with caplog.at_level(logging.INFO, "gradient_async"):
            await limiter.acquire()
            await limiter.acquire()
            with pytest.raises(APITimeoutError):
                await limiter.acquire(timeout=1.5)
        outages = [record for record in caplog.records if "waiting" not in record.getMessage()]
        assert [record.levelname for record in outages] == ["WARNING"]
        assert "local_share" in caplog.text


async def test_a_restart_without_persistence_loses_no_usage(
    own_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_limiter(own_server.url, (10, 60.0), key="k", share=0.5) as limiter:
        for _ in range(7):
            await limiter.acquire()
        own_server.stop()
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=0.3)  # 7 of ours are more than the share of 5
        own_server.start()
        for _ in range(3):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        with pytest.raises(APITimeoutError):
            await limiter.acquire(timeout=0.5)
        assert limiter.status().windows[0].used == 10
    assert "answers again" in caplog.text


async def test_lost_data_is_detected_and_replayed(own_server: RedisServer) -> None:
    async with open_two_limiters(own_server.url, (10, 60.0), key="k") as (one, two):
        for limiter in [one, two] * 4:
            await limiter.acquire()
        with redis.Redis.from_url(own_server.url) as client:
            client.flushall()
        results = await asyncio.gather(
            *(limiter.acquire(timeout=2.0) for limiter in [one, two] * 4), return_exceptions=True
        )
        assert sum(not isinstance(result, Exception) for result in results) == 2


async def test_usage_during_an_outage_counts_afterwards(own_server: RedisServer) -> None:
    async with open_limiter(own_server.url, (10, 60.0), key="k", when_down="fail_open") as limiter:
        await limiter.acquire()
        own_server.stop()
        for _ in range(5):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        own_server.start()
        await asyncio.sleep(1.2)
        await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        assert limiter.status().windows[0].used == 7


async def test_usage_before_the_first_reply_of_redis_counts_afterwards(own_server: RedisServer) -> None:
    own_server.stop()
    async with open_limiter(own_server.url, (10, 60.0), key="k", when_down="fail_open") as limiter:
        for _ in range(5):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        own_server.start()
        await asyncio.sleep(1.0)
        await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        assert limiter.status().windows[0].used == 6
