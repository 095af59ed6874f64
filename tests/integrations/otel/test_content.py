"""Prompts, responses and tools as attributes, if they are asked for: one form for all APIs."""

import json
from typing import Any

import pytest

from gradient_async import AsyncSession
from gradient_async.integrations.otel.content import request_content, response_content
from gradient_async.testing import Emulator
from tests.support.otel import Recording

IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,SECRET"}}
TEXT = {"type": "text", "content": "Warm in Rome?"}
CALL = {"type": "tool_call", "id": "c1", "name": "weather", "arguments": {"city": "Rome"}}
RESPONSE = {"type": "tool_call_response", "id": "c1", "response": "31"}
CONVERSATION: list[dict[str, Any]] = [
    {"role": "user", "parts": [TEXT]},
    {"role": "assistant", "parts": [{"type": "reasoning", "content": "Look."}, CALL]},
]
WEATHER = {"name": "weather", "description": "SECRET", "parameters": {}}
PROMPTS: dict[str, tuple[dict[str, Any], list[dict[str, Any]]]] = {
    "chat": (
        {
            "messages": [
                {"role": "user", "content": "Warm in Rome?"},
                {
                    "role": "assistant",
                    "content": None,
                    "reasoning_content": "Look.",
                    "tool_calls": [
                        {
                            "id": "c1",
                            "type": "function",
                            "function": {"name": "weather", "arguments": '{"city": "Rome"}'},
                        }
                    ],
                },
                {"role": "tool", "tool_call_id": "c1", "content": "31"},
            ],
            "tools": [{"type": "function", "function": WEATHER}],
        },
        [*CONVERSATION, {"role": "tool", "parts": [RESPONSE]}],
    ),
    "messages": (
        {
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Warm in Rome?"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "Look.", "signature": "SECRET"},
                        {"type": "tool_use", "id": "c1", "name": "weather", "input": {"city": "Rome"}},
                    ],
                },
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "31"}]},
            ],
            "tools": [WEATHER],
        },
        [*CONVERSATION, {"role": "user", "parts": [RESPONSE]}],
    ),
    "responses": (
        {
            "input": [
                {"role": "user", "content": [{"type": "input_text", "text": "Warm in Rome?"}]},
                {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Look."}]},
                {"type": "function_call", "call_id": "c1", "name": "weather", "arguments": '{"city": "Rome"}'},
                {"type": "function_call_output", "call_id": "c1", "output": "31"},
            ],
            "tools": [{"type": "function", **WEATHER}],
        },
        [
            CONVERSATION[0],
            {"role": "assistant", "parts": [{"type": "reasoning", "content": "Look."}]},
            {"role": "assistant", "parts": [CALL]},
            {"role": "tool", "parts": [RESPONSE]},
        ],
    ),
}


@pytest.mark.parametrize("api", PROMPTS)
def test_a_prompt_has_one_form_in_every_api(api: str) -> None:
    params, expected = PROMPTS[api]
    content = request_content(params)
    assert json.loads(content["gen_ai.input.messages"]) == expected
    assert json.loads(content["gen_ai.tool.definitions"]) == [{"type": "function", "name": "weather"}]
    assert "SECRET" not in str(content)


@pytest.mark.parametrize(
    ("params", "name", "expected"),
    [
        ({"input": "Hi"}, "input.messages", [{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        ({"instructions": "Be brief."}, "system_instructions", [{"type": "text", "content": "Be brief."}]),
        ({"system": [{"type": "text", "text": "A"}]}, "system_instructions", [{"type": "text", "content": "A"}]),
        (
            {"messages": [{"role": "user", "content": [IMAGE]}]},
            "input.messages",
            [{"role": "user", "parts": [{"type": "image_url"}]}],
        ),
    ],
)
def test_other_forms_of_a_prompt(params: dict[str, Any], name: str, expected: Any) -> None:
    content = request_content(params)
    assert json.loads(content[f"gen_ai.{name}"]) == expected


@pytest.mark.parametrize("params", [{}, {"messages": 5}, {"input": [5], "tools": [5]}, {"messages": ["Hi"]}])
def test_a_prompt_of_an_unknown_form_is_left_out(params: dict[str, Any]) -> None:
    assert request_content(params).keys() <= {"gen_ai.input.messages"}
    assert dict(response_content(None)) == {}


async def run_calls(session: AsyncSession) -> list[str]:
    """Call each API and return the texts of the responses."""
    messages: Any = [{"role": "user", "content": "Hi"}]
    replies: list[Any] = [
        await session.chat.completions.create(model="m", messages=messages),
        await session.chat.completions.stream(model="m", messages=messages).completion(),
        await session.messages.create(model="m", messages=messages, max_tokens=9),
        await session.responses.create(model="m", input="Hi"),
    ]
    return [reply.text for reply in replies]


async def test_content_is_recorded_only_if_asked_for(gradient_emulator: Emulator) -> None:
    silent, telling = Recording(), Recording(capture_content=True)
    async with AsyncSession("k", base_url=gradient_emulator.url, hooks=[silent.hook, telling.hook]) as session:
        texts = await run_calls(session)
    for attributes, text in zip(telling.attributes(), texts, strict=True):
        (message,) = json.loads(attributes["gen_ai.output.messages"])
        assert {"type": "text", "content": text} in message["parts"]
        assert "Hi" in attributes["gen_ai.input.messages"]
    assert not any("messages" in key for attributes in silent.attributes() for key in attributes)


async def test_arguments_and_results_of_tools_are_recorded_only_if_asked_for(gradient_emulator: Emulator) -> None:
    def weather(city: str) -> str:
        """Tell the weather."""
        return f"Rain in {city}"

    gradient_emulator.reply(tool_calls=[{"name": "weather", "arguments": {"city": "Rome"}}])
    gradient_emulator.reply("Rain.")
    silent, telling = Recording(), Recording(capture_content=True)
    async with AsyncSession("k", base_url=gradient_emulator.url, hooks=[silent.hook, telling.hook]) as session:
        await session.chat.completions.run_tools(
            model="m", messages=[{"role": "user", "content": "Hi"}], tools=[weather]
        )
    told = dict(telling.find("execute_tool weather").attributes or {})
    assert (told["gen_ai.tool.call.arguments"], told["gen_ai.tool.call.result"]) == (
        '{"city": "Rome"}',
        "Rain in Rome",
    )
    assert "Rome" not in silent.find("execute_tool weather").to_json()


async def test_query_and_passages_are_recorded_only_if_asked_for() -> None:
    silent, telling = Recording(), Recording(capture_content=True)
    async with (
        Emulator(knowledge_bases={"kb": ["Rome is warm.", "Oslo is not warm."]}) as emulator,
        AsyncSession("k", base_url=emulator.url, hooks=[silent.hook, telling.hook]) as session,
    ):
        await session.knowledge_bases.retrieve("kb", query="warm Rome")
        emulator.reply(body={"results": [{"text_content": "a", "metadata": {"file_id": "f"}}, {}]}, path="*/retrieve")
        await session.knowledge_bases.retrieve("kb", query="q")
    first, second = telling.attributes()
    assert first["gen_ai.retrieval.query.text"] == "warm Rome"
    assert json.loads(first["gen_ai.retrieval.documents"]) == [
        {"id": "document-0.txt", "content": "Rome is warm."},
        {"id": "document-1.txt", "content": "Oslo is not warm."},
    ]
    assert json.loads(second["gen_ai.retrieval.documents"]) == [{"id": "f", "content": "a"}, {"content": ""}]
    assert not any("retrieval." in key for attributes in silent.attributes() for key in attributes)
