"""A history of Pydantic AI as the messages of a chat completion."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic_ai import Agent, BinaryContent, DocumentUrl, ImageUrl, ToolReturn
from pydantic_ai.exceptions import (
    UserError,
)
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolAvailabilityDeltaPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
)
from pydantic_ai.models import ModelRequestParameters

from gradient_async.integrations.pydantic_ai import GradientModel
from gradient_async.testing import Emulator
from tests.support.extra_fields import EXPECTED, list_extra_fields, reply_with_empty_reasoning, reply_with_extra_fields
from tests.support.pydantic_ai import request_body


def date() -> str:
    """Tell the date."""
    return "May 1"


def clock() -> str:
    """Tell the time."""
    return "noon"


async def test_system_prompts_and_instructions_are_one_message(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    await Agent(model, system_prompt=("You are kind.", "You are short."), instructions="Answer in French.").run("Hi")
    system, user = request_body(gradient_emulator)["messages"]
    assert user == {"role": "user", "content": "Hi"}
    assert system["role"] == "system"
    assert system["content"].startswith("You are kind.\n\nYou are short.\n\n")
    assert system["content"].endswith("\n\nAnswer in French.")


async def test_a_conversation_continues(gradient_emulator: Emulator, model: GradientModel) -> None:
    agent = Agent(model)
    gradient_emulator.reply("Lisbon.")
    first = await agent.run("Capital of Portugal?")
    await agent.run("And of Spain?", message_history=first.all_messages())
    assert [message["content"] for message in request_body(gradient_emulator)["messages"]] == [
        "Capital of Portugal?",
        "Lisbon.",
        "And of Spain?",
    ]


async def test_images_are_sent(gradient_emulator: Emulator, model: GradientModel) -> None:
    prompt: list[UserContent] = [
        "What is this?",
        ImageUrl("https://example.com/a.png"),
        BinaryContent(b"x", media_type="image/png"),
    ]
    await Agent(model).run(prompt)
    assert request_body(gradient_emulator)["messages"][0]["content"] == [
        {"type": "text", "text": "What is this?"},
        {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,eA=="}},
    ]


async def test_the_detail_of_an_image_is_sent(gradient_emulator: Emulator, model: GradientModel) -> None:
    low: dict[str, Any] = {"detail": "low"}
    address = ImageUrl("https://example.com/a.png", vendor_metadata=low)
    await Agent(model).run(["?", address, BinaryContent(b"x", media_type="image/png", vendor_metadata=low)])
    _, *images = request_body(gradient_emulator)["messages"][0]["content"]
    assert [image["image_url"]["detail"] for image in images] == ["low", "low"]


async def test_an_image_of_a_tool_follows_in_a_user_message(gradient_emulator: Emulator, model: GradientModel) -> None:
    def look() -> ToolReturn[Any]:
        return ToolReturn(["Seen", ImageUrl("https://example.com/a.png")])

    gradient_emulator.reply(tool_calls=[{"name": "look", "arguments": {}}])
    gradient_emulator.reply("A tree.")
    await Agent(model, tools=[look]).run("Look.")
    *_, told, shown = request_body(gradient_emulator)["messages"]
    assert (told["role"], shown["role"]) == ("tool", "user")
    assert {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}} in shown["content"]


async def test_content_without_a_form_in_the_api_is_refused_before_sending(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    with pytest.raises(UserError, match="text and images"):
        await Agent(model).run([DocumentUrl("https://example.com/a.pdf")])
    unprepared = ModelRequest(parts=[ToolAvailabilityDeltaPart(tools_added=["weather"])])
    with pytest.raises(UserError, match=r"ToolAvailabilityDeltaPart .*prepare_messages"):
        await model.request([unprepared], None, ModelRequestParameters())
    assert gradient_emulator.requests == []


async def test_a_request_without_an_agent_has_the_last_instructions(
    gradient_emulator: Emulator, model: GradientModel
) -> None:
    asked: list[ModelMessage] = [
        ModelRequest.user_text_prompt("Hi", instructions="Be brief."),
        ModelResponse(parts=[]),
        ModelResponse(parts=[TextPart("Hello.")]),
        ModelRequest.user_text_prompt("Bye", instructions="Be long."),
    ]
    await model.request(asked, None, ModelRequestParameters())
    assert [message["content"] for message in request_body(gradient_emulator)["messages"]] == [
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
    assert [message["role"] for message in request_body(gradient_emulator)["messages"]] == ["user", "system"]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("ids", [("a", "b"), ("", "")], ids=["ids", "without ids"])
async def test_signatures_and_reasoning_details_are_sent_back(
    gradient_emulator: Emulator, model: GradientModel, stream: bool, ids: tuple[str, str]
) -> None:
    agent = Agent(model, tools=[date, clock])
    reply_with_extra_fields(gradient_emulator, stream=stream, ids=ids)
    gradient_emulator.reply("Mild.")
    if stream:
        async with agent.run_stream("Hi") as result:
            await result.get_output()
    else:
        await agent.run("Hi")
    assert list_extra_fields(gradient_emulator.requests[1].json["messages"][1]) == EXPECTED


@pytest.mark.parametrize("stream", [False, True])
async def test_an_empty_reasoning_is_sent_back(gradient_emulator: Emulator, model: GradientModel, stream: bool) -> None:
    agent = Agent(model, tools=[clock])
    reply_with_empty_reasoning(gradient_emulator, stream=stream)
    gradient_emulator.reply("Noon.")
    if stream:
        async with agent.run_stream("Hi") as result:
            await result.get_output()
    else:
        await agent.run("Hi")
    assert gradient_emulator.requests[1].json["messages"][1]["reasoning_content"] == ""


async def test_fields_of_another_provider_are_not_sent(gradient_emulator: Emulator, model: GradientModel) -> None:
    call = ToolCallPart("clock", {}, "a", provider_name="other", provider_details={"secret": 1})
    foreign = ModelResponse([call], provider_name="other", provider_details={"extra": {"secret": 1}})
    history: list[ModelMessage] = [
        ModelRequest.user_text_prompt("Hi"),
        foreign,
        ModelRequest([ToolReturnPart("clock", "noon", "a")]),
    ]
    await Agent(model).run("Now?", message_history=history)
    assert "secret" not in str(gradient_emulator.requests[0].json)
