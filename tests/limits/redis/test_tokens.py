"""Model tokens of a minute that several processes share: estimated before a request, settled by its usage after it."""

import asyncio
import time

import pytest
import redis

from gradient_async import AsyncSession
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APIConnectionError
from gradient_async.limits import RedisLimiter
from gradient_async.testing import Emulator
from tests.support import redis_server
from tests.support.redis_faults import run_lossy_proxy
from tests.support.redis_server import (
    RedisServer,
    open_limiter,
    open_two_limiters,
    run_redis_server,
    run_replicated_pair,
)
from tests.support.waiting import HANG_SECONDS, wait_until

ROOMY = (10_000, 3600.0)
LIMIT = 1000


async def is_granted(limiter: RedisLimiter, tokens: int, *, seconds: float = 0.2) -> bool:
    """Return whether a request that takes *tokens* gets its permit within *seconds*."""
    return await redis_server.is_granted(limiter, seconds=seconds, tokens=tokens)


async def gets(limiter: RedisLimiter, tokens: int) -> bool:
    """Return whether a request gets the *tokens* that are free, however slow the machine is."""
    return await is_granted(limiter, tokens, seconds=5)


def set_period(limiter: RedisLimiter, seconds: float) -> None:
    """Let the tokens of *limiter* count for *seconds* instead of a minute."""
    tokens = limiter._budget.usage.tokens
    assert tokens is not None
    tokens.record.period = tokens._share.period = seconds


