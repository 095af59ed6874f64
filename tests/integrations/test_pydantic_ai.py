"""Agents of Pydantic AI over a real socket."""

import subprocess
import sys
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, DocumentUrl, ImageUrl, NativeOutput, PromptedOutput, ToolReturn
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import ContentFilterError, ModelTimeoutError, UserError
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolAvailabilityDeltaPart,
    ToolCallPart,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings, ToolOrOutput
from pydantic_ai.tools import Tool, ToolDefinition

from gradient_async import AsyncSession, Timeouts
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.lisbon import ANSWER, CALL, LISBON, City, M, weather

T = TypeVar("T")


class Pick(BaseModel, Generic[T]):
    """One of many."""

    one: T


@pytest.fixture
def model(gradient_session: AsyncSession) -> GradientModel:
    return GradientModel(M, session=gradient_session)


def sent(emulator: Emulator, number: int = -1) -> Any:
    return emulator.requests[number].json


# Whole answers


async def test_a_run_answers_and_says_everything_about_it(gradient_emulator: Emulator, model: GradientModel) -> None:
    result = await Agent(model).run("Capital of Portugal?")
    assert "Lisbon" in result.output
    response = result.response
    assert (response.model_name, response.provider_name, response.finish_reason) == (M, "gradient", "stop")
    assert response.provider_response_id
    assert response.provider_details is not None
    assert response.provider_details["request_id"] == gradient_emulator.requests[0].request_id
    assert response.provider_details["finish_reason"] == "stop"
    assert response.usage.input_tokens > 0
    assert response.usage.output_tokens > 0


async def test_the_request_is_a_plain_completion(gradient_emulator: Emulator, model: GradientModel) -> None:
    await Agent(model).run("Capital of Portugal?")
    (seen,) = gradient_emulator.requests
    assert seen.path == "/v1/chat/completions"
    assert seen.json == {"model": M, "messages": [{"role": "user", "content": "Capital of Portugal?"}]}


