"""A completion with its content decoded into a class of the caller."""

from typing import Generic, TypeVar

import attrs

from gradient_async.models._base import NOT_WIRE
from gradient_async.models.chat import ChatCompletion

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False, repr=False)
class ParsedCompletion(ChatCompletion, Generic[T]):
    """A chat completion with its content decoded into the ``response_format`` of the call.

    Attributes:
        parsed: The content of the first choice.
    """

    parsed: T = attrs.field(metadata=NOT_WIRE)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, parsed={self.parsed!r})"


def with_parsed(completion: ChatCompletion, parsed: T) -> ParsedCompletion[T]:
    """Return *completion* as a `ParsedCompletion` with *parsed*."""
    fields = {name: getattr(completion, name) for name in ChatCompletion.wire_fields}
    return ParsedCompletion(parsed=parsed, raw=completion._raw, meta=completion._meta, **fields)
