"""What a chat completion looks like, whole and streamed."""

from __future__ import annotations

import json

import pytest

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


async def test_a_completion_has_every_documented_field(client):
    answer = await client.ask("What is the capital of Portugal?")
    body = answer.json
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "application/json"
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


async def test_usage_adds_up(client):
    usage = (await client.ask("What is the capital of Portugal?")).json["usage"]
    assert usage["completion_tokens"] == len(["The", "capital", "of", "Portugal", "is", "Lisbon", "."])
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]


async def test_cached_content_is_written_once_and_then_read(client):
    part = {"type": "text", "text": "A long preamble", "cache_control": {"type": "ephemeral", "ttl": "1h"}}
    body = {"model": "m", "messages": [{"role": "user", "content": [part]}]}
    first = (await client.send(body)).json["usage"]
    second = (await client.send(body)).json["usage"]
    assert first["cache_creation"] == {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 3}
    assert (first["cache_created_input_tokens"], first["cache_read_input_tokens"]) == (3, 0)
    assert (second["cache_created_input_tokens"], second["cache_read_input_tokens"]) == (0, 3)


async def test_a_stream_is_framed_as_documented(client):
    answer = await client.stream("hello")
    assert answer.headers["Content-Type"] == "text/event-stream"
    assert answer.body.endswith(b"\n\ndata: [DONE]\n\n")
    assert all(event.startswith("{") for event in answer.events[:-1])


async def test_a_stream_starts_with_the_role_and_ends_with_the_finish_reason(client):
    choices = [chunk["choices"][0] for chunk in (await client.stream("hello")).chunks]
    assert choices[0]["delta"] == {"role": "assistant", "content": "Hello"}
    assert all(choice["finish_reason"] is None for choice in choices[:-1])
    assert (choices[-1]["delta"], choices[-1]["finish_reason"]) == ({}, "stop")


async def test_a_streamed_answer_equals_the_whole_one(client):
    assert (await client.stream()).text == (await client.ask()).content


async def test_usage_comes_in_an_extra_chunk_when_it_is_asked_for(client):
    chunks = (await client.stream("hello", stream_options={"include_usage": True})).chunks
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * (len(chunks) - 1)
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 9


async def test_chunks_have_no_usage_unless_it_is_asked_for(client):
    assert all("usage" not in chunk for chunk in (await client.stream("hello")).chunks)


async def test_choices_of_a_stream_take_turns(client):
    indices = [chunk["choices"][0]["index"] for chunk in (await client.stream(n=3)).chunks]
    assert indices[:6] == [0, 1, 2, 0, 1, 2]


async def test_each_of_n_choices_is_another_text(client):
    texts = {choice["message"]["content"] for choice in (await client.ask(n=4)).json["choices"]}
    assert len(texts) == 4


async def test_logprobs_cover_the_text_with_as_many_alternatives_as_asked_for(client):
    choice = (await client.ask(logprobs=True, top_logprobs=2)).json["choices"][0]
    tokens = choice["logprobs"]["content"]
    assert "".join(token["token"] for token in tokens) == choice["message"]["content"]
    assert max(len(token["top_logprobs"]) for token in tokens) == 2
    assert all(token["logprob"] <= 0 and bytes(token["bytes"]).decode() == token["token"] for token in tokens)


async def test_logprobs_of_a_stream_come_with_their_tokens(client):
    choices = [chunk["choices"][0] for chunk in (await client.stream(logprobs=True)).chunks]
    spoken = [choice["logprobs"]["content"][0]["token"] for choice in choices if choice["logprobs"]]
    assert spoken == [choice["delta"]["content"] for choice in choices[:-1]]


async def test_a_tool_is_called_when_it_fits_the_question(client):
    choice = (await client.ask(WEATHER, tools=[TOOL])).json["choices"][0]
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
async def test_tool_choice_decides(client, choice, text, called):
    message = (await client.ask(text, tools=[TOOL], tool_choice=choice)).json["choices"][0]["message"]
    assert ("tool_calls" in message) is called


