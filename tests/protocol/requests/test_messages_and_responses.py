"""Requests for messages and responses: refused before anything is sent, and written as the reference has them."""

import json
from typing import Any

import pytest

from gradient_async import ConfigurationError, MessageReply, ResponseReply, Timeouts
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.requests.messages_and_responses import build_message_request, build_response_request

HI = {"role": "user", "content": "Hi"}


def message(**params: Any) -> Any:
    request = build_message_request(
        {"model": "m", "max_tokens": 9, "messages": [HI], **params}, stream=False, timeouts=Timeouts()
    )
    assert request.path == "/v1/messages"
    return json.loads(request.body or b"")


def response(**params: Any) -> Any:
    request = build_response_request({"model": "m", "input": "Hi", **params}, stream=False, timeouts=Timeouts())
    assert request.path == "/v1/responses"
    return json.loads(request.body or b"")


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"messages": []}, "messages is empty"),
        ({"messages": None}, "messages must be a list"),
        ({"messages": "Hi"}, "messages must be a list"),
        ({"messages": ["Hi"]}, r"messages\[0\] must be an object"),
        ({"messages": [HI, {"role": "system", "content": "x"}]}, r"messages\[1\] has the role 'system'.*system="),
        ({"messages": [{"role": "user"}]}, r"messages\[0\] has no content"),
        ({"model": ""}, "model must name a model"),
        ({"max_tokens": None}, "max_tokens must be a whole number"),
        ({"max_tokens": 0}, "max_tokens must be a whole number"),
        ({"max_tokens": True}, "max_tokens must be a whole number"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"stream": True}, r"use \.stream"),
        ({"tools": {"name": "f"}}, "tools must be a list"),
        ({"metadata": {"user_id": object()}}, "cannot be written as JSON"),
        ({"extra_headers": {"Authorization": "x"}}, "extra_headers cannot set Authorization"),
    ],
)
def test_a_message_that_cannot_be_meant_is_refused(params: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        message(**params)


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"input": None}, "input must be a list, as 'Hello' or"),
        ({"input": ""}, "input is empty"),
        ({"input": []}, "input is empty"),
        ({"input": HI}, "input must be a list"),
        ({"input": ["Hi"]}, r"input\[0\] must be a message or another item"),
        ({"model": None}, "model must name a model"),
        ({"stream": False}, r"use \.stream"),
        ({"top_p": float("inf")}, "top_p is inf"),
    ],
)
def test_a_response_that_cannot_be_meant_is_refused(params: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        response(**params)


def test_what_is_unset_is_left_out_and_what_is_unknown_goes_along() -> None:
    params = {"temperature": None, "new_field": None, "extra_body": {"max_tokens": None}, "stop_sequences": ("a",)}
    body = {"model": "m", "messages": [HI], "new_field": None, "max_tokens": None, "stop_sequences": ["a"]}
    assert message(**params) == body
    assert response(stop=iter("ab"), user=None) == {"model": "m", "input": "Hi", "stop": ["a", "b"]}


def test_iterables_become_lists() -> None:
    assert message(messages=iter([HI]), tools=iter([{"name": "f", "input_schema": {}}]))["messages"] == [HI]
    assert response(input=(HI,))["input"] == [HI]


def test_an_answer_can_be_sent_back() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello"}]
    reply = structure({"id": "x", "content": blocks, "usage": {"input_tokens": 1}}, MessageReply)
    assert message(messages=[HI, reply, HI])["messages"] == [HI, {"role": "assistant", "content": blocks}, HI]
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = structure({"output": [item]}, ResponseReply).output
    returned = {"type": "function_call_output", "call_id": "c", "output": "1"}
    assert response(input=[HI, *output, returned])["input"] == [HI, item, returned]


def weather(city: str) -> str:
    """Tell the weather."""
    return city


def test_a_function_is_a_tool_in_the_shape_of_each_api() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    kept = {"name": "other", "type": "custom"}
    told, same = message(tools=(weather, kept))["tools"]
    assert (told["name"], told["description"], same) == ("weather", "Tell the weather.", kept)
    assert told["input_schema"].items() >= schema.items()
    assert told.keys() == {"name", "description", "input_schema"}
    (told,) = response(tools=[weather])["tools"]
    assert (told["type"], told["name"]) == ("function", "weather")
    assert told["parameters"].items() >= schema.items()


def test_a_stream_is_asked_for_in_the_body() -> None:
    request = build_response_request({"model": "m", "input": "Hi"}, stream=True, timeouts=Timeouts())
    assert json.loads(request.body or b"")["stream"] is True
    assert request.stream
