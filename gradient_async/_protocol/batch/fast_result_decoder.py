"""Plain successes: result lines of a known endpoint that one call of msgspec recognises.

Most lines of a results file say status 200 and carry a usual response. `decode_success` decodes such a line into a
struct with just the fields on which the verdict depends, at the price of skipping the rest; the response is decoded
when it is read. Prices for a line of 1 KB on CPython 3.11: 1.3 µs, against 1.2 to skip the body and 2.1 to decode it.

A field is part of the struct if the converter refuses a response for it (`gradient_async.models._base`): those without
a default, ``ESSENTIAL`` ones, positions that cannot be None. So the response of a line that was recognised can be read,
by the fast reader or else by the converter. Worked example, for a chat completion:

    {"custom_id": str, "error"?: null, "response": {"status_code": 200, "body":
        {"error"?: null, "object"?, "type"?: a known kind or null,
            "choices": [at least one of {"finish_reason"?: a known one or null, "error"?: null,
            "index"?: int, "message"?: {"tool_calls"?: null or a list of {"function"?: {"name"?: str}}}}]}}}

Contract: pure. Any other line is refused, whether it is good or bad.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from types import UnionType
from typing import Annotated, Any, Literal, get_args, get_origin

import attrs
import msgspec

from gradient_async._protocol.batch.result_body import BodyType, ResultBodyDecoder
from gradient_async._protocol.codec.converter import decode_json
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, OPEN_STRUCTS, build_model
from gradient_async.models._base import ESSENTIAL, POSITION, Model
from gradient_async.models.batch_result import AnyResponse
from gradient_async.models.chat import ChatCompletion, Choice
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.messages import MessageReply
from gradient_async.models.responses import ResponseReply

_RESPONSE_FIELDS: dict[BodyType, str] = {
    ChatCompletion: "choices",
    MessageReply: "content",
    EmbeddingList: "data",
    ResponseReply: "output",
}
"""The field of a body that holds the response."""
_FINISH_REASONS = Literal["stop", "length", "tool_calls", "content_filter", "function_call"] | None
_NO_ERROR = ("error", type(None), None)
_KINDS = Literal["chat.completion", "list", "message", "response"] | None
"""What a body may call itself by ``object`` or ``type``; ``error`` is an error, beside a response, too."""
_KIND_FIELDS = [("object", _KINDS, None), ("type", _KINDS, None)]


class PlainLine(msgspec.Struct, gc=False):
    """A result line that was recognised."""

    custom_id: str


def success_decoder(body_type: BodyType | None) -> Callable[[bytes], PlainLine]:
    """Return the function that recognises the plain successes of an endpoint that returns *body_type*.

    It raises one of `FAST_READ_ERRORS` for any other line; for every line without a type, as each has to be examined.
    """
    return _refuse_line if body_type is None else _success_decoders()[body_type]


def _refuse_line(line: bytes) -> PlainLine:
    raise msgspec.DecodeError(line[:0])


@cache
def _success_decoders() -> dict[BodyType, Callable[[bytes], PlainLine]]:
    decoders: dict[BodyType, Callable[[bytes], PlainLine]] = {}
    for body_type, name in _RESPONSE_FIELDS.items():
        kind: Any = _verdict_type(attrs.fields_dict(body_type)[name].type)
        responses: Any = Annotated[kind, msgspec.Meta(min_length=1)]
        body = msgspec.defstruct("BodyVerdict", [(name, responses), _NO_ERROR, *_KIND_FIELDS], gc=False)
        response = msgspec.defstruct("ResponseVerdict", [("status_code", Literal[200]), ("body", body)], gc=False)
        fields: list[Any] = [("response", response), _NO_ERROR, ("result", type(None), None)]
        line: Any = msgspec.defstruct("LineVerdict", fields, bases=(PlainLine,), gc=False)
        decoders[body_type] = msgspec.json.Decoder(line).decode
    return decoders


@cache
def _line_decoders() -> dict[BodyType, Callable[[bytes], Any]]:
    """Return the functions that decode a line together with its body, by the type of the body."""
    decoders: dict[BodyType, Callable[[bytes], Any]] = {}
    for body_type in _RESPONSE_FIELDS:
        response = msgspec.defstruct("WholeResponse", [("body", OPEN_STRUCTS.struct_for(body_type))], gc=False)
        line = msgspec.defstruct("WholeLine", [("response", response)], gc=False)
        decoders[body_type] = msgspec.json.Decoder(line).decode
    return decoders


def read_plain_response(text: Any, body_decoder: ResultBodyDecoder) -> AnyResponse:
    """Return the response of a line that was recognised; *text* is the line, or the object decoded from it."""
    body_type = body_decoder.body_type
    if type(text) is dict or body_type is None:
        return body_decoder.convert(text["response"]["body"])
    try:
        body = _line_decoders()[body_type](text).response.body
    except FAST_READ_ERRORS:
        return body_decoder.convert(decode_json(text)["response"]["body"])
    return build_model(body_type, body, text, "response", "body")


def _verdict_type(kind: Any) -> Any:
    """Return the annotation *kind* with a struct of its decisive fields in the place of each model."""
    if isinstance(kind, type) and issubclass(kind, Model):
        return _verdict_struct(kind)
    if get_origin(kind) is list:
        return list[_verdict_type(*get_args(kind))]  # type: ignore[misc]
    if isinstance(kind, UnionType):
        return _verdict_type(next(each for each in get_args(kind) if each is not type(None))) | None
    return kind


def _verdict_struct(cls: type[Model]) -> type[msgspec.Struct]:
    fields = [_verdict_field(field) for field in attrs.fields(cls) if field.name in cls.wire_fields]
    decisive = [field for field in fields if field is not None]
    if cls is Choice:
        decisive += [("finish_reason", _FINISH_REASONS, None), _NO_ERROR]
    return msgspec.defstruct(f"{cls.__name__}Verdict", decisive, kw_only=True, gc=False)


def _verdict_field(field: attrs.Attribute[Any]) -> tuple[str, Any, Any] | None:
    """Return the *field* for a struct; None if no value of it costs the response."""
    is_optional = isinstance(field.type, UnionType)
    if field.default is attrs.NOTHING:
        return field.name, _verdict_type(field.type), msgspec.NODEFAULT
    if field.metadata == ESSENTIAL or (field.metadata == POSITION and not is_optional):
        return field.name, _verdict_type(field.type), None
    return None
