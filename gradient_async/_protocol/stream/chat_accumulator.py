"""A chat completion put together from its chunks.

Contract: linear time, memory bounded by what arrived, no index trusted: choices and tool calls live in dicts, so
a huge index costs nothing. Strings are concatenated, lists extended, the last usage that is not null wins, and of
an unknown field its last value that is not null.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.chunk_template import TemplateSource
from gradient_async._protocol.stream.tool_call_assembler import (
    ToolCallAssembler,
    append_part,
    copy_unknown,
    join_parts,
    merge_unknown,
    unknown_fields,
)
from gradient_async.models import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    ChunkChoice,
    Delta,
    Logprobs,
    Message,
    TokenLogprob,
    Usage,
)

_CHUNK_FIELDS, _CHOICE_FIELDS, _DELTA_FIELDS = (
    frozenset(model.wire_fields) for model in (ChatCompletionChunk, ChunkChoice, Delta)
)


@attrs.define(eq=False, repr=False)
class _ChoiceParts:
    """One choice in the making."""

    index: int
    role: str | None = None
    content: list[str] | None = None
    refusal: list[str] | None = None
    reasoning_content: list[str] | None = None
    reasoning: list[str] | None = None
    calls: ToolCallAssembler | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)
    around: dict[str, Any] = attrs.field(factory=dict)
    """The unknown fields of the choice; ``extra`` are those of its message."""

    def add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        if delta.content is not None:
            self.content = append_part(self.content, delta.content)
        if choice.finish_reason:  # some upstreams say "" as long as there is none
            self.finish_reason = choice.finish_reason
        if choice.logprobs is not None:
            self._add_logprobs(choice.logprobs)
        if delta.role and self.role is None:
            self.role = delta.role
        if delta.reasoning_content is not None:
            self.reasoning_content = append_part(self.reasoning_content, delta.reasoning_content)
        if delta.reasoning is not None:
            self.reasoning = append_part(self.reasoning, delta.reasoning)
        if delta.refusal is not None:
            self.refusal = append_part(self.refusal, delta.refusal)
        if delta.tool_calls:
            self.calls = self.calls or ToolCallAssembler()
            self.calls.add(delta.tool_calls)
        raw = choice._raw
        if type(raw) is not tuple or not raw[0].is_known:  # else there is nothing unknown in it, nor in its delta
            self._add_unknown(choice)

    def _add_unknown(self, choice: ChunkChoice) -> None:
        if extra := unknown_fields(choice.delta, _DELTA_FIELDS):
            merge_unknown(self.extra, extra)
        if around := unknown_fields(choice, _CHOICE_FIELDS):
            merge_unknown(self.around, around)

    def _add_logprobs(self, news: Logprobs) -> None:
        known = self.logprobs = self.logprobs or Logprobs()
        known.content = _extended(known.content, news.content)
        known.refusal = _extended(known.refusal, news.refusal)

    def value(self) -> Choice:
        return Choice(
            index=self.index,
            finish_reason=self.finish_reason,
            logprobs=self._logprobs(),
            message=Message(
                role=self.role or "assistant",
                content=join_parts(self.content),
                refusal=join_parts(self.refusal),
                reasoning_content=join_parts(self.reasoning_content),
                reasoning=join_parts(self.reasoning),
                tool_calls=self.calls.value() if self.calls else None,
                raw=copy_unknown(self.extra),
            ),
            raw=copy_unknown(self.around),
        )

    def _logprobs(self) -> Logprobs | None:
        if (known := self.logprobs) is None:
            return None
        return Logprobs(content=_extended(None, known.content), refusal=_extended(None, known.refusal))


def _extended(known: list[TokenLogprob] | None, news: list[TokenLogprob] | None) -> list[TokenLogprob] | None:
    """Return *known*, extended in place; a new list where there was none."""
    if news is None:
        return known
    known = [] if known is None else known
    known.extend(news)
    return known


def _nowhere(_text: str) -> None:
    """Where texts go while no frame is followed: none comes."""


@attrs.define
class ChatAccumulator:
    """Assembles chunks into the completion they are pieces of.

    >>> acc = ChatAccumulator()
    >>> acc.add({"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]})
    >>> acc.snapshot().text
    'Hi'
    """

    _head: ChatCompletion = attrs.field(factory=ChatCompletion, init=False)
    _choices: dict[int, _ChoiceParts] = attrs.field(factory=dict, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _frame: object = attrs.field(default=None, init=False)
    _grow: Callable[[str], None] = attrs.field(default=_nowhere, init=False)

    def add(self, chunk: ChatCompletionChunk | Mapping[str, Any]) -> None:
        """Add the next chunk of the stream.

        Raises:
            ResponseDecodeError: A dict is not a chunk.
        """
        if not isinstance(chunk, ChatCompletionChunk):
            chunk = structure(dict(chunk), ChatCompletionChunk)
        self._frame = None
        self._add_choices(chunk)
        self._add_head(chunk)

    def add_decoded(self, chunk: ChatCompletionChunk) -> None:
        """Add the next chunk as the decoder made it and before anyone could change it.

        Hot: of chunks that share all but their text only the first is taken apart.
        """
        raw = chunk._raw
        if type(raw) is not tuple:
            self.add(chunk)
        elif (source := raw[0]) is self._frame:
            self._grow(raw[1])
        else:
            self.add(chunk)
            if type(source) is TemplateSource:
                self._follow(source)

    def _follow(self, frame: TemplateSource) -> None:
        """Remember where the texts of *frame* go: the first of them, and the rest of its chunk, have been added."""
        pieces: list[str] | None = getattr(self._choices[frame.index], frame.field)
        if pieces is not None:
            self._frame, self._grow = frame, pieces.append

    def _add_choices(self, chunk: ChatCompletionChunk) -> None:
        for choice in chunk.choices:
            parts = self._choices.get(choice.index)
            if parts is None:
                parts = self._choices[choice.index] = _ChoiceParts(choice.index)
            parts.add(choice)

    def _add_head(self, chunk: ChatCompletionChunk) -> None:
        head = self._head
        if not head.id:
            head.id = chunk.id
            head.created = chunk.created or head.created
            head.model = chunk.model or head.model
        if chunk.usage is not None:
            head.usage = chunk.usage
        if chunk.system_fingerprint is not None:
            head.system_fingerprint = chunk.system_fingerprint
        if chunk.service_tier is not None:
            head.service_tier = chunk.service_tier
        if chunk.retrieval is not None:
            head.retrieval = chunk.retrieval
        if chunk.functions is not None:
            head.functions = chunk.functions
        if chunk.guardrails is not None:
            head.guardrails = chunk.guardrails
        if extra := unknown_fields(chunk, _CHUNK_FIELDS):
            self._extra.update({name: value for name, value in extra.items() if value is not None})

    @property
    def is_complete(self) -> bool:
        """Whether every choice seen has its finish reason; False before the first one."""
        choices = self._choices.values()
        return bool(choices) and all(choice.finish_reason is not None for choice in choices)

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended, None if it has not."""
        first = self._choices.get(min(self._choices, default=0))
        return first.finish_reason if first else None

    @property
    def usage(self) -> Usage | None:
        """The last usage that arrived."""
        return self._head.usage

    def snapshot(self) -> ChatCompletion:
        """Return what has been assembled so far; later chunks do not change it."""
        choices = [self._choices[index].value() for index in sorted(self._choices)]
        return attrs.evolve(self._head, choices=choices, raw=dict(self._extra) or None)