async def test_a_tool_result_is_answered_with_text(client):
    call = {"id": "c1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    messages = [
        {"role": "user", "content": WEATHER},
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "22 degrees"},
    ]
    answer = await client.send({"model": "m", "messages": messages, "tools": [TOOL]})
    assert answer.content == "Here is what I found: 22 degrees"


async def test_a_streamed_tool_call_has_its_name_first_and_then_pieces_of_its_arguments(client):
    chunks = (await client.stream(WEATHER, tools=[TOOL])).chunks
    deltas = [chunk["choices"][0]["delta"] for chunk in chunks]
    calls = [delta["tool_calls"][0] for delta in deltas if "tool_calls" in delta]
    assert deltas[0]["role"] == "assistant"
    assert calls[0]["function"] == {"name": "get_weather", "arguments": ""}
    assert {"id", "type"} <= set(calls[0])
    assert all(set(call) == {"index", "function"} for call in calls[1:])
    assert json.loads("".join(call["function"]["arguments"] for call in calls))["location"] == "Lisbon"


async def test_reasoning_effort_shows_reasoning(client):
    low = (await client.ask(reasoning_effort="low")).json["choices"][0]["message"]["reasoning_content"]
    high = (await client.ask(reasoning_effort="high")).json["choices"][0]["message"]["reasoning_content"]
    assert 0 < len(low) < len(high)


async def test_streamed_reasoning_comes_before_the_text(client):
    deltas = [c["choices"][0]["delta"] for c in (await client.stream(reasoning_effort="low")).chunks[:-1]]
    kinds = ["reasoning_content" if "reasoning_content" in delta else "content" for delta in deltas]
    assert kinds == sorted(kinds, reverse=True)
    assert deltas[0]["role"] == "assistant"


async def test_a_json_schema_is_answered_with_json_that_fits(client):
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}, "people": {"type": "integer", "minimum": 1000}},
        "required": ["city", "people"],
    }
    wanted = {"type": "json_schema", "json_schema": {"name": "city", "schema": schema}}
    value = json.loads((await client.ask("Describe Lisbon", response_format=wanted)).content)
    assert value["city"] == "Lisbon"
    assert value["people"] >= 1000


async def test_json_object_is_answered_with_an_object(client):
    answer = await client.ask(response_format={"type": "json_object"})
    assert isinstance(json.loads(answer.content), dict)


AGENT = "/api/v1/chat/completions?agent=true"


async def test_an_agent_ignores_the_model(client, gradient):
    body = {"messages": [{"role": "user", "content": "hi"}]}
    assert (await client.send(body, gradient.agent_url + AGENT)).status == 200


async def test_an_agent_needs_agent_true(client, gradient):
    answer = await client.send(path=gradient.agent_url + "/api/v1/chat/completions")
    assert answer.status == 400
    assert "agent must be true" in answer.json["message"]


async def test_agent_extras_are_null_unless_asked_for(client, gradient):
    body = {"messages": [{"role": "user", "content": "hi"}], "include_retrieval_info": True}
    answer = (await client.send(body, gradient.agent_url + AGENT)).json
    assert answer["retrieval"]["retrieved_data"][0]["score"] > 0
    assert (answer["functions"], answer["guardrails"]) == (None, None)


async def test_agent_extras_of_a_stream_come_with_its_end(client, gradient):
    body = {"messages": [{"role": "user", "content": "hi"}], "include_guardrails_info": True, "stream": True}
    chunks = (await client.send(body, gradient.agent_url + AGENT)).chunks
    assert {chunk["guardrails"] is None for chunk in chunks[:-1]} == {True}
    assert chunks[-1]["guardrails"] == {"triggered_guardrails": []}


async def test_models_are_listed(client, gradient):
    body = (await client.send(path="/v1/models", method="GET")).json
    assert body["object"] == "list"
    assert [model["id"] for model in body["data"]] == list(gradient.models)
    assert {"id", "object", "created", "owned_by"} == set(body["data"][0])


async def test_health_needs_no_key(client):
    answer = await client.send(path="/health", method="GET", headers={})
    assert (answer.status, answer.json) == (200, {"status": "ok"})
