"""The body of a message, or of a response, that is no stream.

Source: ``POST /v1/messages`` and ``POST /v1/responses`` of the serverless reference.
"""

from __future__ import annotations

from gradient_async._protocol.answers import AnswerReader
from gradient_async._protocol.response import error_from
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
