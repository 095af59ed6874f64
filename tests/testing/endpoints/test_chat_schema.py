"""The checks of chat completion requests."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import (
    EmulatorClient,
    NewClient,
)

OK = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
TOOL = {"type": "function", "function": {"name": "f"}}
NAMED = {"type": "function", "function": {"name": "g"}}
ACCEPTED = [
    {},
    {"temperature": None, "n": None, "stream": None, "metadata": None, "stream_options": None},
    {"unknown": {"anything": [1]}},
    {"stop": "x"},
    {"stop": ["a", "b", "c", "d"]},
    {"top_logprobs": 0},
    {"max_tokens": 0},
    {"messages": [{"role": "developer", "content": None}]},
    {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
    {"tools": [{"type": "web_search", "max_uses": 2}]},
    {"tools": [TOOL], "tool_choice": "required"},
    {"reasoning_effort": "max"},
    {"metadata": {f"k{i}": "v" for i in range(16)}},
]
REFUSED = [
    ({"messages": []}, "messages must have at least 1 items, got 0."),
    ({"messages": None}, "messages must be an array, got null."),
    ({"messages": [{"content": "x"}]}, "messages[0].role is required."),
    ({"messages": [{"role": "robot"}]}, "messages[0].role must be one of system, developer, user"),
    ({"messages": [{"role": "user", "content": 5}]}, "messages[0].content must be a string or an array, got"),
    ({"messages": [{"role": "assistant", "tool_calls": None}]}, "tool_calls must be an array, got null."),
    ({"messages": [{"role": "tool", "tool_call_id": None}]}, "tool_call_id must be a string, got null."),
    ({"messages": [{"role": "assistant", "tool_calls": [{"id": "1"}]}]}, "tool_calls[0].type is required."),
    ({"model": None}, "model must be a string, got null."),
    ({"model": ""}, "model must have a length of at least 1, got 0."),
    ({"temperature": 2.1}, "temperature must be between 0 and 2, got 2.1."),
    ({"temperature": "1"}, "temperature must be a number, got string."),
    ({"top_p": -0.1}, "top_p must be between 0 and 1, got -0.1."),
    ({"frequency_penalty": 3}, "frequency_penalty must be between -2 and 2, got 3."),
    ({"presence_penalty": -3}, "presence_penalty must be between -2 and 2, got -3."),
    ({"n": 0}, "n must be between 1 and 128, got 0."),
    ({"n": 129}, "n must be between 1 and 128, got 129."),
    ({"n": True}, "n must be an integer, got boolean."),
    ({"max_tokens": 1.5}, "max_tokens must be an integer, got number."),
    ({"max_completion_tokens": -1}, "max_completion_tokens must be at least 0, got -1."),
    ({"logprobs": True, "top_logprobs": 21}, "top_logprobs must be between 0 and 20, got 21."),
    ({"top_logprobs": 2}, "top_logprobs needs logprobs to be true."),
    ({"stop": None}, "stop must be a string or an array, got null."),
    ({"stop": list("abcde")}, "stop must have between 1 and 4 items, got 5."),
    ({"stream": "yes"}, "stream must be a boolean, got string."),
    ({"stream_options": {"include_usage": True}}, "stream_options is only allowed when stream is true."),
    ({"stream": False, "stream_options": {}}, "stream_options is only allowed when stream is true."),
    ({"metadata": {str(i): "v" for i in range(17)}}, "metadata must have at most 16 entries, got 17."),
    ({"metadata": {"k" * 65: "v"}}, "must have a length of at most 64, got 65."),
    ({"metadata": {"k": "v" * 513}}, "metadata['k'] must have a length of at most 512, got 513."),
    ({"tools": None}, "tools must be an array, got null."),
    ({"tools": [{"type": "function"}]}, "tools[0].function is required."),
    ({"tools": [{"type": "function", "function": {"name": "a b"}}]}, "tools[0].function.name must match"),
    ({"tool_choice": None}, "tool_choice must be a string or an object, got null."),
    ({"tool_choice": "maybe"}, "tool_choice must be one of none, auto, required, got 'maybe'."),
    ({"tool_choice": "required"}, "tool_choice is 'required', but there are no tools."),
    ({"tools": [TOOL], "tool_choice": NAMED}, "tool_choice names 'g', which is not among the tools."),
    ({"response_format": {"type": "xml"}}, "response_format.type must be one of text, json_object"),
    ({"response_format": {"type": "json_schema", "json_schema": 1}}, "json_schema must be an object, got"),
    ({"user": None}, "user must be a string, got null."),
]


@pytest.mark.parametrize("fields", ACCEPTED, ids=str)
async def test_a_request_within_the_documents_is_accepted(client: EmulatorClient, fields: dict[str, Any]) -> None:
    response = await client.send(OK | fields)
    assert (response.status, response.json.get("message")) == (200, None)


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=lambda value: str(value)[:60])
async def test_a_request_outside_the_documents_is_refused_with_its_problem(
    client: EmulatorClient, fields: dict[str, Any], message: str
) -> None:
    response = await client.send(OK | fields)
    assert response.status == 400
    assert response.json["id"] == "bad_request"
    assert message in response.json["message"]


@pytest.mark.parametrize("missing", ["model", "messages"])
async def test_a_missing_field_is_named(client: EmulatorClient, missing: str) -> None:
    response = await client.send({name: value for name, value in OK.items() if name != missing})
    assert (response.status, response.json["message"]) == (400, f"{missing} is required.")


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b'{"n": NaN}', b"[" * 100_000], ids=len)
async def test_a_body_that_is_not_json_is_refused(client: EmulatorClient, body: Any) -> None:
    response = await client.send(body)
    assert (response.status, response.json["message"]) == (400, "The body is not valid JSON.")


async def test_a_body_that_is_not_an_object_is_refused(client: EmulatorClient) -> None:
    assert (await client.send([1])).json["message"] == "The body must be an object, got array."


async def test_a_strict_emulator_refuses_unknown_models(new_client: NewClient) -> None:
    async with Emulator(models=("known",), strict_models=True) as gradient:
        client = new_client(gradient)
        statuses = [(await client.send(OK | {"model": model})).status for model in ("known", "unknown")]
    assert statuses == [200, 404]


async def test_an_error_of_a_streaming_request_is_plain_json(client: EmulatorClient) -> None:
    response = await client.send(OK | {"stream": True, "n": 0})
    assert response.headers["Content-Type"] == "application/json"
    assert json.loads(response.body)["id"] == "bad_request"
