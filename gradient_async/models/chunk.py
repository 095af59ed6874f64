"""The chunks of a chat stream.

Nothing in a delta is certain to be there; what the service's own chunks leave out has a default.

Source: chat completions of the agent and serverless reference, April to August 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

from gradient_async.models._base import NOT_WIRE, Model
from gradient_async.models.chat import ChatCompletion, Choice, Functions, Guardrails, Logprobs, Retrieval, Usage


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


class Pattern(Protocol):
    """What a run of chunks has in common: everything but one text of one choice."""

    @property
    def field(self) -> str:
        """The name of the text's field in the delta."""
        ...

    @property
    def index(self) -> int:
        """The choice that the text belongs to."""
        ...

    def fill(self, chunk: ChatCompletionChunk, escaped: bytes) -> None:
        """Set every field of *chunk*, whose JSON has *escaped* for its text."""
        ...


@attrs.define(kw_only=True, eq=False, repr=False)
class ChatCompletionChunk(Model):
    """One event of a stream.

    A chunk that differs from the one before it only in its text is made of its bytes and that text; its fields are
    filled in when one is asked for, which the consumers of plain text never do.
    """

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
    _pattern: Pattern | None = attrs.field(default=None, init=False, metadata=NOT_WIRE)
    _piece: str = attrs.field(default="", init=False, metadata=NOT_WIRE)
    _escaped: bytes = attrs.field(default=b"", init=False, metadata=NOT_WIRE)

    @classmethod
    def of_pattern(cls, pattern: Pattern, piece: str, escaped: bytes) -> ChatCompletionChunk:
        """Return the chunk that follows *pattern* and adds *piece*, which its JSON writes as *escaped*."""
        chunk: ChatCompletionChunk = _new_chunk(cls)
        chunk._pattern = pattern
        chunk._piece = piece
        chunk._escaped = escaped
        return chunk

    if not TYPE_CHECKING:  # only what is declared exists for a type checker

        def __getattr__(self, name: str) -> Any:
            if name not in _CHUNK_FIELDS or self._pattern is None:
                raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
            pattern, self._pattern = self._pattern, None
            pattern.fill(self, self._escaped)
            return getattr(self, name)

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
        if (pattern := self._pattern) is not None:
            return self._piece if pattern.field == "content" and pattern.index == 0 else ""
        return self.delta.content or ""

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, in the chunk that ends it."""
        for choice in self.choices:
            if choice.index == 0:
                return choice.finish_reason
        return None


_new_chunk = ChatCompletionChunk.__new__
_CHUNK_FIELDS = frozenset(ChatCompletionChunk.wire_fields) | {"_raw"}


def completion_as_chunk(completion: ChatCompletion) -> ChatCompletionChunk:
    """Return a whole *completion* as the one chunk of a stream."""
    names = ("id", "created", "model", "usage", "system_fingerprint", "service_tier")
    agent = ("retrieval", "functions", "guardrails")
    shared: dict[str, Any] = {name: getattr(completion, name) for name in names + agent}
    return ChatCompletionChunk(choices=[_choice_as_delta(c) for c in completion.choices], **shared)


def _choice_as_delta(choice: Choice) -> ChunkChoice:
    message = choice.message
    calls = [
        ToolCallDelta(
            index=position,
            id=call.id,
            type=call.type,
            function=FunctionCallDelta(name=call.function.name, arguments=call.function.arguments),
        )
        for position, call in enumerate(message.tool_calls or ())
    ]
    return ChunkChoice(
        index=choice.index,
        finish_reason=choice.finish_reason,
        logprobs=choice.logprobs,
        delta=Delta(
            role=message.role,
            content=message.content,
            refusal=message.refusal,
            reasoning_content=message.reasoning_content,
            reasoning=message.reasoning,
            tool_calls=calls or None,
        ),
    )
