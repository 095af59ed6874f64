"""Answers as values: what a call will be sent, before anything decides how it is cut, delayed or broken.

Contract: pure. A `Reply` is what a test scripted, in words of the API; an `Answer` is bytes.
Source: the error shape and the identifiers of the Inference API reference; OpenAI, Anthropic and FastAPI for
theirs.
"""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterable, Callable, Iterable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import attrs

JSON = "application/json"
SSE = "text/event-stream"
DONE = b"data: [DONE]\n\n"

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    412: "precondition_failed",
    422: "unprocessable_entity",
    429: "too_many_requests",
}
_MESSAGES = {
    401: "Unable to authenticate you.",
    403: "You do not have access for the attempted action.",
    404: "The resource you were accessing could not be found.",
    429: "API Rate limit exceeded.",
    500: "Unexpected server-side error",
}

Split = int | Sequence[int]


@attrs.frozen(kw_only=True)
class Reply:
    """What the next call is answered with; None leaves a matter to the default.

    Attributes:
        text: The content of the message; None together with *tool_calls*, or to keep the default answer.
        reasoning: The reasoning content.
        tool_calls: Calls as ``{"name", "arguments"}`` or in the API's full shape; arguments may be a dict.
        finish_reason: ``stop``, or ``tool_calls`` with tool calls, unless given.
        usage: Fields of ``usage`` to put over the counted ones.
        chunks: The chunk objects of a stream, sent as they are and followed by ``[DONE]``.
        body: The bytes of the body, sent verbatim.
        content_type: The content type, where *body* needs another one.
        headers: Headers to add or replace.
        status: The HTTP status.
        split: Cuts the body into writes: of that many bytes, or at these offsets.
        delay: Seconds of silence before the status line.
        token_delay: Seconds between the events of a stream.
    """

    text: str | None = None
    reasoning: str | None = None
    tool_calls: Sequence[Mapping[str, Any]] | None = None
    finish_reason: str | None = None
    usage: Mapping[str, Any] | None = None
    chunks: Sequence[Mapping[str, Any]] | None = None
    body: bytes | None = None
    content_type: str | None = None
    headers: Mapping[str, str] = attrs.field(factory=dict)
    status: int = 200
    split: Split | None = None
    delay: float = 0.0
    token_delay: float | None = None

    def style(self, answer: Answer) -> Answer:
        """Put what this says about status, headers and pace over *answer*."""
        return attrs.evolve(
            answer,
            status=self.status,
            content_type=self.content_type or answer.content_type,
            headers={**answer.headers, **self.headers},
            split=self.split,
            delay=self.delay,
            token_delay=self.token_delay,
        )

    def verbatim(self, *, streams: bool) -> Answer | None:
        """Answer with the chunks or the bytes that are spelled out; None if that is left to the endpoint."""
        if self.chunks is not None:
            pieces = (*(event(chunk) for chunk in self.chunks), DONE)
            return self.style(Answer(pieces=pieces, content_type=SSE))
        if self.body is None:
            return None
        content_type = self.content_type or (SSE if streams else JSON)
        pieces = events(self.body) if content_type.startswith(SSE) else (self.body,)
        return self.style(Answer(pieces=pieces, content_type=content_type))


@attrs.frozen(kw_only=True)
class Answer:
    """A response in bytes; *pieces* are what faults count: events of a stream, or one whole body.

    *close* lets go of where the pieces come from, whether or not they were all taken.
    """

    status: int = 200
    pieces: Iterable[bytes] | AsyncIterable[bytes] = ()
    content_type: str | None = JSON
    headers: Mapping[str, str] = attrs.field(factory=dict)
    split: Split | None = None
    delay: float = 0.0
    token_delay: float | None = None
    close: Callable[[], None] = lambda: None

    @property
    def whole(self) -> bytes | None:
        """The body of an answer that is sent at once; None for a stream."""
        if isinstance(self.pieces, tuple) and len(self.pieces) < 2 and not (self.content_type or "").startswith(SSE):
            return b"".join(self.pieces)
        return None


def encode(value: object) -> bytes:
    """Return *value* as compact JSON; odd characters are escaped and survive any transport."""
    return json.dumps(value, separators=(",", ":")).encode()


def event(value: object, name: str | None = None) -> bytes:
    """Return one server-sent event with *value* as its JSON data."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode(value) + b"\n\n"


def events(body: bytes) -> tuple[bytes, ...]:
    """Cut *body* after each blank line; joined again it is the same bytes."""
    return tuple(piece for piece in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", body) if piece)


def json_answer(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Answer:
    """Answer with *value* as a whole JSON body."""
    return Answer(status=status, pieces=(encode(value),), headers=headers or {})


def error_body(status: int, *, code: str | None = None, message: str | None = None) -> dict[str, str]:
    """Return the API's error object, without the request id, which is optional."""
    return {
        "id": code or _CODES.get(status, "server_error"),
        "message": message or _MESSAGES.get(status) or _phrase(status),
    }


def error_answer(status: int, *, request_id: str, code: str | None = None, message: str | None = None) -> Answer:
    """Answer with the API's error object."""
    error = error_body(status, code=code, message=message) | {"request_id": request_id}
    return json_answer(error, status=status)


def error_event(shape: str, error: Mapping[str, Any]) -> bytes:
    """Return *error*, in the API's shape, as it appears inside a stream.

    Args:
        shape: ``"do"``, ``"openai"`` or ``"anthropic"``: whose convention the event follows.
        error: The API's error object.
    """
    inner = {"type": error["id"], "message": error["message"]}
    if shape == "openai":
        return event({"error": {**inner, "code": error["id"]}})
    if shape == "anthropic":
        return event({"type": "error", "error": inner}, name="error")
    return event(error)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"
