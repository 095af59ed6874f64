"""Chat requests: valid parameters become a JSON body, invalid ones are refused before anything is sent."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal

import attrs
import pydantic
import pytest
from openai.types.chat import ChatCompletionMessage as OpenAIMessage

from gradient_async import ConfigurationError, Message, Timeouts
from gradient_async._protocol.requests.chat import CHAT_PATH, build_chat_request
from gradient_async._protocol.requests.request import Request

USER = {"role": "user", "content": "Hi"}


def build(*, stream: bool = False, **params: Any) -> Request:
    params = {"model": "m", "messages": [USER], **params}
    return build_chat_request(CHAT_PATH, params, stream=stream, timeouts=Timeouts())


def body(**params: Any) -> Any:
    content = build(**params).body
    assert content is not None
    return json.loads(content)


def test_an_unset_parameter_is_left_out() -> None:
    assert body(temperature=None, stop=None, tools=None, user=None) == {"model": "m", "messages": [USER]}


def test_every_parameter_goes_into_the_body() -> None:
    params = {
        "frequency_penalty": 0.5, "logit_bias": {"1": 2}, "logprobs": True, "max_completion_tokens": 256,
        "max_tokens": 5, "metadata": {"a": "b"}, "n": 2, "presence_penalty": -1, "reasoning_effort": "low", "seed": 7,
        "stop": ["a"], "temperature": 0, "tool_choice": "auto",
        "tools": [{"type": "function", "function": {"name": "f"}}], "top_logprobs": 3, "top_p": 0.5, "user": "u",
        "response_format": {"type": "json_object"},
    }  # fmt: skip
    assert body(**params) == {"model": "m", "messages": [USER], **params}


def test_unknown_keywords_and_extra_body_stay_untouched() -> None:
    got = body(new_field=None, other=[1], extra_body={"temperature": None, "deep": {"x": None}})
    assert got == {
        "model": "m",
        "messages": [USER],
        "new_field": None,
        "other": [1],
        "temperature": None,
        "deep": {"x": None},
    }


@attrs.define
class Turn:
    role: str
    content: Any
    name: str | None = None


@pytest.mark.parametrize(
    "message",
    [
        Message(content="Hello"),
        Turn("assistant", "Hello"),
        MappingProxyType({"role": "assistant", "content": "Hello"}),
        {"role": "assistant", "content": "Hello", "tool_calls": None, "audio": None},
    ],
)
def test_messages_may_be_objects_and_any_iterable(message: Any) -> None:
    assert body(messages=iter([USER, message]))["messages"] == [USER, {"role": "assistant", "content": "Hello"}]


class PydanticMessage(pydantic.BaseModel):
    role: Literal["user", "assistant"] = "user"
    content: str
    sent_at: datetime | None = None
    tool_call_id: str | None = pydantic.Field(default=None, alias="toolCallId", serialization_alias="tool_call_id")


OPENAI_MESSAGE = OpenAIMessage.model_validate(
    {
        "role": "assistant",
        "content": None,
        "annotations": [],
        "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
    }
)
SENT_MESSAGE = {
    "role": "assistant",
    "content": None,
    "annotations": [],
    "tool_calls": [{"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
}


@pytest.mark.parametrize(
    ("message", "sent"),
    [
        (PydanticMessage(content="Hi"), {"role": "user", "content": "Hi"}),
        (PydanticMessage(content="Hi").model_dump(), {"role": "user", "content": "Hi"}),
        (
            PydanticMessage(content="Hi", sent_at=datetime(2026, 1, 1, tzinfo=UTC), toolCallId="c"),
            {"role": "user", "content": "Hi", "sent_at": "2026-01-01T00:00:00Z", "tool_call_id": "c"},
        ),
        (OPENAI_MESSAGE, SENT_MESSAGE),
        (OPENAI_MESSAGE.model_dump(), SENT_MESSAGE),
        (OPENAI_MESSAGE.to_dict(), SENT_MESSAGE),
    ],
)
def test_messages_of_pydantic_and_openai_are_sent_without_nulls(message: Any, sent: dict[str, Any]) -> None:
    assert body(messages=[USER, message])["messages"] == [USER, sent]


@pytest.mark.parametrize(
    "given",
    [
        {"messages": [USER, {"role": "assistant", "content": [{"type": "text", "text": "a", "cache_control": None}]}]},
        {"tools": [{"type": "function", "function": {"name": "f", "strict": None, "parameters": {"default": None}}}]},
        {"response_format": {"type": "json_schema", "json_schema": {"name": "n", "strict": None, "schema": {}}}},
        {"tool_choice": {"type": "function", "function": {"name": "f", "x": None}}},
        {"metadata": {"a": None, "b": "c"}},
        {"logit_bias": {1: None, 2: 3}},
        {"reasoning": {"effort": None, "max_tokens": 5}},
    ],
)
def test_no_null_is_sent_inside_a_documented_parameter(given: dict[str, Any]) -> None:
    request = build(**given)
    assert request.body is not None
    assert b"null" not in request.body


def test_null_content_of_an_assistant_is_sent() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    assert body(messages=[USER, message])["messages"] == [USER, message]


def test_stream_options_are_sent_with_a_stream_only() -> None:
    options = {"include_usage": True}
    stream = build(stream=True, stream_options=options)
    assert json.loads(stream.body or b"")["stream_options"] == options
    assert "stream_options" not in body(stream_options=options)
    assert body(extra_body={"stream_options": options})["stream_options"] == options


UNWRITABLE = [b"a", math.nan, Decimal(1), {1}, datetime.now(UTC), object()]


@pytest.mark.parametrize("value", UNWRITABLE)
@pytest.mark.parametrize(
    ("build_params", "path"),
    [
        (lambda value: {"messages": [USER, {"role": "user", "content": value}]}, "messages[1].content is"),
        (lambda value: {"messages": [Turn("user", [{"text": value}])]}, "messages[0].content[0].text is"),
        (lambda value: {"temperature": value}, "temperature is"),
        (lambda value: {"tools": [{"function": {"parameters": value}}]}, "tools[0].function.parameters is"),
        (lambda value: {"stop": ["a", value]}, "stop[1] is"),
        (lambda value: {"new_field": [value]}, "new_field[0] is"),
        (lambda value: {"extra_body": {"deep": {"x": value}}}, "extra_body.deep.x is"),
    ],
)
def test_a_value_without_a_json_form_is_refused_with_its_path(
    value: Any, build_params: Callable[[Any], dict[str, Any]], path: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(**build_params(value))
    assert str(caught.value).startswith(path)


def test_stop_may_be_one_string_or_any_iterable() -> None:
    assert body(stop="a")["stop"] == "a"
    assert body(stop=("a", "b"))["stop"] == ["a", "b"]


def test_a_stream_is_requested_in_the_body() -> None:
    request = build(stream=True)
    assert request.stream
    assert request.body is not None
    assert json.loads(request.body)["stream"] is True


def test_the_repr_of_a_request_hides_body_and_headers() -> None:
    text = repr(build(extra_headers={"X-A": "header-secret"}, user="body-secret"))
    assert "secret" not in text


@pytest.mark.parametrize(
    ("params", "hint"),
    [
        ({"messages": []}, "at least one"),
        ({"messages": "Hi"}, "list of messages"),
        ({"messages": USER}, "list of messages"),
        ({"messages": None}, "list of messages"),
        ({"messages": 3}, "list of messages"),
        ({"messages": ["Hi"]}, r"messages\[0\] must be an object"),
        ({"messages": [USER, {"content": "Hi"}]}, r"messages\[1\] has no role"),
        ({"messages": [{"role": "robot"}]}, "system, developer, user, assistant, tool"),
        ({"model": ""}, "session.models.list"),
        ({"model": None}, "model must name a model"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"extra_body": {"min_p": float("inf")}}, "min_p is inf"),
        ({"user": object()}, "JSON"),
        ({"extra_headers": {"Authorization": "x"}}, "extra_headers cannot set"),
        ({"extra_headers": {"transfer-encoding": "chunked"}}, "extra_headers cannot set"),
        ({"extra_headers": {"Authorization ": "x"}}, "'Authorization ', which cannot be the name"),
        ({"extra_headers": {"X-A: 1\r\nX-B": "x"}}, "cannot be the name"),
        ({"extra_headers": {3: "x"}}, "cannot be the name"),
        ({"extra_headers": {"X-A": 3}}, "value of X-A must be text; got int"),
        ({"extra_headers": [("X-A", "x")]}, "extra_headers must be a dict of names and values; got list"),
        ({"extra_headers": {"X-A": "a\r\nX-B: c"}}, "control character"),
        ({"extra_body": [1]}, "extra_body must be a dict"),
        ({"stop": {"a": 1}}, "stop must be a text or a list of texts"),
    ],
)
def test_an_invalid_parameter_is_refused_with_advice(params: dict[str, Any], hint: str) -> None:
    with pytest.raises(ConfigurationError, match=hint):
        build(**params)
