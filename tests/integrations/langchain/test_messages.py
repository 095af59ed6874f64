"""Messages of LangChain in the form of the API, and completions as messages of LangChain."""

from __future__ import annotations

import json
from typing import Any

import pytest
from langchain_core.messages import (
    AIMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)

from gradient_async import AsyncSession
from gradient_async.integrations.langchain import ChatGradient
from gradient_async.testing import Emulator
from tests.support.extra_fields import (
    DETAILS,
    EXPECTED,
    list_extra_fields,
    reply_with_empty_reasoning,
    reply_with_extra_fields,
)
from tests.support.langchain import WEATHER, M, comparable_fields, send_messages, sum_chunks, weather


async def test_a_message_has_usage_metadata_and_id(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply("Lisbon.", usage={"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})
    answer = await model.ainvoke("Capital of Portugal?")
    assert (type(answer), answer.content) == (AIMessage, "Lisbon.")
    assert answer.usage_metadata is not None
    assert [answer.usage_metadata[name] for name in ("input_tokens", "output_tokens", "total_tokens")] == [5, 2, 7]
    metadata = answer.response_metadata
    assert metadata.pop("request_id") == gradient_emulator.requests[0].request_id
    assert metadata == {"model_provider": "digitalocean.gradient", "model_name": M, "finish_reason": "stop"}
    assert answer.id is not None
    assert answer.id.startswith("chatcmpl")


@pytest.mark.parametrize(
    "counts",
    [
        {"cache_read_input_tokens": 3, "cache_created_input_tokens": 0},
        {
            "cache_read_input_tokens": None,
            "cache_created_input_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 3},
        },
    ],
)
async def test_usage_has_cached_and_reasoning_tokens(
    gradient_emulator: Emulator, model: ChatGradient, counts: dict[str, Any]
) -> None:
    gradient_emulator.reply("Hi", usage=counts | {"completion_tokens_details": {"reasoning_tokens": 4}})
    usage = (await model.ainvoke("Hi")).usage_metadata
    assert usage is not None
    assert usage["input_token_details"] == {"cache_read": 3, "cache_creation": 0}
    assert usage["output_token_details"] == {"reasoning": 4}


async def test_reasoning_is_a_keyword_argument_and_a_content_block(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply("Hi", reasoning="A greeting.")
    answer = await model.ainvoke("Hi")
    assert answer.additional_kwargs == {"reasoning_content": "A greeting."}
    assert [block["type"] for block in answer.content_blocks] == ["reasoning", "text"]


async def test_arguments_that_are_not_an_object_make_an_invalid_tool_call(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    calls: list[dict[str, Any]] = [
        WEATHER,
        {"name": "weather", "arguments": '{"city": "Lis'},
        {"name": "weather", "arguments": "[1]"},
    ]
    gradient_emulator.reply(tool_calls=calls)
    answer = await model.ainvoke("Hi")
    assert [(call["name"], call["args"], call["id"]) for call in answer.tool_calls] == [
        ("weather", {"city": "Lisbon"}, "call_00000000")
    ]
    assert [call["args"] for call in answer.invalid_tool_calls] == ['{"city": "Lis', "[1]"]


async def test_a_cut_off_tool_call_is_invalid_without_streaming(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, disable_streaming="tool_calling").bind_tools([weather])
    gradient_emulator.reply(tool_calls=[{"name": "weather", "arguments": '{"city": "Lis'}], finish_reason="length")
    (answer,) = [piece async for piece in model.astream("Hi")]
    assert isinstance(answer, AIMessage)
    assert answer.tool_calls == []
    assert answer.response_metadata["finish_reason"] == "length"


async def test_a_completion_without_choices_is_an_empty_message(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply(body={"id": "c1", "choices": []})
    assert (await model.ainvoke("Hi")).content == ""


@pytest.mark.parametrize(
    "reply",
    [
        {"text": "It is mild in Lisbon."},
        {"text": "Hi", "reasoning": "A greeting, I think."},
        {"text": "Wait.", "tool_calls": [WEATHER, {"name": "clock", "arguments": {}}]},
        {"tool_calls": [WEATHER]},
        {"text": ""},
    ],
)
async def test_the_chunks_of_a_stream_add_up_to_the_awaited_message(
    gradient_emulator: Emulator, model: ChatGradient, reply: dict[str, Any]
) -> None:
    gradient_emulator.reply(**reply, times=2)
    whole = await sum_chunks(model)
    assert comparable_fields(message_chunk_to_message(whole)) == comparable_fields(await model.ainvoke("Hi"))
    assert whole.id is not None
    assert whole.id.startswith("chatcmpl")


async def test_only_the_last_chunk_has_usage_and_metadata(gradient_emulator: Emulator, model: ChatGradient) -> None:
    pieces = [piece async for piece in model.astream("Capital of Portugal?")]
    *others, last = pieces
    assert len(others) > 1
    assert all(piece.usage_metadata is None and not piece.response_metadata for piece in others)
    assert last.usage_metadata is not None
    assert last.response_metadata["finish_reason"] == "stop"
    assert last.response_metadata["request_id"] == gradient_emulator.requests[0].request_id
    assert last.chunk_position == "last"
    assert gradient_emulator.requests[0].json["stream_options"] == {"include_usage": True}


async def test_a_tool_call_streams_as_tool_call_chunks(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply(tool_calls=[WEATHER])
    pieces = [piece async for piece in model.astream("Hi")]
    chunks = [chunk for piece in pieces for chunk in piece.tool_call_chunks]
    assert (chunks[0]["name"], chunks[0]["id"], chunks[0]["index"]) == ("weather", "call_00000000", 0)
    assert json.loads("".join(chunk["args"] or "" for chunk in chunks)) == {"city": "Lisbon"}


async def test_tool_calls_without_an_index_and_with_repeated_names_add_up(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    def piece(arguments: str, identity: str) -> dict[str, Any]:
        return {"id": identity, "function": {"name": "weather", "arguments": arguments}}

    deltas = [[piece('{"city":', "a")], [piece('"Lisbon"}', "a")], [piece('{"city":', "b"), piece('"Porto"}', "b")]]
    chunks = [{"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": delta}}]} for delta in deltas]
    end = {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]}
    gradient_emulator.reply(chunks=[*chunks, end])
    calls = (await sum_chunks(model)).tool_calls
    assert [(call["id"], call["name"], call["args"]["city"]) for call in calls] == [
        ("a", "weather", "Lisbon"),
        ("b", "weather", "Porto"),
    ]


@pytest.mark.parametrize(
    ("pieces", "valid", "invalid"),
    [
        (['{"amount": 12'], [], ['{"amount": 12]']),
        (['{"city": "Lis'], [], ['{"city": "Lis"]']),
        (['{"amount"', ": 12}"], [{"amount": 12}], []),
        (["{}", '{"amount"', ": 12}"], [{"amount": 12}], []),  # a placeholder, then the arguments
        (["{}"], [{}], []),
        ([""], [{}], []),
    ],
)
async def test_a_streamed_tool_call_is_valid_when_its_arguments_are_whole(
    gradient_emulator: Emulator,
    model: ChatGradient,
    pieces: list[str],
    valid: list[dict[str, Any]],
    invalid: list[str],
) -> None:
    begin = {"index": 0, "id": "a", "function": {"name": "pay", "arguments": pieces[0]}}
    deltas = [begin, *[{"index": 0, "function": {"arguments": piece}} for piece in pieces[1:]]]
    chunks = [{"id": "c1", "choices": [{"index": 0, "delta": {"tool_calls": [delta]}}]} for delta in deltas]
    end = {"id": "c1", "choices": [{"index": 0, "delta": {}, "finish_reason": "length"}]}
    gradient_emulator.reply(chunks=[*chunks, end])
    message = await sum_chunks(model)
    assert [call["args"] for call in message.tool_calls] == valid
    assert [call["args"] for call in message.invalid_tool_calls] == invalid


async def test_a_streamed_refusal_is_a_keyword_argument(gradient_emulator: Emulator, model: ChatGradient) -> None:
    deltas = [({"refusal": "I can"}, None), ({"refusal": "not."}, None), ({}, "stop")]
    chunks = [{"id": "c1", "choices": [{"index": 0, "delta": d, "finish_reason": f}]} for d, f in deltas]
    gradient_emulator.reply(chunks=chunks)
    message = await sum_chunks(model)
    assert (message.content, message.additional_kwargs) == ("", {"refusal": "I cannot."})


async def test_every_type_of_message_has_the_form_of_the_api(gradient_emulator: Emulator, model: ChatGradient) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    tool_call = AIMessage("", name="agent", tool_calls=[{"name": "weather", "args": {"city": "Lisbon"}, "id": "c1"}])
    body = await send_messages(
        gradient_emulator,
        model,
        SystemMessage("Be brief."),
        HumanMessage(["What is", {"type": "text", "text": "this?"}, picture], name="anna"),
        tool_call,
        ToolMessage("mild", tool_call_id="c1", name="weather"),
        AIMessage([{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Mild."}]),
    )
    call = {"id": "c1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Lisbon"}'}}
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "What is"}, {"type": "text", "text": "this?"}, picture],
        },
        {"role": "assistant", "content": None, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "mild"},
        {"role": "assistant", "content": "Mild."},
    ]


async def test_a_standard_image_block_becomes_an_image_url(gradient_emulator: Emulator, model: ChatGradient) -> None:
    block = {"type": "image", "base64": "aGk=", "mime_type": "image/png"}
    body = await send_messages(gradient_emulator, model, HumanMessage([block]))
    assert body["messages"][0]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]


async def test_texts_keep_their_cache_control(gradient_emulator: Emulator, model: ChatGradient) -> None:
    long = {"type": "text", "text": "A long book.", "cache_control": {"type": "ephemeral"}}
    body = await send_messages(gradient_emulator, model, HumanMessage([long, {"type": "text", "text": "Who did it?"}]))
    assert body["messages"][0]["content"] == [long, {"type": "text", "text": "Who did it?"}]


async def test_a_models_message_is_sent_back_unchanged(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply("Wait.", reasoning="It asks.", tool_calls=[WEATHER])
    answer = await model.ainvoke("Hi")
    body = await send_messages(gradient_emulator, model, answer, ToolMessage("mild", tool_call_id="call_00000000"))
    (call,) = body["messages"][0].pop("tool_calls")
    assert body["messages"][0] == {"role": "assistant", "content": "Wait.", "reasoning_content": "It asks."}
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("call_00000000", {"city": "Lisbon"})


async def test_a_models_message_in_standard_blocks_is_sent_back_as_text(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, output_version="v1")
    gradient_emulator.reply("Wait.", reasoning="It asks.", tool_calls=[WEATHER])
    answer = await model.ainvoke("Hi")
    assert [block["type"] for block in answer.content] == ["reasoning", "text", "tool_call"]  # type: ignore[index]
    body = await send_messages(gradient_emulator, model, answer, ToolMessage("mild", tool_call_id="call_00000000"))
    assert body["messages"][0]["content"] == "Wait."


@pytest.mark.parametrize("has_result", [True, False])
async def test_an_invalid_tool_call_is_sent_back_only_with_its_result(
    gradient_emulator: Emulator, model: ChatGradient, has_result: bool
) -> None:
    call = {"name": "weather", "args": "{", "id": "c1", "error": None, "type": "invalid_tool_call"}
    answer = AIMessage("", invalid_tool_calls=[call])
    rest = ToolMessage("no JSON", tool_call_id="c1") if has_result else HumanMessage("Again")
    body = await send_messages(gradient_emulator, model, answer, rest)
    assert [call["id"] for call in body["messages"][0].get("tool_calls", [])] == ["c1"] * has_result


@pytest.mark.parametrize("stream", [False, True])
async def test_signatures_and_reasoning_details_are_sent_back(
    gradient_emulator: Emulator, model: ChatGradient, stream: bool
) -> None:
    reply_with_extra_fields(gradient_emulator, stream=stream)
    answer: AIMessage = await (sum_chunks(model) if stream else model.ainvoke("Hi"))
    assert answer.additional_kwargs["extra"] == {"reasoning_details": DETAILS}
    stored = AIMessage.model_validate_json(message_chunk_to_message(answer).model_dump_json())
    results = [ToolMessage("mild", tool_call_id=identity) for identity in ("a", "b")]
    body = await send_messages(gradient_emulator, model, HumanMessage("Hi"), stored, *results)
    assert list_extra_fields(body["messages"][1]) == EXPECTED


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_reasoning_is_sent_back_and_is_no_content_block(
    gradient_emulator: Emulator, model: ChatGradient, stream: bool
) -> None:
    reply_with_empty_reasoning(gradient_emulator, stream=stream)
    answer: AIMessage = await (sum_chunks(model) if stream else model.ainvoke("Hi"))
    assert [block["type"] for block in answer.content_blocks] == ["tool_call"]
    body = await send_messages(gradient_emulator, model, answer, ToolMessage("noon", tool_call_id="a"))
    assert body["messages"][0]["reasoning_content"] == ""


@pytest.mark.parametrize("reasoning", ["", None])
async def test_a_reasoning_is_sent_back_only_if_the_message_has_one(
    gradient_emulator: Emulator, model: ChatGradient, reasoning: str | None
) -> None:
    answer = AIMessage("Noon.", additional_kwargs={} if reasoning is None else {"reasoning_content": reasoning})
    body = await send_messages(gradient_emulator, model, answer)
    assert body["messages"][0].get("reasoning_content") == reasoning
