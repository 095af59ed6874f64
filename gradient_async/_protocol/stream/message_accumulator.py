"""A message put together from the events of its stream.

Contract: linear time, memory bounded by what arrived; blocks live in a dict, so a huge index costs nothing. The usage
is the last one told, field by field. A message is complete once it has its stop reason. ``[DONE]`` means nothing here.

Source: ``POST /v1/messages`` of the serverless reference.
"""

from __future__ import annotations

from typing import Any, Self

import attrs

from gradient_async._protocol.codec.converter import decode_json, is_complete_json, structure
from gradient_async._protocol.http.error_body import require_json
from gradient_async._protocol.http.reply_bodies import read_message
from gradient_async._protocol.stream.event_decoder import Dialect
from gradient_async._protocol.stream.interfaces import StreamOutcome
from gradient_async._protocol.stream.tool_call_assembler import append_part, join_parts
from gradient_async.models.message_event import MessageDelta, MessageEvent
from gradient_async.models.messages import ContentBlock, MessageReply, MessageUsage

_TYPE_OF_DELTA = {"thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}
_OUTCOMES: dict[str | None, StreamOutcome] = {
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}
MESSAGE_DIALECT = Dialect(
    event_class=MessageEvent,
    known_types=frozenset(
        {
            "message_start",
            "content_block_start",
            "content_block_delta",
            "content_block_stop",
            "message_delta",
            "message_stop",
        }
    ),
    final_types=frozenset({"message_stop"}),
    has_done_marker=False,
    find_error=lambda _value: None,
)


def message_to_events(body: bytes, content_type: str) -> list[MessageEvent]:
    """Return the events of a whole message that came instead of a stream.

    Raises:
        APIStatusError: It is an error object.
        ProtocolError: It is no message.
    """
    require_json(body, content_type)
    return [MessageEvent(type="message_start", message=read_message(body))]


@attrs.define(eq=False, repr=False)
class _Block:
    """One content block in the making."""

    begun: ContentBlock
    text: list[str] | None
    thinking: list[str] | None
    signature: list[str] | None
    input: list[str] | None = None
    citations: list[Any] = attrs.field(factory=list)

    @classmethod
    def of(cls, block: ContentBlock) -> Self:
        text, thinking, signature = (
            None if value is None else [value] for value in (block.text, block.thinking, block.signature)
        )
        return cls(attrs.evolve(block), text, thinking, signature)

    def add(self, delta: MessageDelta) -> None:
        if delta.text is not None:
            self.text = append_part(self.text, delta.text)
        if delta.thinking is not None:
            self.thinking = append_part(self.thinking, delta.thinking)
        if delta.signature is not None:
            self.signature = append_part(self.signature, delta.signature)
        if delta.partial_json is not None:
            self.input = append_part(self.input, delta.partial_json)
        if delta.type == "citations_delta" and "citation" in (extra := delta.extra):
            self.citations.append(extra["citation"])

    def value(self) -> ContentBlock:
        known, extra = self.begun.input, self.begun.extra
        if self.citations:
            extra["citations"] = [*(extra.get("citations") or ()), *self.citations]
        if written := join_parts(self.input):
            known, broken = _input(known, written)
            extra |= broken
        return ContentBlock(
            type=self.begun.type,
            text=join_parts(self.text),
            thinking=join_parts(self.thinking),
            id=self.begun.id,
            name=self.begun.name,
            input=known,
            signature=join_parts(self.signature),
            raw=extra or None,
        )


def _input(known: dict[str, Any] | None, written: str) -> tuple[dict[str, Any] | None, dict[str, Any]]:
    """Return the input of a tool; while its JSON is not whole, what there was before, and the JSON beside it."""
    value = decode_json(written) if is_complete_json(written) else None
    return (value, {}) if isinstance(value, dict) else (known, {"partial_json": written})


@attrs.define(eq=False, repr=False)
class MessageAccumulator:
    """Assembles events into the message they are pieces of."""

    _head: MessageReply = attrs.field(factory=MessageReply, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _blocks: dict[int, _Block] = attrs.field(factory=dict, init=False)
    _latest: int = attrs.field(default=-1, init=False)
    _usage: dict[str, Any] = attrs.field(factory=dict, init=False)

    def add_decoded(self, event: MessageEvent) -> None:
        """Add the next event of the stream."""
        if event.message is not None:
            self._begin(event.message)
        if event.content_block is not None:
            self._latest = self._latest + 1 if event.index is None else event.index
            self._blocks[self._latest] = _Block.of(event.content_block)
        if event.delta is not None and event.type == "content_block_delta":
            self._block(event, event.delta).add(event.delta)
        elif event.delta is not None:
            self._end(event.delta)
        if event.usage is not None:
            self._count(event.usage)

    def _begin(self, message: MessageReply) -> None:
        self._head, self._extra = attrs.evolve(message, content=[], usage=None, raw=None), message.extra
        self._blocks = {index: _Block.of(block) for index, block in enumerate(message.content)}
        self._latest = len(self._blocks) - 1
        if message.usage is not None:
            self._count(message.usage)

    def _end(self, delta: MessageDelta) -> None:
        self._head.stop_reason = delta.stop_reason or self._head.stop_reason
        self._head.stop_sequence = delta.stop_sequence or self._head.stop_sequence

    def _count(self, usage: MessageUsage) -> None:
        """Put what *usage* really tells over what is known."""
        self._usage.update({name: value for name, value in usage.raw.items() if value is not None})

    def _block(self, event: MessageEvent, delta: MessageDelta) -> _Block:
        """Return the block of a delta, which may have none that began; without an index it is the latest."""
        index = max(self._latest, 0) if event.index is None else event.index
        if index not in self._blocks:
            self._blocks[index] = _Block.of(ContentBlock(type=_TYPE_OF_DELTA.get(delta.type or "", "text")))
        return self._blocks[index]

    @property
    def is_complete(self) -> bool:
        """Whether the message has its stop reason."""
        return bool(self._head.stop_reason)  # some upstreams say "" as long as there is none

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, by the stop reason of the message."""
        return _OUTCOMES.get(self._head.stop_reason, "done")

    @property
    def output_tokens(self) -> int | None:
        """How many tokens the message has, as far as that was told."""
        count = self._usage.get("output_tokens")
        return count if isinstance(count, int) else None

    def snapshot(self) -> MessageReply:
        """Return what has been assembled so far; later events do not change it."""
        return attrs.evolve(
            self._head,
            content=[self._blocks[index].value() for index in sorted(self._blocks)],
            usage=structure(dict(self._usage), MessageUsage) if self._usage else None,
            raw=dict(self._extra) or None,
        )
