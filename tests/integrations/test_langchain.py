"""LangChain's chat model over real sockets: what it sends, what it returns, and what it gives back."""

from __future__ import annotations

import asyncio
import gc
import json
import subprocess
import sys
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.load import dumps
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    HumanMessage,
    SystemMessage,
    ToolMessage,
    message_chunk_to_message,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import BaseModel, ValidationError

from gradient_async import APITimeoutError, AsyncSession, AuthenticationError, ConfigurationError, StreamTruncatedError
from gradient_async.integrations.langchain import ChatGradient
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired

M = "llama3.3-70b-instruct"
WEATHER = {"name": "weather", "arguments": {"city": "Lisbon"}}


@tool
def weather(city: str) -> str:
    """Tell the weather of a city."""
    return f"mild in {city}"


class City(BaseModel):
    """A city."""

    name: str
    population: int


@pytest.fixture
def model(gradient_session: AsyncSession) -> ChatGradient:
    return ChatGradient(session=gradient_session, model=M)


async def body_of(gradient_emulator: Emulator, model: ChatGradient, *messages: BaseMessage, **params: Any) -> Any:
    """What is sent for *messages*."""
    gradient_emulator.reply("Hi")
    await model.ainvoke(list(messages), **params)
    return gradient_emulator.requests[-1].json


async def summed(model: Any, question: Any = "Hi") -> AIMessageChunk:
    """The messages of a stream, added up."""
    whole = None
    async for piece in model.astream(question):
        whole = piece if whole is None else whole + piece
    assert isinstance(whole, AIMessageChunk)
    return whole


def told(message: BaseMessage) -> dict[str, Any]:
    """What a message says, without what differs from one call to the next."""
    fields = message.model_dump(exclude={"id"})
    fields["response_metadata"].pop("request_id")
    for call in fields.get("tool_calls", []):
        call.pop("id")
    return fields


