"""Pauses and foreign usage that one limiter shares with the others."""

import asyncio
import time

import pytest

from gradient_async.errors import APITimeoutError
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.redis_server import open_limiter, open_two_limiters
from tests.support.waiting import HANG_SECONDS


async def test_a_refusal_pauses_every_process(url: str, key: str) -> None:
    async with open_two_limiters(url, (100, 60.0), key=key) as (one, two):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(retry_after=50.0), status=429, sent_at=permit.sent_at)
        with pytest.raises(APITimeoutError, match="at the earliest"):
            while True:  # a few are granted before the pause is written
                await two.acquire(timeout=5.0)
                await asyncio.sleep(0.01)
        assert two.status().windows[0].foreign > 50


async def test_a_pause_delays_the_first_request(url: str, key: str) -> None:
    async with open_limiter(url, (100, 60.0), key=key) as limiter:
        began = time.monotonic()
        limiter.pause(0.3)
        assert (await limiter.acquire()).waited > 0
        assert time.monotonic() - began >= 0.3


async def test_a_timeout_that_ends_before_the_pause_is_refused_at_once(url: str, key: str) -> None:
    async with open_limiter(url, (100, 60.0), key=key) as limiter:
        limiter.pause(600.0)
        with pytest.raises(APITimeoutError, match="at the earliest"):
            await asyncio.wait_for(limiter.acquire(timeout=300.0), HANG_SECONDS)


async def test_foreign_usage_is_shared_with_other_processes(url: str, key: str) -> None:
    async with open_two_limiters(url, (50, 1.0), (100, 60.0), key=key) as (one, two):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(limit=100, remaining=39), status=200, sent_at=permit.sent_at)
        await asyncio.sleep(0.1)
        await two.acquire()
        assert two.status().windows[1].foreign in (59, 60)


async def test_successes_after_a_refusal_release_the_window_in_every_process(url: str, key: str) -> None:
    async with open_two_limiters(url, (100, 60.0), key=key) as (one, two):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(retry_after=0.2), status=429, sent_at=permit.sent_at)
        for _ in range(8):
            permit = await asyncio.wait_for(one.acquire(), HANG_SECONDS)
            one.apply_response(RateLimitInfo(), status=200, sent_at=permit.sent_at)
        await asyncio.sleep(0.1)
        await asyncio.wait_for(asyncio.gather(*(two.acquire() for _ in range(80))), HANG_SECONDS)