async def test_two_limiters_share_the_tokens(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        assert [await gets(one, 600), await gets(two, 300)] == [True, True]
        assert [await is_granted(one, 200), await is_granted(two, 101)] == [False, False]
        assert [await gets(two, 100), await gets(one, 0)] == [True, True]
        assert one.status().tokens_used == LIMIT


async def test_valkey_keeps_the_tokens() -> None:
    with run_redis_server(program="valkey-server") as server:
        async with open_two_limiters(server.url, ROOMY, key="k", tokens=LIMIT) as (one, two):
            assert [await gets(one, 600), await is_granted(two, 600)] == [True, False]


async def test_settled_tokens_replace_their_estimate_in_every_process(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        permit = await one.acquire(tokens=900)
        assert not await is_granted(two, 200)
        permit.settle(100)
        assert await gets(two, 900)
        permit.settle(150)  # more than before
        await wait_until(lambda: not one._exchanges.protocol.has_writes)
        await wait_until(lambda: one.status().tokens_used == 1050)


async def test_a_settled_request_serves_the_next_waiter_of_its_process_at_once(url: str, key: str) -> None:
    async with open_limiter(url, ROOMY, key=key, tokens=LIMIT) as limiter:
        permit = await limiter.acquire(tokens=900)
        waiting = asyncio.create_task(limiter.acquire(tokens=900))
        await asyncio.sleep(0.05)
        permit.settle(50)
        await asyncio.wait_for(waiting, HANG_SECONDS)
        assert limiter.status().tokens_used == 950


async def test_a_refund_returns_the_tokens(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        permit = await one.acquire(tokens=900, hold=True)
        assert not await is_granted(two, 900)
        permit.refund()
        assert await gets(two, 900)
        assert two.status().tokens_used == 900


async def test_tokens_return_one_minute_after_each_request(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        set_period(one, 0.4)
        set_period(two, 0.4)
        began = time.monotonic()
        await asyncio.gather(*(limiter.acquire(tokens=500) for limiter in [one, two] * 3))
        assert time.monotonic() - began >= 0.8


async def test_tokens_of_a_held_permit_count_from_its_sent_time(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        set_period(one, 0.3)
        set_period(two, 0.3)
        permit = await one.acquire(tokens=900, hold=True)
        assert not await is_granted(two, 200, seconds=0.5)
        permit.sent()
        sent_at = time.monotonic()
        await asyncio.wait_for(two.acquire(tokens=200), HANG_SECONDS)
        assert time.monotonic() - sent_at >= 0.3


async def test_a_request_larger_than_the_limit_is_sent_alone(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        permit = await one.acquire(tokens=50 * LIMIT)
        assert not await is_granted(two, 1)
        permit.settle(LIMIT - 1)
        assert not await is_granted(two, 2)
        assert await gets(two, 1)
        assert not await is_granted(one, 50 * LIMIT)


async def test_requests_of_any_sizes_are_granted_together(url: str, key: str) -> None:
    sizes = [7 * number % 100 for number in range(100)]
    async with open_limiter(url, ROOMY, key=key, tokens=10 * LIMIT) as limiter:
        await limiter.acquire()
        calls = [
            limiter.acquire("bulk" if number % 3 else "interactive", tokens=tokens)
            for number, tokens in enumerate(sizes)
        ]
        await asyncio.wait_for(asyncio.gather(*calls), HANG_SECONDS)
        await wait_until(lambda: not limiter._exchanges.protocol.has_writes)
        await wait_until(lambda: limiter.status().tokens_used == sum(sizes))


async def test_a_large_request_is_not_passed_for_ever_by_small_ones_of_others(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        set_period(one, 0.4)
        set_period(two, 0.4)
        is_stopped = False

        async def send_small_ones() -> None:
            while not is_stopped:
                await one.acquire(tokens=50)

        workers = [asyncio.create_task(send_small_ones()) for _ in range(4)]
        await asyncio.sleep(0.1)
        for _ in range(2):
            await asyncio.wait_for(two.acquire(tokens=LIMIT), HANG_SECONDS)
        is_stopped = True
        await asyncio.wait_for(asyncio.gather(*workers), HANG_SECONDS)


async def test_a_wait_for_tokens_is_described_by_their_limit(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        await one.acquire(tokens=900)
        assert not await is_granted(two, 900)
        limits = []
        waiting = asyncio.create_task(two.acquire(tokens=900, on_wait=lambda details: limits.append(details.limit)))
        await wait_until(lambda: limits == [f"{LIMIT} tokens in 60 s"])
        waiting.cancel()


# What Redis loses.


async def test_a_lost_key_neither_grants_nor_costs_tokens(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key, tokens=LIMIT) as (one, two):
        assert [await gets(one, 500), await gets(two, 300)] == [True, True]
        with redis.Redis.from_url(url) as client:
            client.delete(f"{{gradient-async:{key}}}:v2")
        too_many = await asyncio.gather(is_granted(two, 201, seconds=1.6), is_granted(one, 201, seconds=1.6))
        assert not any(too_many)
        assert await gets(two, 200)


async def test_tokens_that_were_not_replicated_before_a_failover_count() -> None:
    with run_replicated_pair() as (primary, replica):
        async with (
            run_lossy_proxy(primary) as proxy,
            open_two_limiters(proxy.url, ROOMY, key="k", tokens=LIMIT) as (one, two),
        ):
            assert [await gets(one, 100), await gets(two, 100)] == [True, True]
            primary.execute("SET", "mark", 1)
            primary.execute("WAIT", 1, 3000)
            replica.execute("REPLICAOF", "NO", "ONE")  # nothing of what follows reaches it
            assert [await gets(one, 500), await gets(two, 100)] == [True, True]
            primary.stop()
            proxy.target = replica.port
            proxy.cut()
            too_many = await asyncio.gather(is_granted(one, 201, seconds=1.6), is_granted(two, 201, seconds=1.6))
            assert not any(too_many)
            assert await gets(two, 200)


async def test_tokens_of_a_process_that_is_gone_count_after_an_empty_restart(own_server: RedisServer) -> None:
    async with open_limiter(own_server.url, ROOMY, key="k", tokens=LIMIT) as gone:
        assert await gets(gone, 700)
    async with open_limiter(own_server.url, ROOMY, key="k", tokens=LIMIT, share=0.01) as limiter:
        assert await gets(limiter, 100)
        own_server.stop()
        own_server.start()
        assert not await is_granted(limiter, 201, seconds=1.6)
        assert await gets(limiter, 200)


async def test_a_lost_reply_gives_its_tokens_back_at_once(own_server: RedisServer) -> None:
    async with (
        run_lossy_proxy(own_server) as proxy,
        open_limiter(proxy.url, ROOMY, key="k", tokens=LIMIT, share=0.01) as limiter,
    ):
        assert await gets(limiter, 100)
        proxy.lose = 2  # the call and its repetition
        assert await gets(limiter, 900)
        assert limiter.status().tokens_used == LIMIT


# Without Redis.


async def test_a_share_of_the_tokens_is_used_without_redis(own_server: RedisServer) -> None:
    own_server.stop()
    async with open_limiter(own_server.url, ROOMY, key="k", tokens=LIMIT, share=0.25) as limiter:
        assert [await gets(limiter, 200), await is_granted(limiter, 100)] == [True, False]
        own_server.start()
        assert await gets(limiter, 800)  # and what was used meanwhile counts
        assert limiter.status().tokens_used == LIMIT


@pytest.mark.parametrize("when_down", ["fail_open", "fail_closed"])
async def test_tokens_are_not_limited_without_redis_if_nothing_is(own_server: RedisServer, when_down: str) -> None:
    own_server.stop()
    async with open_limiter(own_server.url, ROOMY, key="k", tokens=LIMIT, when_down=when_down) as limiter:
        calls = [limiter.acquire(tokens=900) for _ in range(3)]
        results = await asyncio.wait_for(asyncio.gather(*calls, return_exceptions=True), HANG_SECONDS)
        assert [isinstance(each, APIConnectionError) for each in results] == [when_down == "fail_closed"] * 3


# A session.


async def test_a_session_estimates_tokens_and_settles_them(url: str, key: str) -> None:
    limiter = RedisLimiter(url, limits=RateLimits(tokens_per_minute=LIMIT), key=key)
    async with Emulator() as emulator, AsyncSession("k", base_url=emulator.url, limits=limiter) as session:
        for _ in range(2):
            await session.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "Hi"}], max_tokens=900, timeout=HANG_SECONDS
            )
        await wait_until(lambda: not limiter._exchanges.protocol.has_writes)
        await wait_until(lambda: 0 < (limiter.status().tokens_used or 0) < 400)
    await limiter.aclose()
