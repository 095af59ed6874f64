"""Sessions against the quotas of models, over real sockets."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import APITimeoutError, AsyncSession, RateLimits, RetryPolicy, WaitDetails, WaitOutcome
from gradient_async.models import ChatCompletion
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator, Tier
from tests.support.waiting import HANG_SECONDS

pytestmark = pytest.mark.usefixtures("steady_clock")

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]


def make_session(emulator: Emulator, **options: Any) -> AsyncSession:
    return AsyncSession(api_key="test", base_url=emulator.url, **options)


async def ask(session: AsyncSession, model: str = "m", **params: Any) -> float:
    """Ask for a completion; return the seconds that it waited at the limiter."""
    completion: ChatCompletion = await session.chat.completions.create(model=model, messages=HI, **params)
    return completion.meta.timings.limiter_wait


async def test_the_announced_tier_of_a_model_is_followed_from_the_first_response_on() -> None:
    async with Emulator(tier=120) as emulator, make_session(emulator) as session:
        await asyncio.gather(*(ask(session) for _ in range(140)))
        assert emulator.refusals == 0
        assert session.limits is not None
        assert [quota.limit for quota in session.limits.status("m").quotas] == [120, 750_000, 8_000_000]


async def test_models_of_different_tiers_are_never_refused() -> None:
    tiers = {"large": 6000, "middle": 1200, "small": 120}
    limits = RateLimits(windows=[(100_000, 60.0)])
    async with Emulator(tier=tiers) as emulator, make_session(emulator, limits=limits) as session:
        await asyncio.gather(*(ask(session, model) for model in tiers for _ in range(140)))
    assert emulator.refusals == 0


async def test_a_used_up_model_does_not_hold_back_another() -> None:
    async with Emulator(tier={"small": 12}) as emulator, make_session(emulator) as session:
        busy = [asyncio.create_task(ask(session, "small")) for _ in range(30)]
        await asyncio.gather(*busy[:12])
        began = time.monotonic()
        await ask(session, "other")
        assert time.monotonic() - began < HANG_SECONDS
        assert not all(task.done() for task in busy)
        for task in busy:
            task.cancel()


async def test_the_embeddings_of_a_used_up_model_do_not_stop_chat() -> None:
    once = RetryPolicy(attempts=1)
    async with Emulator(tier={"e": 2}) as emulator, make_session(emulator, retry=once) as session:
        for _ in range(2):
            await session.embeddings.create(model="e", input="x")
        with pytest.raises(APITimeoutError):
            await session.embeddings.create(model="e", input="x", timeout=0.5)
        assert await ask(session, timeout=5.0) < 1.0
    assert emulator.refusals == 0


async def test_tokens_per_minute_of_a_session_are_estimated_and_then_corrected() -> None:
    limits = RateLimits(tokens_per_minute=1000)
    async with Emulator() as emulator, make_session(emulator, limits=limits) as session:
        await ask(session, max_tokens=900)
        assert session.limits is not None
        used = session.limits.status().tokens_used
        assert used is not None
        assert 0 < used < 200
        assert await ask(session, max_tokens=700) == 0.0


async def test_a_stream_corrects_its_tokens_by_its_usage() -> None:
    limits = RateLimits(tokens_per_minute=1000)
    async with Emulator() as emulator, make_session(emulator, limits=limits) as session:
        assert session.limits is not None
        with_usage = session.chat.completions.stream(
            model="m", messages=HI, max_tokens=900, stream_options={"include_usage": True}
        )
        await with_usage.completion()
        assert 0 < (session.limits.status().tokens_used or 0) < 200
        await session.chat.completions.stream(model="m", messages=HI, max_tokens=700).completion()
        assert (session.limits.status().tokens_used or 0) > 700


async def test_a_refused_request_uses_no_tokens() -> None:
    limits = RateLimits(tokens_per_minute=1000)
    async with Emulator() as emulator, make_session(emulator, limits=limits, retry=RetryPolicy(attempts=1)) as session:
        emulator.fail(status=400)
        await asyncio.gather(ask(session, max_tokens=900), return_exceptions=True)
        assert session.limits is not None
        assert session.limits.status().tokens_used == 0


async def test_the_tokens_of_a_model_are_waited_for() -> None:
    tier = Tier(1000, tokens_per_minute=600)
    once = RetryPolicy(attempts=1)
    async with Emulator(tier=tier) as emulator, make_session(emulator, retry=once) as session:
        await ask(session, max_tokens=400)
        await ask(session, max_tokens=1)
        with pytest.raises(APITimeoutError):
            await session.chat.completions.create(
                model="m", messages=[{"role": "user", "content": "x" * 2300}], max_tokens=1, timeout=0.5
            )
    assert emulator.refusals == 0


class Waits:
    """A hook of waits."""

    def __init__(self) -> None:
        self.begun: list[WaitDetails] = []
        self.ended: list[WaitOutcome] = []

    def begin_wait(self, wait: WaitDetails) -> Callable[[WaitOutcome], None]:
        self.begun.append(wait)
        return self.ended.append


@pytest.mark.parametrize("also_calls", [False, True], ids=["waits", "waits and calls"])
async def test_hooks_of_a_session_are_told_of_long_waits(also_calls: bool, caplog: pytest.LogCaptureFixture) -> None:
    class Calls:
        def begin_call(self, _: object) -> None: ...

    waits = Waits()
    hooks: list[Any] = [waits, Calls()] if also_calls else [waits]
    limits = RateLimits(windows=[(1, 1.5)])
    async with Emulator() as emulator, make_session(emulator, limits=limits, hooks=hooks) as session:
        await ask(session)
        with caplog.at_level(logging.INFO, "gradient_async"):
            waited = await ask(session)
    assert [(wait.limit, wait.model, wait.queued) for wait in waits.begun] == [("1 in 1.5 s", "m", 0)]
    assert [outcome.granted for outcome in waits.ended] == [True]
    assert 1.0 < waits.ended[0].waited <= waited
    assert len([record for record in caplog.records if "waiting" in record.getMessage()]) == 1
