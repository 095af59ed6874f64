"""The events of a stream of the messages API.

Nothing in an event is certain to be there besides its type; one of an unknown type has its fields in ``raw``.

Source: ``POST /v1/messages`` of the serverless reference.
"""

import attrs

from gradient_async.models._base import Model
from gradient_async.models.messages import ContentBlock, MessageReply, MessageUsage


@attrs.define(kw_only=True, eq=False, repr=False)
class MessageDelta(Model):
    """What an event adds to a block, or to the message: how it ended."""

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    signature: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class MessageEvent(Model):
    """One event of a stream.

    Attributes:
        type: ``message_start``, ``content_block_start``, ``content_block_delta``, ``content_block_stop``,
            ``message_delta``, ``message_stop`` or a newer one.
        index: Which block it is about.
        message: The message as it begins.
        content_block: The block as it begins.
    """

    type: str
    index: int | None = None
    message: MessageReply | None = None
    content_block: ContentBlock | None = None
    delta: MessageDelta | None = None
    usage: MessageUsage | None = None

    @property
    def text(self) -> str:
        """The text this event adds to the answer, ``""`` if none."""
        if self.delta is not None:
            return (self.delta.text or "") if self.type == "content_block_delta" else ""
        if self.content_block is not None:
            return (self.content_block.text or "") if self.content_block.type == "text" else ""
        return self.message.text if self.message is not None else ""
