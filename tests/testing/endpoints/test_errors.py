"""How requests are refused: keys, paths, methods and malformed bodies."""

from __future__ import annotations

import json

import pytest

from gradient_async.testing import Emulator

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
async def test_a_request_within_the_documents_is_accepted(client, fields):
    answer = await client.send(OK | fields)
    assert (answer.status, answer.json.get("message")) == (200, None)


@pytest.mark.parametrize(("fields", "message"), REFUSED, ids=lambda value: str(value)[:60])
async def test_a_request_outside_the_documents_is_refused_with_its_fault(client, fields, message):
    answer = await client.send(OK | fields)
    assert answer.status == 400
    assert answer.json["id"] == "bad_request"
    assert message in answer.json["message"]


@pytest.mark.parametrize("missing", ["model", "messages"])
async def test_a_missing_field_is_named(client, missing):
    answer = await client.send({name: value for name, value in OK.items() if name != missing})
    assert (answer.status, answer.json["message"]) == (400, f"{missing} is required.")


@pytest.mark.parametrize("body", [b"{", b"", b"\xff", b'{"n": NaN}', b"[" * 100_000], ids=len)
async def test_a_body_that_is_not_json_is_refused(client, body):
    answer = await client.send(body)
    assert (answer.status, answer.json["message"]) == (400, "The body is not valid JSON.")


async def test_a_body_that_is_no_object_is_refused(client):
    assert (await client.send([1])).json["message"] == "The body must be an object, got array."


async def test_an_error_carries_the_request_id_of_its_header(client):
    answer = await client.send(b"{")
    assert answer.json["request_id"] == answer.headers["x-request-id"]


@pytest.mark.parametrize("header", [None, "", "Bearer ", "Basic key", "key"])
async def test_a_request_without_a_bearer_is_unauthorized(client, header):
    answer = await client.send(headers={} if header is None else {"Authorization": header})
    assert answer.status == 401
    assert answer.json["id"] == "unauthorized"
    assert answer.json["message"] == "Unable to authenticate you."


@pytest.mark.parametrize(("path", "status"), [("/v1/messages", 200), ("/v1/chat/completions", 401)])
async def test_messages_take_the_key_where_anthropics_clients_put_it(client, path, status):
    body = json.dumps({**OK, "max_tokens": 9}).encode()
    answer = await client.send(body, path=path, headers={"x-api-key": "key", "anthropic-version": "2023-06-01"})
    assert answer.status == status


AGENT = "/api/v1/chat/completions?agent=true"


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/v1/chat/completions", "inference", 200),
        ("/v1/chat/completions", "agent", 401),
        ("/v1/chat/completions", "other", 401),
        (AGENT, "agent", 200),
        (AGENT, "inference", 401),
    ],
)
async def test_the_two_keys_are_not_interchangeable(client_of, path, key, status):
    async with Emulator(api_key="inference", agent_key="agent") as gradient:
        answer = await client_of(gradient).send(path=path, headers={"Authorization": f"Bearer {key}"})
    assert answer.status == status


async def test_without_an_api_key_any_bearer_but_the_agents_is_taken(client_of):
    async with Emulator(agent_key="agent") as gradient:
        client = client_of(gradient)
        statuses = [(await client.send(headers={"Authorization": f"Bearer {k}"})).status for k in ("x", "agent")]
    assert statuses == [200, 401]


async def test_an_unknown_path_is_not_found(client):
    answer = await client.send(path="/v1/nothing")
    assert (answer.status, answer.json["id"]) == (404, "not_found")


async def test_another_method_is_not_allowed(client):
    answer = await client.send(path="/v1/chat/completions", method="GET")
    assert (answer.status, answer.headers["Allow"]) == (405, "POST")


async def test_a_strict_emulator_refuses_unknown_models(client_of):
    async with Emulator(models=("known",), strict_models=True) as gradient:
        client = client_of(gradient)
        statuses = [(await client.send(OK | {"model": model})).status for model in ("known", "unknown")]
    assert statuses == [200, 404]


async def test_an_error_answers_a_streaming_request_as_plain_json(client):
    answer = await client.send(OK | {"stream": True, "n": 0})
    assert answer.headers["Content-Type"] == "application/json"
    assert json.loads(answer.body)["id"] == "bad_request"
