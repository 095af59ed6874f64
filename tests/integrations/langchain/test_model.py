"""The chat model: parameters, tools, streams, errors and the release of connections."""

from __future__ import annotations

import asyncio
import gc
import subprocess
import sys
from contextlib import aclosing
from typing import Any

import pytest
from langchain_core.caches import InMemoryCache
from langchain_core.load import dumps
from langchain_core.messages import (
    BaseMessage,
    HumanMessage,
)
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from pydantic import ValidationError

from gradient_async import APITimeoutError, AsyncSession, AuthenticationError, ConfigurationError, StreamTruncatedError
from gradient_async.integrations.langchain import ChatGradient
from gradient_async.resources.chat.agent import Agent
from gradient_async.testing import Emulator
from tests.support.langchain import WEATHER, City, M, send_messages, sum_chunks, weather
from tests.support.pools import count_acquired
from tests.support.waiting import wait_until


async def test_several_choices_are_several_generations(model: ChatGradient) -> None:
    result = await model.agenerate([[HumanMessage("Hi")]], n=3)
    assert len(result.generations[0]) == 3


async def test_parameters_come_from_the_model_and_the_call(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(
        session=gradient_session, model=M, temperature=0, max_tokens=9, stop=["a"], model_kwargs={"seed": 1}
    )
    body = await send_messages(gradient_emulator, model, HumanMessage("Hi"), top_p=0.5, temperature=1)
    expected = {"model": M, "temperature": 1, "max_tokens": 9, "seed": 1, "stop": ["a"], "top_p": 0.5}
    assert body == expected | {"messages": [{"role": "user", "content": "Hi"}]}
    assert (await send_messages(gradient_emulator, model, HumanMessage("Hi"), stop=["b"]))["stop"] == ["b"]


async def test_an_empty_list_of_stop_texts_is_not_sent(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, stop=[])
    assert "stop" not in await send_messages(gradient_emulator, model, HumanMessage("Hi"))
    assert "stop" not in await send_messages(gradient_emulator, model, HumanMessage("Hi"), stop=[])


async def test_a_timeout_of_the_model_or_the_call_limits_the_request(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: ChatGradient
) -> None:
    gradient_emulator.stall(seconds=5, times=2)
    hasty = ChatGradient(session=gradient_session, model=M, timeout=0.05)
    for ask in (hasty.ainvoke("Hi"), model.ainvoke("Hi", timeout=0.05)):
        with pytest.raises(APITimeoutError):
            await ask


async def test_an_agent_can_replace_a_session(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    model = ChatGradient(session=gradient_session.agent(), model_kwargs={"include_retrieval_info": True})
    answer = await model.ainvoke("Hi")
    whole = await sum_chunks(model)
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


async def test_tools_that_the_service_runs_are_sent_unchanged(gradient_emulator: Emulator, model: ChatGradient) -> None:
    tools: list[dict[str, Any]] = [
        {"type": "knowledge_base_retrieval", "knowledge_base_id": "k"},
        {"type": "mcp", "server_label": "s", "server_url": "https://example.com"},
        {"type": "web_search", "max_uses": 2},
    ]
    await model.bind_tools(tools).ainvoke("Hi")
    assert gradient_emulator.requests[0].json["tools"] == tools


@pytest.mark.parametrize("is_agent", [False, True])
async def test_a_cache_answers_for_one_address_only(
    gradient_emulator: Emulator, gradient_session: AsyncSession, *, is_agent: bool
) -> None:
    cache = InMemoryCache()
    async with Emulator() as other, AsyncSession("test", base_url=other.url) as session:
        gradient_emulator.reply("one")
        other.reply("two")
        callers: list[AsyncSession | Agent] = [gradient_session, gradient_session, session]
        if is_agent:
            agents = [gradient_emulator.agent_url, gradient_emulator.agent_url, other.agent_url]
            callers = [gradient_session.agent(url, "key") for url in agents]
        model = None if is_agent else M
        models = [ChatGradient(session=caller, model=model, cache=cache) for caller in callers]
        texts = [(await each.ainvoke("Hi")).content for each in models]
    assert texts == ["one", "one", "two"]
    assert len(gradient_emulator.requests) == 1


@tool
def set_prices(prices: dict[str, int], shops: list[dict[str, float]], city: City | None = None) -> str:
    """Set prices."""
    return f"{prices} {shops} {city}"


async def test_dicts_in_a_strict_tool_keep_the_type_of_their_values(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    await model.bind_tools([set_prices], strict=True).ainvoke("Hi")
    function = gradient_emulator.requests[0].json["tools"][0]["function"]
    fields = function["parameters"]["properties"]
    assert fields["prices"]["additionalProperties"] == {"type": "integer"}
    assert fields["shops"]["items"]["additionalProperties"] == {"type": "number"}
    assert fields["city"]["anyOf"][0]["additionalProperties"] is False
    assert (function["strict"], function["parameters"]["additionalProperties"]) == (True, False)


async def test_the_result_of_a_tool_is_sent_to_the_model(gradient_emulator: Emulator, model: ChatGradient) -> None:
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


async def test_structured_output_that_does_not_fit_has_a_parsing_error_and_the_raw_message(
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


async def test_events_have_every_token_and_the_end(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.reply("Lisbon, of course.")
    events = [event async for event in model.astream_events("Capital of Portugal?", version="v2")]
    pieces = [event["data"]["chunk"] for event in events if event["event"] == "on_chat_model_stream"]
    assert "".join(piece.content for piece in pieces) == "Lisbon, of course."
    assert events[-1]["event"] == "on_chat_model_end"
    assert events[-1]["data"]["output"].usage_metadata["total_tokens"] > 0
    assert events[0]["metadata"]["ls_provider"] == "digitalocean.gradient"
    assert events[0]["metadata"]["ls_model_name"] == M


async def test_a_chain_that_awaits_the_model_emits_stream_events(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    async def ask(question: str) -> str:
        return str((await model.ainvoke(question)).content)

    gradient_emulator.reply("Lisbon, of course.")
    events = [event async for event in RunnableLambda(ask).astream_events("Capital of Portugal?", version="v2")]
    assert len([event for event in events if event["event"] == "on_chat_model_stream"]) > 1
    assert events[-1]["data"]["output"] == "Lisbon, of course."


async def test_a_model_with_streaming_disabled_returns_one_chunk(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = ChatGradient(session=gradient_session, model=M, disable_streaming=True)
    gradient_emulator.reply("Hi there.")
    whole = [piece.content async for piece in model.astream("Hi", stream=True)]
    assert whole == ["Hi there."]
    assert "stream" not in gradient_emulator.requests[0].json


async def test_an_abandoned_stream_releases_its_connection(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: ChatGradient
) -> None:
    gradient_emulator.stall(seconds=60, after=3)
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


async def test_a_closed_stream_has_released_its_connection(
    gradient_emulator: Emulator, gradient_session: AsyncSession, model: ChatGradient
) -> None:
    gradient_emulator.stall(seconds=60, after=3)
    async with aclosing(model.astream("Hi")) as pieces:
        await anext(pieces)
        assert count_acquired(gradient_session) == 1
    assert count_acquired(gradient_session) == 0


async def test_a_cancelled_task_releases_its_connection(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.stall(seconds=60, after=3)
    task = asyncio.create_task(sum_chunks(model))
    await wait_until(lambda: gradient_emulator.open_connections == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await wait_until(lambda: gradient_emulator.open_connections == 0)


async def test_a_truncated_stream_is_an_error_with_the_partial_completion(
    gradient_emulator: Emulator, model: ChatGradient
) -> None:
    gradient_emulator.reply("Lisbon, of course.")
    gradient_emulator.truncate(after=2)
    with pytest.raises(StreamTruncatedError) as caught:
        await sum_chunks(model)
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "Lisbon,"


async def test_an_error_status_raises_the_sessions_error(gradient_emulator: Emulator, model: ChatGradient) -> None:
    gradient_emulator.fail(status=401, times=2)
    for ask in (model.ainvoke, lambda question: sum_chunks(model, question)):
        with pytest.raises(AuthenticationError) as caught:
            await ask("Hi")
        assert caught.value.request_id == gradient_emulator.requests[-1].request_id


async def test_a_model_leaves_its_session_open(gradient_session: AsyncSession, model: ChatGradient) -> None:
    await model.ainvoke("Hi")
    del model
    assert (await gradient_session.chat.completions.create(model=M, messages=[{"role": "user", "content": "Hi"}])).text


@pytest.mark.parametrize("ask", [lambda m: m.invoke("Hi"), lambda m: list(m.stream("Hi")), lambda m: m.batch(["Hi"])])
async def test_a_synchronous_call_is_a_configuration_error(model: ChatGradient, ask: Any) -> None:
    with pytest.raises(ConfigurationError, match="await ainvoke"):
        ask(model)


def test_a_model_without_a_session_is_invalid() -> None:
    with pytest.raises(ValidationError, match="session"):
        ChatGradient(model=M)


async def test_a_session_needs_the_name_of_a_model(gradient_session: AsyncSession) -> None:
    with pytest.raises(ConfigurationError, match="model must name a model"):
        await ChatGradient(session=gradient_session).ainvoke("Hi")


async def test_an_unknown_setting_is_refused_without_its_value(gradient_session: AsyncSession) -> None:
    with pytest.raises(ValidationError, match="key") as caught:
        ChatGradient(session=gradient_session, model=M, key="sk-do-secret")  # type: ignore[call-arg]
    assert "secret" not in str(caught.value)


async def test_a_model_hides_the_key() -> None:
    async with AsyncSession(api_key="sk-do-secret") as session:
        model = ChatGradient(session=session, model=M, temperature=0.5)
        shown = repr(model) + dumps(model) + str(model.model_dump()) + str(model._get_invocation_params())
    assert "temperature" in shown
    assert "secret" not in shown


async def test_a_model_is_identified_by_its_parameters(gradient_session: AsyncSession) -> None:
    model = ChatGradient(session=gradient_session, model=M, temperature=0.5, model_kwargs={"seed": 1})
    assert model._identifying_params == {"model": M, "temperature": 0.5, "seed": 1}
    assert model._llm_type == "gradient-chat"
    assert model._get_ls_params(["a"]) == {
        "ls_provider": "digitalocean.gradient",
        "ls_model_type": "chat",
        "ls_model_name": M,
        "ls_temperature": 0.5,
        "ls_stop": ["a"],
    }


def test_an_import_without_langchain_names_the_extra() -> None:
    code = "import sys; sys.modules['langchain_core'] = None; import gradient_async.integrations.langchain"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "ImportError: ChatGradient needs langchain-core: pip install 'gradient-async[langchain]'" in process.stderr
