"""Sessions over Redis: quotas of models from the first request on, and limiters that Redis refuses."""

import asyncio
import contextlib
import traceback
from collections.abc import Awaitable, Callable

import pytest

from gradient_async import AsyncSession
from gradient_async.errors import ConfigurationError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.outage import WhenDown
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.redis_server import run_redis_server
from tests.support.waiting import wait_until

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
SECRET = "hidden-word"
POLICIES: tuple[WhenDown, ...] = ("local_share", "fail_open", "fail_closed")
REFUSALS = [
    pytest.param(("--requirepass", "another word"), f"redis://:{SECRET}@", r"password.*Correct", id="wrong password"),
    pytest.param(("--requirepass", "another word"), "redis://", r"password.*Correct", id="no password"),
    pytest.param(("--cluster-enabled", "yes"), "redis://", r"slot.*Assign", id="no slot"),
    pytest.param(("--cluster-enabled", "yes"), "redis+cluster://", r"slot.*Assign", id="cluster without the slot"),
    pytest.param(("--rename-command", "EVALSHA", ""), "redis://", r"EVALSHA.*address", id="no scripts"),
    pytest.param(("--databases", "1"), "redis://", r"number in the address", id="no such database"),
    pytest.param((), "redis+cluster://", r"redis://host", id="not a cluster"),
]


@pytest.mark.parametrize("when_down", POLICIES)
@pytest.mark.parametrize(("options", "scheme", "says"), REFUSALS)
async def test_a_limiter_that_is_refused_sends_nothing(
    options: tuple[str, ...], scheme: str, says: str, when_down: WhenDown, gradient_emulator: Emulator
) -> None:
    with run_redis_server(*options) as server:
        database = "/3" if "--databases" in options else ""
        limiter = RedisLimiter(f"{scheme}127.0.0.1:{server.port}{database}", when_down=when_down, timeout=30.0)
        async with AsyncSession("k", base_url=gradient_emulator.url, limits=limiter) as session:
            with pytest.raises(ConfigurationError, match=says) as refusal:
                await session.models.list()
        await limiter.aclose()
    assert not gradient_emulator.requests
    assert SECRET not in "".join(traceback.format_exception(refusal.value))


@pytest.mark.parametrize(("tier", "sessions"), [(12, 1), (40, 2), (120, 3)])
async def test_the_tier_of_a_model_that_is_new_to_all_processes_is_never_exceeded(
    url: str, key: str, tier: int, sessions: int
) -> None:
    done = 0

    async def ask(session: AsyncSession) -> None:
        nonlocal done
        await session.chat.completions.create(model="m", messages=HI)
        done += 1

    async with contextlib.AsyncExitStack() as stack:
        emulator = await stack.enter_async_context(Emulator(tier=tier))
        limiters = [RedisLimiter(url, key=key) for _ in range(sessions)]
        opened = [AsyncSession("k", base_url=emulator.url, limits=limiter) for limiter in limiters]
        closes: list[Callable[[], Awaitable[None]]] = [each.aclose for each in limiters]
        for close in [*closes, *(each.aclose for each in opened)]:
            stack.push_async_callback(close)
        tasks = [asyncio.create_task(ask(session)) for session in opened * tier]
        await wait_until(lambda: done >= tier or emulator.refusals)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert emulator.refusals == 0
