"""Responses as values, before they are split, delayed or interrupted.

Contract: pure. A `Reply` is what a test scripts, in the API's terms; a `Response` is status, headers and bytes.
Source: the error object and its identifiers of the Inference API reference; error events of streams follow OpenAI's and
Anthropic's published shapes.
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
    """A scripted response in the API's terms; a field that is None keeps the default.

    Example: ``Reply(text="Hello", token_delay=0.01)``, returned by a handler of `Emulator.on_request`.

    Attributes:
        text: The content of the message. With *tool_calls*, None means no content; alone, it keeps the default content.
        reasoning: The reasoning content.
        tool_calls: Tool calls as ``{"name", "arguments"}`` or in the API's full shape; arguments are a dict or JSON
            text.
        finish_reason: The finish reason; by default ``stop``, or ``tool_calls`` with tool calls.
        usage: Fields of ``usage`` that replace the counted ones.
        chunks: The chunk objects of a stream, sent verbatim and followed by ``[DONE]``.
        body: The bytes of the body, sent verbatim.
        content_type: The content type of *body*.
        headers: Headers to add or replace.
        status: The HTTP status.
        split: The sizes of the writes in bytes: one size for all, or the offsets at which the body is split.
        delay: Seconds of silence before the status line.
        token_delay: Seconds between two events of a stream; None for the emulator's setting.
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

    def __attrs_post_init__(self) -> None:
        calls: object = self.tool_calls or ()
        if not (isinstance(calls, Sequence) and all(map(_is_call, calls))):
            raise ValueError(f'tool_calls must be a list like [{{"name": "f", "arguments": {{}}}}], got {calls!r}')

    def override_response(self, response: Response) -> Response:
        """Return *response* with this reply's status, headers and timing."""
        return attrs.evolve(
            response,
            status=self.status,
            content_type=self.content_type or response.content_type,
            headers={**response.headers, **self.headers},
            split=self.split,
            delay=self.delay,
            token_delay=self.token_delay,
        )

    def literal_response(self, *, streams: bool) -> Response | None:
        """Build the response from *chunks* or *body*; None if both are None and the endpoint builds it."""
        if self.chunks is not None:
            pieces = (*(encode_event(chunk) for chunk in self.chunks), DONE)
            return self.override_response(Response(pieces=pieces, content_type=SSE))
        if self.body is None:
            return None
        content_type = self.content_type or (SSE if streams else JSON)
        pieces = split_events(self.body) if content_type.startswith(SSE) else (self.body,)
        return self.override_response(Response(pieces=pieces, content_type=content_type))


def _is_call(call: object) -> bool:
    """Whether *call* is a tool call in the short or in the full form."""
    function = call.get("function", call) if isinstance(call, Mapping) else None
    return isinstance(function, Mapping) and isinstance(function.get("name"), str)


@attrs.frozen(kw_only=True)
class Response:
    """A response ready to send.

    Attributes:
        status: The HTTP status.
        pieces: The body in the units that faults count: the events of a stream, or one complete body.
        content_type: The content type; None sends no such header.
        headers: Further headers.
        split: The sizes of the writes in bytes, see `Reply`.
        delay: Seconds before the status line.
        token_delay: Seconds between two pieces; None for the emulator's setting.
        close: Releases the source of *pieces*; called once, also if not every piece was taken.
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
    def body(self) -> bytes | None:
        """The complete body; None for a stream."""
        if isinstance(self.pieces, tuple) and len(self.pieces) < 2 and not (self.content_type or "").startswith(SSE):
            return b"".join(self.pieces)
        return None


def apply_reply(reply: Reply | None, response: Response) -> Response:
    """Return *response* with the status, headers and timing of *reply*, if there is one."""
    return reply.override_response(response) if reply else response


def encode_json(value: object) -> bytes:
    """Return *value* as compact ASCII JSON, so that lone surrogates survive the transport."""
    return json.dumps(value, separators=(",", ":")).encode()


def parse_json(data: str | bytes) -> Any:
    """Return the value of the JSON text *data*; unlike `json.loads`, reject ``NaN`` and ``Infinity``.

    Raises:
        ValueError: The text is not JSON.
    """
    return json.loads(data, parse_constant=_reject_constant)


def encode_event(value: object, name: str | None = None) -> bytes:
    """Return one server-sent event with *value* as its JSON data."""
    head = f"event: {name}\n".encode() if name else b""
    return head + b"data: " + encode_json(value) + b"\n\n"


def split_events(body: bytes) -> tuple[bytes, ...]:
    """Split *body* after each blank line; joined, the pieces are *body* again."""
    return tuple(piece for piece in re.split(rb"(?<=\n\n)|(?<=\r\n\r\n)", body) if piece)


def json_response(value: object, *, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Build a response with *value* as its JSON body."""
    return Response(status=status, pieces=(encode_json(value),), headers=headers or {})


def event_stream(pieces: Iterable[bytes]) -> Response:
    """Build an uncached stream of the events in *pieces*."""
    return Response(pieces=tuple(pieces), content_type=SSE, headers={"cache-control": "no-cache"})


def error_body(status: int, *, code: str | None = None, message: str | None = None) -> dict[str, str]:
    """Return the API's error object without the optional request id."""
    return {
        "id": code or _CODES.get(status, "server_error"),
        "message": message or _MESSAGES.get(status) or _default_phrase(status),
    }


def error_response(status: int, *, request_id: str, code: str | None = None, message: str | None = None) -> Response:
    """Build a response with the API's error object."""
    error = error_body(status, code=code, message=message) | {"request_id": request_id}
    return json_response(error, status=status)


def error_event(shape: str, error: Mapping[str, Any]) -> bytes:
    """Return the stream event for *error*.

    Args:
        shape: The convention of the event: ``"do"``, ``"openai"`` or ``"anthropic"``.
        error: The API's error object.
    """
    inner = {"type": error["id"], "message": error["message"]}
    if shape == "openai":
        return encode_event({"error": {**inner, "code": error["id"]}})
    if shape == "anthropic":
        return encode_event({"type": "error", "error": inner}, name="error")
    return encode_event(error)


def _default_phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _reject_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
