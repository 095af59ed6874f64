"""Assembles a chat completion from its chunks.

Contract: time linear in the chunks, memory bounded by the bytes that arrived. No index is trusted: choices and tool
calls are kept in dicts, so a huge index costs nothing. Strings are concatenated and lists extended; of usage, and of
an unknown field beside the delta, the last value that is not null wins. Unknown fields of the delta are pieces (see
`json_pieces`), so that the message can be sent back.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async._protocol.http.error_detection import is_failure
from gradient_async._protocol.stream.choice_builder import ChoiceBuilder
from gradient_async._protocol.stream.chunk_object import structure_chunk
from gradient_async._protocol.stream.chunk_template import TEXT, TemplateSource
from gradient_async.models import ChatCompletion, ChatCompletionChunk, ToolCall, Usage
from gradient_async.models._raw_source import SOURCE, unknown_fields

if TYPE_CHECKING:
    from gradient_async.params.objects import ObjectParam

_CHUNK_FIELDS = frozenset(ChatCompletionChunk.wire_fields)
_CUT_REASONS = ("length", "content_filter", "error")
"""The finish reasons of a choice that stopped anywhere."""


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
    _choices: dict[int, ChoiceBuilder] = attrs.field(factory=dict, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _template: TemplateSource | None = attrs.field(default=None, init=False)
    _has_null_choices: bool = attrs.field(default=False, init=False)
    _append_text: Callable[[str], None] = attrs.field(default=_ignore_text, init=False)

    def add(self, chunk: ChatCompletionChunk | Mapping[str, Any] | ObjectParam) -> None:
        """Add the next chunk of the stream: of this library, a dict, or an object with fields, as of OpenAI's package.

        Raises:
            ConfigurationError: It is not an object in JSON.
            ResponseDecodeError: A dict is not a chunk.
        """
        if not isinstance(chunk, ChatCompletionChunk):
            fields = dict(chunk) if isinstance(chunk, Mapping) else to_request_json("chunk", chunk, keep_nulls=True)
            chunk = structure_chunk(fields)
        self._template = None
        for choice in chunk.choices:
            builder = self._choices.get(choice.index)
            if builder is None:
                builder = self._choices[choice.index] = ChoiceBuilder(choice.index)
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
                self._set_template(source, chunk)

    def _set_template(self, source: TemplateSource, chunk: ChatCompletionChunk) -> None:
        """Append the texts of the next chunks of *source* to the parts that *chunk*, its first, was just added to.

        That is not possible if the chunks have an unknown field that grows with each of them.
        """
        builder = self._choices[source.index]
        parts: list[str] | None = getattr(builder, source.field)
        if parts is not None and (source.all_fields_known or builder.repeats(chunk.choices[0])):
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

    def take_completed_calls(self, taken: set[int], *, is_over: bool) -> list[ToolCall]:
        """Return the tool calls of the choice with index 0 that are complete and not *taken*; add them to *taken*.

        Args:
            taken: The positions of the calls that were returned before.
            is_over: Whether the stream has ended as it should.
        """
        choice = self._choices.get(0)
        if choice is None or choice.calls is None:
            return []
        reason = choice.finish_reason
        return choice.calls.take_completed(taken, is_over=is_over or reason is not None, is_cut=reason in _CUT_REASONS)

    @property
    def usage(self) -> Usage | None:
        """The last usage that arrived, None if there was none."""
        return self._head.usage

    def snapshot(self) -> ChatCompletion:
        """Return the completion assembled so far; later chunks do not change it."""
        choices = [self._choices[index].build_choice() for index in sorted(self._choices)]
        return attrs.evolve(self._head, choices=choices, raw=dict(self._extra) or None)
