"""Bodies of successful responses: objects of their class, or the error that they stand for."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import (
    APIStatusError,
    ChatCompletion,
    InternalServerError,
    MessageReply,
    RateLimitError,
    ResponseDecodeError,
    ResponseReply,
)
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.http.reply_bodies import read_message, read_response

Read = Callable[[bytes], Any]
READERS: list[tuple[Read, Any, str]] = [
    (read_completion, ChatCompletion, "choices"),
    (read_message, MessageReply, "content"),
    (read_response, ResponseReply, "output"),
]


@pytest.mark.parametrize(("read", "cls", "required"), READERS)
def test_a_body_is_read_as_its_class(read: Read, cls: Any, required: str) -> None:
    value = {"id": "x", required: []}
    result = read(json.dumps(value).encode())
    assert (type(result), result.id, result.raw) == (cls, "x", value)


@pytest.mark.parametrize(("read", "cls", "required"), READERS)
def test_a_body_without_its_required_field_is_refused_with_the_path(read: Read, cls: Any, required: str) -> None:
    with pytest.raises(ResponseDecodeError, match=f"not a {cls.__name__}: it has no {required}") as caught:
        read(b'{"id": "x"}')
    assert caught.value.path == f"$.{required}"


@pytest.mark.parametrize(("read", "cls", "required"), READERS)
def test_an_error_object_with_a_success_status_is_raised(read: Read, cls: Any, required: str) -> None:
    with pytest.raises(RateLimitError, match="Slow down") as caught:
        read(b'{"error": {"message": "Slow down.", "code": "rate_limit_exceeded"}}')
    assert (caught.value.status, caught.value.code) == (429, "rate_limit_exceeded")


@pytest.mark.parametrize(("read", "cls", "required"), READERS)
@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"1"])
def test_a_body_that_is_not_a_json_object_is_refused(read: Read, cls: Any, required: str, body: bytes) -> None:
    with pytest.raises(ResponseDecodeError):
        read(body)


def test_a_failed_response_is_an_error() -> None:
    with pytest.raises(APIStatusError, match="without a message") as caught:
        read_response(b'{"status": "failed", "output": []}')
    assert type(caught.value) is InternalServerError


PART = {"message": {"role": "assistant", "content": "The answer i"}, "finish_reason": "error"}


@pytest.mark.parametrize(
    ("value", "status", "message"),
    [
        ({"choices": [PART | {"error": {"code": 502, "message": "upstream died"}}]}, 502, "upstream died"),
        ({"choices": [PART], "error": {"code": "429", "message": "upstream died"}}, 429, "upstream died"),
        ({"choices": [PART]}, 500, "finish reason"),
        ({"choices": [{**PART, "finish_reason": "stop"}, PART]}, 500, "finish reason"),
        (
            {"choices": [{**PART, "finish_reason": "stop"}], "type": "error", "message": "upstream died"},
            500,
            "upstream",
        ),
        (
            {"choices": [{**PART, "finish_reason": "stop"}], "object": "error", "message": "upstream died"},
            500,
            "upstream",
        ),
    ],
)
def test_a_failed_choice_is_an_error_with_what_was_generated(value: Any, status: int, message: str) -> None:
    with pytest.raises(APIStatusError, match=message) as caught:
        read_completion(json.dumps({"id": "gen-77", **value}).encode())
    assert (caught.value.status, caught.value.code) == (status, "429" if status == 429 else None)
    assert isinstance(caught.value.snapshot, ChatCompletion)
    assert caught.value.snapshot.text == "The answer i"


@pytest.mark.parametrize("field", ["type", "error"])
def test_a_field_that_may_state_an_error_is_kept_if_it_states_none(field: str) -> None:
    value = {"choices": [{"message": {"content": "Hi"}, "error": None}], field: "chat" if field == "type" else {}}
    completion = read_completion(json.dumps(value).encode())
    assert (completion.text, completion.raw) == ("Hi", value)


@pytest.mark.parametrize("choices", [None, "", {}, False, 0])
@pytest.mark.parametrize("error", [{}, {"error": {"message": "no choices", "code": 503}}])
def test_null_choices_are_an_error(choices: object, error: dict[str, Any]) -> None:
    with pytest.raises(InternalServerError, match="no choices") as caught:
        read_completion(json.dumps({"id": "c", "choices": choices, "usage": None, **error}).encode())
    assert caught.value.snapshot is None


@pytest.mark.parametrize("content", ["error", '"error"', '{"error": 1}'])
def test_an_answer_about_errors_is_an_answer(content: str) -> None:
    value = {"choices": [{"message": {"content": content}, "finish_reason": "stop", "error": None}], "error": {}}
    assert read_completion(json.dumps(value).encode()).text == content


def test_a_list_around_an_error_is_unwrapped() -> None:
    with pytest.raises(RateLimitError, match="used up"):
        read_completion(b'[{"error": {"code": 429, "message": "quota is used up", "status": "RESOURCE_EXHAUSTED"}}]')