async def test_system_prompts_and_instructions_are_one_message(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    await Agent(model, system_prompt=("You are kind.", "You are short."), instructions="Answer in French.").run("Hi")
    system, user = sent(gradient_emulator)["messages"]
    assert user == {"role": "user", "content": "Hi"}
    assert system["role"] == "system"
    assert system["content"].startswith("You are kind.\n\nYou are short.\n\n")
    assert system["content"].endswith("\n\nAnswer in French.")


async def test_cached_tokens_are_counted(gradient_emulator: Emulator, model: GradientModel) -> None:
    usage = {"prompt_tokens": 50, "cache_read_input_tokens": 30, "cache_created_input_tokens": 10}
    gradient_emulator.reply("Hi", usage=usage)
    counted = (await Agent(model).run("Hi")).response.usage
    assert (counted.input_tokens, counted.cache_read_tokens, counted.cache_write_tokens) == (50, 30, 10)


async def test_cached_and_reasoning_tokens_are_counted_by_the_names_of_openai(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    usage = {"prompt_tokens_details": {"cached_tokens": 30}, "completion_tokens_details": {"reasoning_tokens": 7}}
    answer = {"choices": [{"message": {"content": "Hi"}}], "usage": {"prompt_tokens": 50, **usage}}
    gradient_emulator.reply(body=answer)
    counted = (await Agent(model).run("Hi")).response.usage
    assert (counted.cache_read_tokens, counted.output_reasoning_tokens) == (30, 7)


async def test_usage_that_was_not_told_is_unmeasured(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(body=b'{"choices": [{"message": {"content": "Hi"}}]}', content_type="application/json")
    response = (await Agent(model).run("Hi")).response
    assert response.usage.unmeasured_requests == 1
    assert (response.model_name, response.provider_response_id, response.finish_reason) == (M, None, None)


async def test_a_refusal_is_filtered_content(gradient_emulator: Emulator, model: GradientModel) -> None:
    body = b'{"choices": [{"message": {"refusal": "I will not."}, "finish_reason": "stop"}]}'
    gradient_emulator.reply(body=body, content_type="application/json")
    with pytest.raises(ContentFilterError):
        await Agent(model).run("Hi")


async def test_a_conversation_goes_on(gradient_emulator: Emulator, model: GradientModel) -> None:
    agent = Agent(model)
    gradient_emulator.reply("Lisbon.")
    first = await agent.run("Capital of Portugal?")
    await agent.run("And of Spain?", message_history=first.all_messages())
    assert [message["content"] for message in sent(gradient_emulator)["messages"]] == [
        "Capital of Portugal?",
        "Lisbon.",
        "And of Spain?",
    ]


async def test_the_settings_are_parameters(gradient_emulator: Emulator, model: GradientModel) -> None:
    settings = ModelSettings(
        max_tokens=9, temperature=0.5, top_p=0.9, stop_sequences=["x"], seed=1, presence_penalty=1.0,
        frequency_penalty=-1.0, logit_bias={"5": 1}, thinking="low", parallel_tool_calls=False,
        extra_body={"user": "u"}, extra_headers={"X-Team": "a"}, timeout=5,
    )  # fmt: skip
    gradient_emulator.reply("Hi")
    await Agent(model, tools=[weather]).run("Hi", model_settings=settings)
    body = sent(gradient_emulator)
    for name in ("model", "messages", "tools", "tool_choice"):
        del body[name]
    assert body == {
        "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["x"], "seed": 1, "presence_penalty": 1.0,
        "frequency_penalty": -1.0, "logit_bias": {"5": 1}, "reasoning_effort": "low", "parallel_tool_calls": False,
        "user": "u",
    }  # fmt: skip
    assert gradient_emulator.requests[0].headers["X-Team"] == "a"


@pytest.mark.parametrize(("thinking", "effort"), [(False, "none"), (True, None), ("high", "high")])
async def test_thinking_is_an_effort(
    gradient_emulator: Emulator, model: GradientModel, thinking: Any, effort: str | None
) -> None:
    await Agent(model).run("Hi", model_settings={"thinking": thinking})
    assert sent(gradient_emulator).get("reasoning_effort") == effort


async def test_a_timeout_holds_for_the_call(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.stall(seconds=5)
    with pytest.raises(ModelTimeoutError) as caught:
        await Agent(model).run("Hi", model_settings={"timeout": 0.05})
    assert caught.value.phase == "read"


async def test_a_timeout_may_tell_the_parts_of_a_call(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.stall(seconds=5)
    with pytest.raises(ModelTimeoutError):
        await model_request(
            model, [ModelRequest.user_text_prompt("Hi")], model_settings={"timeout": Timeouts(first_byte=0.05)}
        )  # type: ignore[typeddict-item]


async def test_a_timeout_that_is_neither_is_refused(model: GradientModel) -> None:
    with pytest.raises(UserError, match="got a str"):
        await model_request(model, [ModelRequest.user_text_prompt("Hi")], model_settings={"timeout": "5"})  # type: ignore[typeddict-item]


# Tools and output


async def test_tools_are_called_and_told(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(tool_calls=[CALL])
    gradient_emulator.reply("Mild.")
    assert (await Agent(model, tools=[weather]).run("Weather in Lisbon?")).output == "Mild."
    first, second = sent(gradient_emulator, 0), sent(gradient_emulator, 1)
    (tool,) = first["tools"]
    assert (tool["type"], tool["function"]["name"]) == ("function", "weather")
    assert tool["function"]["description"] == "Tell the weather of a city."
    assert tool["function"]["parameters"]["required"] == ["city"]
    assert first["tool_choice"] == "auto"
    asked, told = second["messages"][1:]
    (call,) = asked["tool_calls"]
    assert asked == {"role": "assistant", "content": None, "tool_calls": [call]}
    assert call["function"] == {"name": "weather", "arguments": '{"city":"Lisbon"}'}
    assert told == {"role": "tool", "tool_call_id": call["id"], "content": "mild in Lisbon"}


async def test_an_output_type_is_a_tool_that_must_be_called(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(tool_calls=[ANSWER])
    assert (await Agent(model, output_type=City).run("Lisbon?")).output == LISBON
    assert sent(gradient_emulator)["tool_choice"] == "required"


async def test_the_emulators_model_fills_an_output_type(model: GradientModel) -> None:
    assert isinstance((await Agent(model, output_type=City).run("Lisbon?")).output, City)


async def test_an_output_that_does_not_fit_is_asked_for_again(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    gradient_emulator.reply(
        tool_calls=[{"name": "final_result", "arguments": {"name": "Lisbon", "population": "many"}}]
    )
    gradient_emulator.reply(tool_calls=[ANSWER])
    assert (await Agent(model, output_type=City).run("Lisbon?")).output == LISBON
    told = sent(gradient_emulator)["messages"][-1]
    assert told["role"] == "tool"
    assert "population" in told["content"]


async def test_text_where_a_tool_was_due_is_asked_for_again(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("Lisbon.")
    gradient_emulator.reply(tool_calls=[ANSWER])
    assert (await Agent(model, output_type=City).run("Lisbon?")).output == LISBON
    assert [message["role"] for message in sent(gradient_emulator)["messages"]] == ["user", "assistant", "user"]


async def test_native_output_is_a_response_format(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(LISBON.model_dump_json())
    assert (await Agent(model, output_type=NativeOutput(City, strict=True)).run("Lisbon?")).output == LISBON
    asked = sent(gradient_emulator)["response_format"]
    assert asked["type"] == "json_schema"
    schema = asked["json_schema"]
    assert (schema["name"], schema["description"], schema["strict"]) == ("City", "A city.", True)
    assert schema["schema"]["required"] == ["name", "population"]


async def test_the_name_of_a_generic_output_is_one_the_api_takes(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    gradient_emulator.reply('{"one": 1}')
    await Agent(model, output_type=NativeOutput(Pick[int])).run("One?")
    assert sent(gradient_emulator)["response_format"]["json_schema"]["name"] == "Pick_int_"


async def test_prompted_output_asks_for_json(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(LISBON.model_dump_json())
    assert (await Agent(model, output_type=PromptedOutput(City)).run("Lisbon?")).output == LISBON
    body = sent(gradient_emulator)
    assert body["response_format"] == {"type": "json_object"}
    assert "population" in body["messages"][0]["content"]


async def test_a_profile_goes_over_ours(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    plain = GradientModel(M, session=gradient_session, profile={"supports_json_object_output": False})
    unforced = GradientModel(
        M, session=gradient_session, profile=lambda ours: {**ours, "supports_forced_tool_choice": False}
    )
    gradient_emulator.reply(LISBON.model_dump_json())
    await Agent(plain, output_type=PromptedOutput(City)).run("Lisbon?")
    gradient_emulator.reply(tool_calls=[ANSWER])
    await Agent(unforced, output_type=City).run("Lisbon?")
    assert "response_format" not in sent(gradient_emulator, 0)
    assert sent(gradient_emulator, 1)["tool_choice"] == "auto"
    assert unforced.profile["supports_json_schema_output"]


def rain(city: str) -> str:
    return f"none in {city}"


WEATHER, RAIN, RESULT = (ToolDefinition(name=name) for name in ("weather", "rain", "result"))


def named(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("wanted", "outputs", "choice", "tools"),
    [
        (None, [], "auto", ["weather", "rain"]),
        ("auto", [RESULT], "required", ["weather", "rain", "result"]),
        ("none", [], "none", ["weather", "rain"]),
        ("none", [RESULT], named("result"), ["weather", "rain", "result"]),
        ("required", [], "required", ["weather", "rain"]),
        (["rain"], [], named("rain"), ["weather", "rain"]),
        (["rain", "weather"], [RESULT], "required", ["weather", "rain"]),
        (ToolOrOutput(["rain"]), [], "auto", ["rain"]),
        (ToolOrOutput(["rain"]), [RESULT], "required", ["rain", "result"]),
    ],
)
async def test_a_choice_of_tools_is_sent(
    gradient_emulator: Emulator, model: GradientModel, wanted: Any, outputs: Any, choice: Any, tools: list[str]
) -> None:
    parameters = ModelRequestParameters(
        function_tools=[WEATHER, RAIN], output_tools=outputs, output_mode="tool", allow_text_output=not outputs
    )
    await model.request([ModelRequest.user_text_prompt("Hi")], {"tool_choice": wanted}, parameters)
    body = sent(gradient_emulator)
    assert body["tool_choice"] == choice
    assert [tool["function"]["name"] for tool in body["tools"]] == tools


async def test_a_strict_tool_is_sent_as_one(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("Hi")
    await Agent(model, tools=[Tool(weather, strict=True)]).run("Hi")
    assert sent(gradient_emulator)["tools"][0]["function"]["strict"] is True


async def test_a_call_without_an_id_gets_one(gradient_emulator: Emulator, model: GradientModel) -> None:
    body = b'{"choices": [{"message": {"tool_calls": [{"function": {"name": "weather", "arguments": "{}"}}]}}]}'
    gradient_emulator.reply(body=body, content_type="application/json")
    (call,) = (await model_request(model, [ModelRequest.user_text_prompt("Hi")])).parts
    assert isinstance(call, ToolCallPart)
    assert call.tool_call_id


# Content


async def test_images_are_sent(gradient_emulator: Emulator, model: GradientModel) -> None:
    prompt = ["What is this?", ImageUrl("https://example.com/a.png"), BinaryContent(b"x", media_type="image/png")]
    await Agent(model).run(prompt)
    assert sent(gradient_emulator)["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
    ]


async def test_the_detail_of_an_image_is_sent(gradient_emulator: Emulator, model: GradientModel) -> None:
    low = {"detail": "low"}
    address = ImageUrl("https://example.com/a.png", vendor_metadata=low)
    await Agent(model).run(["?", address, BinaryContent(b"x", media_type="image/png", vendor_metadata=low)])
    _, *images = sent(gradient_emulator)["messages"][0]["content"]
    assert [image["image_url"]["detail"] for image in images] == ["low", "low"]


async def test_an_image_of_a_tool_follows_in_a_message_of_the_user(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    def look() -> ToolReturn[Any]:
        return ToolReturn(["Seen", ImageUrl("https://example.com/a.png")])

    gradient_emulator.reply(tool_calls=[{"name": "look", "arguments": {}}])
    gradient_emulator.reply("A tree.")
    await Agent(model, tools=[look]).run("Look.")
    *_, told, shown = sent(gradient_emulator)["messages"]
    assert (told["role"], shown["role"]) == ("tool", "user")
    assert {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}} in shown["content"]


async def test_what_cannot_be_sent_is_refused_before_anything_is(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    with pytest.raises(UserError, match="text and images"):
        await Agent(model).run([DocumentUrl("https://example.com/a.pdf")])
    unprepared = ModelRequest(parts=[ToolAvailabilityDeltaPart(tools_added=["weather"])])
    with pytest.raises(UserError, match=r"ToolAvailabilityDeltaPart .*prepare_messages"):
        await model.request([unprepared], None, ModelRequestParameters())
    assert gradient_emulator.requests == []


async def test_a_request_without_an_agent_has_its_instructions(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    asked: list[ModelMessage] = [
        ModelRequest.user_text_prompt("Hi", instructions="Be brief."),
        ModelResponse(parts=[]),
        ModelResponse(parts=[TextPart("Hello.")]),
        ModelRequest.user_text_prompt("Bye", instructions="Be long."),
    ]
    await model.request(asked, None, ModelRequestParameters())
    assert [message["content"] for message in sent(gradient_emulator)["messages"]] == [
        "Be long.",
        "Hi",
        "Hello.",
        "Bye",
    ]


async def test_a_system_prompt_in_the_middle_stays_there(gradient_emulator: Emulator, model: GradientModel) -> None:
    asked: list[ModelMessage] = [
        ModelRequest.user_text_prompt("Hi"),
        ModelRequest(parts=[SystemPromptPart("Be brief.")]),
    ]
    await model.request(asked, None, ModelRequestParameters())
    assert [message["role"] for message in sent(gradient_emulator)["messages"]] == ["user", "system"]


# Thoughts


@pytest.mark.parametrize("streams", [False, True])
async def test_thoughts_are_a_part_and_go_back(
    gradient_emulator: Emulator, model: GradientModel, streams: bool
) -> None:
    gradient_emulator.reply(tool_calls=[CALL], reasoning="Let me see")
    agent = Agent(model, tools=[weather])
    result = await agent.run("Hi", event_stream_handler=_ignore if streams else None)
    response = result.all_messages()[1]
    assert isinstance(response.parts[0], ThinkingPart)
    assert response.parts[0].content == "Let me see"
    assert sent(gradient_emulator)["messages"][1]["reasoning_content"] == "Let me see"


async def _ignore(_: Any, events: Any) -> None:
    async for _ in events:
        pass


async def test_thoughts_between_tags_are_a_part(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("\n<think>Let me see</think>\n\nLisbon.")
    whole = (await Agent(model).run("Hi")).response
    assert [part.content for part in whole.parts if isinstance(part, ThinkingPart)] == ["Let me see"]
    assert whole.text == "Lisbon."


async def test_tags_in_the_middle_are_text(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("Write <think>so</think>.")
    assert (await Agent(model).run("Hi")).output == "Write <think>so</think>."


async def test_thoughts_between_tags_are_a_part_of_a_stream(gradient_emulator: Emulator, model: GradientModel) -> None:
    texts = ["<think>", "Let me", " see", "</think>", "Lis", "bon."]
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in texts]
    gradient_emulator.reply(chunks=[*chunks, {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}])
    async with Agent(model).run_stream("Hi") as result:
        assert await result.get_output() == "Lisbon."
    (thought,) = [part for part in result.response.parts if isinstance(part, ThinkingPart)]
    assert thought.content == "Let me see"


# Agents of the service, and the rest


async def test_an_agent_endpoint_answers_through_its_own_completions(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    model = GradientModel("support", session=gradient_session.agent())
    result = await Agent(model).run("Hi", model_settings={"extra_body": {"include_retrieval_info": True}})
    (seen,) = gradient_emulator.requests
    assert (seen.path, seen.headers["Authorization"]) == ("/api/v1/chat/completions", "Bearer test-agent")
    assert result.response.provider_details is not None
    assert result.response.provider_details["retrieval"]["retrieved_data"]
    assert model.model_id == "gradient:support"


async def test_a_model_leaves_its_session_open(gradient_session: AsyncSession, model: GradientModel) -> None:
    async with model:
        await Agent(model).run("Hi")
    assert await gradient_session.models.list()


def test_without_pydantic_ai_the_error_names_the_extra() -> None:
    code = "import sys; sys.modules['pydantic_ai'] = None; import gradient_async.integrations.pydantic_ai"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (
        "ImportError: GradientModel needs Pydantic AI 2.66 or later: pip install 'gradient-async[pydantic-ai]'"
        in result.stderr
    )
