"""The results of the messages API.

Source: ``POST /v1/messages`` of the serverless reference.
"""

from typing import Any, ClassVar

import attrs

from gradient_async.models._base import ESSENTIAL, TEXT, MaybeNone, Model
from gradient_async.models._conversation import ConversationItem
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class ContentBlock(ConversationItem):
    """A block of a message: ``text``, ``thinking``, the call of a tool (``tool_use``), or a newer one.

    The fields of other blocks are in ``raw``; ``to_dict()`` returns every block as it arrived, to be sent back.

    Attributes:
        input: The arguments of the call of a tool, ``{}`` if it arrived without. If a stream was cut inside them, or
            the model wrote something else than a JSON object, their text is ``raw["partial_json"]``.
    """

    _documented_types: ClassVar[frozenset[str]] = frozenset({"text", "thinking", "tool_use"})

    type: str = attrs.field(default="text", metadata=ESSENTIAL)
    text: str | None = attrs.field(default=None, metadata=TEXT)
    thinking: str | None = attrs.field(default=None, metadata=TEXT)
    id: str | None = attrs.field(default=None, metadata=TEXT)
    name: str | None = attrs.field(default=None, metadata=TEXT)
    input: dict[str, Any] | None = None
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
    usage: MessageUsage | MaybeNone = None

    @property
    def text(self) -> str:
        """The text of every text block, joined; ``""`` if there is none."""
        return "".join(block.text or "" for block in self.content if block.type == "text")
