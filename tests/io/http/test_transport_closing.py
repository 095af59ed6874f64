"""Closing a session ends every call at once, wherever it waits."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import aiohttp
import pytest

from gradient_async import AsyncSession, RateLimiter, RateLimits, SessionClosedError
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.testing import Emulator
from tests.support.raw_server import run_raw_server
from tests.support.waiting import HANG_SECONDS

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """The address of a server that accepts connections and sends nothing, until the client leaves."""

    async with run_raw_server(lambda reader, _: reader.read(-1)) as address:
        yield address


async def assert_closing_ends(session: AsyncSession, *, sent: Sequence[bool]) -> None:
    """Close *session* while calls are under way: each fails with `SessionClosedError` soon, and says if it was sent."""
    waiting = [asyncio.ensure_future(session.chat.completions.create(**HI)) for _ in sent]
    await asyncio.sleep(0.1)
    await session.aclose()
    async with asyncio.timeout(HANG_SECONDS):
        for call, maybe_sent in zip(waiting, sent, strict=True):
            with pytest.raises(SessionClosedError) as caught:
                await call
            assert caught.value.maybe_sent is maybe_sent


async def test_closing_ends_a_call_in_the_queue_for_a_connection(silent: str) -> None:
    await assert_closing_ends(AsyncSession("test", base_url=f"http://{silent}", max_connections=1), sent=[True, False])


async def test_closing_ends_a_call_that_connects(silent: str) -> None:
    await assert_closing_ends(AsyncSession("test", base_url=f"https://{silent}"), sent=[False])


async def test_closing_ends_a_call_in_the_queue_of_a_shared_limiter(silent: str) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 300.0)]))
    await assert_closing_ends(AsyncSession("test", base_url=f"http://{silent}", limits=limiter), sent=[True, False])
    assert (limiter.status().queued, limiter.status().windows[0].used) == (0, 1)


async def test_closing_ends_a_call_before_its_next_attempt(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=429, retry_after=300)
    await assert_closing_ends(AsyncSession("test", base_url=gradient_emulator.url), sent=[False])


async def test_closing_ends_a_call_over_the_callers_aiohttp_session(silent: str) -> None:
    async with aiohttp.ClientSession() as own:
        await assert_closing_ends(AsyncSession("test", base_url=f"http://{silent}", client_session=own), sent=[True])


async def test_closing_ends_a_download_that_connects(silent: str) -> None:
    session, loop = AsyncSession("test"), asyncio.get_running_loop()
    transport = session._transport
    timer = AttemptTimer(transport.get_deadline_timer(loop), loop.time() + 30, Timeouts(), None)
    download = asyncio.ensure_future(
        transport.fetch_presigned("GET", f"https://{silent}/file", headers={}, timer=timer)
    )
    await asyncio.sleep(0.1)
    await session.aclose()
    async with asyncio.timeout(HANG_SECONDS):
        with pytest.raises(SessionClosedError):
            await download


async def test_a_call_of_a_closed_session_fails_without_waiting_for_the_limiter(gradient_emulator: Emulator) -> None:
    limits = RateLimits(windows=[(1, 300.0)])
    session = AsyncSession("test", base_url=gradient_emulator.url, limits=limits)
    await session.chat.completions.create(**HI)
    await session.aclose()
    async with asyncio.timeout(HANG_SECONDS):
        with pytest.raises(SessionClosedError, match="open a new AsyncSession"):
            await session.chat.completions.create(**HI)
