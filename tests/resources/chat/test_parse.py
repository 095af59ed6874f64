"""Completions in the form of a class, over a real socket."""

import dataclasses
import json
import pickle
from enum import Enum
from typing import Any, Literal, TypedDict

import attrs
import pytest

from gradient_async import AsyncSession, ConfigurationError, Message, ParsedCompletion, ResponseDecodeError
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator

M = "llama3.3-70b-instruct"
HI: list[MessageParam | Message] = [{"role": "user", "content": "Invoice 7 for Ada Lovelace?"}]


class Currency(Enum):
    EUR = "EUR"


@attrs.define
class Line:
    """A line of an invoice."""

    text: str
    cents: int


@attrs.define
class Invoice:
    number: int
    lines: list[Line]
    currency: Currency | None = None
    state: Literal["open", "paid"] = "open"


@dataclasses.dataclass
class Person:
    name: str


class Answer(TypedDict):
    answer: str


@attrs.define
class Callback:
    run: bytes


INVOICE = {"number": 7, "lines": [{"text": "Tea", "cents": 250}], "currency": "EUR", "state": "paid"}


async def test_a_parsed_completion_has_an_instance_of_the_class(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(json.dumps(INVOICE))
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Invoice)
    assert completion.parsed == Invoice(7, [Line("Tea", 250)], Currency.EUR, "paid")
    assert isinstance(completion, ParsedCompletion)
    assert json.loads(completion.text) == INVOICE
    assert completion.usage is not None
    assert completion.meta.request_id == gradient_emulator.requests[0].request_id
    assert "parsed" not in completion.to_dict()
    assert completion.raw["choices"]
    assert "parsed=Invoice(" in repr(completion)
    assert pickle.loads(pickle.dumps(completion)).parsed == completion.parsed


async def test_the_request_has_a_strict_schema(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person)
    assert gradient_emulator.requests[0].json["response_format"] == {
        "type": "json_schema",
        "json_schema": {
            "name": "Person",
            "strict": True,
            "schema": {
                "type": "object",
                "properties": {"name": {"type": "string"}},
                "required": ["name"],
                "additionalProperties": False,
            },
        },
    }


@pytest.mark.parametrize("cls", [Invoice, Person, Answer])
async def test_a_completion_sampled_from_the_schema_is_parsed(cls: Any, gradient_session: AsyncSession) -> None:
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=cls)
    assert isinstance(completion.parsed, dict if cls is Answer else cls)


async def test_an_agents_completion_is_parsed(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply('{"name": "Ada"}')
    completion = await gradient_session.agent().chat.completions.parse(messages=HI, response_format=Person, k=2)
    assert completion.parsed == Person("Ada")
    assert gradient_emulator.requests[0].json["k"] == 2


async def test_json_inside_a_code_fence_is_parsed(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply('```json\n{"name": "Ada"}\n```\n')
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person)
    assert completion.parsed == Person("Ada")


def message(finish_reason: str = "stop", **fields: Any) -> dict[str, Any]:
    body = {"choices": [{"index": 0, "finish_reason": finish_reason, "message": {"role": "assistant", **fields}}]}
    return {"body": json.dumps(body).encode(), "content_type": "application/json"}


CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}


@pytest.mark.parametrize(
    ("reply", "path", "reason"),
    [
        (
            message(content='{"number": "7", "lines": []}'),
            "$.number",
            "does not fit Invoice: $.number: expected an integer",
        ),
        (message(content='{"number": 7, "lines": [{"text": "a"}]}'), "$.lines[0].cents", "it is missing"),
        (message(content='{"number": 7, "lines": [], "state": "lost"}'), "$.state", 'one of "open", "paid"'),
        (message(content="[7]"), "$", "expected an object, got a list"),
        (message(content="Seven."), "$", "not valid JSON; the model may not support response_format"),
        (message(content=None), "$", "The content is empty"),
        (message("length", content='{"number": 7, "li'), "$", "cut off by the token limit"),
        (message("content_filter", content='{"number"'), "$", "stopped by the content filter"),
        (message(content=None, refusal="I cannot."), "$.choices[0].message.refusal", "The model refused to answer"),
        (
            message("tool_calls", tool_calls=[CALL]),
            "$.choices[0].message.tool_calls",
            "called tools and did not answer",
        ),
        ({"body": b'{"choices": []}', "content_type": "application/json"}, "$", "The content is empty"),
    ],
)
async def test_content_that_does_not_fit_raises_with_reason_and_snapshot(
    reply: dict[str, Any], path: str, reason: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(**reply)
    with pytest.raises(ResponseDecodeError) as caught:
        await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Invoice)
    error = caught.value
    assert error.path == path
    assert reason in str(error)
    assert error.snapshot is not None
    assert error.snapshot.raw == json.loads(reply["body"])
    assert (error.request_id, error.attempts) == (gradient_emulator.requests[0].request_id, 1)
    assert pickle.loads(pickle.dumps(error)).snapshot == error.snapshot


async def test_complete_json_at_the_token_limit_is_parsed(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply('{"name": "Ada"}', finish_reason="length")
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person)
    assert completion.parsed == Person("Ada")


@pytest.mark.parametrize(
    ("params", "advice"),
    [
        ({"response_format": list[int]}, "not an object in JSON; give an attrs class"),
        ({"response_format": int}, "response_format is int, which is not an object"),
        ({"response_format": {"type": "json_object"}}, "not an object in JSON; give an attrs class"),
        ({"response_format": Callback}, "Callback.run is bytes, which has no JSON Schema"),
        ({"response_format": Person, "stream": True}, "leave it out"),
        ({"response_format": Person, "messages": []}, "messages is empty"),
    ],
)
async def test_an_invalid_call_of_parse_sends_nothing(
    params: dict[str, Any], advice: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        await gradient_session.chat.completions.parse(**{"model": M, "messages": HI, **params})
    assert gradient_emulator.requests == []
