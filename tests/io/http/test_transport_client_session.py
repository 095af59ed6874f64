"""The caller's aiohttp session: the phases of a request are unknown, everything else works."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    RateLimiter,
    RateLimits,
    RetryPolicy,
    SessionClosedError,
    Timeouts,
)
from gradient_async.testing import Emulator
from tests.support.waiting import HANG_SECONDS

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def own() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as own:
        yield own


async def test_a_permit_is_released_when_the_call_ends(gradient_emulator: Emulator, own: aiohttp.ClientSession) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 0.1)]), guard=0)
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own, limits=limiter) as session:
        await session.chat.completions.create(**HI)
        assert limiter.status().held == 0
        assert (await session.chat.completions.create(**HI, timeout=HANG_SECONDS)).text


@pytest.mark.parametrize(
    ("timeouts", "phase"), [(Timeouts(first_byte=0.1), "first_byte"), (Timeouts(total=0.1), "total")]
)
async def test_a_timeout_names_its_phase(
    gradient_emulator: Emulator, own: aiohttp.ClientSession, timeouts: Timeouts, phase: str
) -> None:
    gradient_emulator.stall(seconds=5)
    async with AsyncSession(
        "test", base_url=gradient_emulator.url, client_session=own, timeouts=timeouts, retry=RetryPolicy(attempts=1)
    ) as session:
        with pytest.raises(APITimeoutError) as caught:
            await session.chat.completions.create(**HI, timeout=None)
    assert (caught.value.phase, caught.value.maybe_sent) == (phase, True)


async def test_a_closed_client_session_is_named(gradient_emulator: Emulator, own: aiohttp.ClientSession) -> None:
    await own.close()
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own) as session:
        with pytest.raises(SessionClosedError, match="client_session"):
            await session.chat.completions.create(**HI)
