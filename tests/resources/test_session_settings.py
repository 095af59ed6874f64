"""Arguments of a session that do not exist, and blocks that do not open it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import HttpUrl, SecretStr

from gradient_async import AsyncSession
from gradient_async.testing import Emulator


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("timeout", r"use timeouts=Timeouts\(total=\.\.\.\)"),
        ("max_retries", r"use retry=RetryPolicy\(attempts=\.\.\.\)"),
        ("organization", "leave it out"),
        ("project", "leave it out"),
        ("default_headers", "use headers="),
        ("http_client", r"use client_session=aiohttp\.ClientSession"),
        ("verify", "use ssl="),
        ("proxies", "use proxy="),
        ("token", "use api_key="),
        ("agent_url", "use agent_endpoint="),
        ("api_base", "use base_url="),
        ("rate_limits", "use limits="),
        ("default_query", "session.request"),
        ("model", "each call"),
        ("time_outs", "maybe timeouts= is meant"),
        ("bas_url", "maybe base_url= is meant"),
        ("zzz", "it takes agent_access_key, agent_endpoint, allow_insecure, api_key, base_url"),
    ],
)
def test_an_unknown_argument_of_a_session_names_the_right_one(name: str, advice: str) -> None:
    options: dict[str, Any] = {name: "sk-do-secret"}
    with pytest.raises(TypeError, match=f"AsyncSession has no argument '{name}'; .*{advice}"):
        AsyncSession(**options)


@pytest.mark.parametrize(
    ("name", "advice"),
    [("timeout", "use timeouts="), ("max_retries", "use retry="), ("http_client", "it takes headers, hooks, priority")],
)
def test_an_unknown_argument_of_a_view_names_one_that_views_have(name: str, advice: str) -> None:
    options: dict[str, Any] = {name: 5}
    with pytest.raises(TypeError, match=f"with_options has no argument '{name}'; {advice}"):
        AsyncSession("key").with_options(**options)


async def test_secrets_and_url_objects_are_taken_for_every_key_and_address(gradient_emulator: Emulator) -> None:
    async with AsyncSession(
        SecretStr("sk-1"), base_url=HttpUrl(gradient_emulator.url), agent_access_key=SecretStr("agent-1")
    ) as session:
        agent = session.agent(HttpUrl(gradient_emulator.agent_url))
        await agent.chat.completions.create(messages=[{"role": "user", "content": "Hi"}])
        await session.models.list()
        assert "sk-1" not in repr(session)
    keys = [request.headers["authorization"] for request in gradient_emulator.requests]
    assert keys == ["Bearer agent-1", "Bearer sk-1"]


def test_a_plain_block_says_how_a_session_is_opened() -> None:
    session: Any = AsyncSession("key")
    with pytest.raises(TypeError, match="async with"), session:
        pass
