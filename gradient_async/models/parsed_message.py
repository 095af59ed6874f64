"""A message with its answer decoded into a class of the caller."""

from typing import Generic, TypeVar

import attrs

from gradient_async.models._base import NOT_WIRE
from gradient_async.models.messages import MessageReply
from gradient_async.models.parsed import add_to_repr

T = TypeVar("T")


@attrs.define(kw_only=True, eq=False, repr=False)
class ParsedMessage(MessageReply, Generic[T]):
    """A message with its answer decoded into the ``response_format`` of the call.

    Attributes:
        parsed: The input of the tool that stands for the class, or the JSON in the text.
    """

    parsed: T = attrs.field(metadata=NOT_WIRE)

    def __repr__(self) -> str:
        return add_to_repr(super().__repr__(), self.parsed)
