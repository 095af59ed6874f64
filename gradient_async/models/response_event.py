"""The events of a stream of the responses API.

The documents have two accounts of it, typed events and chat-like chunks; both are events here. Nothing in an event is
certain to be there; one of an unknown type has its fields in ``raw``.

Source: ``POST /v1/responses`` of the serverless reference.
"""

import attrs

from gradient_async.models._base import Model
from gradient_async.models.chat_chunk import ChunkChoice
from gradient_async.models.responses import OutputItem, OutputPart, ResponseReply, ResponseUsage


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseEvent(Model):
    """One event of a stream.

    Attributes:
        type: As ``response.output_text.delta``; ``response.chunk`` for what has no type and ``choices`` instead.
        response: The whole response as it is now, in the events that begin and end it.
        output_index: Which item it is about.
        content_index: Which part of the item's content.
        summary_index: Which part of the item's summary.
        delta: The text that is added.
        arguments: The whole arguments of a function call.
        choices: What a chat-like chunk adds.
    """

    type: str = "response.chunk"
    sequence_number: int | None = None
    response: ResponseReply | None = None
    item: OutputItem | None = None
    part: OutputPart | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: str | None = None
    arguments: str | None = None
    id: str = ""
    created: int | None = None
    model: str = ""
    choices: list[ChunkChoice] = attrs.field(factory=list)
    usage: ResponseUsage | None = None

    @property
    def text(self) -> str:
        """The output text this event adds to the answer, ``""`` if none."""
        if self.type == "response.output_text.delta":
            return self.delta or ""
        if self.type == "response.output_item.added" and self.item is not None:
            return self.item.text
        if self.type == "response.content_part.added" and self.part is not None:
            return (self.part.text or "") if self.part.type == "output_text" else ""
        return next((choice.delta.content or "" for choice in self.choices if choice.index == 0), "")
