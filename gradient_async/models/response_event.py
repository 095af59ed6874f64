"""The events of a stream of the responses API.

The reference documents two forms of the stream, typed events and chat-like chunks; both are events here. Every field
may be missing; the fields of an event of unknown type are in ``raw``.

Source: ``POST /v1/responses`` of the serverless reference.
"""

from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, TEXT, Model
from gradient_async.models.chat_chunk import ChunkChoice
from gradient_async.models.responses import OutputItem, OutputPart, ResponseReply, ResponseUsage


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseEvent(Model):
    """One event of a responses stream.

    Attributes:
        type: Such as ``response.output_text.delta``; ``response.chunk`` for a chat-like chunk, which has no type.
        response: The response at that time, in the events that begin and end it.
        output_index: The index of the output item, from 0.
        content_index: The index of the part in the item's content, from 0.
        summary_index: The index of the part in the item's summary, from 0.
        delta: The text that the event adds.
        arguments: The complete arguments of a call, as JSON text.
        logprobs: The log probabilities of the tokens of the delta, if they were asked for.
        choices: The choices of a chat-like chunk.
    """

    type: str = "response.chunk"
    sequence_number: int | None = None
    response: ResponseReply | None = attrs.field(default=None, metadata=ESSENTIAL)
    item: OutputItem | None = attrs.field(default=None, metadata=ESSENTIAL)
    part: OutputPart | None = attrs.field(default=None, metadata=ESSENTIAL)
    item_id: str | None = attrs.field(default=None, metadata=TEXT)
    output_index: int | None = attrs.field(default=None, metadata=POSITION)
    content_index: int | None = attrs.field(default=None, metadata=POSITION)
    summary_index: int | None = attrs.field(default=None, metadata=POSITION)
    delta: str | None = attrs.field(default=None, metadata=TEXT)
    arguments: str | None = attrs.field(default=None, metadata=TEXT)
    logprobs: list[dict[str, Any]] | None = None
    id: str = ""
    created: int | None = None
    model: str = ""
    choices: list[ChunkChoice] = attrs.field(factory=list, metadata=ESSENTIAL)
    usage: ResponseUsage | None = None

    @property
    def text(self) -> str:
        """The output text that the event adds to the response, ``""`` if none."""
        if self.type == "response.output_text.delta":
            return self.delta or ""
        if self.type == "response.output_item.added" and self.item is not None:
            return self.item.text
        if self.type == "response.content_part.added" and self.part is not None:
            return (self.part.text or "") if self.part.type == "output_text" else ""
        return next((choice.delta.content or "" for choice in self.choices if choice.index == 0), "")
