"""Sessions, their limiter and an emulator that counts on its own, over real sockets."""

import asyncio
import socket
import time
from collections.abc import Iterable
from typing import Any

import pytest

from gradient_async import APIConnectionError, AsyncSession, RateLimiter, RateLimits, RetryPolicy
from gradient_async.models import ChatCompletion
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.waiting import HANG_SECONDS

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
SHORT = [(30, 0.5), (100, 2.5)]
GUARD = 0.25
"""Seconds: the default of a limiter. A machine may stop for longer while requests are under way."""


def make_session(emulator: Emulator, **options: Any) -> AsyncSession:
    return AsyncSession(api_key="test", base_url=emulator.url, **options)


async def create_completion(session: AsyncSession) -> ChatCompletion:
    return await session.chat.completions.create(model="m", messages=HI)


def longest_latency(completions: Iterable[ChatCompletion]) -> float:
    """Return the longest time to the first byte in seconds; if it exceeds the guard, refusals are legitimate."""
    latencies = [completion.meta.timings.first_byte for completion in completions]
    return max(latency for latency in latencies if latency is not None)


async def test_150_calls_at_once_are_never_refused() -> None:
    limits = RateLimits(windows=SHORT)
    async with Emulator(limits=SHORT) as emulator, make_session(emulator, limits=limits) as session:
        replies = await asyncio.gather(*(create_completion(session) for _ in range(150)))
    assert emulator.refusals == 0 or longest_latency(replies) > GUARD
    assert sum(reply.meta.attempts for reply in replies) == len(emulator.requests) == 150 + emulator.refusals


async def test_two_sessions_with_one_limiter_have_one_budget() -> None:
    limiter = RateLimiter(RateLimits(windows=SHORT))
    async with (
        Emulator(limits=SHORT) as emulator,
        make_session(emulator, limits=limiter) as one,
        make_session(emulator, limits=limiter) as two,
    ):
        replies = await asyncio.gather(*(create_completion(session) for session in [one, two] * 45))
    assert one.limits is two.limits
    assert (emulator.refusals, limiter.status().windows[1].used) == (0, 90) or longest_latency(replies) > GUARD


async def test_two_sessions_without_a_common_limiter_are_refused() -> None:
    options: dict[str, Any] = {"limits": RateLimits(windows=[(30, 60.0)]), "retry": RetryPolicy(attempts=1)}
    async with (
        Emulator(limits=[(30, 60.0)]) as emulator,
        make_session(emulator, **options) as one,
        make_session(emulator, **options) as two,
    ):
        await asyncio.gather(*(create_completion(session) for session in [one, two] * 30), return_exceptions=True)
    assert emulator.refusals == 30


async def test_a_refusal_of_one_session_pauses_both_once(caplog: pytest.LogCaptureFixture) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1000, 60.0), (10_000, 3600.0)]), chance=lambda: 0.0)
    async with (
        Emulator() as emulator,
        make_session(emulator, limits=limiter) as one,
        make_session(emulator, limits=limiter) as two,
    ):
        emulator.fail(status=429, retry_after=1, times=10)
        with caplog.at_level("INFO", "gradient_async"):
            await asyncio.gather(*(create_completion(session) for session in [one, two] * 5))
            await asyncio.gather(create_completion(one), create_completion(two))
    pauses = [record for record in caplog.records if "nothing is sent for" in record.getMessage()]
    refused, again = emulator.requests[9].time, emulator.requests[10].time
    assert len(pauses) == 1
    assert again - refused >= 1.0
    assert len(emulator.requests) == 22


async def test_a_refusal_of_one_session_makes_the_other_wait() -> None:
    limiter = RateLimiter(RateLimits(windows=[(100, 60.0), (1000, 3600.0)]), chance=lambda: 0.0)
    async with (
        Emulator() as emulator,
        make_session(emulator, limits=limiter, retry=RetryPolicy(attempts=1)) as one,
        make_session(emulator, limits=limiter) as two,
    ):
        emulator.fail(status=429, retry_after=3)
        await asyncio.gather(create_completion(one), return_exceptions=True)
        reply = await create_completion(two)
    assert reply.meta.timings.limiter_wait > 0.9


async def test_a_request_that_was_never_sent_gives_its_permit_back() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    limiter = RateLimiter(RateLimits(windows=[(1, 600.0)]))
    async with (
        Emulator() as emulator,
        AsyncSession(
            api_key="test", base_url=f"http://127.0.0.1:{port}", limits=limiter, retry=RetryPolicy(attempts=1)
        ) as nowhere,
        make_session(emulator, limits=limiter) as session,
    ):
        for _ in range(3):
            with pytest.raises(APIConnectionError):
                await create_completion(nowhere)
        assert (limiter.status().windows[0].used, limiter.status().held) == (0, 0)
        assert (await create_completion(session)).meta.timings.limiter_wait < HANG_SECONDS


async def test_without_limits_every_request_is_sent_at_once() -> None:
    async with Emulator(limits=SHORT) as emulator:
        async with make_session(emulator, limits=None, retry=RetryPolicy(attempts=1)) as session:
            await asyncio.gather(*(create_completion(session) for _ in range(50)), return_exceptions=True)
        assert session.limits is None
    assert emulator.refusals == 20


async def test_an_hour_scaled_to_two_seconds_has_no_refusal() -> None:
    scale = 1800.0
    documented = [(25, 60.0), (100, 3600.0)]
    limits = RateLimits(windows=[(count, seconds / scale) for count, seconds in documented])
    async with (
        Emulator(limits=documented, time_scale=scale) as emulator,
        make_session(
            emulator, limits=limits
        ) as session,  # its guard is for pauses of this process, which do not shrink
    ):
        began = time.monotonic()
        replies = await asyncio.gather(*(create_completion(session) for _ in range(150)))
        took = time.monotonic() - began
    assert emulator.refusals == 0 or longest_latency(replies) > GUARD
    assert took >= 2.0
