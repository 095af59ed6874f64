"""Agents in several threads, each with an event loop of its own, on one session."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import ModelHTTPError

from gradient_async import AsyncSession, SessionClosedError
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.pydantic_ai import M
from tests.support.threaded_emulator import run_emulator


def count_requests(session: AsyncSession) -> int:
    assert session.limits is not None
    return session.limits.status().windows[0].used


def run_sync(agent: Agent) -> str:
    """Return the output of a synchronous run, and close the loop that the framework leaves open in the thread."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        return agent.run_sync("Hi").output
    finally:
        asyncio.set_event_loop(None)
        loop.close()


def stream_text(agent: Agent) -> str:
    """Return the output of a run that streams, in a loop of its own."""

    async def stream() -> str:
        async with agent.run_stream("Hi") as result:
            return "".join([piece async for piece in result.stream_text(delta=True)])

    return asyncio.run(stream())


@pytest.mark.parametrize("ask", [run_sync, stream_text])
async def test_threads_share_the_session_of_a_running_loop(
    gradient_emulator: Emulator, gradient_session: AsyncSession, ask: Callable[[Any], str]
) -> None:
    gradient_emulator.reply("Lisbon, of course.", times=6)
    async with gradient_session:
        agent = Agent(GradientModel(M, session=gradient_session))
        outputs = await asyncio.gather(*(asyncio.to_thread(ask, agent) for _ in range(5)))
        assert outputs == ["Lisbon, of course."] * 5
        assert (await agent.run("Hi")).output == "Lisbon, of course."
        await gradient_session.models.list()
        assert count_requests(gradient_session) == 7


def test_threads_without_a_running_loop_share_a_session() -> None:
    with run_emulator() as emulator:
        session = AsyncSession("test", base_url=emulator.url)
        agent = Agent(GradientModel(M, session=session))
        with ThreadPoolExecutor(4) as pool:
            outputs = list(pool.map(run_sync, [agent] * 8))
        outputs.append(asyncio.run(agent.run("Hi")).output)
        assert len(list(filter(None, outputs))) == 9
        assert count_requests(session) == 9
        asyncio.run(session.aclose())


async def test_an_error_in_a_thread_is_the_frameworks(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.fail(status=401, times=2)
    async with gradient_session:
        agent = Agent(GradientModel(M, session=gradient_session))
        for ask in (run_sync, stream_text):
            with pytest.raises(ModelHTTPError, match="401"):
                await asyncio.to_thread(ask, agent)


async def test_a_stream_that_a_thread_leaves_releases_its_connection(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    async def leave() -> None:
        async with agent.run_stream("Hi") as result:
            async for _ in result.stream_text(delta=True):
                break

    gradient_emulator.stall(60, after=3)
    async with gradient_session:
        agent = Agent(GradientModel(M, session=gradient_session))
        async with asyncio.timeout(10):
            await asyncio.to_thread(lambda: asyncio.run(leave()))
            while gradient_emulator.active:
                await asyncio.sleep(0.01)


def test_a_call_whose_loop_stops_fails() -> None:
    with run_emulator() as emulator:
        session = AsyncSession("test", base_url=emulator.url)
        agent = Agent(GradientModel(M, session=session))
        loop = asyncio.new_event_loop()

        async def call_and_stop(pool: ThreadPoolExecutor) -> Any:
            await session.models.list()
            while emulator.active:  # which may end a response later than its reader
                await asyncio.sleep(0.01)
            emulator.stall(60, path="/v1/chat/completions")
            asked = pool.submit(run_sync, agent)
            while not emulator.active:
                await asyncio.sleep(0.01)
            return asked

        with ThreadPoolExecutor(1) as pool:
            asked = loop.run_until_complete(call_and_stop(pool))
            with pytest.raises(SessionClosedError, match="has stopped"):
                asked.result()
        loop.run_until_complete(session.aclose())
        loop.close()
