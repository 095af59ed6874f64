"""Plain successes: result lines of a known endpoint that one call of msgspec decodes.

Most lines of a results file say status 200 and carry a usual response. The struct of such a line has a field for
everything on which the verdict depends, and the response as the structs from which the fast reader builds its model. So
verdict and response cost one decoding: 1.1 µs for a line of 1 KB on CPython 3.11, where skipping its body takes 0.6.

Worked example, for a chat completion:

    {"custom_id": str, "error"?: null, "result"?: null, "response": {"status_code": 200, "body":
        {"error"?: null, "object"?, "type"?: a known kind, and the other fields of ChatCompletion?,
            "choices": [at least one of {"finish_reason"?: a known one or null, "error"?: null,
            and the other fields of Choice?}]}}}

Contract: pure. Any other line is refused, whether it is good or bad: `ResultLineReader` examines it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any, ClassVar, Literal, get_args

import attrs
import msgspec

from gradient_async._protocol.batch.result_body import RESPONSE_FIELDS, BodyType
from gradient_async._protocol.codec.fast_reader import NO_ERROR, OPEN_STRUCTS, build_model
from gradient_async.models.batch_result import AnyResponse
from gradient_async.models.chat import Choice

_FINISH_REASONS = Literal["stop", "length", "tool_calls", "content_filter", "function_call"] | None
_KINDS = Literal["chat.completion", "list", "message", "response"]
"""What a body may call itself by ``object`` or ``type``; ``error`` is an error, beside a response, too."""


class SuccessLine(msgspec.Struct, gc=False, kw_only=True):
    """A plain success; ``response.body`` is the struct from which `build_model` makes the response."""

    custom_id: str
    error: None = None
    result: None = None
    status: ClassVar[int] = 200


class SuccessDecoders(dict[BodyType, Callable[[bytes], SuccessLine]]):
    """The functions that decode the plain successes of each class of response, defined on first use.

    Each raises one of `FAST_READ_ERRORS` for any other line.
    """

    def __missing__(self, body_type: BodyType) -> Callable[[bytes], SuccessLine]:
        line: Any = _define_line(body_type)
        self[body_type] = decode = msgspec.json.Decoder(line).decode
        return decode


SUCCESS_DECODERS = SuccessDecoders()


def build_success(line: Any, body_type: BodyType, text: Any) -> AnyResponse:
    """Return the response of a plain success; *text* is the text of the *line*, or the object decoded from it."""
    return build_model(body_type, line.response.body, text, "response", "body")


def _define_line(body_type: BodyType) -> type[msgspec.Struct]:
    """Define the `SuccessLine` with a *body_type*."""
    fields: list[Any] = [("status_code", Literal[200]), ("body", _define_body(body_type))]
    response: tuple[str, Any] = ("response", msgspec.defstruct("SuccessResponse", fields, gc=False))
    return msgspec.defstruct(f"{body_type.__name__}Line", [response], bases=(SuccessLine,), gc=False, kw_only=True)


def _define_body(body_type: BodyType) -> type[msgspec.Struct]:
    """Define the struct of a *body_type* that is neither empty nor an error."""
    name = RESPONSE_FIELDS[body_type]
    (item,) = get_args(attrs.fields_dict(body_type)[name].type)
    struct = _define_choice() if item is Choice else OPEN_STRUCTS.struct_for(item)
    response: Any = Annotated[list[struct], msgspec.Meta(min_length=1)]  # type: ignore[valid-type]  # made at run time
    kinds = [_define_kind(body_type, kind) for kind in ("object", "type")]
    return OPEN_STRUCTS.define_struct(body_type, (name, response), *kinds, NO_ERROR)


def _define_choice() -> type[msgspec.Struct]:
    """Define the struct of a choice that did not fail."""
    return OPEN_STRUCTS.define_struct(Choice, ("finish_reason", _FINISH_REASONS, None), NO_ERROR)


def _define_kind(body_type: BodyType, name: str) -> tuple[str, Any, Any]:
    """Define the field by which a *body_type* may call itself something; null only if the model does not have it."""
    if name not in body_type.wire_fields:
        return name, _KINDS | None, None
    return name, _KINDS, attrs.fields_dict(body_type)[name].default
