"""Completions in the form of a class, over a real socket."""

import dataclasses
import json
import pickle
from enum import Enum
from typing import Any, Literal, TypedDict

import attrs
import pytest
from pydantic import RootModel

from gradient_async import AsyncSession, ConfigurationError, Message, ParsedCompletion, ResponseDecodeError
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.library_types import Branch, Cat, City, Leaf, Point, Seat, Square, Zoo

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


Numbers = RootModel[list[int]]
Numbers.__name__ = "Numbers"

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


@pytest.mark.parametrize("cls", [Invoice, Person, Answer, City, Zoo, Seat, Branch, Point, Square, Leaf])
async def test_a_completion_sampled_from_the_schema_is_parsed(cls: Any, gradient_session: AsyncSession) -> None:
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=cls)
    assert isinstance(completion.parsed, dict if cls is Answer else cls)


async def test_content_that_does_not_fit_a_pydantic_model_names_the_path(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply('{"title": "T", "keeper": {"kind": "cat", "age": "old"}}')
    with pytest.raises(ResponseDecodeError, match=r"does not fit Zoo: \$\.keeper\.age: input should be") as caught:
        await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Zoo)
    assert caught.value.path == "$.keeper.age"
    assert "Ada Lovelace" not in f"{caught.value} {caught.value.body}"
    assert caught.value.snapshot is not None
    assert pickle.loads(pickle.dumps(caught.value)).path == "$.keeper.age"


@attrs.define
class Household:
    pet: Cat | None
    homes: list[Point]


async def test_classes_of_ours_hold_classes_of_libraries(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply('{"pet": {"kind": "cat", "age": 3}, "homes": [{"leftX": 1}]}')
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Household)
    assert completion.parsed == Household(Cat(kind="cat", age=3), [Point(1)])


async def test_an_agents_completion_is_parsed(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply('{"name": "Ada"}')
    completion = await gradient_session.agent().chat.completions.parse(messages=HI, response_format=Person, k=2)
    assert completion.parsed == Person("Ada")
    assert gradient_emulator.requests[0].json["k"] == 2


ADA = '{"name": "Ada"}'


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{ADA}\n",
        f"```json\n{ADA}\n```\n",
        f"```JSON\n{ADA}\n```",
        f"```json {ADA} ```",
        f"```\n{ADA}",
        f"~~~json\n{ADA}\n~~~",
        f"Here it is:\n\n```json\n{ADA}\n```\n\nI used the field {{name}}, as [you] asked.",
        f"The name: {ADA}.",
        f"json\n{ADA}",
        f'<think>\nNot {{this}}, nor {{"name": "Bob"}}.\n</think>\n\n{ADA}',
        f'<think>The JSON begins with {{"name": and so on</think>{ADA}',
        f'I ponder {{"name": "Bob"}}.\n</think>\n{ADA}',
        f'<think>one</think>\n{ADA}\n<think>{{"name": "Bob"}}</think>',
        f"<think>\n<think>\ntwice\n</think>\n{ADA}",
        f"<Thinking>a</Thinking>{ADA}",
        f"[THINK]a[/THINK]{ADA}",
        f"<think>never closed\n{ADA}",
        f"<think>never closed\n```json\n{ADA}\n```",
        f'{ADA}\n<think>Or {{"name": "Bob"}}',
        f'{{"name": "Bob"}}? No, she was a woman: {ADA}',
        f"{ADA}{ADA}",
        f"{ADA}\n[1] a footnote, and an empty object {{}}",
        f'{{"name": "Bob",}} is not JSON, {ADA} is',
    ],
)
async def test_json_is_found_in_what_models_write_around_it(
    content: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(content)
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person)
    assert completion.parsed == Person("Ada")
    assert completion.text == content


@pytest.mark.parametrize("content", ['Sure: {"name": "<think>"}.', '```\n{"name": "</think>"}\n```'])
async def test_tags_of_thoughts_may_be_text_of_the_value(
    content: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(content)
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person)
    assert completion.parsed.name in content


async def test_arguments_of_a_call_stand_for_empty_content_of_a_request_without_tools(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "Person", "arguments": {"name": "Ada"}}])
    completion = await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person)
    assert completion.parsed == Person("Ada")
    assert completion.tool_calls[0].function.name == "Person"


def find_person(name: str) -> str:
    return name


async def test_a_call_of_a_tool_of_the_request_is_not_the_answer(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "find_person", "arguments": {"name": "Ada"}}])
    with pytest.raises(ResponseDecodeError, match="called tools and did not answer"):
        await gradient_session.chat.completions.parse(model=M, messages=HI, response_format=Person, tools=[find_person])


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
        (
            message(content='So:\n{"number": 7\n "lines": []}'),
            "$",
            "not valid JSON: expecting ',' delimiter at line 3, column 2; the model may not",
        ),
        (message(content="{'number': 7}"), "$", "not valid JSON; the model"),
        (message(content='{"number": 7, "lines": [] oops, "x": {"number": 8, "lines": []}}'), "$", "',' delimiter at"),
        (message(content='Draft: {"number": 7, "lines": []}. Final: {"number": 8, "li'), "$", "unterminated string"),
        (
            message("length", content='{"number": 7, "lines": []}. Final: {"number": 8, "li'),
            "$",
            "cut off by the token",
        ),
        (message("length", content='<think>{"number": 7, "lines": []}'), "$", "cut off by the token limit"),
        (message(content='<think>{"number": 7, "lines": []}, hm'), "$", "not valid JSON"),
        (message(content='<think>{"number": 7, "lines": []}</think>'), "$", "not valid JSON"),
        (message(content='I see [1]: {"number": "7", "lines": []} and [2].'), "$.number", "expected an integer"),
        (message(content='Here: [{"number": 7, "lines": []}]'), "$", "expected an object, got a list"),
        (message("length", content=None, reasoning_content="hm"), "$", "cut off by the token limit"),
        (
            message("length", tool_calls=[CALL | {"function": {"name": "f", "arguments": '{"numb'}}]),
            "$.choices[0].message.tool_calls",
            "cut off by the token limit",
        ),
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
        ({"response_format": Numbers}, "response_format is Numbers, which is not an object"),
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
