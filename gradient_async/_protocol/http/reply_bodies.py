"""The bodies of a message and of a response that are not streams."""

from __future__ import annotations

from gradient_async._protocol.http.body_reader import AnswerReader
from gradient_async._protocol.http.error_body import error_from
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

message_from = AnswerReader(MessageReply, "content")
"""Returns the message in the body of a successful answer."""
_response_from = AnswerReader(ResponseReply, "output")


def response_from(body: bytes) -> ResponseReply:
    """Return the response in the body of a successful answer.

    Raises:
        APIStatusError: It is an error object, or a response that failed.
        ResponseDecodeError: It is no response.
    """
    response = _response_from(body)
    if response.status == "failed":
        raise error_from({})
    return response
