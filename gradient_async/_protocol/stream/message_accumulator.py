"""Assembles a message from the events of its stream.

Contract: time linear in the events, memory bounded by the bytes that arrived; blocks are kept in a dict, so a huge
index costs nothing. Of each field of the usage the last value wins. A message is complete once it has its stop reason.
``[DONE]`` has no meaning here.

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
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async.models.message_event import MessageDelta, MessageEvent
from gradient_async.models.messages import ContentBlock, MessageReply, MessageUsage

_BLOCK_TYPES = {"thinking_delta": "thinking", "signature_delta": "thinking", "input_json_delta": "tool_use"}
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
        APIStatusError: The body is an error object.
        ProtocolError: The body is not a message.
    """
    require_json(body, content_type)
    return [MessageEvent(type="message_start", message=read_message(body))]


@attrs.define(eq=False, repr=False)
class _BlockBuilder:
    """A content block, as far as its deltas have arrived."""

    start: ContentBlock
    text: list[str] | None
    thinking: list[str] | None
    signature: list[str] | None
    input: list[str] | None = None
    citations: list[Any] = attrs.field(factory=list)

    @classmethod
    def from_block(cls, block: ContentBlock) -> Self:
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

    def build_block(self) -> ContentBlock:
        """Return the block; incomplete JSON of its input goes to the unknown field ``partial_json``."""
        tool_input, extra = self.start.input, self.start.extra
        if self.citations:
            extra["citations"] = [*(extra.get("citations") or ()), *self.citations]
        if text := join_parts(self.input):
            value = decode_json(text) if is_complete_json(text) else None
            if isinstance(value, dict):
                tool_input = value
            else:
                extra["partial_json"] = text
        return ContentBlock(
            type=self.start.type,
            text=join_parts(self.text),
            thinking=join_parts(self.thinking),
            id=self.start.id,
            name=self.start.name,
            input=tool_input,
            signature=join_parts(self.signature),
            raw=extra or None,
        )


@attrs.define(eq=False, repr=False)
class MessageAccumulator:
    """Assembles the events of a stream into a message."""

    _head: MessageReply = attrs.field(factory=MessageReply, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _blocks: dict[int, _BlockBuilder] = attrs.field(factory=dict, init=False)
    _latest: int = attrs.field(default=-1, init=False)
    _usage: dict[str, Any] = attrs.field(factory=dict, init=False)

    def add_decoded(self, event: MessageEvent) -> None:
        """Add the next event of the stream."""
        if event.message is not None:
            self._start_message(event.message)
        if event.content_block is not None:
            self._latest = self._latest + 1 if event.index is None else event.index
            self._blocks[self._latest] = _BlockBuilder.from_block(event.content_block)
        if event.delta is not None and event.type == "content_block_delta":
            self._find_block(event, event.delta).add(event.delta)
        elif event.delta is not None:
            self._head.stop_reason = event.delta.stop_reason or self._head.stop_reason
            self._head.stop_sequence = event.delta.stop_sequence or self._head.stop_sequence
        if event.usage is not None:
            self._update_usage(event.usage)

    def _start_message(self, message: MessageReply) -> None:
        self._head, self._extra = attrs.evolve(message, content=[], usage=None, raw=None), message.extra
        self._blocks = {index: _BlockBuilder.from_block(block) for index, block in enumerate(message.content)}
        self._latest = len(self._blocks) - 1
        if message.usage is not None:
            self._update_usage(message.usage)

    def _update_usage(self, usage: MessageUsage) -> None:
        """Take over the fields of *usage* that arrived and are not null."""
        self._usage.update({name: value for name, value in usage.raw.items() if value is not None})

    def _find_block(self, event: MessageEvent, delta: MessageDelta) -> _BlockBuilder:
        """Return the block of *delta*: by its index, else the latest; a new one if none was started."""
        index = max(self._latest, 0) if event.index is None else event.index
        if index not in self._blocks:
            self._blocks[index] = _BlockBuilder.from_block(
                ContentBlock(type=_BLOCK_TYPES.get(delta.type or "", "text"))
            )
        return self._blocks[index]

    @property
    def is_complete(self) -> bool:
        """Whether the message has its stop reason."""
        return bool(self._head.stop_reason)  # some upstreams send "" before the last event

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, by the stop reason of the message."""
        return _OUTCOMES.get(self._head.stop_reason, "done")

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        count = self._usage.get("output_tokens")
        return count if isinstance(count, int) else None

    def snapshot(self) -> MessageReply:
        """Return the message assembled so far; later events do not change it."""
        return attrs.evolve(
            self._head,
            content=[self._blocks[index].build_block() for index in sorted(self._blocks)],
            usage=structure(dict(self._usage), MessageUsage) if self._usage else None,
            raw=dict(self._extra) or None,
        )
