"""A completion whose content has been read as a type of the caller."""

from typing import Generic, TypeVar

import attrs

from gradient_async.models._base import NOT_WIRE
from gradient_async.models.chat import ChatCompletion

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False, repr=False)
class ParsedCompletion(ChatCompletion, Generic[T]):
    """A whole answer, and what it says as the class that was asked for.

    Attributes:
        parsed: The first choice's content.
    """

    parsed: T = attrs.field(metadata=NOT_WIRE)

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, parsed={self.parsed!r})"


def with_parsed(completion: ChatCompletion, parsed: T) -> ParsedCompletion[T]:
    """Return *completion* with what its content was read as."""
    fields = {name: getattr(completion, name) for name in ChatCompletion.wire_fields}
    return ParsedCompletion(parsed=parsed, raw=completion._raw, meta=completion._meta, **fields)
