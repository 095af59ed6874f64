"""Parameters become JSON values; what JSON cannot carry is refused with its path."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import OrderedDict, UserDict, UserList, deque
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal
from uuid import UUID

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field, SecretStr
from pydantic.dataclasses import dataclass as pydantic_dataclass

from gradient_async import ConfigurationError, Message, ToolCall
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async._protocol.codec.request_json import to_request_json, to_result_json
from gradient_async.models import Model
from gradient_async.models.responses import OutputItem
from tests.support.schema_types import Level, Pair, Size, Unit


def convert(value: Any, *, keep_nulls: bool = False) -> Any:
    return to_request_json("messages", value, keep_nulls=keep_nulls)


class Text(str):
    __slots__ = ()


class Number(float):
    __slots__ = ()


@attrs.define
class Part:
    type: str
    _text: str
    cache: str | None = None


@dataclasses.dataclass
class Turn:
    role: str
    content: list[Part]
    name: str | None = None


class Dumped:
    """An object with Pydantic's method, without Pydantic."""

    def __init__(self, form: Any) -> None:
        self.form = form

    def model_dump(self, *, mode: str, by_alias: bool) -> Any:
        assert (mode, by_alias) == ("json", True)
        if isinstance(self.form, Exception):
            raise self.form
        return self.form


class PartModel(BaseModel):
    type: Literal["text"]
    text: str
    cache: str | None = None


class LinkModel(BaseModel):
    type: Literal["link"]
    url: str


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Text("a"), "a"),
        (Number(1.5), 1.5),
        (True, True),
        (None, None),
        (10**40, 10**40),
        (Unit.C, "celsius"),
        (Size.SMALL, "s"),
        (Level.LOW, 1),
        ((1, "a"), [1, "a"]),
        (Pair(1), [1]),
        (deque([1]), [1]),
        (UserList([1]), [1]),
        (range(2), [0, 1]),
        (iter([{"a": 1}]), [{"a": 1}]),
        (OrderedDict(a=1), {"a": 1}),
        (UserDict(a=UserDict(b=None, c=1)), {"a": {"c": 1}}),
        (MappingProxyType({"a": (1,)}), {"a": [1]}),
        ({50256: -100, Unit.C: 1, Text("b"): 2}, {"50256": -100, "celsius": 1, "b": 2}),
        (Turn("user", [Part("text", "Hi")]), {"role": "user", "content": [{"type": "text", "text": "Hi"}]}),
        (Dumped({"role": "user", "content": "Hi", "name": None}), {"role": "user", "content": "Hi"}),
        (Dumped(["a"]), ["a"]),
        (Message(content="Hi"), {"role": "assistant", "content": "Hi"}),
        (
            [ToolCall(id="c")],
            [{"id": "c", "type": "function", "function": {"name": "", "arguments": ""}}],
        ),
    ],
)
def test_a_value_becomes_its_json_form(value: Any, expected: Any) -> None:
    converted = convert(value)
    assert converted == expected
    assert json.loads(encode_jsonable(converted)) == expected
    assert type(converted) is type(expected)


# What OpenAI's `ChatCompletionMessage.model_dump()` gives.
DUMPED_MESSAGE = {
    "content": None,
    "refusal": None,
    "role": "assistant",
    "annotations": [],
    "audio": None,
    "function_call": None,
    "tool_calls": [
        {"id": "c", "type": "function", "index": None, "function": {"name": "f", "arguments": '{"a":null}'}}
    ],
}


class LinkStruct(msgspec.Struct, rename="camel"):
    image_url: str
    alt: str | None = None
    kind: str | msgspec.UnsetType = msgspec.UNSET


class TextStruct(msgspec.Struct, tag="text", tag_field="type"):
    text: str
    links: list[LinkStruct] = []


class PairStruct(msgspec.Struct, array_like=True):
    left: int
    right: int | None


class MessageModel(BaseModel):
    role: str
    content: list[Annotated[PartModel | LinkModel, Field(discriminator="type")]]


@pydantic_dataclass
class TurnDataclass:
    role: str
    sent: Annotated[str, Field(serialization_alias="sentAt")]


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (TextStruct("a", [LinkStruct("u")]), {"type": "text", "text": "a", "links": [{"imageUrl": "u"}]}),
        (PairStruct(1, None), [1, None]),
        ({"content": [TextStruct("a")]}, {"content": [{"type": "text", "text": "a", "links": []}]}),
        (
            MessageModel(role="user", content=[PartModel(type="text", text="a"), LinkModel(type="link", url="u")]),
            {"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "link", "url": "u"}]},
        ),
        (TurnDataclass("user", "now"), {"role": "user", "sentAt": "now"}),
    ],
)
def test_an_object_of_a_library_becomes_its_json_form(value: Any, expected: Any) -> None:
    assert convert(value) == expected


