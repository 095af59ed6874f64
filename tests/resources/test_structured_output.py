"""Messages and responses in the form of a class, over a real socket; chat is in `chat/test_parse.py`."""

from __future__ import annotations

import dataclasses
import json
import pickle
from typing import Any

import attrs
import pytest

from gradient_async import (
    AsyncSession,
    ConfigurationError,
    MessageReply,
    ParsedMessage,
    ParsedResponse,
    ResponseDecodeError,
    ResponseReply,
)
from gradient_async.testing import Emulator
from tests.support.dialects import API, MESSAGES, QUESTION, RESPONSES, both_apis, every_api
from tests.support.library_types import Branch, City, Leaf, Point, Zoo
from tests.support.schema_types import Item, Options


@dataclasses.dataclass
class Person:
    """A person."""

    name: str


PERSON_SCHEMA = {
    "type": "object",
    "properties": {"name": {"type": "string"}},
    "required": ["name"],
    "additionalProperties": False,
}


async def parse(session: AsyncSession, api: API, cls: Any = Person, **params: Any) -> Any:
    return await api.find_resource(session).parse(response_format=cls, **api.add_question(**params))


@every_api
@pytest.mark.parametrize("cls", [Person, Item, Options, City, Zoo, Branch, Point, Leaf])
async def test_an_answer_sampled_from_the_schema_is_parsed(api: API, cls: Any, gradient_session: AsyncSession) -> None:
    reply = await parse(gradient_session, api, cls)
    assert isinstance(reply.parsed, dict if cls is Options else cls)
    assert reply.usage.output_tokens if api is not RESPONSES and hasattr(reply.usage, "output_tokens") else reply.usage
    assert reply.meta.attempts == 1


