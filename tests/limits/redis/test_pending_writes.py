"""Writes that are retried, and writes when a limiter is closed."""

import asyncio
import gc
import warnings
from typing import Any
from unittest import mock

import pytest

from gradient_async.errors import APITimeoutError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.failures import RedisUnavailable
from gradient_async.limits.redis.replies import Reply
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.redis_server import open_two_limiters
from tests.support.waiting import HANG_SECONDS

UNREACHABLE = "redis://:secret@127.0.0.1:1/0"


async def test_a_refund_that_failed_is_written_again(url: str, key: str) -> None:
    async with open_two_limiters(url, (1, 60.0), key=key) as (one, two):
        permit = await one.acquire(hold=True)
        with mock.patch.object(one._exchanges.store, "exchange", side_effect=RedisUnavailable("ConnectionError")):
            permit.refund()
            await asyncio.sleep(0.1)
        await asyncio.sleep(1.2)
        await asyncio.wait_for(two.acquire(), HANG_SECONDS)
        assert two.status().windows[0].used == 1


async def test_closing_writes_the_last_pause(url: str, key: str) -> None:
    async with open_two_limiters(url, (100, 60.0), key=key) as (one, two):
        permit = await one.acquire()
        one.apply_response(RateLimitInfo(retry_after=50.0), status=429, sent_at=permit.sent_at)
        await one.aclose()
        with pytest.raises(APITimeoutError, match="at the earliest"):
            await two.acquire(timeout=5.0)


async def test_closing_refunds_permits_granted_meanwhile(url: str, key: str) -> None:
    async with open_two_limiters(url, (10, 60.0), key=key) as (one, two):
        granted, exchange = asyncio.Event(), one._exchanges.store.exchange

        async def reply_slowly(*args: Any) -> Reply:
            reply = await exchange(*args)
            granted.set()
            await asyncio.sleep(0.05)
            return reply

        with mock.patch.object(one._exchanges.store, "exchange", reply_slowly):
            waiting = [asyncio.create_task(one.acquire()) for _ in range(5)]
            await granted.wait()
            await one.aclose()
        await asyncio.gather(*waiting, return_exceptions=True)
        await two.acquire()
        assert two.status().windows[0].used == 1


async def test_closing_leaves_no_write_that_was_never_awaited() -> None:
    limiter = RedisLimiter(UNREACHABLE, key="k", when_down="fail_open")
    permit = await limiter.acquire()
    limiter.apply_response(RateLimitInfo(retry_after=1.0), status=429, sent_at=permit.sent_at)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        await limiter.aclose()
        gc.collect()
    assert not caught


async def test_a_permit_that_is_dropped_after_closing_connects_no_more(url: str, key: str) -> None:
    async with open_two_limiters(url, (10, 60.0), key=key) as (one, two):
        permit = await one.acquire(hold=True)
        await one.aclose()
        with mock.patch.object(one._exchanges.store, "exchange", wraps=one._exchanges.store.exchange) as exchanges:
            del permit
            gc.collect()
            await asyncio.sleep(0.1)
            await two.acquire()
        assert exchanges.call_count == 0


async def test_a_closed_limiter_can_be_used_again(url: str, key: str) -> None:
    async with open_two_limiters(url, (10, 60.0), key=key) as (one, _):
        await one.acquire()
        await one.aclose()
        await asyncio.wait_for(one.acquire(), HANG_SECONDS)
        assert one.status().windows[0].used == 2