def test_a_secret_is_refused_and_not_sent_masked() -> None:
    with pytest.raises(ConfigurationError, match=r"messages\.content is a secret.*get_secret_value") as caught:
        convert({"content": SecretStr("secret text")})
    assert "secret text" not in str(caught.value)


def test_bytes_in_a_struct_are_refused_with_their_path() -> None:
    with pytest.raises(ConfigurationError, match=r"messages\.text is of type bytes"):
        convert(TextStruct(b"secret"))  # type: ignore[arg-type]  # the mistake


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": None, "b": {"c": None}, "d": [{"e": None}]}, {"b": {}, "d": [{}]}),
        (
            DUMPED_MESSAGE,
            {
                "content": None,
                "role": "assistant",
                "annotations": [],
                "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a":null}'}}],
            },
        ),
        ({"role": "user", "content": None}, {"role": "user"}),
        ({"role": "assistant", "content": "Hi", "tool_calls": []}, {"role": "assistant", "content": "Hi"}),
        ({"properties": {"tool_calls": {}}}, {"properties": {"tool_calls": {}}}),
        ([None, 1], [None, 1]),
        ({"enum": ["a", None], "default": None}, {"enum": ["a", None]}),
        ({"const": None}, {"const": None}),
        ({"properties": {"a": {"type": "string", "title": None}}}, {"properties": {"a": {"type": "string"}}}),
        (
            {"type": "tool_use", "id": "t", "input": {"unit": None, "deep": [{"x": None}]}, "caller": None},
            {"type": "tool_use", "id": "t", "input": {"unit": None, "deep": [{"x": None}]}},
        ),
        (
            {"type": "tool_search_call", "arguments": {"q": None}, "status": None},
            {"type": "tool_search_call", "arguments": {"q": None}},
        ),
        (
            {"type": "function_call", "arguments": "{}", "status": None},
            {"type": "function_call", "arguments": "{}"},
        ),
        ({"type": "object", "input": {"a": None}}, {"type": "object", "input": {}}),
        (
            {"type": "code_interpreter_call", "code": None, "outputs": None, "status": None},
            {"type": "code_interpreter_call", "code": None, "outputs": None},
        ),
        (
            {"type": "reasoning", "summary": [], "content": None, "encrypted_content": None},
            {"type": "reasoning", "summary": []},
        ),
        ({"type": ["string", "null"], "title": None}, {"type": ["string", "null"]}),
    ],
)
def test_a_field_that_is_none_is_left_out_unless_null_is_its_value(value: Any, expected: Any) -> None:
    assert convert(value) == expected
    assert convert(value, keep_nulls=True) == value


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        (
            structure({"role": "assistant", "content": "x", "audio": None}, Message),
            {"role": "assistant", "content": "x"},
        ),
        (
            structure({"type": "reasoning", "summary": [], "status": None}, OutputItem),
            {"type": "reasoning", "summary": []},
        ),
    ],
)
def test_a_result_is_sent_back_without_nulls_that_arrived(model: Model, expected: dict[str, Any]) -> None:
    assert convert([model]) == [expected]


def test_the_value_of_the_caller_stays_unchanged() -> None:
    value = {"a": None, "b": [{"c": None}]}
    convert(value)
    assert value == {"a": None, "b": [{"c": None}]}


UNWRITABLE = [
    (b"\x89PNG", "of type bytes", "base64"),
    (bytearray(b"a"), "of type bytearray", "base64"),
    (memoryview(b"a"), "of type memoryview", "base64"),
    (math.nan, "nan", "finite"),
    (-math.inf, "-inf", "finite"),
    (Number("nan"), "nan", "finite"),
    (Decimal("0.1"), "of type Decimal", "a float or text"),
    (Fraction(1, 2), "of type Fraction", "a number"),
    (1j, "of type complex", "a number"),
    ({1}, "of type set", "a list"),
    (frozenset(), "of type frozenset", "a list"),
    ({}.values(), "of type dict_values", "a list"),
    (datetime(2026, 1, 1, tzinfo=UTC), "of type datetime", "isoformat"),
    (date(2026, 1, 1), "of type date", "isoformat"),
    (time(1), "of type time", "isoformat"),
    (timedelta(1), "of type timedelta", "a number"),
    (UUID(int=1), "of type UUID", "give text"),
    (Path("secret"), "Path", "give text"),
    (object(), "of type object", "give text"),
    (Part, "of type type", "give text"),
    (lambda: "secret", "of type function", "give text"),
    (ValueError("secret"), "of type ValueError", "give text"),
    (Dumped(ValueError("secret")), "of type Dumped", "model_dump() failed with ValueError"),
    (Dumped({"a": math.nan}), "nan", "finite"),
    ({b"secret": 1}, "a name of type bytes", "text"),
    ({None: 1}, "a name of type NoneType", "text"),
    ({1.5: 1}, "a name of type float", "text"),
    ({True: 1}, "a name of type bool", "text"),
    ({(1, 2): 1}, "a name of type tuple", "text"),
]


