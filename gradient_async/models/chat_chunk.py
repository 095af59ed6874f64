"""The chunks of a chat stream.

Nothing in a delta is certain to be there; what the service's own chunks leave out has a default.

Source: chat completions of the agent and serverless reference, April to August 2026.
"""

import attrs

from gradient_async.models._base import Model
from gradient_async.models.chat import Functions, Guardrails, Logprobs, Retrieval, Usage


@attrs.define(kw_only=True, eq=False, repr=False)
class FunctionCallDelta(Model):
    """A piece of a function call."""

    name: str | None = None
    arguments: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ToolCallDelta(Model):
    """A piece of a tool call. Nothing in it is certain to be there, not even the index."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: FunctionCallDelta | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Delta(Model):
    """What a chunk adds to a choice's message."""

    content: str | None = None
    role: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCallDelta] | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ChunkChoice(Model):
    """What a chunk adds to one choice."""

    index: int = 0
    delta: Delta = attrs.field(factory=Delta)
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ChatCompletionChunk(Model):
    """One event of a stream."""

    id: str = ""
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = ""
    choices: list[ChunkChoice] = attrs.field(factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    retrieval: Retrieval | None = None
    functions: Functions | None = None
    guardrails: Guardrails | None = None

    @property
    def delta(self) -> Delta:
        """What this chunk adds to the first choice; an empty delta if it adds nothing there."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta
        return Delta()

    @property
    def text(self) -> str:
        """The text this chunk adds to the first choice, ``""`` if none."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.delta.content or ""
        return ""

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, in the chunk that ends it."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.finish_reason
        return None
