"""A prompt in the place of another argument: no error shows it."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BatchRequest,
    ConfigurationError,
    GradientError,
    RateLimits,
    RetryPolicy,
    Timeouts,
)
from gradient_async.testing import Emulator

PROMPT = "Attorney-client privileged. " * 650
HI: list[Any] = [{"role": "user", "content": "Hi"}]
SWAPPED: Any = [{"role": PROMPT, "content": "user"}]
Call = Callable[[Any], Awaitable[object]]

CALLS: dict[str, Call] = {
    "chat, swapped": lambda s: s.chat.completions.create(model="m", messages=SWAPPED),
    "chat, text": lambda s: s.chat.completions.create(model="m", messages=PROMPT),
    "chat, pair": lambda s: s.chat.completions.create(model="m", messages=[("user", PROMPT)]),
    "chat, list of texts": lambda s: s.chat.completions.create(model="m", messages=[PROMPT]),
    "chat, one dict": lambda s: s.chat.completions.create(model="m", messages={"role": "user", "content": PROMPT}),
    "chat, bytes": lambda s: s.chat.completions.create(
        model="m", messages=[{"role": "user", "content": PROMPT.encode()}]
    ),
    "chat, role in a list": lambda s: s.chat.completions.create(model="m", messages=[{"role": [PROMPT]}]),
    "chat, timeout": lambda s: s.chat.completions.create(model="m", messages=HI, timeout=PROMPT),
    "chat, tool": lambda s: s.chat.completions.run_tools(model="m", messages=HI, tools=[PROMPT]),
    "chat, tools": lambda s: s.chat.completions.run_tools(model="m", messages=HI, tools=PROMPT),
    "chat, class": lambda s: s.chat.completions.parse(model="m", messages=HI, response_format={"name": PROMPT}),
    "messages, swapped": lambda s: s.messages.create(model="m", max_tokens=9, messages=SWAPPED),
    "messages, max_tokens": lambda s: s.messages.create(model="m", max_tokens=PROMPT, messages=HI),
    "responses, swapped": lambda s: s.responses.create(model="m", input=SWAPPED),
    "responses, dict": lambda s: s.responses.create(model="m", input={"content": PROMPT}),
    "responses, pair": lambda s: s.responses.create(model="m", input=[("user", PROMPT)]),
    "embeddings, dict": lambda s: s.embeddings.create(model="m", input=[{"text": PROMPT}]),
    "images, n": lambda s: s.images.generate(model="m", prompt="p", n=PROMPT),
    "rerank, dict": lambda s: s.rerank.create(model="m", query="q", documents=[{"text": PROMPT}]),
    "batch, endpoint": lambda s: s.batches.run([], endpoint=PROMPT),
    "batch, provider": lambda s: s.batches.run([], provider=PROMPT),
    "batch, path": lambda s: s.batches.run(PROMPT),
    "batch, lines": lambda s: s.batches.run(f'{{"custom_id": "a", "body": {{"content": "{PROMPT}"}}}}'),
    "batch, texts": lambda s: s.batches.run([PROMPT]),
    "batch, id of a request": lambda s: s.batches.run([BatchRequest(custom_id=PROMPT, body={})] * 2),
    "request, path": lambda s: s.request("POST", PROMPT),
    "request, method": lambda s: s.request(PROMPT, "/v1/models"),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
async def test_an_error_does_not_show_a_misplaced_prompt(
    call: Call, gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    with pytest.raises(GradientError) as caught:
        await call(gradient_session)
    assert gradient_emulator.requests == []
    shown = str(caught.value)
    assert len(shown) < 1_000
    assert len(re.findall("privileged", shown)) <= 1


@pytest.mark.parametrize("build", [
    lambda: Timeouts(total=PROMPT),  # type: ignore[arg-type]  # a text on purpose, as below
    lambda: RetryPolicy(replay=PROMPT),  # type: ignore[arg-type]
    lambda: RateLimits(per_minute=PROMPT),  # type: ignore[arg-type]
    lambda: AsyncSession("key", retry=PROMPT),  # type: ignore[arg-type]
    lambda: AsyncSession("key", base_url=PROMPT),
    lambda: AsyncSession(PROMPT),
    lambda: AsyncSession("key").with_options(priority=PROMPT),  # type: ignore[arg-type]
])  # fmt: skip
def test_an_error_about_a_setting_does_not_show_a_misplaced_prompt(build: Callable[[], object]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build()
    assert "privileged" not in str(caught.value)


@pytest.mark.parametrize(
    ("role", "shown"),
    [
        ("robot", "the role 'robot'"),
        ("", "the role ''"),
        (None, "no role"),
        ("be brief", "a role of 8 characters"),
        ("x" * 21, "a role of 21 characters"),
        (["user"], "a role of type list"),
        (5, "a role of type int"),
    ],
)
async def test_a_role_is_shown_only_if_it_may_be_one(role: Any, shown: str, gradient_session: AsyncSession) -> None:
    message: Any = {"role": role, "content": "Hi"}
    with pytest.raises(ConfigurationError, match=re.escape(f"messages[0] has {shown}; the service knows system")):
        await gradient_session.chat.completions.create(model="m", messages=[message])
    with pytest.raises(ConfigurationError, match=re.escape(f"messages[0] has {shown}; this API knows user, ass")):
        await gradient_session.messages.create(model="m", max_tokens=9, messages=[message])


async def test_a_swapped_role_is_called_so(gradient_session: AsyncSession) -> None:
    with pytest.raises(ConfigurationError, match="its role and its content may be swapped"):
        await gradient_session.chat.completions.create(model="m", messages=SWAPPED)
