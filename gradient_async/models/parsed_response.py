"""A response with its text decoded into a class of the caller."""

from typing import Generic, TypeVar

import attrs

from gradient_async.models._base import NOT_WIRE
from gradient_async.models.parsed import add_to_repr
from gradient_async.models.responses import ResponseReply

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False, repr=False)
class ParsedResponse(ResponseReply, Generic[T]):
    """A response with its text decoded into the ``response_format`` of the call.

    Attributes:
        parsed: The JSON in the text.
    """

    parsed: T = attrs.field(metadata=NOT_WIRE)

    def __repr__(self) -> str:
        return add_to_repr(super().__repr__(), self.parsed)
