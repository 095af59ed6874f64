"""Settings, tools and output types as parameters of a chat completion."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, NativeOutput, PromptedOutput
from pydantic_ai.direct import model_request
from pydantic_ai.exceptions import (
    ModelTimeoutError,
    UserError,
)
from pydantic_ai.messages import (
    ModelRequest,
)
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.settings import ModelSettings, ToolOrOutput
from pydantic_ai.tools import Tool, ToolDefinition

from gradient_async import Timeouts
from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.pydantic_ai import ANSWER, CALL, LISBON, City, request_body, weather

T = TypeVar("T")


class Pick(BaseModel, Generic[T]):
    """One of many."""

    one: T


async def test_settings_are_sent_as_parameters(gradient_emulator: Emulator, model: GradientModel) -> None:
    settings = ModelSettings(
        max_tokens=9, temperature=0.5, top_p=0.9, stop_sequences=["x"], seed=1, presence_penalty=1.0,
        frequency_penalty=-1.0, logit_bias={"5": 1}, thinking="low", parallel_tool_calls=False,
        extra_body={"user": "u"}, extra_headers={"X-Team": "a"}, timeout=5,
    )  # fmt: skip
    gradient_emulator.reply("Hi")
    await Agent(model, tools=[weather]).run("Hi", model_settings=settings)
    body = request_body(gradient_emulator)
    for name in ("model", "messages", "tools", "tool_choice"):
        del body[name]
    assert body == {
        "max_tokens": 9, "temperature": 0.5, "top_p": 0.9, "stop": ["x"], "seed": 1, "presence_penalty": 1.0,
        "frequency_penalty": -1.0, "logit_bias": {"5": 1}, "reasoning_effort": "low", "parallel_tool_calls": False,
        "user": "u",
    }  # fmt: skip
    assert gradient_emulator.requests[0].headers["X-Team"] == "a"


@pytest.mark.parametrize(("thinking", "effort"), [(False, "none"), (True, None), ("high", "high")])
async def test_thinking_is_sent_as_reasoning_effort(
    gradient_emulator: Emulator, model: GradientModel, thinking: Any, effort: str | None
) -> None:
    await Agent(model).run("Hi", model_settings={"thinking": thinking})
    assert request_body(gradient_emulator).get("reasoning_effort") == effort


async def test_a_timeout_in_seconds_limits_the_call(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.stall(seconds=5)
    with pytest.raises(ModelTimeoutError) as caught:
        await Agent(model).run("Hi", model_settings={"timeout": 0.05})
    assert caught.value.phase == "read"


async def test_a_timeouts_object_limits_the_parts_of_a_call(gradient_emulator: Emulator, model: GradientModel) -> None:
    settings: Any = {"timeout": Timeouts(first_byte=0.05)}
    gradient_emulator.stall(seconds=5)
    with pytest.raises(ModelTimeoutError):
        await model_request(model, [ModelRequest.user_text_prompt("Hi")], model_settings=settings)


async def test_a_timeout_of_another_type_is_refused(model: GradientModel) -> None:
    settings: Any = {"timeout": "5"}
    with pytest.raises(UserError, match="got a str"):
        await model_request(model, [ModelRequest.user_text_prompt("Hi")], model_settings=settings)


async def test_tools_are_sent_and_their_results_too(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(tool_calls=[CALL])
    gradient_emulator.reply("Mild.")
    assert (await Agent(model, tools=[weather]).run("Weather in Lisbon?")).output == "Mild."
    first, second = request_body(gradient_emulator, 0), request_body(gradient_emulator, 1)
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
    assert request_body(gradient_emulator)["tool_choice"] == "required"


async def test_the_emulators_model_fills_an_output_type(model: GradientModel) -> None:
    assert isinstance((await Agent(model, output_type=City).run("Lisbon?")).output, City)


async def test_an_output_that_does_not_fit_is_requested_again(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    gradient_emulator.reply(
        tool_calls=[{"name": "final_result", "arguments": {"name": "Lisbon", "population": "many"}}]
    )
    gradient_emulator.reply(tool_calls=[ANSWER])
    assert (await Agent(model, output_type=City).run("Lisbon?")).output == LISBON
    told = request_body(gradient_emulator)["messages"][-1]
    assert told["role"] == "tool"
    assert "population" in told["content"]


async def test_text_instead_of_a_tool_call_is_requested_again(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    gradient_emulator.reply("Lisbon.")
    gradient_emulator.reply(tool_calls=[ANSWER])
    assert (await Agent(model, output_type=City).run("Lisbon?")).output == LISBON
    assert [message["role"] for message in request_body(gradient_emulator)["messages"]] == ["user", "assistant", "user"]


async def test_native_output_is_a_response_format(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(LISBON.model_dump_json())
    assert (await Agent(model, output_type=NativeOutput(City, strict=True)).run("Lisbon?")).output == LISBON
    asked = request_body(gradient_emulator)["response_format"]
    assert asked["type"] == "json_schema"
    schema = asked["json_schema"]
    assert (schema["name"], schema["description"], schema["strict"]) == ("City", "A city.", True)
    assert schema["schema"]["required"] == ["name", "population"]


async def test_the_name_of_a_generic_output_is_sanitized(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply('{"one": 1}')
    await Agent(model, output_type=NativeOutput(Pick[int])).run("One?")
    assert request_body(gradient_emulator)["response_format"]["json_schema"]["name"] == "Pick_int_"


async def test_prompted_output_requests_a_json_object(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply(LISBON.model_dump_json())
    assert (await Agent(model, output_type=PromptedOutput(City)).run("Lisbon?")).output == LISBON
    body = request_body(gradient_emulator)
    assert body["response_format"] == {"type": "json_object"}
    assert "population" in body["messages"][0]["content"]


WEATHER, RAIN, RESULT = (ToolDefinition(name=name) for name in ("weather", "rain", "result"))


def force_tool(name: str) -> dict[str, Any]:
    return {"type": "function", "function": {"name": name}}


@pytest.mark.parametrize(
    ("wanted", "outputs", "choice", "tools"),
    [
        (None, [], "auto", ["weather", "rain"]),
        ("auto", [RESULT], "required", ["weather", "rain", "result"]),
        ("none", [], "none", ["weather", "rain"]),
        ("none", [RESULT], force_tool("result"), ["weather", "rain", "result"]),
        ("required", [], "required", ["weather", "rain"]),
        (["rain"], [], force_tool("rain"), ["weather", "rain"]),
        (["rain", "weather"], [RESULT], "required", ["weather", "rain"]),
        (ToolOrOutput(["rain"]), [], "auto", ["rain"]),
        (ToolOrOutput(["rain"]), [RESULT], "required", ["rain", "result"]),
    ],
)
async def test_a_tool_choice_selects_the_tools_to_send(
    gradient_emulator: Emulator, model: GradientModel, wanted: Any, outputs: Any, choice: Any, tools: list[str]
) -> None:
    parameters = ModelRequestParameters(
        function_tools=[WEATHER, RAIN], output_tools=outputs, output_mode="tool", allow_text_output=not outputs
    )
    await model.request([ModelRequest.user_text_prompt("Hi")], {"tool_choice": wanted}, parameters)
    body = request_body(gradient_emulator)
    assert body["tool_choice"] == choice
    assert [tool["function"]["name"] for tool in body["tools"]] == tools


async def test_a_strict_tool_is_sent_as_strict(gradient_emulator: Emulator, model: GradientModel) -> None:
    gradient_emulator.reply("Hi")
    await Agent(model, tools=[Tool(weather, strict=True)]).run("Hi")
    assert request_body(gradient_emulator)["tools"][0]["function"]["strict"] is True
