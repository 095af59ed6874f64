"""Adds the chunks of one template to a completion, many at once.

Of the chunks of a template only the first of each choice and tool call is added field by field. Adding another one
changes only what its holes hold (see `chunk_template`): parts of texts and log probabilities, which are appended to
where those of the first went, and fields beside the choices, of which the last chunk's are added when somebody asks.

Contract: the completion is the same as if each chunk was added field by field.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Literal

import attrs

from gradient_async._protocol.stream.accelerators.chunk_template import (
    ARGUMENTS,
    CHOICE_INDEX,
    LOGPROBS,
    TEXTS,
    TOOL_INDEX,
    ChunkRun,
    ChunkTemplate,
)
from gradient_async._protocol.stream.choice_builder import ChoiceBuilder
from gradient_async.models import ChatCompletionChunk

Extend = Callable[[Sequence[Any]], None]
Target = tuple[Literal["values", "columns"], int, Extend]
Targets = list[Target] | Literal["in full"]
"""Columns of a run, decoded or as they arrived, with the functions that append their values; or chunks are added in
full, field by field."""


_FIRST_FIELDS = frozenset({("id",), ("created",), ("model",)})
"""Fields of which the first chunk's count, if it has an id."""


@attrs.define(eq=False, repr=False)
class FastChatAccumulator:
    """Adds the chunks of one template to the choices of a completion.

    Attributes:
        template: The template.
        choices: The choices of the completion by index.
        add_chunk: Adds a chunk field by field.
        only_targets: The targets of every chunk, if adding one takes nothing else.
    """

    template: ChunkTemplate
    choices: dict[int, ChoiceBuilder]
    add_chunk: Callable[[ChatCompletionChunk], None]
    only_targets: list[Target] | None = attrs.field(default=None, init=False)
    _columns: dict[Any, int] = attrs.field(init=False)
    """The number of the column for the path of each hole."""
    _key_columns: list[int] = attrs.field(init=False)
    _has_head: bool = attrs.field(init=False)
    _targets: dict[Any, Targets] = attrs.field(factory=dict, init=False)
    """By choice and tool call: the indexes in the key columns."""
    _last: tuple[ChunkRun, int] | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._columns = {hole.path: number for number, hole in enumerate(self.template.holes)}
        self._key_columns = [self._columns[path] for path in (CHOICE_INDEX, TOOL_INDEX) if path in self._columns]
        self._has_head = any(path[0] != "choices" for path in self._columns)

    def add_chunks(self, run: ChunkRun, begin: int, end: int) -> None:
        """Add the chunks of *run* from position *begin* to *end*."""
        if begin == end:
            return
        if not self._key_columns:
            self._add_group((), run, range(begin, end))
        else:
            keys = list(zip(*(run.columns[number][begin:end] for number in self._key_columns), strict=True))
            for key in dict.fromkeys(keys):
                self._add_group(key, run, [at for at, each in enumerate(keys, begin) if each == key])
        if self._has_head:
            self._last = run, end - 1

    def take_last_chunk(self) -> ChatCompletionChunk | None:
        """Return the last chunk, if fields beside its choices were not added yet."""
        last, self._last = self._last, None
        return None if last is None else last[0].build_at(last[1])

    def _add_group(self, key: tuple[str, ...], run: ChunkRun, positions: Sequence[int]) -> None:
        """Add the chunks at *positions*, which belong to the same choice and tool call."""
        targets = self._targets.get(key)
        if targets is None:
            chunk = run.build_at(positions[0])
            self.add_chunk(chunk)
            targets = self._targets[key] = self._find_targets(chunk)
            positions = positions[1:]
            if targets != "in full" and not self._key_columns and not self._has_head:
                self.only_targets = targets
        if targets == "in full":
            for position in positions:
                self.add_chunk(run.build_at(position))
            return
        for form, number, extend in targets:
            values = getattr(run, form)[number]
            is_slice = type(positions) is range
            extend(
                values[positions[0] : positions[-1] + 1] if is_slice and positions else [values[at] for at in positions]
            )

    def _find_targets(self, chunk: ChatCompletionChunk) -> Targets:
        """Return the targets of chunks like *chunk*, which was just added."""
        (choice,) = chunk.choices
        builder = self.choices[choice.index]
        keeps_head = bool(chunk.id) or _FIRST_FIELDS.isdisjoint(self._columns)
        if not keeps_head or not builder.repeats(choice):
            return "in full"
        targets: list[Target] = []
        for path, number in self._columns.items():
            if path in TEXTS:
                targets.append(("values", number, getattr(builder, TEXTS[path]).extend))
            elif path == LOGPROBS and builder.logprobs is not None:
                targets.append(("columns", number, builder.logprobs.add_texts))
            elif path == ARGUMENTS:
                calls, deltas = builder.calls, choice.delta.tool_calls
                call = calls.find_continued(deltas[0]) if calls and deltas else None
                if call is None:
                    return "in full"
                targets.append(("values", number, call.add_arguments))
        return targets
