"""Requests of the messages and the responses API: bodies as the reference has them, invalid parameters refused."""

import json
from typing import Any

import attrs
import pytest

from gradient_async import ConfigurationError, MessageReply, ResponseReply, Timeouts
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.http.reply_bodies import read_message, read_response
from gradient_async._protocol.requests.messages_and_responses import build_message_request, build_response_request
from tests.support import event_streams
from tests.support.event_streams import encode_stream
from tests.support.rich_streams import ENDING, MESSAGE_STREAMS, OUTPUT, PIECES, WHOLE_MESSAGES

HI = {"role": "user", "content": "Hi"}


def message_body(**params: Any) -> Any:
    request = build_message_request(
        {"model": "m", "max_tokens": 9, "messages": [HI], **params}, stream=False, timeouts=Timeouts()
    )
    assert request.path == "/v1/messages"
    return json.loads(request.body or b"")


def response_body(**params: Any) -> Any:
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
        ({"metadata": {"user_id": object()}}, r"metadata\.user_id is of type object, which JSON cannot carry"),
        ({"messages": [HI, {"role": "user", "content": [{"data": b"x"}]}]}, r"messages\[1\]\.content\[0\]\.data is of"),
        ({"system": [{"text": float("inf")}]}, r"system\[0\]\.text is inf"),
        ({"extra_headers": {"Authorization": "x"}}, "extra_headers cannot set Authorization"),
    ],
)
def test_an_invalid_message_parameter_is_refused(params: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        message_body(**params)


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
        ({"input": [HI, {"content": {1, 2}}]}, r"input\[1\]\.content is of type set"),
        ({"text": {"format": {"schema": object()}}}, r"text\.format\.schema is of type object"),
    ],
)
def test_an_invalid_response_parameter_is_refused(params: dict[str, Any], problem: str) -> None:
    with pytest.raises(ConfigurationError, match=problem):
        response_body(**params)


def test_unset_parameters_are_left_out_and_unknown_ones_kept() -> None:
    params = {"temperature": None, "new_field": None, "extra_body": {"max_tokens": None}, "stop_sequences": ("a",)}
    body = {"model": "m", "messages": [HI], "new_field": None, "max_tokens": None, "stop_sequences": ["a"]}
    assert message_body(**params) == body
    assert response_body(stop=iter("ab"), user=None) == {"model": "m", "input": "Hi", "stop": ["a", "b"]}


@attrs.define
class Turn:
    role: str
    content: str
    name: str | None = None


def test_objects_may_be_messages_and_items() -> None:
    assert message_body(messages=[Turn("user", "Hi")])["messages"] == [HI]
    assert response_body(input=[Turn("user", "Hi")])["input"] == [HI]


def test_nulls_inside_documented_parameters_are_left_out() -> None:
    block = {"type": "text", "text": "Hi", "cache_control": None}
    tool = {"name": "f", "input_schema": {"type": "object"}, "strict": None}
    sent = message_body(messages=[{"role": "user", "content": [block]}], tools=[tool], metadata={"user_id": None})
    assert sent["messages"] == [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]
    assert (sent["tools"], sent["metadata"]) == ([{"name": "f", "input_schema": {"type": "object"}}], {})
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}", "status": None}
    assert response_body(input=[HI, item], unknown={"a": None}) == {
        "model": "m",
        "input": [HI, {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}],
        "unknown": {"a": None},
    }


def test_stream_options_are_sent_with_a_stream_only() -> None:
    params = {"model": "m", "input": "Hi", "stream_options": {"include_usage": True}}
    stream = build_response_request(params, stream=True, timeouts=Timeouts())
    assert json.loads(stream.body or b"")["stream_options"] == {"include_usage": True}
    assert response_body(stream_options={"include_usage": True}) == {"model": "m", "input": "Hi"}


def test_iterable_parameters_become_lists() -> None:
    assert message_body(messages=iter([HI]), tools=iter([{"name": "f", "input_schema": {}}]))["messages"] == [HI]
    assert response_body(input=(HI,))["input"] == [HI]


def test_a_result_can_be_sent_back() -> None:
    blocks = [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello"}]
    reply = structure({"id": "x", "content": blocks, "usage": {"input_tokens": 1}}, MessageReply)
    assert message_body(messages=[HI, reply, HI])["messages"] == [HI, {"role": "assistant", "content": blocks}, HI]
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}
    output = structure({"output": [item]}, ResponseReply).output
    returned = {"type": "function_call_output", "call_id": "c", "output": "1"}
    assert response_body(input=[HI, *output, returned])["input"] == [HI, item, returned]


@pytest.mark.parametrize("name", MESSAGE_STREAMS)
def test_every_block_of_a_message_can_be_sent_back_as_it_came(name: str) -> None:
    whole = json.loads(json.dumps(WHOLE_MESSAGES[name]), object_hook=without_nulls)
    blocks = [{field: value for field, value in block.items() if field != "partial_json"} for block in whole["content"]]
    streamed = event_streams.read_message(encode_stream(MESSAGE_STREAMS[name])).accumulator.snapshot()
    created = read_message(json.dumps(WHOLE_MESSAGES[name]).encode())
    for reply in (streamed, created):
        assert message_body(messages=[HI, reply, HI])["messages"][1] == {"role": "assistant", "content": blocks}
    stored = json.loads(streamed.to_json())
    assert message_body(messages=[HI, {"role": "assistant", "content": stored["content"]}])["messages"][1] == {
        "role": "assistant",
        "content": whole["content"],
    }


def test_every_item_of_a_response_can_be_sent_back_as_it_came() -> None:
    streamed = event_streams.read_response(encode_stream(PIECES + ENDING)).accumulator.snapshot()
    partial = event_streams.read_response(encode_stream(PIECES + ENDING[:1])).accumulator.snapshot()
    created = read_response(json.dumps({"output": OUTPUT}).encode())
    items = json.loads(json.dumps(OUTPUT), object_hook=without_nulls)
    for response in (streamed, partial, created):
        assert response_body(input=[HI, *response.output])["input"] == [HI, *items]
        assert response_body(input=[HI, *response.to_dict()["output"]])["input"] == [HI, *items]
        assert response_body(input=json.loads(response.to_json())["output"])["input"] == items


def without_nulls(value: dict[str, Any]) -> dict[str, Any]:
    return {name: item for name, item in value.items() if item is not None}


def weather(city: str) -> str:
    """Tell the weather."""
    return city


def test_a_function_becomes_a_tool_in_the_form_of_each_api() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
    kept = {"name": "other", "type": "custom"}
    described, unchanged = message_body(tools=(weather, kept))["tools"]
    assert (described["name"], described["description"], unchanged) == ("weather", "Tell the weather.", kept)
    assert described["input_schema"].items() >= schema.items()
    assert described.keys() == {"name", "description", "input_schema"}
    (described,) = response_body(tools=[weather])["tools"]
    assert (described["type"], described["name"]) == ("function", "weather")
    assert described["parameters"].items() >= schema.items()


def test_a_stream_is_requested_in_the_body() -> None:
    request = build_response_request({"model": "m", "input": "Hi"}, stream=True, timeouts=Timeouts())
    assert json.loads(request.body or b"")["stream"] is True
    assert request.stream
