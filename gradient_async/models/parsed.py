"""A completion with its content decoded into a class of the caller."""

from typing import Any, Generic, TypeVar

import attrs

from gradient_async.models._base import NOT_WIRE
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.response_meta import ResponseModel

T = TypeVar("T")
P = TypeVar("P", bound=ResponseModel)


@attrs.define(kw_only=True, eq=False, repr=False)
class ParsedCompletion(ChatCompletion, Generic[T]):
    """A chat completion with its content decoded into the ``response_format`` of the call.

    Attributes:
        parsed: The content of the first choice.
    """

    parsed: T = attrs.field(metadata=NOT_WIRE)

    def __repr__(self) -> str:
        return add_to_repr(super().__repr__(), self.parsed)


def add_to_repr(text: str, parsed: object) -> str:
    """Return the repr *text* of a result with the value of *parsed* at its end."""
    return f"{text[:-1]}, parsed={parsed!r})"


def with_parsed(reply: ResponseModel, cls: type[P], parsed: Any) -> P:
    """Return *reply* as a *cls*, its subclass with the field *parsed*."""
    fields: dict[str, Any] = {name: getattr(reply, name) for name in reply.wire_fields}
    return cls(parsed=parsed, raw=reply._raw, meta=reply._meta, **fields)  # type: ignore[call-arg]  # of the subclass
