"""Error bodies of every shape become the error class of their status."""

import pytest

from gradient_async import (
    APIStatusError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    PreconditionFailedError,
    RateLimitError,
    UnprocessableEntityError,
)
from gradient_async._protocol.http.error_body import build_status_error

NOW = 1_700_000_000.0

CLASSES = [
    (400, BadRequestError), (401, AuthenticationError), (402, PaymentRequiredError), (403, PermissionDeniedError),
    (404, NotFoundError), (409, ConflictError), (412, PreconditionFailedError), (422, UnprocessableEntityError),
    (429, RateLimitError), (500, InternalServerError), (502, InternalServerError), (529, InternalServerError),
    (418, APIStatusError),
]  # fmt: skip


@pytest.mark.parametrize(("status", "kind"), CLASSES)
def test_each_status_has_its_error_class(status: int, kind: type[APIStatusError]) -> None:
    error = build_status_error(status, {}, b'{"id": "x", "message": "m", "request_id": "r"}', now=NOW)
    assert type(error) is kind
    assert (error.status, error.code, error.message, error.request_id) == (status, "x", "m", "r")
    assert str(status) in str(error)
    assert "r" in str(error)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"id": "forbidden", "message": "No."}', "forbidden", "No."),
        (b'{"error": {"message": "No.", "type": "t", "code": "c"}}', "c", "No."),
        (b'{"error": {"message": "No.", "type": "t", "code": null}}', "t", "No."),
        (b'{"type": "error", "error": {"type": "overloaded_error", "message": "No."}}', "overloaded_error", "No."),
        (b'{"error": "No."}', None, "No."),
        (b'{"detail": "No."}', None, "No."),
        (b'{"detail": [{"loc": ["body", "messages"], "msg": "required", "input": "PROMPT"}]}', None,
         "body.messages: required"),
        (b'{"message": "No."}', None, "No."),
    ],
)  # fmt: skip
def test_every_shape_of_error_body_gives_code_and_message(body: bytes, code: str | None, message: str) -> None:
    error = build_status_error(400, {}, body, now=NOW)
    assert (error.code, error.message) == (code, message)


@pytest.mark.parametrize(
    ("body", "part"),
    [
        (b"<html><head><title>502 Bad Gateway</title></head></html>", "502 Bad Gateway"),
        (b"", "no explanation"),
        (b"\xff\xfe", "\ufffd"),
        (b"[1, 2]", "[1, 2]"),
        (b'{id: "too_many_requests"}', "too_many_requests"),
        (b"x" * 100_000, "xxx..."),
    ],
)
def test_an_unreadable_error_body_leaves_a_short_excerpt(body: bytes, part: str) -> None:
    error = build_status_error(502, {"x-request-id": "r"}, body, now=NOW)
    assert part in error.message
    assert len(error.message) < 300
    assert error.request_id == "r"


def test_a_giant_error_message_is_shortened() -> None:
    body = b'{"id": "x", "message": "' + b"m" * 100_000 + b'"}'
    assert len(str(build_status_error(400, {}, body, now=NOW))) < 1100