async def test_a_message_is_requested_by_a_forced_tool(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    message = await parse(gradient_session, MESSAGES)
    body = gradient_emulator.requests[0].json
    (tool,) = body["tools"]
    assert (tool["name"], tool["input_schema"]) == ("Person", PERSON_SCHEMA)
    assert tool["description"].startswith("A person. ")
    assert body["tool_choice"] == {"type": "tool", "name": "Person"}
    assert "output_config" not in body
    assert isinstance(message, ParsedMessage)
    assert isinstance(message, MessageReply)
    assert message.content[-1].input == {"name": message.parsed.name}


async def test_a_response_is_requested_by_the_format_of_its_text(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    response = await parse(gradient_session, RESPONSES, text={"verbosity": "low"})
    assert gradient_emulator.requests[0].json["text"] == {
        "verbosity": "low",
        "format": {
            "type": "json_schema",
            "name": "Person",
            "schema": {**PERSON_SCHEMA, "description": "A person."},
            "strict": True,
        },
    }
    assert isinstance(response, ParsedResponse)
    assert isinstance(response, ResponseReply)
    assert json.loads(response.text) == {"name": response.parsed.name}


@both_apis
async def test_a_parsed_reply_is_the_reply_and_more(
    api: API, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    reply = await parse(gradient_session, api)
    assert "parsed" not in reply.to_dict()
    assert reply.meta.request_id == gradient_emulator.requests[0].request_id
    assert repr(reply).endswith(f", parsed={reply.parsed!r})")
    assert pickle.loads(pickle.dumps(reply)).parsed == reply.parsed


def message_body(stop_reason: str = "tool_use", *blocks: dict[str, Any]) -> dict[str, Any]:
    return {"type": "message", "role": "assistant", "content": list(blocks), "stop_reason": stop_reason}


def text_block(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


def call_block(given: Any, name: str = "Person") -> dict[str, Any]:
    return {"type": "tool_use", "id": "t", "name": name, "input": given}


def response_body(*items: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"object": "response", "status": "completed", "output": list(items), **fields}


def text_item(text: str, kind: str = "output_text") -> dict[str, Any]:
    part = {"type": kind, "refusal" if kind == "refusal" else "text": text}
    return {"type": "message", "role": "assistant", "content": [part]}


def call_item(arguments: str) -> dict[str, Any]:
    return {"type": "function_call", "call_id": "c", "name": "Person", "arguments": arguments}


ADA = {"name": "Ada"}
CUT = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}


@pytest.mark.parametrize(
    ("api", "body"),
    [
        (MESSAGES, message_body("tool_use", text_block('I call {"name": "Bob"}.'), call_block(ADA))),
        (MESSAGES, message_body("tool_use", call_block({"name": 1}), call_block(ADA))),
        (MESSAGES, message_body("tool_use", call_block({"name": "Bob"}, "other"), call_block(ADA))),
        (MESSAGES, message_body("tool_use", call_block('{"name": "Ada"}'))),
        (MESSAGES, message_body("end_turn", text_block('Here: ```json\n{"name": "Ada"}\n```'))),
        (MESSAGES, message_body("end_turn", {"type": "thinking", "thinking": "{}"}, text_block(json.dumps(ADA)))),
        (MESSAGES, message_body("max_tokens", call_block(ADA), text_block("and so"))),
        (RESPONSES, response_body(text_item('<think>{"name": "Bob"}</think>{"name": "Ada"}'))),
        (RESPONSES, response_body({"type": "reasoning", "content": []}, text_item(json.dumps(ADA)))),
        (RESPONSES, response_body(call_item('{"name": "Ada"}'))),
        (RESPONSES, response_body(text_item(json.dumps(ADA)), **CUT)),
    ],
)
async def test_the_answer_is_found_in_the_reply(
    api: API, body: dict[str, Any], gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(body=json.dumps(body), content_type="application/json")
    assert (await parse(gradient_session, api)).parsed == Person("Ada")


@pytest.mark.parametrize(
    ("api", "body", "path", "reason"),
    [
        (MESSAGES, message_body("tool_use", call_block({"name": 7})), "$.name", "expected a string, got an integer"),
        (MESSAGES, message_body("tool_use", call_block({})), "$.name", "it is missing"),
        (MESSAGES, message_body("tool_use", call_block(ADA | {"<tool_call>age": 1})), "$", "unknown name"),
        (MESSAGES, message_body("tool_use", call_block(None)), "$.name", "it is missing"),
        (MESSAGES, message_body("max_tokens", call_block(ADA)), "$", "cut off by the token limit; raise max_tokens"),
        (MESSAGES, message_body("max_tokens"), "$", "cut off by the token limit; raise max_tokens"),
        (MESSAGES, message_body("end_turn", text_block("It is Ada.")), "$", "not valid JSON"),
        (MESSAGES, message_body("tool_use", call_block({}, "look_up")), "$.content", "called tools and did not answer"),
        (MESSAGES, message_body("refusal", text_block("No.")), "$.stop_reason", "refused to answer"),
        (RESPONSES, response_body(text_item('{"name": 7}')), "$.name", "expected a string, got an integer"),
        (RESPONSES, response_body(text_item('{"name": "A'), **CUT), "$", "raise max_output_tokens"),
        (RESPONSES, response_body(text_item("No.", "refusal")), "$.output", "refused to answer"),
        (RESPONSES, response_body(call_item("{}")), "$.output", "called tools and did not answer"),
        (RESPONSES, response_body(), "$", "The content is empty"),
    ],
)
async def test_an_answer_that_does_not_fit_raises_with_reason_and_snapshot(
    api: API, body: dict[str, Any], path: str, reason: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(body=json.dumps(body), content_type="application/json")
    with pytest.raises(ResponseDecodeError, match=reason) as caught:
        await parse(gradient_session, api)
    error = pickle.loads(pickle.dumps(caught.value))
    assert error.path == path
    assert error.snapshot.raw == body
    assert (error.request_id, error.attempts) == (gradient_emulator.requests[0].request_id, 1)
    assert QUESTION[0]["content"] not in f"{error} {error.body}"


async def test_a_model_that_thinks_is_asked_and_not_forced(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "Person", "arguments": ADA}], reasoning="Ada, surely.")
    message = await parse(gradient_session, MESSAGES, thinking={"type": "enabled", "budget_tokens": 1024})
    assert gradient_emulator.requests[0].json["tool_choice"] == {"type": "auto"}
    assert message.parsed == Person("Ada")


def Person_(name: str) -> str:  # noqa: N802 - the name that is taken
    return name


async def test_the_tool_of_the_class_stands_beside_other_tools(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    taken = {"name": "Person", "input_schema": {"type": "object"}}
    message = await parse(gradient_session, MESSAGES, tools=[taken, Person_])
    body = gradient_emulator.requests[0].json
    assert [tool["name"] for tool in body["tools"]] == ["Person", "Person_", "Person__"]
    assert body["tool_choice"]["name"] == message.content[-1].name == "Person__"
    assert isinstance(message.parsed, Person)


@attrs.define
class Blob:
    data: bytes


@pytest.mark.parametrize(
    ("api", "params", "advice"),
    [
        (MESSAGES, {"cls": int}, "response_format is int, which is not an object"),
        (RESPONSES, {"cls": list[int]}, "which is not an object"),
        (MESSAGES, {"cls": Blob}, "Blob.data is bytes"),
        (MESSAGES, {"tool_choice": {"type": "auto"}}, "leave tool_choice out"),
        (MESSAGES, {"stream": True}, "leave it out"),
        (MESSAGES, {"max_tokens": 0}, "max_tokens must be a whole number"),
        (RESPONSES, {"stream": True}, "leave it out"),
        (RESPONSES, {"input": ""}, "input is empty"),
    ],
)
async def test_an_invalid_call_of_parse_sends_nothing(
    api: API, params: dict[str, Any], advice: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        await parse(gradient_session, api, **params)
    assert gradient_emulator.requests == []
