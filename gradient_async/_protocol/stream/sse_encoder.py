"""Encodes the events of a stream as server-sent events again, for servers that pass a stream on.

Contract: the result is a valid event stream in the form of the API: the events as they arrived, unknown fields
included; then the end marker, if the form has one, or the error as an event that clients of the form understand. Of an
error only its message, code, class and request id are sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from gradient_async._protocol.codec.converter import encode_json
from gradient_async.errors import APIStatusError, GradientError

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import Event


class SSEEncoder:
    """The form in which one API sends its streams.

    Attributes:
        encode_event: Returns the bytes of an event.
        encode_error: Returns the bytes of an error.
        end_marker: The bytes that end a stream, ``b""`` if the last event does.
    """

    __slots__ = ("encode_error", "encode_event", "end_marker")

    def __init__(
        self, encode_event: Callable[[Event], bytes], encode_error: Callable[[GradientError], bytes], end_marker: bytes
    ) -> None:
        self.encode_event = encode_event
        self.encode_error = encode_error
        self.end_marker = end_marker


def _encode_unnamed(event: Event) -> bytes:
    return b"data: %b\n\n" % encode_json(event.raw)


def _encode_by_type(event: Event) -> bytes:
    """Encode *event* with its type as its name, if the type fits on a line."""
    name = event.raw.get("type") or ""
    return _encode_named(name, event.raw) if name and name.isascii() and name.isprintable() else _encode_unnamed(event)


def _encode_named(name: str, value: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), encode_json(value))


def _encode_chat_error(error: GradientError) -> bytes:
    fields = {"message": error.message, "type": type(error).__name__, "code": _get_code(error)}
    return b"data: %b\n\n" % encode_json({"error": fields | {"request_id": error.request_id}})


def _encode_message_error(error: GradientError) -> bytes:
    fields = {"type": _get_code(error) or type(error).__name__, "message": error.message}
    return _encode_named("error", {"type": "error", "error": fields, "request_id": error.request_id})


def _encode_response_error(error: GradientError) -> bytes:
    fields = {"code": _get_code(error) or type(error).__name__, "message": error.message, "param": None}
    return _encode_named("error", {"type": "error", **fields, "request_id": error.request_id})


def _get_code(error: GradientError) -> str | None:
    return error.code if isinstance(error, APIStatusError) else None


CHAT_ENCODER = SSEEncoder(_encode_unnamed, _encode_chat_error, b"data: [DONE]\n\n")
MESSAGE_ENCODER = SSEEncoder(_encode_by_type, _encode_message_error, b"")
RESPONSE_ENCODER = SSEEncoder(_encode_by_type, _encode_response_error, b"data: [DONE]\n\n")
