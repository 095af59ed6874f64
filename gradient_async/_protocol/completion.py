"""The body of a chat completion that is no stream.

Contract: an error object with a success status is raised, never returned.
"""

from __future__ import annotations

from functools import cache

from gradient_async._protocol.codec import decode_json, structure
from gradient_async._protocol.quick import REFUSALS, QuickReader
from gradient_async._protocol.response import error_in_body
from gradient_async.errors import ResponseDecodeError
from gradient_async.models.chat import ChatCompletion


def completion_from(body: bytes) -> ChatCompletion:
    """Return the completion in the body of a successful answer.

    Raises:
        APIStatusError: It is an error object.
        ResponseDecodeError: It is no completion.
    """
    try:
        return _quick_reader()(body)
    except REFUSALS:
        pass
    value = decode_json(body)
    if type(value) is dict and (error := error_in_body(value)):
        raise error
    if type(value) is dict and "choices" not in value:
        raise ResponseDecodeError("The service sent a completion without choices.", path="$.choices")
    return structure(value, ChatCompletion)


@cache
def _quick_reader() -> QuickReader[ChatCompletion]:
    return QuickReader(ChatCompletion, required=("choices",))
