"""The bodies of a message and of a response that are not streams."""

from __future__ import annotations

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.error_body import parse_error_object
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

read_message = ResponseReader(MessageReply, "content")
"""Returns the message in the body of a successful answer."""
_response_reader = ResponseReader(ResponseReply, "output")


def read_response(body: bytes) -> ResponseReply:
    """Return the response in the body of a successful answer.

    Raises:
        APIStatusError: It is an error object, or a response that failed.
        ResponseDecodeError: It is no response.
    """
    response = _response_reader(body)
    if response.status == "failed":
        raise parse_error_object({})
    return response
