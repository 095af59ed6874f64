"""Cancelling at every point where a call can wait leaves nothing behind."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gradient_async import AsyncSession, RateLimiter, RateLimits, RetryPolicy
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.leaks import assert_nothing_leaked
from tests.support.waiting import HANG_SECONDS

pytestmark = pytest.mark.usefixtures("steady_clock")

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
STEPS = 25


@pytest.fixture
async def session(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(
        api_key="test",
        base_url=gradient_emulator.url,
        limits=RateLimiter(RateLimits(windows=[(1000, 60.0)])),
        retry=RetryPolicy(first=0.02, longest=0.02),
    ) as session:
        yield session


async def create(session: AsyncSession) -> None:
    await session.chat.completions.create(model="m", messages=HI)


async def stream(session: AsyncSession) -> None:
    await session.chat.completions.stream(model="m", messages=HI).completion()


async def stream_in_block(session: AsyncSession) -> None:
    async with session.chat.completions.stream(model="m", messages=HI) as s:
        async for _ in s:
            await asyncio.sleep(0)


async def text(session: AsyncSession) -> None:
    async for _ in session.chat.completions.stream(model="m", messages=HI).text():
        await asyncio.sleep(0)


async def events(session: AsyncSession) -> None:
    async for _ in session.chat.completions.stream(model="m", messages=HI).sse():
        pass


async def teed(session: AsyncSession) -> None:
    one, other = session.chat.completions.stream(model="m", messages=HI).tee(2)
    await asyncio.gather(_drain(one), _drain(other))


async def _drain(branch: Any) -> None:
    async for _ in branch:
        pass


@pytest.mark.parametrize("call", [create, stream, stream_in_block, text, events, teed])
@pytest.mark.parametrize("fault", ["none", "retry", "slow"])
async def test_a_call_cancelled_at_any_step_leaks_nothing(
    gradient_emulator: Emulator, session: AsyncSession, call: Callable[[AsyncSession], Awaitable[None]], fault: str
) -> None:
    before = asyncio.all_tasks()
    for step in range(STEPS):
        if fault == "retry":
            gradient_emulator.fail(status=503)
        if fault == "slow":
            gradient_emulator.reply("one two three", token_delay=0.002, delay=0.002)
        task = asyncio.ensure_future(call(session))
        for _ in range(step):
            await asyncio.sleep(0 if step < STEPS - 10 else 0.0015)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        gradient_emulator.clear()
        await assert_nothing_leaked(session, before, gradient_emulator)
    await create(session)


@pytest.mark.parametrize("twice", [False, True])
async def test_a_call_cancelled_in_the_limiters_queue_gives_up_its_place(
    gradient_emulator: Emulator, *, twice: bool
) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 1.0)]), guard=0)
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, limits=limiter) as session:
        await create(session)
        waiting = [asyncio.ensure_future(create(session)) for _ in range(5)]
        await asyncio.sleep(0.01)
        assert limiter.status().queued == 5
        for task in waiting[:4]:
            task.cancel()
            if twice:
                task.cancel()
        await asyncio.gather(*waiting[:4], return_exceptions=True)
        assert limiter.status().queued == 1
        await waiting[4]
    assert len(gradient_emulator.requests) == 2


async def test_a_call_cancelled_at_its_turn_for_a_connection_wakes_the_next(
    gradient_emulator: Emulator,
) -> None:
    gradient_emulator.hold_open(60)
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, max_connections=1) as session:
        first = session.chat.completions.stream(model="m", messages=HI)
        await first.open()
        second, third = (asyncio.ensure_future(create(session)) for _ in range(2))
        await asyncio.sleep(0.05)
        first.close()
        second.cancel()
        async with asyncio.timeout(HANG_SECONDS):
            await third


async def test_a_call_cancelled_before_its_retry_sends_nothing_more(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.fail(status=429, retry_after=30)
    task = asyncio.ensure_future(create(session))
    await asyncio.sleep(0.1)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert len(gradient_emulator.requests) == 1


async def test_a_stream_cancelled_twice_is_still_released(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.reply("one two three")
    gradient_emulator.stall(seconds=60, after=1)
    task = asyncio.ensure_future(stream_in_block(session))
    await asyncio.sleep(0.05)
    task.cancel()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await assert_nothing_leaked(session, asyncio.all_tasks(), gradient_emulator)


async def test_a_timeout_around_a_stream_cancels_it_and_nothing_else(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.reply("one two three")
    gradient_emulator.stall(seconds=60, after=1)
    async with session.chat.completions.stream(model="m", messages=HI) as s:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await s.completion()
        assert s.outcome == "cancelled"
        await asyncio.sleep(0)  # the timeout's cancellation is over
    assert s.snapshot.text == "one"