async def test_an_answer_has_its_usage_its_metadata_and_its_id(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply("Lisbon.", usage={"prompt_tokens": 5, "completion_tokens": 2, "total_tokens": 7})
    answer = await model.ainvoke("Capital of Portugal?")
    assert (type(answer), answer.content) == (AIMessage, "Lisbon.")
    assert answer.usage_metadata is not None
    assert [answer.usage_metadata[name] for name in ("input_tokens", "output_tokens", "total_tokens")] == [5, 2, 7]
    metadata = answer.response_metadata
    assert metadata.pop("request_id") == gradient_emulator.requests[0].request_id
    assert metadata == {"model_provider": "gradient", "model_name": M, "finish_reason": "stop"}
    assert answer.id is not None
    assert answer.id.startswith("chatcmpl")


@pytest.mark.parametrize(
    "counted",
    [
        {"cache_read_input_tokens": 3, "cache_created_input_tokens": 0},
        {
            "cache_read_input_tokens": None,
            "cache_created_input_tokens": 0,
            "prompt_tokens_details": {"cached_tokens": 3},
        },
    ],
)
async def test_cached_and_reasoning_tokens_are_counted(
    gradient_emulator: Emulator, model: ChatGradient, counted: dict[str, Any]
) -> None:
    gradient_emulator.reply("Hi", usage=counted | {"completion_tokens_details": {"reasoning_tokens": 4}})
    usage = (await model.ainvoke("Hi")).usage_metadata
    assert usage is not None
    assert usage["input_token_details"] == {"cache_read": 3, "cache_creation": 0}
    assert usage["output_token_details"] == {"reasoning": 4}


async def test_reasoning_is_beside_the_content_and_a_block_of_its_own(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply("Hi", reasoning="A greeting.")
    answer = await model.ainvoke("Hi")
    assert answer.additional_kwargs == {"reasoning_content": "A greeting."}
    assert [block["type"] for block in answer.content_blocks] == ["reasoning", "text"]


async def test_arguments_that_are_no_object_make_an_invalid_tool_call(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    calls = [WEATHER, {"name": "weather", "arguments": '{"city": "Lis'}, {"name": "weather", "arguments": "[1]"}]
    gradient_emulator.reply(tool_calls=calls)
    answer = await model.ainvoke("Hi")
    assert [(call["name"], call["args"], call["id"]) for call in answer.tool_calls] == [
        ("weather", {"city": "Lisbon"}, "call_00000000")
    ]
    assert [call["args"] for call in answer.invalid_tool_calls] == ['{"city": "Lis', "[1]"]


async def test_a_tool_call_that_was_cut_off_is_invalid_where_calls_are_not_streamed(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, disable_streaming="tool_calling").bind_tools([weather])
    gradient_emulator.reply(tool_calls=[{"name": "weather", "arguments": '{"city": "Lis'}], finish_reason="length")
    (answer,) = [piece async for piece in model.astream("Hi")]
    assert isinstance(answer, AIMessage)
    assert answer.tool_calls == []
    assert answer.response_metadata["finish_reason"] == "length"


async def test_several_choices_are_several_generations(model: ChatGradient) -> None:
    result = await model.agenerate([[HumanMessage("Hi")]], n=3)
    assert len(result.generations[0]) == 3


async def test_an_answer_without_choices_is_an_empty_message(gradient_emulator: Emulator, model: ChatGradient) -> None:
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
async def test_the_pieces_of_a_stream_add_up_to_the_awaited_message(
    gradient_emulator: Emulator, model: ChatGradient, reply: dict[str, Any]
) -> None:
    gradient_emulator.reply(**reply, times=2)
    whole = await summed(model)
    assert told(message_chunk_to_message(whole)) == told(await model.ainvoke("Hi"))
    assert whole.id is not None
    assert whole.id.startswith("chatcmpl")


async def test_usage_and_metadata_come_with_the_last_piece_alone(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
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
    calls = (await summed(model)).tool_calls
    assert [(call["id"], call["name"], call["args"]["city"]) for call in calls] == [
        ("a", "weather", "Lisbon"),
        ("b", "weather", "Porto"),
    ]


async def test_every_kind_of_message_has_the_form_of_the_api(gradient_emulator: Emulator, model: ChatGradient) -> None:
    picture = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
    asked = AIMessage("", name="agent", tool_calls=[{"name": "weather", "args": {"city": "Lisbon"}, "id": "c1"}])
    body = await body_of(
        gradient_emulator,
        model,
        SystemMessage("Be brief."),
        HumanMessage(["What is", {"type": "text", "text": "this?"}, picture], name="anna"),
        asked,
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
    body = await body_of(gradient_emulator, model, HumanMessage([block]))
    assert body["messages"][0]["content"] == [{"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}]


async def test_texts_keep_their_cache_control(gradient_emulator: Emulator, model: ChatGradient) -> None:
    long = {"type": "text", "text": "A long book.", "cache_control": {"type": "ephemeral"}}
    body = await body_of(gradient_emulator, model, HumanMessage([long, {"type": "text", "text": "Who did it?"}]))
    assert body["messages"][0]["content"] == [long, {"type": "text", "text": "Who did it?"}]


async def test_an_answer_goes_back_as_it_came(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply("Wait.", reasoning="It asks.", tool_calls=[WEATHER])
    answer = await model.ainvoke("Hi")
    body = await body_of(gradient_emulator, model, answer, ToolMessage("mild", tool_call_id="call_00000000"))
    (call,) = body["messages"][0].pop("tool_calls")
    assert body["messages"][0] == {"role": "assistant", "content": "Wait.", "reasoning_content": "It asks."}
    assert (call["id"], json.loads(call["function"]["arguments"])) == ("call_00000000", {"city": "Lisbon"})


async def test_an_answer_in_standard_blocks_goes_back_as_text(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, output_version="v1")
    gradient_emulator.reply("Wait.", reasoning="It asks.", tool_calls=[WEATHER])
    answer = await model.ainvoke("Hi")
    assert [block["type"] for block in answer.content] == ["reasoning", "text", "tool_call"]  # type: ignore[index]
    body = await body_of(gradient_emulator, model, answer, ToolMessage("mild", tool_call_id="call_00000000"))
    assert body["messages"][0]["content"] == "Wait."


@pytest.mark.parametrize("answered", [True, False])
async def test_an_invalid_tool_call_goes_back_if_there_is_an_answer_to_it(
    gradient_emulator: Emulator, model: ChatGradient, answered: bool
) -> None:
    call = {"name": "weather", "args": "{", "id": "c1", "error": None, "type": "invalid_tool_call"}
    answer = AIMessage("", invalid_tool_calls=[call])
    rest = ToolMessage("no JSON", tool_call_id="c1") if answered else HumanMessage("Again")
    body = await body_of(gradient_emulator, model, answer, rest)
    assert [call["id"] for call in body["messages"][0].get("tool_calls", [])] == ["c1"] * answered


async def test_parameters_come_from_the_model_and_the_call(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(
        session=gradient_session, model=M, temperature=0, max_tokens=9, stop=["a"], model_kwargs={"seed": 1}
    )
    body = await body_of(gradient_emulator, model, HumanMessage("Hi"), top_p=0.5, temperature=1)
    expected = {"model": M, "temperature": 1, "max_tokens": 9, "seed": 1, "stop": ["a"], "top_p": 0.5}
    assert body == expected | {"messages": [{"role": "user", "content": "Hi"}]}
    assert (await body_of(gradient_emulator, model, HumanMessage("Hi"), stop=["b"]))["stop"] == ["b"]


async def test_a_timeout_of_the_model_or_the_call_is_the_sessions_timeout(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: ChatGradient
) -> None:
    gradient_emulator.stall(seconds=5, times=2)
    hasty = ChatGradient(session=gradient_session, model=M, timeout=0.05)
    for ask in (hasty.ainvoke("Hi"), model.ainvoke("Hi", timeout=0.05)):
        with pytest.raises(APITimeoutError):
            await ask


async def test_an_agent_takes_the_place_of_a_session(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session.agent(), model_kwargs={"include_retrieval_info": True})
    answer = await model.ainvoke("Hi")
    whole = await summed(model)
    assert [seen.path for seen in gradient_emulator.requests] == ["/api/v1/chat/completions"] * 2
    assert answer.response_metadata["retrieval"]["retrieved_data"]
    assert whole.response_metadata["retrieval"] == answer.response_metadata["retrieval"]


@pytest.mark.parametrize(
    ("given", "wire"),
    [
        ("any", "required"),
        (True, "required"),
        ("auto", "auto"),
        ("weather", {"type": "function", "function": {"name": "weather"}}),
        ({"type": "function", "function": {"name": "weather"}}, {"type": "function", "function": {"name": "weather"}}),
        (None, None),
        (False, None),
    ],
)
async def test_a_tool_choice_has_the_form_of_the_api(
    gradient_emulator: Emulator, model: ChatGradient, given: Any, wire: Any
) -> None:
    bound = model.bind_tools([weather], tool_choice=given)
    gradient_emulator.reply(tool_calls=[WEATHER])
    answer = await bound.ainvoke("Hi")
    body = gradient_emulator.requests[0].json
    assert body.get("tool_choice") == wire
    assert body["tools"][0]["function"]["parameters"]["required"] == ["city"]
    assert answer.tool_calls[0]["args"] == {"city": "Lisbon"}


async def test_tools_that_the_service_runs_go_as_they_are(gradient_emulator: Emulator, model: ChatGradient) -> None:
    tools = [
        {"type": "knowledge_base_retrieval", "knowledge_base_id": "k"},
        {"type": "mcp", "server_label": "s", "server_url": "https://example.com"},
        {"type": "web_search", "max_uses": 2},
    ]
    await model.bind_tools(tools).ainvoke("Hi")
    assert gradient_emulator.requests[0].json["tools"] == tools


async def test_a_tool_answers_and_the_model_goes_on(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply(tool_calls=[WEATHER])
    gradient_emulator.reply("It is mild.")
    bound = model.bind_tools([weather])
    messages: list[BaseMessage] = [HumanMessage("Weather in Lisbon?"), await bound.ainvoke("Weather in Lisbon?")]
    messages.append(await weather.ainvoke(messages[-1].tool_calls[0]))  # type: ignore[attr-defined]
    assert (await bound.ainvoke(messages)).content == "It is mild."
    assert gradient_emulator.requests[1].json["messages"][2]["content"] == "mild in Lisbon"


@pytest.mark.parametrize("schema", [City, City.model_json_schema()])
async def test_structured_output_is_an_instance_or_a_dict(
    gradient_emulator: Emulator, model: ChatGradient, schema: Any
) -> None:
    lisbon = {"name": "Lisbon", "population": 567_000}
    gradient_emulator.reply(tool_calls=[{"name": "City", "arguments": lisbon}])
    found = await model.with_structured_output(schema).ainvoke("Lisbon?")
    assert found == (City(**lisbon) if schema is City else lisbon)  # type: ignore[arg-type]
    assert gradient_emulator.requests[0].json["tool_choice"] == "required"


async def test_structured_output_that_does_not_fit_is_told_beside_the_raw_answer(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "City", "arguments": {"name": "Lisbon"}}])
    found = await model.with_structured_output(City, include_raw=True).ainvoke("Lisbon?")
    assert isinstance(found, dict)
    assert found["parsed"] is None
    assert found["parsing_error"] is not None
    assert found["raw"].tool_calls[0]["args"] == {"name": "Lisbon"}


async def test_structured_output_streams(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "City", "arguments": {"name": "Lisbon", "population": 1}}])
    found = [city async for city in model.with_structured_output(City).astream("Lisbon?")]
    assert found[-1] == City(name="Lisbon", population=1)


async def test_a_chain_streams_its_text(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply("Lisbon, of course.")
    chain = ChatPromptTemplate.from_messages([("human", "Capital of {country}?")]) | model | StrOutputParser()
    texts = [text async for text in chain.astream({"country": "Portugal"})]
    assert "".join(texts) == "Lisbon, of course."
    assert len([text for text in texts if text]) > 1


async def test_a_batch_answers_in_order(gradient_emulator: Emulator, model: ChatGradient) -> None:
    answers = await model.abatch([f"Number {number}?" for number in range(5)])
    asked = {seen.request_id: seen.json["messages"][0]["content"] for seen in gradient_emulator.requests}
    assert [asked[answer.response_metadata["request_id"]] for answer in answers] == [
        f"Number {number}?" for number in range(5)
    ]


async def test_events_tell_every_token_and_the_end(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply("Lisbon, of course.")
    events = [event async for event in model.astream_events("Capital of Portugal?", version="v2")]
    pieces = [event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(piece.content for piece in pieces) == "Lisbon, of course."
    assert events[-1]["event"] == "on_chat_model_end"
    assert events[-1]["data"]["output"].usage_metadata["total_tokens"] > 0
    assert events[0]["metadata"]["ls_provider"] == "gradient"
    assert events[0]["metadata"]["ls_model_name"] == M


async def test_events_are_told_when_a_chain_awaits_the_model(gradient_emulator: Emulator, model: ChatGradient) -> None:
    async def ask(question: str) -> str:
        return str((await model.ainvoke(question)).content)

    gradient_emulator.reply("Lisbon, of course.")
    events = [event async for event in RunnableLambda(ask).astream_events("Capital of Portugal?", version="v2")]
    assert len([event for event in events if event["event"] == "on_chat_model_stream"]) > 1
    assert events[-1]["data"]["output"] == "Lisbon, of course."


async def test_a_model_that_may_not_stream_answers_whole(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, disable_streaming=True)
    gradient_emulator.reply("Hi there.")
    whole = [piece.content async for piece in model.astream("Hi", stream=True)]
    assert whole == ["Hi there."]
    assert "stream" not in gradient_emulator.requests[0].json


async def until(condition: Any) -> None:
    """Return when *condition* holds, within a second."""
    async with asyncio.timeout(1):
        while not condition():
            await asyncio.sleep(0)


async def test_a_stream_that_is_left_gives_its_connection_back(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: ChatGradient
) -> None:
    gradient_emulator.stall(seconds=30, after=3)
    gc.disable()
    try:
        async for _ in model.astream("Hi"):
            assert count_acquired(gradient_session) == 1
            break
        for _ in range(3):  # LangChain's own generator is closed by the event loop
            await asyncio.sleep(0)
        assert count_acquired(gradient_session) == 0
    finally:
        gc.enable()


async def test_a_stream_that_is_closed_has_given_its_connection_back(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: ChatGradient
) -> None:
    gradient_emulator.stall(seconds=30, after=3)
    async with aclosing(model.astream("Hi")) as pieces:  # type: ignore[type-var]
        await anext(pieces)
        assert count_acquired(gradient_session) == 1
    assert count_acquired(gradient_session) == 0


async def test_a_cancelled_task_gives_its_connection_back(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.stall(seconds=30, after=3)
    task = asyncio.create_task(summed(model))
    await until(lambda: gradient_emulator.open_connections == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: gradient_emulator.open_connections == 0)


async def test_a_truncated_stream_is_an_error_that_has_what_arrived(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply("Lisbon, of course.")
    gradient_emulator.truncate(after=2)
    with pytest.raises(StreamTruncatedError) as caught:
        await summed(model)
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "Lisbon,"


async def test_an_error_of_the_service_is_the_sessions_error(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.fail(status=401, times=2)
    for ask in (model.ainvoke, lambda question: summed(model, question)):
        with pytest.raises(AuthenticationError) as caught:
            await ask("Hi")
        assert caught.value.request_id == gradient_emulator.requests[-1].request_id


async def test_a_session_stays_open(gradient_session: AsyncSession, model: ChatGradient) -> None:
    await model.ainvoke("Hi")
    del model
    assert (await gradient_session.chat.completions.create(model=M, messages=[{"role": "user", "content": "Hi"}])).text


@pytest.mark.parametrize("ask", [lambda m: m.invoke("Hi"), lambda m: list(m.stream("Hi")), lambda m: m.batch(["Hi"])])
async def test_what_does_not_await_is_told_to(model: ChatGradient, ask: Any) -> None:
    with pytest.raises(ConfigurationError, match="await ainvoke"):
        ask(model)


def test_a_session_is_needed() -> None:
    with pytest.raises(ValidationError, match="session"):
        ChatGradient(model=M)  # type: ignore[call-arg]


async def test_a_model_is_needed_for_a_session(gradient_session: AsyncSession) -> None:
    with pytest.raises(ConfigurationError, match="model must name a model"):
        await ChatGradient(session=gradient_session).ainvoke("Hi")


async def test_an_unknown_setting_is_refused_without_its_value(gradient_session: AsyncSession) -> None:
    with pytest.raises(ValidationError, match="api_key") as caught:
        ChatGradient(session=gradient_session, model=M, api_key="sk-do-secret")  # type: ignore[call-arg]
    assert "secret" not in str(caught.value)


async def test_the_key_shows_up_nowhere() -> None:
    async with AsyncSession(api_key="sk-do-secret") as session:
        model = ChatGradient(session=session, model=M, temperature=0.5)
        shown = repr(model) + dumps(model) + str(model.model_dump()) + str(model._get_invocation_params())
    assert "temperature" in shown
    assert "secret" not in shown


async def test_what_identifies_a_model_is_what_it_sends(gradient_session: AsyncSession) -> None:
    model = ChatGradient(session=gradient_session, model=M, temperature=0.5, model_kwargs={"seed": 1})
    assert model._identifying_params == {"model": M, "temperature": 0.5, "seed": 1}
    assert model._llm_type == "gradient-chat"
    assert model._get_ls_params(["a"]) == {
        "ls_provider": "gradient",
        "ls_model_type": "chat",
        "ls_model_name": M,
        "ls_temperature": 0.5,
        "ls_stop": ["a"],
    }


def test_without_langchain_the_module_names_the_extra() -> None:
    code = "import sys; sys.modules['langchain_core'] = None; import gradient_async.integrations.langchain"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: ChatGradient needs langchain-core: pip install 'gradient-async[langchain]'" in process.stderr
