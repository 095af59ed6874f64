"""Assembles a chat completion from its chunks.

Contract: time linear in the chunks, memory bounded by the bytes that arrived. No index is trusted: choices and tool
calls are kept in dicts, so a huge index costs nothing. Strings are concatenated and lists extended; of usage, and of
an unknown field beside the delta, the last value that is not null wins. Unknown fields of the delta are pieces (see
`json_pieces`), so that the message can be sent back.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async._protocol.http.error_detection import is_failure
from gradient_async._protocol.stream.accelerators.event_run import EventRun
from gradient_async._protocol.stream.choice_builder import ChoiceBuilder
from gradient_async._protocol.stream.chunk_object import structure_chunk
from gradient_async.models import ChatCompletion, ChatCompletionChunk, ToolCall, Usage
from gradient_async.models._raw_source import unknown_fields

if TYPE_CHECKING:
    from gradient_async._protocol.stream.accelerators.chunk_template import ChunkRun
    from gradient_async._protocol.stream.accelerators.fast_chat_accumulator import FastChatAccumulator
    from gradient_async.params.objects import ObjectParam

_CHUNK_FIELDS = frozenset(ChatCompletionChunk.wire_fields)
_CUT_REASONS = ("length", "content_filter", "error")
"""The finish reasons of a choice that stopped anywhere."""


class ChatAccumulator:
    """Assembles the chunks of a stream into a completion.

    >>> acc = ChatAccumulator()
    >>> acc.add({"id": "c1", "choices": [{"index": 0, "delta": {"content": "Hi"}}]})
    >>> acc.snapshot().text
    'Hi'
    """

    __slots__ = (
        "__weakref__",
        "_accumulator",
        "_added",
        "_choices",
        "_extra",
        "_has_null_choices",
        "_head",
        "_rest",
        "_run",
    )

    def __init__(self) -> None:
        self._head = ChatCompletion()
        self._choices: dict[int, ChoiceBuilder] = {}
        self._extra: dict[str, Any] = {}
        self._has_null_choices = False
        self._run: ChunkRun | None = None
        self._rest: Iterator[str] = iter(())
        """Iterates over the first column of the run: its length hint is the number of chunks not taken yet."""
        self._added = 0
        """Number of chunks of the run that were added."""
        self._accumulator: FastChatAccumulator | None = None
        """Adds the chunks of the template of the last run; None after any other chunk."""

    def add(self, chunk: ChatCompletionChunk | Mapping[str, Any] | ObjectParam) -> None:
        """Add the next chunk of the stream: of this library, a dict, or an object with fields, as of OpenAI's package.

        Raises:
            ConfigurationError: It is not an object in JSON.
            ResponseDecodeError: A dict is not a chunk.
        """
        if not isinstance(chunk, ChatCompletionChunk):
            fields = dict(chunk) if isinstance(chunk, Mapping) else to_request_json("chunk", chunk, keep_nulls=True)
            chunk = structure_chunk(fields)
        if self._run is not None:
            self._update(self._run)
        self._leave_template()
        self._add_chunk(chunk)

    def follow(self, chunks: Iterable[ChatCompletionChunk]) -> Iterator[ChatCompletionChunk]:
        """Iterate over the next *chunks* as the decoder built them; each is added when it is taken.

        Hot: the chunks of a run are added when the completion is asked for, or the next chunks come, all at once.
        """
        if self._run is not None:
            self._update(self._run)
        if not isinstance(chunks, EventRun):
            self._run = None
            return map(self._pass_on, chunks)
        self._run, self._added, self._rest = chunks, 0, iter(chunks.columns[0])
        return chunks.build_events(self._rest)

    def _pass_on(self, chunk: ChatCompletionChunk) -> ChatCompletionChunk:
        if self._accumulator is not None:
            self._leave_template()
        self._add_chunk(chunk)
        return chunk

    def _add_chunk(self, chunk: ChatCompletionChunk) -> None:
        for choice in chunk.choices:
            builder = self._choices.get(choice.index)
            if builder is None:
                builder = self._choices[choice.index] = ChoiceBuilder(choice.index)
            builder.add(choice)
        if not chunk.choices and type(raw := chunk._raw) is dict and raw.get("choices", raw) is None:
            self._has_null_choices = True
        self._add_head(chunk)

    def _update(self, run: ChunkRun) -> None:
        """Add the chunks of *run* that were taken since the last time."""
        begin = self._added
        self._added = end = len(run.columns[0]) - self._rest.__length_hint__()  # type: ignore[attr-defined]  # of a list
        accumulator = self._accumulator
        if accumulator is None or accumulator.template is not run.template:
            if begin == end:
                return
            from gradient_async._protocol.stream.accelerators.fast_chat_accumulator import (
                FastChatAccumulator,  # most streams have no run
            )

            self._leave_template()
            accumulator = self._accumulator = FastChatAccumulator(run.template, self._choices, self._add_chunk)
        if accumulator.only_targets is None:
            accumulator.add_chunks(run, begin, end)
            return
        for form, number, extend in accumulator.only_targets:  # Hot: runs for each read of a paced stream
            extend(getattr(run, form)[number][begin:end])

    def _leave_template(self) -> None:
        """Prepare for a chunk that is not of the template."""
        self._add_last_head()
        self._accumulator = None

    def _add_last_head(self) -> None:
        """Add the fields beside the choices of the last chunk of the template."""
        if self._accumulator is not None and (last := self._accumulator.take_last_chunk()) is not None:
            self._add_head(last)

    def _get_choices(self) -> dict[int, ChoiceBuilder]:
        """Return the choices by index, after everything that was taken is added."""
        if self._run is not None:
            self._update(self._run)
        self._add_last_head()
        return self._choices

    def _add_head(self, chunk: ChatCompletionChunk) -> None:
        """Add the fields beside the choices. Hot: a loop over their names takes twice as long for each chunk."""
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
        choices = self._get_choices().values()
        return bool(choices) and all(choice.finish_reason is not None for choice in choices)

    @property
    def has_failed(self) -> bool:
        """Whether a choice ended with the finish reason ``error``."""
        return any(is_failure(choice.finish_reason) for choice in self._get_choices().values())

    @property
    def lacks_choices(self) -> bool:
        """Whether no choice arrived, and a chunk said so: its choices were null."""
        return not self._get_choices() and self._has_null_choices

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice, None if it has none yet."""
        choices = self._get_choices()
        first = choices.get(min(choices, default=0))
        return first.finish_reason if first else None

    def take_completed_calls(self, taken: set[int], *, is_over: bool) -> list[ToolCall]:
        """Return the tool calls of the choice with index 0 that are complete and not *taken*; add them to *taken*.

        Args:
            taken: The positions of the calls that were returned before.
            is_over: Whether the stream has ended as it should.
        """
        choice = self._get_choices().get(0)
        if choice is None or choice.calls is None:
            return []
        reason = choice.finish_reason
        return choice.calls.take_completed(taken, is_over=is_over or reason is not None, is_cut=reason in _CUT_REASONS)

    @property
    def usage(self) -> Usage | None:
        """The last usage that arrived, None if there was none."""
        self._get_choices()
        return self._head.usage

    def snapshot(self) -> ChatCompletion:
        """Return the completion assembled so far; later chunks do not change it."""
        choices = [choice.build_choice() for _, choice in sorted(self._get_choices().items())]
        return attrs.evolve(self._head, choices=choices, raw=dict(self._extra) or None)
