"""Synchronous calls, and calls from several threads and event loops, on one session."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from pydantic import SecretStr, ValidationError

from gradient_async import AsyncSession, AuthenticationError, RateLimits, RetryPolicy
from gradient_async.integrations.langchain import ChatGradient
from gradient_async.testing import Emulator
from tests.support.langchain import M, send_messages
from tests.support.threaded_emulator import run_emulator
from tests.support.waiting import wait_until


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    with run_emulator() as emulator:
        yield emulator


@pytest.fixture
def keyed(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> ChatGradient:
    """A model with a key of its own."""
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
    return ChatGradient(model=M, api_key=SecretStr("sk-do-secret"))


def count_requests(session: Any) -> int:
    used: int = session.limits.status().windows[0].used
    return used


def test_every_synchronous_method_answers(emulator: Emulator, keyed: ChatGradient) -> None:
    emulator.reply("Lisbon, of course.", times=4)
    assert keyed.invoke("Hi").content == "Lisbon, of course."
    chunks = list(keyed.stream("Hi"))
    assert len(chunks) > 2
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole = whole + chunk
    assert whole.content == "Lisbon, of course."
    assert isinstance(whole, AIMessageChunk)
    assert whole.usage_metadata is not None
    assert [message.content for message in keyed.batch(["Hi", "Hi"])] == ["Lisbon, of course."] * 2
    assert emulator.requests[0].headers["Authorization"] == "Bearer sk-do-secret"
    assert count_requests(keyed._caller) == 4


async def test_an_asynchronous_call_of_a_model_with_a_key_shares_its_session(
    emulator: Emulator, keyed: ChatGradient
) -> None:
    await asyncio.to_thread(keyed.invoke, "Hi")
    assert (await keyed.ainvoke("Hi")).content
    assert len([chunk async for chunk in keyed.astream("Hi")]) > 2
    assert keyed.invoke("Hi").content  # as a notebook does
    assert count_requests(keyed._caller) == 4


def test_models_with_the_same_key_share_a_session_and_its_limits(emulator: Emulator, keyed: ChatGradient) -> None:
    other = ChatGradient(model=M, api_key=SecretStr("sk-do-secret"), max_retries=0)
    third = ChatGradient(model=M, api_key=SecretStr("sk-do-other"))
    other.invoke("Hi")
    assert count_requests(keyed._caller) == 1
    assert count_requests(third._caller) == 0


def test_the_key_comes_from_the_environment(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRADIENT_INFERENCE_ENDPOINT", emulator.url)
    monkeypatch.setenv("MODEL_ACCESS_KEY", "sk-do-env")
    model = ChatGradient(model=M)
    assert model.api_key == SecretStr("sk-do-env")
    assert "sk-do-env" not in repr(model)
    model.invoke("Hi")
    assert emulator.requests[0].headers["Authorization"] == "Bearer sk-do-env"


async def test_a_synchronous_call_in_a_thread_runs_on_the_loop_of_the_session(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    async with gradient_session:
        model = ChatGradient(session=gradient_session, model=M)
        answers = await asyncio.gather(*(asyncio.to_thread(model.invoke, "Hi") for _ in range(5)))
        assert len(answers) == 5
        assert len(await asyncio.to_thread(lambda: list(model.stream("Hi")))) > 2
        await gradient_session.models.list()
        assert count_requests(gradient_session) == 7


def test_calls_of_many_threads_wait_for_one_budget(emulator: Emulator) -> None:
    session = AsyncSession("test", base_url=emulator.url, limits=RateLimits(per_minute=5))
    model = ChatGradient(session=session, model=M)
    with ThreadPoolExecutor(5) as pool:
        list(pool.map(lambda _: model.invoke("Hi"), range(5)))
    with pytest.raises(Exception, match="rate limit allows this request"):
        model.invoke("Hi", timeout=5)
    assert len(emulator.requests) == 5
    asyncio.run(session.aclose())


def test_a_stream_that_is_left_releases_its_connection(emulator: Emulator, keyed: ChatGradient) -> None:
    keyed.invoke("Hi")
    emulator.stall(seconds=60, after=3)
    for _ in keyed.stream("Hi"):
        break
    asyncio.run(wait_until(lambda: emulator.active == 0))


def test_a_synchronous_error_is_the_sessions(emulator: Emulator, keyed: ChatGradient) -> None:
    emulator.fail(status=401, times=2)
    with pytest.raises(AuthenticationError):
        keyed.invoke("Hi")
    with pytest.raises(AuthenticationError):
        list(keyed.stream("Hi"))


@pytest.mark.parametrize(("retries", "attempts"), [(0, 1), (1, 2), (None, 4)])
def test_max_retries_limits_the_attempts(emulator: Emulator, retries: int | None, attempts: int) -> None:
    session = AsyncSession("test", base_url=emulator.url, retry=RetryPolicy(attempts=4, first=0.0))
    model = ChatGradient(session=session, model=M, max_retries=retries)
    emulator.fail(status=503, times=attempts)
    with pytest.raises(Exception, match="503"):
        model.invoke("Hi")
    assert len(emulator.requests) == attempts
    asyncio.run(session.aclose())


async def test_a_setting_that_cannot_hold_is_refused(gradient_session: AsyncSession) -> None:
    with pytest.raises(ValidationError, match="an agent has those of its session"):
        ChatGradient(session=gradient_session.agent(), max_retries=1)
    with pytest.raises(ValidationError, match="has its own key"):
        ChatGradient(session=gradient_session, api_key=SecretStr("k"), model=M)


async def test_streaming_makes_ainvoke_stream(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    model = ChatGradient(session=gradient_session, model=M, streaming=True)
    assert (await send_messages(gradient_emulator, model, HumanMessage("Hi")))["stream"] is True


async def test_a_model_has_a_profile_and_counts_tokens(gradient_session: AsyncSession) -> None:
    model = ChatGradient(session=gradient_session, model=M)
    assert model.profile is not None
    assert model.profile["tool_calling"] is True
    assert model.get_num_tokens("four") == 1
    assert model.get_num_tokens_from_messages([HumanMessage("a long question" * 10)]) > 30


def test_a_process_ends_quietly_after_synchronous_calls(emulator: Emulator) -> None:
    code = (
        "from gradient_async.integrations.langchain import ChatGradient\n"
        f"print(ChatGradient(model={M!r}, api_key='k').invoke('Hi').content)"
    )
    environ = os.environ | {"GRADIENT_INFERENCE_ENDPOINT": emulator.url}
    command = [sys.executable, "-X", "dev", "-c", code]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0
    assert done.stdout
    assert "Unclosed" not in done.stderr
