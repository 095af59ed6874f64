"""Assembles one choice of a chat completion from the deltas of its chunks.

Contract: as `chat_accumulator`, which finds the choice of each delta.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gradient_async._protocol.stream.json_pieces import build_object, is_repetition, merge_piece
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async.models import Choice, ChunkChoice, Delta, Message
from gradient_async.models._raw_source import SOURCE, unknown_fields

if TYPE_CHECKING:
    from gradient_async._protocol.stream.logprobs_builder import LogprobsBuilder
    from gradient_async._protocol.stream.tool_call_assembler import ToolCallAssembler

_CHOICE_FIELDS, _DELTA_FIELDS = (frozenset(model.wire_fields) for model in (ChunkChoice, Delta))


class ChoiceBuilder:
    """A choice, as far as its chunks have arrived."""

    __slots__ = (
        "calls",
        "choice_extra",
        "content",
        "extra",
        "finish_reason",
        "index",
        "logprobs",
        "reasoning",
        "reasoning_content",
        "refusal",
        "role",
    )

    def __init__(self, index: int) -> None:
        self.index = index
        self.role: str | None = None
        self.content: list[str] | None = None
        self.refusal: list[str] | None = None
        self.reasoning_content: list[str] | None = None
        self.reasoning: list[str] | None = None
        self.calls: ToolCallAssembler | None = None
        self.finish_reason: str | None = None
        self.logprobs: LogprobsBuilder | None = None
        self.extra: dict[str, Any] = {}
        self.choice_extra: dict[str, Any] = {}
        """The unknown fields of the choice; ``extra`` holds those of its message."""

    def add(self, choice: ChunkChoice) -> None:
        delta = choice.delta
        if delta.content is not None:
            self.content = append_part(self.content, delta.content)
        if choice.finish_reason:  # some upstreams send "" before the last chunk
            self.finish_reason = choice.finish_reason
        if choice.logprobs is not None:
            self.logprobs = self.logprobs or _new_logprobs_builder()
            self.logprobs.add(choice.logprobs)
        if delta.role and self.role is None:
            self.role = delta.role
        if delta.reasoning_content is not None:
            self.reasoning_content = append_part(self.reasoning_content, delta.reasoning_content)
        if delta.reasoning is not None:
            self.reasoning = append_part(self.reasoning, delta.reasoning)
        if delta.refusal is not None:
            self.refusal = append_part(self.refusal, delta.refusal)
        if delta.tool_calls:
            self.calls = self.calls or _new_call_assembler()
            self.calls.add(delta.tool_calls)
        raw = choice._raw
        if type(raw) is not tuple or not raw[SOURCE].all_fields_known:  # a known source covers the choice and its delta
            self._add_unknown(choice)

    def _add_unknown(self, choice: ChunkChoice) -> None:
        if extra := unknown_fields(choice.delta, _DELTA_FIELDS):
            merge_piece(self.extra, extra)
        if extra := unknown_fields(choice, _CHOICE_FIELDS):
            _update_unknown(self.choice_extra, extra)

    def repeats(self, choice: ChunkChoice) -> bool:
        """Whether adding the unknown fields of *choice*, which was added before, once more changes nothing."""
        has_lists = any(type(value) is list and value for value in unknown_fields(choice, _CHOICE_FIELDS).values())
        return not has_lists and is_repetition(self.extra, unknown_fields(choice.delta, _DELTA_FIELDS))

    def build_choice(self) -> Choice:
        return Choice(
            index=self.index,
            finish_reason=self.finish_reason,
            logprobs=self.logprobs.build_logprobs() if self.logprobs else None,
            message=Message(
                role=self.role or "assistant",
                content=join_parts(self.content),
                refusal=join_parts(self.refusal),
                reasoning_content=join_parts(self.reasoning_content),
                reasoning=join_parts(self.reasoning),
                tool_calls=self.calls.build_calls() if self.calls else None,
                raw=build_object(self.extra) or None,
            ),
            raw=_copy_unknown(self.choice_extra),
        )


def _new_logprobs_builder() -> LogprobsBuilder:
    from gradient_async._protocol.stream.logprobs_builder import LogprobsBuilder  # few streams have any

    return LogprobsBuilder()


def _new_call_assembler() -> ToolCallAssembler:
    from gradient_async._protocol.stream.tool_call_assembler import ToolCallAssembler  # loaded by the first tool call

    return ToolCallAssembler()


def _update_unknown(known: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Merge the unknown fields *new* into *known*: extend lists; of anything else keep the last value but null."""
    for name, value in new.items():
        if type(value) is list and type(items := known.get(name)) is list:
            items.extend(value)
        elif value is not None:
            known[name] = value.copy() if type(value) is list else value


def _copy_unknown(extra: dict[str, Any]) -> dict[str, Any] | None:
    """Copy the unknown fields *extra*, lists included, for a snapshot; None if there are none."""
    return {name: value.copy() if type(value) is list else value for name, value in extra.items()} or None
