"""Readers of the bodies of messages and responses that are not streams.

Contract: as `body_reader`. These readers stand apart from it, so that a program that only chats does not load the
models of the other two APIs.
"""

from __future__ import annotations

from typing import Any

from gradient_async._protocol.codec.converter import decode_json, is_complete_json
from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.error_body import parse_error_object
from gradient_async._protocol.http.error_detection import failed_choice_error, is_failure
from gradient_async.models.messages import ContentBlock, MessageReply
from gradient_async.models.responses import ResponseReply


def _split_text(value: Any) -> Any:
    """Return the JSON of a message with a block for its content, if that is text."""
    text = value.get("content") if isinstance(value, dict) else None
    return value | {"content": [{"type": "text", "text": text}]} if isinstance(text, str) else value


_read_any_message = ResponseReader(MessageReply, "content", prepare=_split_text)
_read_any_response = ResponseReader(ResponseReply, "output")


def read_message(body: bytes) -> MessageReply:
    """Read the body of a message.

    Raises:
        APIStatusError: The body is an error object, or a message with the stop reason ``"error"``.
        ResponseDecodeError: The body is not a message.
    """
    message = _read_any_message(body)
    if is_failure(message.stop_reason):
        error = failed_choice_error()
        error.snapshot = message
        raise error
    for block in message.content:
        fill_tool_input(block)
    return message


def fill_tool_input(block: ContentBlock) -> None:
    """Give the call of a tool an input if it arrived without: the object in its text, else an empty one."""
    if block.input is not None or not block.type.endswith("tool_use"):
        return
    text = block.raw.get("input")
    value = decode_json(text) if isinstance(text, str) and is_complete_json(text) else None
    block.input = value if isinstance(value, dict) else {}


def read_response(body: bytes) -> ResponseReply:
    """Read the body of a response.

    Raises:
        APIStatusError: The body is an error object, or a response with the status ``"failed"``.
        ResponseDecodeError: The body is not a response.
    """
    response = _read_any_response(body)
    if response.status == "failed":
        error = parse_error_object({})
        error.snapshot = response
        raise error
    return response
