"""Messages and responses over a real socket, without streaming."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    RateLimits,
    SessionClosedError,
)
from gradient_async.testing import Emulator

HI: Any = [{"role": "user", "content": "What is the capital of Portugal?"}]
Call = Callable[..., Awaitable[Any]]


def message(session: AsyncSession, **params: Any) -> Awaitable[Any]:
    return session.messages.create(**{"model": "m", "max_tokens": 100, "messages": HI, **params})


def response(session: AsyncSession, **params: Any) -> Awaitable[Any]:
    return session.responses.create(**{"model": "m", "input": HI, **params})


both_apis = pytest.mark.parametrize("call", [message, response])


@both_apis
async def test_a_result_has_text_usage_and_meta(
    gradient_emulator: Emulator, gradient_session: AsyncSession, call: Call
) -> None:
    result = await call(gradient_session)
    assert result.text == "The capital of Portugal is Lisbon."
    assert result.usage.input_tokens > 0 < result.usage.output_tokens
    assert result.meta.request_id == gradient_emulator.requests[0].request_id
    assert result.meta.timings.total is not None
    assert result.meta.attempts == 1


@both_apis
async def test_a_429_is_retried(gradient_emulator: Emulator, gradient_session: AsyncSession, call: Call) -> None:
    gradient_emulator.fail(status=429, retry_after=0, times=1)
    result = await call(gradient_session)
    assert result.meta.attempts == 2
    assert len(gradient_emulator.requests) == 2


@both_apis
async def test_a_call_counts_at_the_limiter(gradient_emulator: Emulator, call: Call) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=RateLimits(per_minute=10)) as session:
        await call(session)
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 1


@both_apis
async def test_a_400_is_typed_and_not_retried(
    gradient_emulator: Emulator, gradient_session: AsyncSession, call: Call
) -> None:
    with pytest.raises(BadRequestError, match="temperature"):
        await call(gradient_session, temperature=9)
    assert len(gradient_emulator.requests) == 1


@both_apis
async def test_invalid_parameters_are_not_sent(
    gradient_emulator: Emulator, gradient_session: AsyncSession, call: Call
) -> None:
    with pytest.raises(ConfigurationError):
        await call(gradient_session, model="")
    assert gradient_emulator.requests == []


@both_apis
async def test_a_closed_session_raises(gradient_emulator: Emulator, call: Call) -> None:
    session = AsyncSession("test", base_url=gradient_emulator.url)
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await call(session)


async def test_a_tool_is_used_with_messages(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    tools = [{"name": "capital", "input_schema": {"type": "object", "properties": {"country": {"type": "string"}}}}]
    first = await message(gradient_session, tools=tools, tool_choice={"type": "any"})
    assert first.stop_reason == "tool_use"
    (use,) = [block for block in first.content if block.type == "tool_use"]
    assert (use.name, type(use.input)) == ("capital", dict)
    tool_result = {"role": "user", "content": [{"type": "tool_result", "tool_use_id": use.id, "content": "Lisbon"}]}
    assert (await message(gradient_session, messages=[*HI, first, tool_result])).content
    assert gradient_emulator.requests[-1].fields["messages"][1]["content"][-1]["id"] == use.id


async def test_a_function_is_used_with_responses(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "capital", "arguments": {"country": "Portugal"}}])
    first = await response(gradient_session, tools=[{"type": "function", "name": "capital"}])
    (call,) = first.function_calls
    assert json.loads(call.arguments) == {"country": "Portugal"}
    output = {"type": "function_call_output", "call_id": call.call_id, "output": "Lisbon"}
    assert (await response(gradient_session, input=[*HI, *first.output, output])).text


@pytest.mark.parametrize(("params", "ending"), [({"max_tokens": 2}, "max_tokens"), ({"max_tokens": 100}, "end_turn")])
async def test_a_message_has_its_stop_reason(
    gradient_session: AsyncSession, params: dict[str, int], ending: str
) -> None:
    assert (await message(gradient_session, **params)).stop_reason == ending


async def test_an_incomplete_response_has_its_reason(gradient_session: AsyncSession) -> None:
    result = await response(gradient_session, max_output_tokens=2)
    assert (result.status, result.incomplete_details.reason) == ("incomplete", "max_output_tokens")


@pytest.mark.parametrize("error", [None, {"code": "server_error", "message": "Out of order."}])
async def test_a_failed_response_raises(
    gradient_emulator: Emulator, gradient_session: AsyncSession, error: Any
) -> None:
    gradient_emulator.reply(body={"output": [], "status": "failed", "error": error}, path="/v1/responses")
    with pytest.raises(InternalServerError, match="Out of order" if error else "without a message"):
        await response(gradient_session)


async def test_reasoning_is_separate_from_the_text(gradient_session: AsyncSession) -> None:
    result = await response(gradient_session, reasoning={"effort": "low"})
    assert result.reasoning
    assert result.text == "The capital of Portugal is Lisbon."
    thought = (await message(gradient_session, thinking={"type": "enabled", "budget_tokens": 1024})).content[0]
    assert (thought.type, bool(thought.thinking), bool(thought.signature)) == ("thinking", True, True)
