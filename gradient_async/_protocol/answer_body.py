"""The body of a message, or of a response, that is no stream.

Contract: an error object with a success status is raised, never returned; a response that failed is one.
"""

from __future__ import annotations

from typing import TypeVar

from gradient_async._protocol.codec import decode_json, structure
from gradient_async._protocol.response import error_in_body
from gradient_async.errors import ResponseDecodeError
from gradient_async.models._base import Model
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

M = TypeVar("M", bound=Model)


def message_from(body: bytes) -> MessageReply:
    """Return the message in the body of a successful answer.

    Raises:
        APIStatusError: It is an error object.
        ResponseDecodeError: It is no message.
    """
    return _answer(body, MessageReply, "content")


def response_from(body: bytes) -> ResponseReply:
    """Return the response in the body of a successful answer.

    Raises:
        APIStatusError: It is an error object, or a response that failed.
        ResponseDecodeError: It is no response.
    """
    return _answer(body, ResponseReply, "output")


def _answer(body: bytes, cls: type[M], needed: str) -> M:
    value = decode_json(body)
    if type(value) is dict and (error := error_in_body(value)):
        raise error
    if type(value) is dict and needed not in value:
        raise ResponseDecodeError(f"The service sent an answer without {needed}.", path=f"$.{needed}")
    return structure(value, cls)
