"""Budgets of agents: beside the budget of the inference key, in the same form."""

import asyncio
from typing import Any

import pytest

from gradient_async import AsyncSession, ConfigurationError, RateLimiter, RateLimits
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
