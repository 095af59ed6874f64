"""The results of the messages API.

Source: ``POST /v1/messages`` of the serverless reference.
"""

from typing import Any

import attrs

from gradient_async.models._base import ESSENTIAL, TEXT, Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class ContentBlock(Model):
    """A block of a message: text, thinking, or the call of a tool."""

    type: str = attrs.field(default="text", metadata=ESSENTIAL)
    text: str | None = attrs.field(default=None, metadata=TEXT)
    thinking: str | None = attrs.field(default=None, metadata=TEXT)
    id: str | None = attrs.field(default=None, metadata=TEXT)
    name: str | None = attrs.field(default=None, metadata=ESSENTIAL)
    input: dict[str, Any] | None = attrs.field(default=None, metadata=ESSENTIAL)
    signature: str | None = attrs.field(default=None, metadata=TEXT)


@attrs.define(kw_only=True, eq=False, repr=False)
class MessageUsage(Model):
    """Numbers of tokens that a message is billed for."""

    input_tokens: int = 0
    output_tokens: int = 0
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class MessageReply(ResponseModel):
    """A message, whole or assembled so far from a stream.

    Attributes:
        stop_reason: ``end_turn``, ``max_tokens``, ``stop_sequence``, ``tool_use`` or a newer one; None if the
            message has not ended.
    """

    id: str = ""
    type: str = "message"
    role: str = "assistant"
    model: str = ""
    content: list[ContentBlock] = attrs.field(factory=list, metadata=ESSENTIAL)
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: MessageUsage | None = None

    @property
    def text(self) -> str:
        """The text of every text block, joined; ``""`` if there is none."""
        return "".join(block.text or "" for block in self.content if block.type == "text")
