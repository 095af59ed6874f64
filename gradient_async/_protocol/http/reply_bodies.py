"""Readers of the bodies of messages and responses that are not streams.

Contract: as `body_reader`. These readers stand apart from it, so that a program that only chats does not load the
models of the other two APIs.
"""

from __future__ import annotations

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.error_body import parse_error_object
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

read_message = ResponseReader(MessageReply, "content")
"""Reads the body of a message."""

_read_any_response = ResponseReader(ResponseReply, "output")


def read_response(body: bytes) -> ResponseReply:
    """Read the body of a response.

    Raises:
        APIStatusError: The body is an error object, or a response with the status ``"failed"``.
        ResponseDecodeError: The body is not a response.
    """
    response = _read_any_response(body)
    if response.status == "failed":
        raise parse_error_object({})
    return response
