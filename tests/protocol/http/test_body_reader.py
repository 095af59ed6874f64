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
