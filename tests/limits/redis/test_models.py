"""Quotas of models that several processes share."""

import asyncio
import time

import pytest
import redis

from gradient_async.errors import APITimeoutError
from gradient_async.limits import RedisLimiter
from gradient_async.models.response_meta import RateLimitInfo
from tests.support.redis_server import RedisServer, is_granted, open_limiter, open_two_limiters
from tests.support.waiting import HANG_SECONDS, wait_until

ROOMY = (10_000, 3600.0)


async def take_permits(limiter: RedisLimiter, model: str, most: int, *, tokens: int = 0, seconds: float = 0.3) -> int:
    """Acquire up to *most* permits for *model*; return their number once the next one is not free for *seconds*."""
    for number in range(most):
        if not await is_granted(limiter, seconds=seconds, model=model, tokens=tokens):
            return number
    return most


async def learn_limits(limiter: RedisLimiter, model: str, **limits: int) -> None:
    """Send one request to *model*, whose response announces *limits*, of which the rest remains."""
    permit = await limiter.acquire(model=model)
    remaining = {f"remaining_{name.removeprefix('limit_')}": limit - 1 for name, limit in limits.items()}
    limiter.apply_response(
        RateLimitInfo(**limits, **remaining),
        status=200,
        sent_at=permit.sent_at,
        model=model,
    )
    await wait_until(lambda: not limiter._exchanges.protocol.has_writes)


async def test_the_limit_that_one_process_learns_binds_all(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key) as (one, two):
        await learn_limits(one, "m", limit_requests=8)
        assert await take_permits(two, "m", 20) + await take_permits(one, "m", 20) == 7
        assert [quota.limit for quota in two.status("m").quotas] == [8]


async def test_a_spent_model_holds_back_no_other(url: str, key: str) -> None:
    async with open_limiter(url, ROOMY, key=key) as limiter:
        await learn_limits(limiter, "spent", limit_requests=3)
        assert await take_permits(limiter, "spent", 9) == 2
        waiting = [asyncio.create_task(limiter.acquire(model="spent")) for _ in range(5)]
        await asyncio.sleep(0)
        assert await take_permits(limiter, "other", 9) == 9
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_timeout_that_ends_before_the_pause_of_a_model_is_refused_at_once(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key) as (one, two):
        permit = await one.acquire(model="m")
        info = RateLimitInfo(
            remaining_tokens_per_day=0, limit_tokens_per_day=60, reset_tokens_per_day=time.time() + 999
        )
        one.apply_response(info, status=429, sent_at=permit.sent_at, model="m")
        await wait_until(lambda: not one._exchanges.protocol.has_writes)
        assert await take_permits(two, "m", 1) == 0  # and learns of the pause
        for limiter in (one, two):
            with pytest.raises(APITimeoutError, match="at the earliest"):
                await asyncio.wait_for(limiter.acquire(timeout=300.0, model="m"), HANG_SECONDS)


async def test_a_refused_model_pauses_in_every_process_and_no_other_does(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key) as (one, two):
        permit = await one.acquire(model="refused")
        info = RateLimitInfo(remaining_requests=0, limit_requests=60, reset_requests=time.time() + 50)
        one.apply_response(info, status=429, sent_at=permit.sent_at, model="refused")
        await wait_until(lambda: not one._exchanges.protocol.has_writes)
        assert [await take_permits(two, "refused", 1), await take_permits(one, "refused", 1)] == [0, 0]
        assert [await take_permits(two, "other", 1), await take_permits(one, "other", 1)] == [1, 1]
        assert two.status("refused").model_paused_until is not None


async def test_a_model_without_a_known_quota_gets_a_first_flight_of_all_processes(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key) as (one, two):
        granted = 0

        async def acquire(limiter: RedisLimiter) -> None:
            nonlocal granted
            await limiter.acquire(model="new")
            granted += 1

        began = time.monotonic()
        tasks = [asyncio.create_task(acquire(limiter)) for limiter in [one, two] * 100]
        await wait_until(lambda: granted >= 15)
        assert granted <= 11 + 20 * (time.monotonic() - began)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_refund_returns_the_request_to_the_quota(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key) as (one, two):
        await learn_limits(one, "m", limit_requests=3)
        permits = [await one.acquire(model="m", hold=True) for _ in range(2)]
        assert await take_permits(two, "m", 1) == 0
        permits[0].refund()
        permits[1].sent()
        assert await take_permits(two, "m", 1, seconds=5) == 1
        assert await take_permits(two, "m", 1) == 0


async def test_reported_tokens_replace_their_estimate(url: str, key: str) -> None:
    async with open_two_limiters(url, ROOMY, key=key) as (one, two):
        await learn_limits(one, "m", limit_tokens_per_minute=1000)
        permit = await one.acquire(model="m", tokens=900)
        assert await take_permits(two, "m", 1, tokens=700) == 0
        permit.settle(100)
        assert await take_permits(two, "m", 1, tokens=700, seconds=5) == 1
        assert await take_permits(two, "m", 1, tokens=700) == 0


async def test_permits_of_several_models_go_to_requests_for_them(url: str, key: str) -> None:
    async with open_limiter(url, (12, 3600.0), key=key) as limiter:
        models = ["a", "b", "c"] * 4
        permits = await asyncio.gather(*(limiter.acquire(model=model) for model in models))
        assert [permit.model for permit in permits] == models


async def test_a_lost_key_grants_no_model_twice(url: str, key: str) -> None:
    async with open_limiter(url, ROOMY, key=key) as limiter:
        await learn_limits(limiter, "m", limit_requests=8)
        assert await take_permits(limiter, "m", 5) == 5
        with redis.Redis.from_url(url) as client:
            client.delete(f"{{gradient-async:{key}}}:v2")
        assert await take_permits(limiter, "m", 1, seconds=5) == 1
        assert await take_permits(limiter, "m", 20) <= 2


@pytest.mark.parametrize("when_down", ["fail_open", "local_share"])
async def test_a_refused_model_pauses_without_redis(own_server: RedisServer, when_down: str) -> None:
    own_server.stop()
    async with open_limiter(own_server.url, ROOMY, key="k", when_down=when_down) as limiter:
        permit = await limiter.acquire(model="refused")
        info = RateLimitInfo(remaining_requests=0, limit_requests=60, reset_requests=time.time() + 50)
        limiter.apply_response(info, status=429, sent_at=permit.sent_at, model="refused")
        assert await take_permits(limiter, "refused", 1) == 0
        assert await take_permits(limiter, "other", 1) == 1
