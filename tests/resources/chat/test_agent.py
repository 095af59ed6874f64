"""Agents: the path of their chat completions, and their health."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    ConfigurationError,
    InternalServerError,
    RateLimits,
    ResponseDecodeError,
    RetryPolicy,
)
from gradient_async.testing import Emulator

HI: Any = [{"role": "user", "content": "Hi"}]


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ({}, "/api/v1/chat/completions?agent=true"),
        ({"path": "/api/v1/chat/completions"}, "/api/v1/chat/completions?agent=true"),
        ({"path": "/v1/chat/completions"}, "/v1/chat/completions?agent=true"),
        ({"path": "/v1/chat/completions?agent=true"}, "/v1/chat/completions?agent=true"),
    ],
)
async def test_an_agent_is_called_at_its_path(
    gradient_session: AsyncSession, gradient_emulator: Emulator, path: dict[str, str], sent: str
) -> None:
    agent = gradient_session.agent(gradient_emulator.agent_url, "agent-key", **path)
    completion = await agent.chat.completions.create(messages=HI, include_retrieval_info=True)
    assert completion.retrieval is not None
    assert (await agent.chat.completions.stream(messages=HI).completion()).text == completion.text
    for request in gradient_emulator.requests:
        assert f"{request.path}?agent={request.query['agent']}" == sent
        assert request.headers["Authorization"] == "Bearer agent-key"


@pytest.mark.parametrize(
    "path", ["v1/chat/completions", "", "https://other.example/v1", "/v1/chat\r\nX: y", None, "/é"]
)
async def test_a_path_that_is_none_is_refused(gradient_session: AsyncSession, path: Any) -> None:
    with pytest.raises(ConfigurationError, match="path must be a path, as '/v1/chat/completions'"):
        gradient_session.agent("https://a.agents.do-ai.run", "agent-key", path=path)


async def test_the_health_of_an_agent_needs_no_permit(gradient_emulator: Emulator) -> None:
    limits = RateLimits(per_minute=1, per_hour=1)
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        agent = session.agent(gradient_emulator.agent_url, "agent-key")
        await agent.chat.completions.create(messages=HI)
        health = await agent.health()
        assert (health.status, health.meta.attempts) == ("ok", 1)
        assert (await agent.health()).raw == {"status": "ok"}
        with pytest.raises(APITimeoutError):
            await agent.chat.completions.create(messages=HI, timeout=0.05)
    assert [request.path for request in gradient_emulator.requests[1:]] == ["/health"] * 2


async def test_an_agent_that_is_not_healthy_raises(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    agent = gradient_session.agent(gradient_emulator.agent_url, "agent-key")
    gradient_emulator.fail(500, path="/health", times=None)
    with pytest.raises(InternalServerError):
        once = gradient_session.with_options(retry=RetryPolicy(attempts=1))
        await once.agent(gradient_emulator.agent_url, "agent-key").health()
    gradient_emulator.clear()
    gradient_emulator.reply(body={"up": True}, path="/health")
    with pytest.raises(ResponseDecodeError, match="no status"):
        await agent.health()
