"""Bodies of messages and of responses that are not streams."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import APIStatusError, BadRequestError, InternalServerError, RateLimitError
from gradient_async._protocol.http.reply_bodies import read_message, read_response

Value = dict[str, Any]

MESSAGE: Value = {
    "id": "m",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [{"type": "text", "text": "Good day", "citations": None}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "cache_creation": {"ephemeral_5m_input_tokens": 1}, "service_tier": "standard"},
    "container": {"id": "c"},
}
RESPONSE: Value = {
    "id": "r",
    "object": "response",
    "created": 1,
    "created_at": 1.5,
    "model": "m",
    "status": "completed",
    "incomplete_details": None,
    "error": None,
    "usage": {"input_tokens": 1, "input_tokens_details": {"cached_tokens": 1}, "total_tokens": 2},
    "output": [
        {"type": "reasoning", "id": "rs", "summary": [], "status": None},
        {
            "type": "message",
            "id": "m",
            "status": "completed",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "Good day", "annotations": []}],
        },
    ],
}
ODD = [None, True, False, 1, 2.5, -1, "x", "7", "", [], [None], {}, {"a": 1}, 10**30]
INFORMING = [
    *[(read_message, MESSAGE, path) for path in ("id", "role", "model", "stop_reason", "stop_sequence", "usage", "container")],
    *[(read_message, MESSAGE, f"usage.{name}") for name in ("input_tokens", "cache_creation", "service_tier")],
    *[(read_message, MESSAGE, f"content.0.{name}") for name in ("citations", "id", "input", "signature")],
    *[(read_response, RESPONSE, path) for path in ("id", "object", "created", "created_at", "model", "incomplete_details")],
    *[(read_response, RESPONSE, path) for path in ("usage", "usage.input_tokens", "usage.input_tokens_details", "status")],
    *[(read_response, RESPONSE, f"output.0.{name}") for name in ("id", "summary", "content", "status", "arguments")],
    *[(read_response, RESPONSE, f"output.1.{name}") for name in ("id", "status", "role", "summary", "name", "call_id")],
    *[(read_response, RESPONSE, f"output.1.content.0.{name}") for name in ("annotations", "refusal", "logprobs")],
]  # fmt: skip


@pytest.mark.parametrize(("read", "value", "path"), INFORMING)
@pytest.mark.parametrize("odd", ODD, ids=repr)
def test_an_odd_value_in_a_field_that_informs_does_not_cost_the_answer(
    read: Callable[[bytes], Any], value: Value, path: str, odd: object
) -> None:
    value = json.loads(json.dumps(value))
    place: Any = value
    *steps, last = (int(step) if step.isdigit() else step for step in path.split("."))
    for step in steps:
        place = place[step]
    place[last] = odd
    result = read(json.dumps(value).encode())
    assert result.text == "Good day"
    assert result.raw == value
    assert json.loads(result.to_json())


@pytest.mark.parametrize(
    ("block", "tool_input"),
    [
        ({"type": "tool_use"}, {}),
        ({"type": "tool_use", "input": ""}, {}),
        ({"type": "server_tool_use", "input": []}, {}),
        ({"type": "mcp_tool_use", "input": '{"q": 1}'}, {"q": 1}),
        ({"type": "tool_use", "input": {"q": 1}}, {"q": 1}),
        ({"type": "text", "text": "x"}, None),
    ],
)
def test_only_the_call_of_a_tool_has_an_input(block: Value, tool_input: Value | None) -> None:
    (found,) = read_message(json.dumps({"content": [block]}).encode()).content
    assert found.input == found.to_dict().get("input") == tool_input


def test_a_message_whose_content_is_text_has_one_block() -> None:
    message = read_message(b'{"content": "Hi", "stop_reason": "end_turn"}')
    assert (message.text, [block.to_dict() for block in message.content]) == ("Hi", [{"type": "text", "text": "Hi"}])


@pytest.mark.parametrize(
    ("read", "value", "kind", "code"),
    [
        (read_message, MESSAGE | {"stop_reason": "error"}, InternalServerError, None),
        (read_message, MESSAGE | {"error": {"type": "rate_limit_error"}}, RateLimitError, "rate_limit_error"),
        (read_message, {"type": "error", "error": {"type": "overloaded_error"}}, InternalServerError, "overloaded_error"),
        (read_response, RESPONSE | {"status": "failed"}, InternalServerError, None),
        (read_response, RESPONSE | {"status": "failed", "error": "boom"}, InternalServerError, None),
        (read_response, RESPONSE | {"status": "failed", "error": {"code": "context_length_exceeded"}}, BadRequestError, "context_length_exceeded"),
        (read_response, {"object": "error", "type": "BadRequestError", "code": 400, "message": "m"}, BadRequestError, "BadRequestError"),
    ],
)  # fmt: skip
def test_a_failure_is_raised_with_the_result_beside_it(
    read: Callable[[bytes], Any], value: Value, kind: type[APIStatusError], code: str | None
) -> None:
    with pytest.raises(APIStatusError) as caught:
        read(json.dumps(value).encode())
    assert (type(caught.value), caught.value.code) == (kind, code)
    assert (caught.value.snapshot.text if caught.value.snapshot else None) == ("Good day" if "id" in value else None)


def test_an_incomplete_response_is_a_result() -> None:
    value = RESPONSE | {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}
    assert read_response(json.dumps(value).encode()).text == "Good day"
