"""One session and several event loops or processes."""

import asyncio
import gc
import os
import threading

import aiohttp
import pytest

from gradient_async import AsyncSession, SessionClosedError
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_a_second_loop_after_the_first_has_closed_gets_a_new_pool() -> None:
    session: AsyncSession | None = None
    port = 0

    async def once() -> str:
        nonlocal session, port
        async with Emulator(port=port) as gradient:
            port = int(gradient.url.rpartition(":")[2])
            if session is None:
                session = AsyncSession(api_key="test", base_url=gradient.url)
            return (await session.chat.completions.create(model="m", messages=HI)).text

    assert asyncio.run(once())
    assert asyncio.run(once())
    assert session is not None
    asyncio.run(session.aclose())
    gc.collect()  # the sockets that died with their loops, under this test's filter


async def test_a_second_open_loop_is_refused(gradient_session: AsyncSession) -> None:
    await gradient_session.models.list()
    errors: list[SessionClosedError] = []

    def use_second_loop() -> None:
        try:
            asyncio.run(list_models(gradient_session))
        except SessionClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=use_second_loop)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "one AsyncSession in each loop" in str(errors[0])
    await gradient_session.models.list()


async def list_models(session: AsyncSession) -> None:
    await session.models.list()


async def test_a_child_process_gets_a_new_pool(gradient_session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> None:
    await gradient_session.models.list()
    before = gradient_session._transport._pool
    monkeypatch.setattr(os, "getpid", lambda: -1)
    await gradient_session.models.list()
    assert gradient_session._transport._pool is not before
    assert before is not None
    assert not before.closed
    await before.close()


async def test_the_callers_aiohttp_session_is_used_and_left_open(gradient_emulator: Emulator) -> None:
    async with aiohttp.ClientSession(headers={"X-Own": "1"}) as own:
        async with AsyncSession(api_key="test", base_url=gradient_emulator.url, client_session=own) as session:
            assert (await session.chat.completions.create(model="m", messages=HI)).text
        assert not own.closed
    assert gradient_emulator.requests[0].headers["X-Own"] == "1"
