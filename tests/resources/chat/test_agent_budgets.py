"""Budgets of agents: beside the budget of the inference key, in the same form."""

import asyncio
from typing import Any

import pytest

from gradient_async import APITimeoutError, AsyncSession, ConfigurationError, RateLimiter, RateLimits
from gradient_async._io.rate_limit.agent_limiters import AgentLimiters
from gradient_async.models import RateLimitInfo
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
FEW = RateLimits(windows=[(3, 600.0)])


async def ask_agent(session: AsyncSession, key: str) -> None:
    await session.agent(access_key=key).chat.completions.create(messages=HI, timeout=5.0)


@pytest.mark.parametrize("limits", [FEW, RateLimiter(FEW)], ids=["limits", "limiter"])
async def test_each_agent_has_a_budget_of_its_own(limits: Any, gradient_emulator: Emulator) -> None:
    async with AsyncSession(
        "test", base_url=gradient_emulator.url, agent_endpoint=gradient_emulator.agent_url, limits=limits
    ) as session:
        await asyncio.gather(*(ask_agent(session, key) for key in ["one", "two"] * 3))
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 0
        await asyncio.gather(*(session.models.list(timeout=5.0) for _ in range(3)))
    assert len(gradient_emulator.requests) == 9


async def test_a_session_without_limits_does_not_limit_agents(gradient_emulator: Emulator) -> None:
    async with AsyncSession(agent_endpoint=gradient_emulator.agent_url, limits=None) as session:
        await asyncio.gather(*(ask_agent(session, "one") for _ in range(9)))


def test_an_object_that_cannot_limit_is_refused() -> None:
    class Pacer:
        async def acquire(self) -> None: ...

    with pytest.raises(ConfigurationError, match="acquire, apply_response, new_for_key"):
        AsyncSession("test", limits=Pacer())  # type: ignore[arg-type]  # the subject


async def test_agents_that_are_not_used_are_forgotten_and_closed() -> None:
    closed = []

    class Watched(RateLimiter):
        def new_for_key(self, name: str) -> RateLimiter:
            limiter = RateLimiter(self.limits, clock=lambda: now, chance=lambda: 0.0)
            close = limiter.aclose

            async def aclose() -> None:
                closed.append(name)
                await close()

            limiter.aclose = aclose  # type: ignore[method-assign]  # to see it called
            return limiter

    now = 0.0
    agents = AgentLimiters(Watched(RateLimits(windows=[(3, 60.0)])), clock=lambda: now)
    used = agents.get_limiter("https://a.example", "used")
    paused = agents.get_limiter("https://a.example", "paused")
    empty = RateLimitInfo(retry_after=7200.0, limit_tokens_per_day=9, remaining_tokens_per_day=0)
    paused.apply_response(empty, status=429, sent_at=0.0, model="m")
    for n in range(100):
        await agents.get_limiter("https://a.example", f"old {n}").acquire()
    assert len(agents) == 102
    now = 100.0
    await used.acquire()
    for n in range(200):
        agents.get_limiter("https://a.example", f"new {n}")
    assert agents.get_limiter("https://a.example", "used") is used
    assert agents.get_limiter("https://a.example", "paused") is paused
    assert len(agents) == 202
    await agents.aclose()
    assert len(closed) == len(set(closed)) == 302


async def test_the_budget_of_an_agent_in_use_outlives_its_object(gradient_emulator: Emulator) -> None:
    async with AsyncSession("test", agent_endpoint=gradient_emulator.agent_url, limits=FEW) as session:
        for _ in range(3):
            await ask_agent(session, "one")
        for n in range(50):
            await ask_agent(session, f"other-{n}")
        with pytest.raises(APITimeoutError):
            await ask_agent(session, "one")
