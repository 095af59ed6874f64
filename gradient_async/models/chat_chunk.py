"""The chunks of a chat stream.

Every field has a default: the service's own chunks omit any of them.

Source: chat completions of the agent and serverless reference, April to August 2026.
"""

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, TEXT, Model
from gradient_async.models.chat import Functions, Guardrails, Logprobs, Retrieval, Usage


@attrs.define(kw_only=True, eq=False, repr=False)
class FunctionCallDelta(Model):
    """The part of a function call that a chunk adds."""

    name: str | None = attrs.field(default=None, metadata=ESSENTIAL)
    arguments: str | None = attrs.field(default=None, metadata=TEXT)


@attrs.define(kw_only=True, eq=False, repr=False)
class ToolCallDelta(Model):
    """The part of a tool call that a chunk adds. Any field may be missing, even the index."""

    index: int | None = attrs.field(default=None, metadata=POSITION)
    id: str | None = attrs.field(default=None, metadata=TEXT)
    type: str | None = None
    function: FunctionCallDelta | None = attrs.field(default=None, metadata=ESSENTIAL)


@attrs.define(kw_only=True, eq=False, repr=False)
class Delta(Model):
    """The part of a message that a chunk adds."""

    content: str | None = attrs.field(default=None, metadata=TEXT)
    role: str | None = None
    refusal: str | None = attrs.field(default=None, metadata=TEXT)
    reasoning_content: str | None = attrs.field(default=None, metadata=TEXT)
    reasoning: str | None = attrs.field(default=None, metadata=TEXT)
    tool_calls: list[ToolCallDelta] | None = attrs.field(default=None, metadata=ESSENTIAL)


@attrs.define(kw_only=True, eq=False, repr=False)
class ChunkChoice(Model):
    """The part of a choice that a chunk adds."""

    index: int = attrs.field(default=0, metadata=POSITION)
    delta: Delta = attrs.field(factory=Delta, metadata=ESSENTIAL)
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ChatCompletionChunk(Model):
    """One event of a chat stream."""

    id: str = ""
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = ""
    choices: list[ChunkChoice] = attrs.field(factory=list, metadata=ESSENTIAL)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    retrieval: Retrieval | None = None
    functions: Functions | None = None
    guardrails: Guardrails | None = None

    @property
    def delta(self) -> Delta:
        """The delta of the first choice; an empty one if the chunk is not about it."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta
        return Delta()

    @property
    def text(self) -> str:
        """The content that the chunk adds to the first choice, ``""`` if none."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta.content or ""
        return ""

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice, None in every chunk but its last."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.finish_reason
        return None
