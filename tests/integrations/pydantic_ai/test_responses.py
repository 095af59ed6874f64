"""Completions and streams as responses of Pydantic AI."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import (
    ContentFilterError,
)
from pydantic_ai.messages import (
    ModelRequest,
    PartDeltaEvent,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.settings import ModelSettings

from gradient_async import (
    AsyncSession,
)
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.pydantic_ai import ANSWER, CALL, LISBON, LONG, City, M, ignore_events, rain, request_body, weather
from tests.support.waiting import HANG_SECONDS


async def test_a_response_has_text_usage_and_details(gradient_emulator: Emulator, model: GradientModel) -> None:
    result = await Agent(model).run("Capital of Portugal?")
    assert "Lisbon" in result.output
    response = result.response
    assert (response.model_name, response.provider_name, response.finish_reason) == (M, "digitalocean.gradient", "stop")
    assert response.provider_response_id
    assert response.provider_details is not None
    assert response.provider_details["request_id"] == gradient_emulator.requests[0].request_id
    assert response.provider_details["finish_reason"] == "stop"
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0


async def test_cached_tokens_are_counted(gradient_emulator: Emulator, model: GradientModel) -> None:
    usage = {"prompt_tokens": 50, "cache_read_input_tokens": 30, "cache_created_input_tokens": 10}
    gradient_emulator.reply("Hi", usage=usage)
    counted = (await Agent(model).run("Hi")).response.usage
    assert (counted.input_tokens, counted.cache_read_tokens, counted.cache_write_tokens) == (50, 30, 10)


async def test_cached_and_reasoning_tokens_are_read_under_openais_names(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    usage = {"prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 7}}
    answer = {"choices": [{"message": {"content": "Hi"}}], "usage": {"prompt_tokens": 50, **usage}}
    gradient_emulator.reply(body=answer)
    counted = (await Agent(model).run("Hi")).response.usage
    assert (counted.cache_read_tokens, counted.output_reasoning_tokens) == (30, 7)


async def test_missing_usage_is_unmeasured(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(body=b'{"choices": [{"message": {"content": "Hi"}}]}', content_type="application/json")
    response = (await Agent(model).run("Hi")).response
    assert response.usage.unmeasured_requests == 1
    assert (response.model_name, response.provider_response_id, response.finish_reason) == (M, None, None)


async def test_a_refusal_is_filtered_content(gradient_emulator: Emulator, model: GradientModel) -> None:
    body = b'{"choices": [{"message": {"refusal": "I will not."}, "finish_reason": "stop"}]}'
    gradient_emulator.reply(body=body, content_type="application/json")
    with pytest.raises(ContentFilterError):
        await Agent(model).run("Hi")


async def test_a_call_without_an_id_gets_one(gradient_emulator: Emulator, model: GradientModel) -> None:
    body = b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "weather", "arguments": "{}"}}]}}]}'
    gradient_emulator.reply(body=body, content_type="application/json")
    (call,) = (await model_request(model, [ModelRequest.user_text_prompt("Hi")])).parts
    assert isinstance(call, ToolCallPart)
    assert call.tool_call_id


@pytest.mark.parametrize("streams", [False, True])
async def test_reasoning_is_a_thinking_part_and_is_sent_back(
    gradient_emulator: Emulator, model: GradientModel, streams: bool
) -> None:
    gradient_emulator.reply(tool_calls=[CALL], reasoning="Let me see")
    agent = Agent(model, tools=[weather])
    result = await agent.run("Hi", event_stream_handler=ignore_events if streams else None)
    response = result.all_messages()[1]
    assert isinstance(response.parts[0], ThinkingPart)
    assert response.parts[0].content == "Let me see"
    assert request_body(gradient_emulator)["messages"][1]["reasoning_content"] == "Let me see"


async def test_text_between_thinking_tags_is_a_thinking_part(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("\n<think>Let me see</think>\n\nLisbon.")
    whole = (await Agent(model).run("Hi")).response
    assert [part.content for part in whole.parts if isinstance(part, ThinkingPart)] == ["Let me see"]
    assert whole.text == "Lisbon."


async def test_thinking_tags_in_the_middle_are_text(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("Write <think>so</think>.")
    assert (await Agent(model).run("Hi")).output == "Write <think>so</think>."


async def test_streamed_text_between_thinking_tags_is_a_thinking_part(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    texts = ["<think>", "Let me", " see", "</think>", "Lis", "bon."]
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    gradient_emulator.reply(chunks=[*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}])
    async with Agent(model).run_stream("Hi") as result:
        assert await result.get_output() == "Lisbon."
    (thought,) = [part for part in result.response.parts if isinstance(part, ThinkingPart)]
    assert thought.content == "Let me see"


async def test_a_stream_yields_text_as_it_arrives_and_the_same_details(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    async with Agent(model).run_stream("Hi") as result:
        texts = [text async for text in result.stream_text(delta=True, debounce_by=None)]
    assert len(texts) > 3
    assert "".join(texts) == LONG
    response = result.response
    assert (response.model_name, response.provider_name, response.finish_reason) == (M, "digitalocean.gradient", "stop")
    assert (response.state, response.timestamp.tzinfo is not None) == ("complete", True)
    assert response.provider_response_id
    assert response.provider_details is not None
    assert response.provider_details["request_id"] == gradient_emulator.requests[0].request_id
    assert response.usage.output_tokens > 0
    body = request_body(gradient_emulator)
    assert (body["stream"], body["stream_options"]) == (True, {"include_usage": True})


@pytest.mark.parametrize("event_stream", [False, True])
async def test_the_log_probabilities_of_a_response_are_among_its_details(
    gradient_emulator: Emulator, model: GradientModel, event_stream: bool
) -> None:
    gradient_emulator.reply("Lisbon.")
    settings = ModelSettings(extra_body={"logprobs": True, "top_logprobs": 1})
    handler = ignore_events if event_stream else None
    result = await Agent(model).run("Capital?", model_settings=settings, event_stream_handler=handler)
    assert result.response.provider_details is not None
    tokens = result.response.provider_details["logprobs"]
    assert "".join(each["token"] for each in tokens) == "Lisbon."
    assert all(each["logprob"] <= 0 for each in tokens)


async def test_structured_output_streams_to_the_whole_value(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(tool_calls=[CALL])
    gradient_emulator.reply(tool_calls=[ANSWER])
    async with Agent(model, tools=[weather], output_type=City).run_stream("Hi") as result:
        seen = [city async for city in result.stream_output(debounce_by=None)]
    assert seen[-1] == LISBON
    assert len(gradient_emulator.requests) == 2


TOOL_CALL_DELTAS = {
    "without an index": [
        [{"id": "a", "function": {"name": "weather", "arguments": '{"city":'}}],
        [{"function": {"arguments": '"Lisbon"}'}}],
        [{"id": "b", "function": {"name": "rain", "arguments": '{"city":"Porto"}'}}],
        [{}],
    ],
    "with repeated names": [
        [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city":'}}],
        [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '"Lisbon"}'}}],
        [{"index": 1, "id": "b", "function": {"name": "rain", "arguments": '{"city":"Porto"}'}}],
    ],
    "with one index for all": [
        [{"index": 0, "id": "a", "function": {"name": "weather", "arguments": '{"city":"Lisbon"}'}}],
        [{"index": 0, "id": "b", "function": {"name": "rain", "arguments": '{"city":"Porto"}'}}],
    ],
    "by turns": [
        [
            {"id": "a", "function": {"name": "weather", "arguments": '{"city":'}},
            {"id": "b", "function": {"name": "rain", "arguments": '{"city":'}},
        ],
        [{"id": "a", "function": {"arguments": '"Lisbon"}'}}, {"id": "b", "function": {"arguments": '"Porto"}'}}],
    ],
}


@pytest.mark.parametrize("pieces", TOOL_CALL_DELTAS.values(), ids=TOOL_CALL_DELTAS)
async def test_streamed_tool_calls_are_assembled(
    gradient_emulator: Emulator, model: GradientModel, pieces: list[list[dict[str, Any]]]
) -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"tool_calls": piece}}]} for piece in pieces]
    gradient_emulator.reply(chunks=[*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}])
    await Agent(model, tools=[weather, rain]).run("Hi", event_stream_handler=ignore_events)
    assert [message["content"] for message in request_body(gradient_emulator)["messages"][2:]] == [
        "mild in Lisbon",
        "none in Porto",
    ]


async def test_a_run_can_be_iterated_event_by_event(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(LONG)
    deltas = 0
    agent = Agent(model)
    async with agent.iter("Hi") as run:
        async for node in run:
            if agent.is_model_request_node(node):
                async with node.stream(run.ctx) as events:
                    deltas += sum([isinstance(event, PartDeltaEvent) async for event in events])
    assert run.result is not None
    assert run.result.output == LONG
    assert deltas > 3


async def test_a_stream_without_usage_is_unmeasured(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(chunks=[{"choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": "stop"}]}])
    async with Agent(model).run_stream("Hi") as result:
        await result.get_output()
    assert result.response.usage.unmeasured_requests == 1


async def leave_by_break(agent: Agent[None, str]) -> None:
    async with agent.run_stream("Hi") as result:
        async for _ in result.stream_text(debounce_by=None):
            break


async def leave_by_error(agent: Agent[None, str]) -> None:
    with pytest.raises(ZeroDivisionError):
        async with agent.run_stream("Hi") as result:
            async for _ in result.stream_text(debounce_by=None):
                raise ZeroDivisionError


async def leave_unread(agent: Agent[None, str]) -> None:
    async with agent.run_stream("Hi"):
        pass


async def leave_by_cancelling_the_task(agent: Agent[None, str]) -> None:
    started = asyncio.Event()

    async def read() -> None:
        async with agent.run_stream("Hi") as result:
            async for _ in result.stream_text(debounce_by=None):
                started.set()

    task = asyncio.ensure_future(read())
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def leave_a_node(agent: Agent[None, str]) -> None:
    async with agent.iter("Hi") as run:
        async for node in run:
            if agent.is_model_request_node(node):
                async with node.stream(run.ctx) as events:
                    async for _ in events:
                        return


@pytest.mark.parametrize(
    "leave", [leave_by_break, leave_by_error, leave_unread, leave_by_cancelling_the_task, leave_a_node]
)
async def test_an_abandoned_run_releases_its_connection_at_once(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: GradientModel, leave: Any
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    gradient_emulator.stall(seconds=60, after=4)
    async with asyncio.timeout(HANG_SECONDS):
        await leave(Agent(model))
    assert count_acquired(gradient_session) == 0


async def test_a_cancelled_stream_keeps_the_partial_text(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: GradientModel
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=60, after=3)
    async with asyncio.timeout(HANG_SECONDS), Agent(model).run_stream("Hi") as result:
        async for text in result.stream_text(debounce_by=None):
            if text == "one two":
                await result.cancel()
                break
        assert count_acquired(gradient_session) == 0
    assert result.response.state == "interrupted"
    assert result.response.text == "one two"
