"""The response of any endpoint as a value of the class that the caller names.

Contract: pure. A field that a class does not know is ignored, because nobody but the service knows what an endpoint
sends; a value of another type than the class says is a `ResponseDecodeError` with its path.
"""

from __future__ import annotations

from typing import Any, TypeVar, cast

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.http.error_detection import find_lone_error
from gradient_async.errors import GradientError, ResponseDecodeError
from gradient_async.models._base import Model
from gradient_async.models.raw_reply import RawReply

T = TypeVar("T")
_SUBJECT = "The response"


def read_raw_reply(body: bytes, content_type: str) -> RawReply:
    """Return the response.

    Raises:
        APIStatusError: Its body is a JSON object with an error and nothing else. One that has more may be a thing that
            failed, such as a job.
    """
    if b'"error"' in body and body.lstrip()[:1] == b"{" and (error := find_lone_error(body)):
        raise error
    return RawReply(content=body, content_type=content_type)


def cast_reply(reply: RawReply, cls: type[T]) -> T:
    """Return the body of *reply* as a *cls*: bytes, text, JSON, or an object with fields.

    Raises:
        ResponseDecodeError: The body does not fit.
    """
    try:
        return cast("T", _cast(reply, cls))
    except GradientError as caught:
        error = caught
    error.request_id, error.attempts = error.request_id or reply.meta.request_id, reply.meta.attempts
    raise error


def _cast(reply: RawReply, cls: Any) -> Any:
    if cls is RawReply:
        return reply
    if cls is bytes:
        return reply.content
    if cls is str:
        return reply.text
    value = decode_json(reply.content)
    if isinstance(cls, type) and issubclass(cls, Model):
        return _structure(value, cls, reply)
    from gradient_async._protocol.schema.convert import convert  # loads cattrs for classes of the caller

    return convert(value, cls, subject=_SUBJECT, ignores_unknown=True)


def _structure(value: Any, cls: type[Model], reply: RawReply) -> Model:
    if not isinstance(value, dict):
        raise ResponseDecodeError(
            f"{_SUBJECT} is not a {cls.__name__} but a JSON {type(value).__name__}.", body=shorten_text(reply.text)
        )
    model = structure(value, cls)
    if hasattr(model, "meta"):
        model.meta = reply.meta
    return model
