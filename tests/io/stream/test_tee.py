"""`tee()` over a real socket: several consumers of one stream."""

import asyncio
from typing import Any

import pytest

from gradient_async import AsyncSession, StreamBusyError, StreamTruncatedError
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.streams import LONG, chat_stream
from tests.support.waiting import HANG_SECONDS

pytestmark = pytest.mark.usefixtures("steady_clock")


async def test_every_branch_of_a_tee_gets_every_chunk(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)

    async def collect(branch: Any) -> str:
        return "".join([chunk.text async for chunk in branch])

    branches = chat_stream(gradient_session).tee(3, buffer=2)
    assert await asyncio.gather(*map(collect, branches)) == [LONG] * 3


async def test_a_tee_does_not_run_ahead_of_its_slowest_branch(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    fast, slow = chat_stream(gradient_session).tee(2, buffer=3)
    seen: list[str] = []

    async def collect() -> None:
        async for chunk in fast:
            seen.append(chunk.text)

    task = asyncio.ensure_future(collect())
    await asyncio.sleep(0.1)
    assert len(seen) == 3
    slow.close()
    await task
    assert "".join(seen) == LONG


async def test_a_cancelled_branch_does_not_affect_the_others(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.01)
    one, other = chat_stream(gradient_session).tee(2)
    task = asyncio.ensure_future(anext(one))
    await asyncio.sleep(0)
    task.cancel()
    assert "".join([chunk.text async for chunk in other]) == LONG


async def test_a_second_reader_of_a_branch_is_refused_and_the_first_goes_on(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=0.1, after=2)
    (branch,) = chat_stream(gradient_session).tee(1)

    async def collect() -> str:
        return "".join([chunk.text async for chunk in branch])

    first = asyncio.ensure_future(collect())
    await asyncio.sleep(0.05)
    with pytest.raises(StreamBusyError, match="tee"):
        await collect()
    async with asyncio.timeout(HANG_SECONDS):
        assert await first == LONG


async def test_dropping_every_branch_closes_the_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    s = chat_stream(gradient_session)
    one, other = s.tee(2)
    await anext(one)
    del one, other
    assert s.outcome == "cancelled"
    assert count_acquired(gradient_session) == 0


async def test_every_branch_raises_the_error_of_the_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.truncate(after=2)
    for branch in (branches := chat_stream(gradient_session).tee(2)):
        with pytest.raises(StreamTruncatedError) as caught:
            async for _ in branch:
                pass
        assert caught.value.snapshot is not None
    assert len(branches) == 2