@pytest.mark.parametrize(("value", "kind", "advice"), UNWRITABLE)
@pytest.mark.parametrize("keep_nulls", [False, True])
def test_a_value_without_a_json_form_is_refused_with_its_path(
    value: Any, kind: str, advice: str, *, keep_nulls: bool
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        convert([{"role": "user"}, {"content": ({"image_url": value},)}], keep_nulls=keep_nulls)
    text = str(caught.value)
    assert text.startswith("messages[1].content[0].image_url")
    assert kind in text
    assert advice in text
    assert "secret" not in text.replace("[b'secret']", "")
    assert caught.value.__context__ is None


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({"a": [{"b": math.nan}]}, "messages.a[0].b "),
        ({"two words": math.nan}, "messages['two words'] "),
        ({"x" * 999: math.nan}, "messages['xxx"),
        ({7: math.nan}, "messages[7] "),
        ([Turn("user", [Part("text", b"x")])], "messages[0].content[0].text "),  # type: ignore[arg-type]  # the mistake
        ([Message(content=math.nan)], "messages[0].content "),  # type: ignore[arg-type]  # the mistake
        ([Dumped([{"a": {1}}])], "messages[0][0].a "),
        (math.nan, "messages "),
    ],
)
def test_the_path_leads_to_the_value(value: Any, path: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        convert(value)
    assert str(caught.value).startswith(path)
    assert len(str(caught.value)) < 300


def test_the_path_in_a_whole_body_begins_with_a_field() -> None:
    with pytest.raises(ConfigurationError, match=r"^body\.seed is nan"):
        to_request_json("", {"body": {"seed": math.nan}})
    with pytest.raises(ConfigurationError, match=r"^The value is nan"):
        to_request_json("", math.nan)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": None, "b": [None]}, {"a": None, "b": [None]}),
        (Part("text", "Hi"), {"type": "text", "text": "Hi", "cache": None}),
        ({1}, [1]),
        (frozenset({Unit.C}), ["celsius"]),
        (datetime(2026, 1, 1, tzinfo=UTC), "2026-01-01T00:00:00Z"),
        ([date(2026, 1, 1), time(1), timedelta(1)], ["2026-01-01", "01:00:00", "P1D"]),
        ({"price": Decimal("0.10"), "id": UUID(int=1)}, {"price": "0.10", "id": str(UUID(int=1))}),
    ],
)
def test_the_result_of_a_tool_may_hold_more(value: Any, expected: Any) -> None:
    assert to_result_json("result", value) == expected


@pytest.mark.parametrize("value", [math.nan, b"a", 1j, object(), {math.inf}, [Dumped(b"a")]])
def test_the_result_of_a_tool_must_have_a_json_form(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^result\.a.* is "):
        to_result_json("result", {"a": value})


def endless_list() -> Any:
    value: list[Any] = []
    value.append(value)
    return value


def endless_dict() -> Any:
    value: dict[str, Any] = {}
    value["a"] = [{"b": value}]
    return value


def endless_turn() -> Any:
    turn = Turn("user", [])
    turn.content.append(turn)  # type: ignore[arg-type]  # the mistake
    return turn


def endless_message() -> Any:
    message = Message()
    message.tool_calls = [message]  # type: ignore[list-item]  # the mistake
    return message


def nested(levels: int) -> Any:
    value: Any = "a"
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [endless_list(), endless_dict(), endless_turn(), endless_message(), nested(100_000)], ids=lambda _: "x"
)
def test_a_value_that_contains_itself_is_refused(value: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"^metadata.* contains itself or is nested too deeply") as caught:
        to_request_json("metadata", {"a": value})
    assert len(str(caught.value)) < 300


def test_a_value_that_occurs_twice_is_written_twice() -> None:
    shared = {"a": [1]}
    assert convert([shared, shared]) == [shared, shared]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text().map("x".__add__), inner),
)
"""No field has the name of one where null is a value."""


def without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


@given(JSON_VALUES)
def test_json_values_stay_and_only_fields_that_are_none_go(value: Any) -> None:
    assert convert(value, keep_nulls=True) == value
    assert convert(value) == without_nulls(value)


@given(st.recursive(JSON_VALUES | st.sampled_from([case[0] for case in UNWRITABLE]), lambda inner: st.lists(inner)))
def test_any_value_is_converted_or_refused(value: Any) -> None:
    try:
        converted = convert(value)
    except ConfigurationError:
        return
    assert json.loads(encode_jsonable(converted)) == converted
