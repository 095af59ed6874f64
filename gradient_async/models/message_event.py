"""The events of a stream of the messages API.

Every field but the type may be missing; the fields of an event of unknown type are in ``raw``.

Source: ``POST /v1/messages`` of the serverless reference.
"""

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, TEXT, Model
from gradient_async.models.messages import ContentBlock, MessageReply, MessageUsage


@attrs.define(kw_only=True, eq=False, repr=False)
class MessageDelta(Model):
    """The part of a content block that an event adds, or the stop reason of the message."""

    type: str | None = None
    text: str | None = attrs.field(default=None, metadata=TEXT)
    thinking: str | None = attrs.field(default=None, metadata=TEXT)
    partial_json: str | None = attrs.field(default=None, metadata=TEXT)
    signature: str | None = attrs.field(default=None, metadata=TEXT)
    stop_reason: str | None = None
    stop_sequence: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class MessageEvent(Model):
    """One event of a messages stream.

    Attributes:
        type: ``message_start``, ``content_block_start``, ``content_block_delta``, ``content_block_stop``,
            ``message_delta``, ``message_stop`` or a newer one.
        index: The index of the content block, from 0.
        message: The message at its start.
        content_block: The content block at its start.
        delta: The part that the event adds.
        usage: The numbers of tokens so far.
    """

    type: str
    index: int | None = attrs.field(default=None, metadata=POSITION)
    message: MessageReply | None = attrs.field(default=None, metadata=ESSENTIAL)
    content_block: ContentBlock | None = attrs.field(default=None, metadata=ESSENTIAL)
    delta: MessageDelta | None = attrs.field(default=None, metadata=ESSENTIAL)
    usage: MessageUsage | None = None

    @property
    def text(self) -> str:
        """The text that the event adds to the message, ``""`` if none."""
        if self.delta is not None:
            return (self.delta.text or "") if self.type == "content_block_delta" else ""
        if self.content_block is not None:
            return (self.content_block.text or "") if self.content_block.type == "text" else ""
        return self.message.text if self.message is not None else ""
