"""Assembles a chat completion from its chunks.

Contract: time linear in the chunks, memory bounded by the bytes that arrived. No index is trusted: choices and tool
calls are kept in dicts, so a huge index costs nothing. Strings are concatenated and lists extended; of usage, and of
an unknown field, the last value that is not null wins.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.http.error_detection import is_failure
from gradient_async._protocol.stream.chunk_template import TEXT, TemplateSource
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async._protocol.stream.tool_call_assembler import ToolCallAssembler, copy_unknown, merge_unknown
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
from gradient_async.models._raw_source import SOURCE, unknown_fields

_CHUNK_FIELDS, _CHOICE_FIELDS, _DELTA_FIELDS = (
    frozenset(model.wire_fields) for model in (ChatCompletionChunk, ChunkChoice, Delta)
)


@attrs.define(eq=False, repr=False)
class _ChoiceBuilder:
    """A choice, as far as its chunks have arrived."""

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
    choice_extra: dict[str, Any] = attrs.field(factory=dict)
    """The unknown fields of the choice; ``extra`` holds those of its message."""

    def add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        if delta.content is not None:
            self.content = append_part(self.content, delta.content)
        if choice.finish_reason:  # some upstreams send "" before the last chunk
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
        if type(raw) is not tuple or not raw[SOURCE].all_fields_known:  # a known source covers the choice and its delta
            self._add_unknown(choice)

    def _add_unknown(self, choice: ChunkChoice) -> None:
        if extra := unknown_fields(choice.delta, _DELTA_FIELDS):
            merge_unknown(self.extra, extra)
        if extra := unknown_fields(choice, _CHOICE_FIELDS):
            merge_unknown(self.choice_extra, extra)

    def _add_logprobs(self, new: Logprobs) -> None:
        known = self.logprobs = self.logprobs or Logprobs()
        known.content = _extend_tokens(known.content, new.content)
        known.refusal = _extend_tokens(known.refusal, new.refusal)

    def build_choice(self) -> Choice:
        logprobs = self.logprobs
        if logprobs is not None:
            logprobs = Logprobs(
                content=_extend_tokens(None, logprobs.content), refusal=_extend_tokens(None, logprobs.refusal)
            )
        return Choice(
            index=self.index,
            finish_reason=self.finish_reason,
            logprobs=logprobs,
            message=Message(
                role=self.role or "assistant",
                content=join_parts(self.content),
                refusal=join_parts(self.refusal),
                reasoning_content=join_parts(self.reasoning_content),
                reasoning=join_parts(self.reasoning),
                tool_calls=self.calls.build_calls() if self.calls else None,
                raw=copy_unknown(self.extra),
            ),
            raw=copy_unknown(self.choice_extra),
        )


def _extend_tokens(known: list[TokenLogprob] | None, new: list[TokenLogprob] | None) -> list[TokenLogprob] | None:
    """Return *known*, extended in place by *new*; a new list if *known* is None and *new* is not."""
    if new is None:
        return known
    known = [] if known is None else known
    known.extend(new)
    return known


def _ignore_text(_text: str) -> None:
    """Stand in for ``list.append`` while there is no template: it is never called."""


@attrs.define
class ChatAccumulator:
    """Assembles the chunks of a stream into a completion.

    >>> acc = ChatAccumulator()
    >>> acc.add({"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]})
    >>> acc.snapshot().text
    'Hi'
    """

    _head: ChatCompletion = attrs.field(factory=ChatCompletion, init=False)
    _choices: dict[int, _ChoiceBuilder] = attrs.field(factory=dict, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _template: TemplateSource | None = attrs.field(default=None, init=False)
    _has_null_choices: bool = attrs.field(default=False, init=False)
    _append_text: Callable[[str], None] = attrs.field(default=_ignore_text, init=False)

    def add(self, chunk: ChatCompletionChunk | Mapping[str, Any]) -> None:
        """Add the next chunk of the stream.

        Raises:
            ResponseDecodeError: A dict is not a chunk.
        """
        if not isinstance(chunk, ChatCompletionChunk):
            chunk = structure(dict(chunk), ChatCompletionChunk)
        self._template = None
        for choice in chunk.choices:
            builder = self._choices.get(choice.index)
            if builder is None:
                builder = self._choices[choice.index] = _ChoiceBuilder(choice.index)
            builder.add(choice)
        if not chunk.choices and type(raw := chunk._raw) is dict and raw.get("choices", raw) is None:
            self._has_null_choices = True
        self._add_head(chunk)

    def add_decoded(self, chunk: ChatCompletionChunk) -> None:
        """Add the next chunk as the decoder built it, before anyone could change it.

        Hot: of the chunks of one template only the first is added field by field; of the others, the text.
        """
        raw = chunk._raw
        if type(raw) is not tuple:
            self.add(chunk)
        elif (source := raw[SOURCE]) is self._template:
            self._append_text(raw[TEXT])
        else:
            self.add(chunk)
            if type(source) is TemplateSource:
                self._set_template(source)

    def _set_template(self, source: TemplateSource) -> None:
        """Append the texts of the next chunks of *source* to the parts that its first chunk was just added to."""
        parts: list[str] | None = getattr(self._choices[source.index], source.field)
        if parts is not None:
            self._template, self._append_text = source, parts.append

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
    def has_failed(self) -> bool:
        """Whether a choice ended with the finish reason ``error``."""
        return any(is_failure(choice.finish_reason) for choice in self._choices.values())

    @property
    def lacks_choices(self) -> bool:
        """Whether no choice arrived, and a chunk said so: its choices were null."""
        return self._has_null_choices and not self._choices

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice, None if it has none yet."""
        first = self._choices.get(min(self._choices, default=0))
        return first.finish_reason if first else None

    @property
    def usage(self) -> Usage | None:
        """The last usage that arrived, None if there was none."""
        return self._head.usage

    def snapshot(self) -> ChatCompletion:
        """Return the completion assembled so far; later chunks do not change it."""
        choices = [self._choices[index].build_choice() for index in sorted(self._choices)]
        return attrs.evolve(self._head, choices=choices, raw=dict(self._extra) or None)
