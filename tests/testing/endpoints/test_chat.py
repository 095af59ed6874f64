"""Chat completions, streamed and unstreamed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    AGENT_CHAT,
    EmulatorClient,
    NewClient,
    chat_body,
)

TOOL = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Get the current weather for a location.",
        "parameters": {
            "type": "object",
            "properties": {"location": {"type": "string"}, "days": {"type": "integer", "maximum": 7}},
            "required": ["location"],
        },
    },
}
WEATHER = "What is the weather in Lisbon?"


async def test_a_completion_has_every_documented_field(client: EmulatorClient) -> None:
    response = await client.ask("What is the capital of Portugal?")
    body = response.json
    assert response.status == 200
    assert response.headers["Content-Type"] == "application/json"
    assert body["object"] == "chat.completion"
    assert body["model"] == "llama3.3-70b-instruct"
    assert body["choices"] == [
        {
            "index": 0,
            "finish_reason": "stop",
            "message": {
                "role": "assistant",
                "content": "The capital of Portugal is Lisbon.",
                "refusal": None,
                "reasoning_content": None,
            },
            "logprobs": None,
        }
    ]
    assert set(body["usage"]) == {
        "prompt_tokens",
        "completion_tokens",
        "total_tokens",
        "cache_created_input_tokens",
        "cache_read_input_tokens",
        "cache_creation",
    }


async def test_the_token_counts_of_usage_add_up(client: EmulatorClient) -> None:
    usage = (await client.ask("What is the capital of Portugal?")).json["usage"]
    assert usage["completion_tokens"] == len(["The", "capital", "of", "Portugal", "is", "Lisbon", "."])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_cached_content_is_written_once_and_then_read(client: EmulatorClient) -> None:
    part = {"type": "text", "text": "A long preamble", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    first = (await client.send(body)).json["usage"]
    second = (await client.send(body)).json["usage"]
    assert first["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3}
    assert (first["cache_created_input_tokens"], first["cache_read_input_tokens"]) == (3, 0)
    assert (second["cache_created_input_tokens"], second["cache_read_input_tokens"]) == (0, 3)


async def test_a_stream_is_framed_as_documented(client: EmulatorClient) -> None:
    response = await client.stream("hello")
    assert response.headers["Content-Type"] == "text/event-stream"
    assert response.body.endswith(b"\n\ndata: [DONE]\n\n")
    assert all(event.startswith("{") for event in response.events[:-1])


async def test_a_stream_starts_with_the_role_and_ends_with_the_finish_reason(client: EmulatorClient) -> None:
    choices = [chunk["choices"][0] for chunk in (await client.stream("hello")).chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": "Hello"}
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert (choices[-1]["delta"], choices[-1]["finish_reason"]) == ({}, "stop")


async def test_a_streamed_completion_equals_the_unstreamed_one(client: EmulatorClient) -> None:
    assert (await client.stream()).text == (await client.ask()).content


async def test_requested_usage_comes_in_an_extra_chunk(client: EmulatorClient) -> None:
    chunks = (await client.stream("hello", stream_options={"include_usage": True})).chunks
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 9


async def test_chunks_have_no_usage_by_default(client: EmulatorClient) -> None:
    assert all("usage" not in chunk for chunk in (await client.stream("hello")).chunks)


async def test_the_choices_of_a_stream_alternate(client: EmulatorClient) -> None:
    indices = [chunk["choices"][0]["index"] for chunk in (await client.stream(n=3)).chunks]
    assert indices[:6] == [0, 1, 2, 0, 1, 2]


async def test_each_of_n_choices_is_another_text(client: EmulatorClient) -> None:
    texts = {choice["message"]["content"] for choice in (await client.ask(n=4)).json["choices"]}
    assert len(texts) == 4


async def test_logprobs_cover_the_text_with_the_requested_alternatives(client: EmulatorClient) -> None:
    choice = (await client.ask(logprobs=True, top_logprobs=2)).choice
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert max(len(token["top_logprobs"]) for token in tokens) == 2
    assert all(token["logprob"] <= 0 and bytes(token["bytes"]).decode() == token["token"] for token in tokens)


async def test_logprobs_of_a_stream_come_with_their_tokens(client: EmulatorClient) -> None:
    choices = [chunk["choices"][0] for chunk in (await client.stream(logprobs=True)).chunks]
    spoken = [choice["logprobs"]["content"][0]["token"] for choice in choices if choice["logprobs"]]
    assert spoken == [choice["delta"]["content"] for choice in choices[:-1]]


async def test_a_tool_is_called_when_it_fits_the_question(client: EmulatorClient) -> None:
    choice = (await client.ask(WEATHER, tools=[TOOL])).choice
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["content"] is None
    assert (call["type"], call["function"]["name"]) == ("function", "get_weather")
    assert json.loads(call["function"]["arguments"])["location"] == "Lisbon"


@pytest.mark.parametrize(
    ("choice", "text", "called"),
    [
        ("none", WEATHER, False),
        ("auto", WEATHER, True),
        ("auto", "Hello", False),
        ("required", "Hello", True),
        ({"type": "function", "function": {"name": "get_weather"}}, "Hello", True),
    ],
)
async def test_tool_choice_decides_whether_a_tool_is_called(
    client: EmulatorClient, choice: Any, text: str, called: bool
) -> None:
    message = (await client.ask(text, tools=[TOOL], tool_choice=choice)).choice["message"]
    assert ("tool_calls" in message) is called


async def test_a_tool_result_gets_text(client: EmulatorClient) -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": WEATHER},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "22 degrees"},
    ]
    response = await client.send({"model": "m", "messages": messages, "tools": [TOOL]})
    assert response.content == "Here is what I found: 22 degrees"


async def test_a_streamed_tool_call_has_its_name_first_and_then_pieces_of_its_arguments(client: EmulatorClient) -> None:
    chunks = (await client.stream(WEATHER, tools=[TOOL])).chunks
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert deltas[0]["role"] == "assistant"
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert {"id", "type"} <= set(calls[0])
    assert all(set(call) == {"index", "function"} for call in calls[1:])
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["location"] == "Lisbon"


async def test_reasoning_effort_shows_reasoning(client: EmulatorClient) -> None:
    low = (await client.ask(reasoning_effort="low")).choice["message"]["reasoning_content"]
    high = (await client.ask(reasoning_effort="high")).choice["message"]["reasoning_content"]
    assert 0 < len(low) < len(high)


async def test_streamed_reasoning_comes_before_the_text(client: EmulatorClient) -> None:
    deltas = [c["choices"][0]["delta"] for c in (await client.stream(reasoning_effort="low")).chunks[:-1]]
    kinds = ["reasoning_content" if "reasoning_content" in delta else "content" for delta in deltas]
    assert kinds == sorted(kinds, reverse=True)
    assert deltas[0]["role"] == "assistant"


async def test_a_json_schema_gets_json_that_fits(client: EmulatorClient) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 1000}},
        "required": ["city", "people"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    value = json.loads((await client.ask("Describe Lisbon", response_format=wanted)).content)
    assert value["city"] == "Lisbon"
    assert value["people"] >= 1000


async def test_json_object_gets_an_object(client: EmulatorClient) -> None:
    response = await client.ask(response_format={"type": "json_object"})
    assert isinstance(json.loads(response.content), dict)


async def test_an_agent_ignores_the_model(client: EmulatorClient, gradient: Emulator) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert (await client.send(body, gradient.agent_url + AGENT_CHAT)).status == 200


async def test_an_agent_needs_agent_true(client: EmulatorClient, gradient: Emulator) -> None:
    response = await client.send(path=gradient.agent_url + "/api/v1/chat/completions")
    assert response.status == 400
    assert "agent must be true" in response.json["message"]


async def test_agent_extras_are_null_by_default(client: EmulatorClient, gradient: Emulator) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "include_retrieval_info": True}
    response = (await client.send(body, gradient.agent_url + AGENT_CHAT)).json
    assert response["retrieval"]["retrieved_data"][0]["score"] > 0
    assert (response["functions"], response["guardrails"]) == (None, None)


async def test_agent_extras_of_a_stream_come_in_its_last_chunk(client: EmulatorClient, gradient: Emulator) -> None:
    body = {"messages": [{"role": "user", "content": "hi"}], "include_guardrails_info": True, "stream": True}
    chunks = (await client.send(body, gradient.agent_url + AGENT_CHAT)).chunks
    assert {chunk["guardrails"] is None for chunk in chunks[:-1]} == {True}
    assert chunks[-1]["guardrails"] == {"triggered_guardrails": []}


@pytest.mark.parametrize(
    "odd",
    [
        {"model": None},
        {"model": 7},
        {"stream_options": {"include_usage": True}},
        {"temperature": "warm", "tools": None, "n": 0},
        {"k": 3, "team": ["blue"]},
        {"tool_choice": "required"},
    ],
)
async def test_a_lenient_agent_takes_what_live_agents_take(new_client: NewClient, odd: dict[str, Any]) -> None:
    async with Emulator(lenient_agent=True) as gradient:
        url = f"{gradient.agent_url}/api/v1/chat/completions"
        plain, other = [await new_client(gradient).send(chat_body("hi", **each), url) for each in ({}, odd)]
    assert (other.status, other.json["model"]) == (200, plain.json["model"])
    assert other.content == plain.content


async def test_a_lenient_agent_needs_messages(new_client: NewClient) -> None:
    async with Emulator(lenient_agent=True) as gradient:
        response = await new_client(gradient).send({"messages": []}, gradient.agent_url + AGENT_CHAT)
    assert response.status == 400
    assert "messages" in response.json["message"]
