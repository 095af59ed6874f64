"""Server-sent events for those who pass a stream on.

Contract: what comes out is a valid event stream in the service's own form: events as they arrived, unknown fields
included; then the mark of the end if that form has one, or the error as an event of the shape that clients of that form
understand. Of an error go its message, code, class and request id, and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import encode_json
from gradient_async._protocol.stream.interfaces import Event
from gradient_async.errors import APIStatusError, GradientError


@attrs.frozen
class SSEEncoder:
    """How one API writes its streams.

    Attributes:
        event: Returns the bytes of an event.
        error: Returns the bytes of an error.
        end: The bytes of the end, ``b""`` if the last event is the end.
    """

    encode_event: Callable[[Event], bytes]
    encode_error: Callable[[GradientError], bytes]
    end_marker: bytes


def _unnamed(event: Event) -> bytes:
    return b"data: %b\n\n" % encode_json(event.raw)


def _named(event: Event) -> bytes:
    """Return *event*, with its type for its name if it came with one that fits a line."""
    name = event.raw.get("type") or ""
    return _event(name, event.raw) if name and name.isascii() and name.isprintable() else _unnamed(event)


def _event(name: str, value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode_json(value))


def _chat_error(error: GradientError) -> bytes:
    facts = {"message": error.message, "type": type(error).__name__, "code": _code(error)}
    return b"data: %b\n\n" % encode_json({"error": facts | {"request_id": error.request_id}})


def _message_error(error: GradientError) -> bytes:
    facts = {"type": _code(error) or type(error).__name__, "message": error.message}
    return _event("error", {"type": "error", "error": facts, "request_id": error.request_id})


def _response_error(error: GradientError) -> bytes:
    facts = {"code": _code(error) or type(error).__name__, "message": error.message, "param": None}
    return _event("error", {"type": "error", **facts, "request_id": error.request_id})


def _code(error: GradientError) -> str | None:
    return error.code if isinstance(error, APIStatusError) else None


CHAT_ENCODER = SSEEncoder(_unnamed, _chat_error, b"data: [DONE]\n\n")
MESSAGE_ENCODER = SSEEncoder(_named, _message_error, b"")
RESPONSE_ENCODER = SSEEncoder(_named, _response_error, b"data: [DONE]\n\n")
