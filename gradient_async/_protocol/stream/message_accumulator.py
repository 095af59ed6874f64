"""Assembles a message from the events of its stream.

Contract: time linear in the events, memory bounded by the bytes that arrived; no index is trusted to be small or new.
The message is the one that an unstreamed request returns: every field of it and of its blocks is kept, known or not. A
started block is a new block, even at an index that another one has. Of each field of the message and of its usage the
last value wins that is not null. A message is complete once it has its stop reason. ``[DONE]`` has no meaning here.

Source: ``POST /v1/messages`` of the serverless reference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import attrs

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.http.error_body import require_json
from gradient_async._protocol.http.error_detection import is_failure
from gradient_async._protocol.http.reply_bodies import fill_tool_input, read_message
from gradient_async._protocol.stream.accelerators.dialect_template import TextHoles
from gradient_async._protocol.stream.accelerators.fast_event_accumulator import FastEventAccumulator, Place
from gradient_async._protocol.stream.event_decoder import Dialect
from gradient_async._protocol.stream.json_pieces import append_text, build_object, merge_value, update_object
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async.errors import ResponseDecodeError
from gradient_async.models.message_event import MessageDelta, MessageEvent
from gradient_async.models.messages import ContentBlock, MessageReply, MessageUsage

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import StreamOutcome

_PLAIN_DELTAS = frozenset({"text_delta", "thinking_delta", "signature_delta", "input_json_delta"})
"""The types of deltas with known fields only."""
_BLOCK_TYPES = {
    None: "text",
    "citations_delta": "text",
    "signature_delta": "thinking",
    "input_json_delta": "tool_use",
}
_OUTCOMES: dict[str | None, StreamOutcome] = {
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def _split_message(value: dict[str, Any]) -> list[MessageEvent]:
    """Return the events of a whole message that came as one event; none for any other object."""
    if value.get("type") != "message" or not isinstance(value.get("content"), list):
        return []
    return [MessageEvent(type="message_start", message=structure(value, MessageReply))]


def message_to_events(body: bytes, content_type: str) -> list[MessageEvent]:
    """Return the events of a whole message that came instead of a stream.

    Raises:
        APIStatusError: The body is an error object.
        ProtocolError: The body is not a message.
    """
    require_json(body, content_type)
    return [MessageEvent(type="message_start", message=read_message(body))]


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
    find_failure=lambda _event: None,
    split_result=_split_message,
)
_TEXT_FIELDS = ("text", "thinking", "signature", "partial_json")
MESSAGE_HOLES: TextHoles[MessageEvent] = TextHoles(
    texts=frozenset(("delta", name) for name in _TEXT_FIELDS), models={(): MessageEvent, ("delta",): MessageDelta}
)


@attrs.define(eq=False, repr=False)
class _BlockBuilder:
    """A content block, as far as its deltas have arrived.

    Attributes:
        index: The index that the service gave it.
        fields: Its JSON object, in which texts may still be in parts.
        input: The parts of the JSON text of its input, None if none arrived.
        citations: The citations that arrived in deltas.
    """

    index: int
    fields: dict[str, Any]
    input: list[str] | None = None
    citations: list[Any] = attrs.field(factory=list)

    @classmethod
    def from_block(cls, index: int, block: ContentBlock) -> Self:
        return cls(index, dict(block.raw))

    def get_parts(self, name: str) -> list[str]:
        """Return the list that the texts *name* of deltas are appended to, after the first of them."""
        parts: list[str] | None = self.input if name == "partial_json" else self.fields[name]
        assert parts is not None  # noqa: S101 - the first was added
        return parts

    def add(self, delta: MessageDelta) -> None:
        if delta.text is not None:
            append_text(self.fields, "text", delta.text)
        if delta.thinking is not None:
            append_text(self.fields, "thinking", delta.thinking)
        if delta.signature is not None:
            append_text(self.fields, "signature", delta.signature)
        if delta.partial_json is not None:
            self.input = append_part(self.input, delta.partial_json)
        if delta.type not in _PLAIN_DELTAS:
            self._add_unknown(delta)

    def _add_unknown(self, delta: MessageDelta) -> None:
        """Add the fields of *delta* that only its type knows."""
        extra = delta.extra
        if delta.type == "citations_delta" and (citation := extra.pop("citation", None)) is not None:
            self.citations.append(citation)
        for name, value in extra.items():
            if type(value) is str:
                append_text(self.fields, name, value)
            else:
                self.fields[name] = merge_value(self.fields.get(name), value)

    def build_block(self) -> ContentBlock:
        """Return the block; a text of its input that is not a JSON object becomes its field ``partial_json``."""
        fields = build_object(self.fields)
        if self.citations:
            fields["citations"] = [*(fields.get("citations") or ()), *self.citations]
        if text := join_parts(self.input):
            value = _decode_object(text)
            fields |= {"partial_json": text} if value is None else {"input": value}
        block = structure(fields, ContentBlock)
        fill_tool_input(block)
        block._raw = block._unheld or None
        return block


def _without_parts(fields: dict[str, Any]) -> dict[str, Any]:
    """Return *fields* of a message without content and usage, which have events of their own."""
    return {name: value for name, value in fields.items() if name not in ("content", "usage")}


def _decode_object(text: str) -> dict[str, Any] | None:
    """Return the JSON object in *text*, None if it is incomplete or something else."""
    try:
        value = decode_json(text)
    except ResponseDecodeError:
        return None
    return value if type(value) is dict else None


@attrs.define(eq=False, repr=False)
class MessageAccumulator(FastEventAccumulator[MessageEvent]):
    """Assembles the events of a stream into a message."""

    _fields: dict[str, Any] = attrs.field(factory=dict, init=False)
    """The JSON object of the message, without its content and usage."""
    _blocks: list[_BlockBuilder] = attrs.field(factory=list, init=False)
    _newest: dict[int, _BlockBuilder] = attrs.field(factory=dict, init=False)
    """The last block that was started at each index."""
    _usage: dict[str, Any] = attrs.field(factory=dict, init=False)

    def _add(self, event: MessageEvent) -> None:
        if event.message is not None:
            self._start_message(event.message)
        if event.content_block is not None:
            self._start_block(event.index, event.content_block)
        if event.delta is not None and event.type == "content_block_delta":
            self._find_block(event.index, event.delta).add(event.delta)
        elif event.delta is not None:
            self._update_message(event)
        if event.usage is not None:
            self._usage = update_object(self._usage, event.usage.raw)

    def _find_place(self, event: MessageEvent) -> Place | None:
        delta = event.delta
        if event.type != "content_block_delta" or delta is None or delta.type not in _PLAIN_DELTAS:
            return None
        if event.message is not None or event.content_block is not None or event.usage is not None:
            return None
        names = [name for name in _TEXT_FIELDS if getattr(delta, name) is not None]
        if len(names) != 1:
            return None
        return ("delta", names[0]), self._find_block(event.index, delta).get_parts(names[0])

    def _start_message(self, message: MessageReply) -> None:
        self._fields = _without_parts(message.raw)
        self._blocks, self._newest = [], {}
        for index, block in enumerate(message.content):
            self._start_block(index, block)
        if message.usage is not None:
            self._usage = update_object(self._usage, message.usage.raw)

    def _update_message(self, event: MessageEvent) -> None:
        """Take over the fields of the message that come at its end, in the delta or beside it."""
        changes = event.delta.raw if event.delta is not None else {}
        for known in ({name: value for name, value in changes.items() if name != "type"}, event.extra):
            self._fields = update_object(self._fields, _without_parts(known))

    def _start_block(self, index: int | None, block: ContentBlock) -> _BlockBuilder:
        if index is None:
            index = self._blocks[-1].index + 1 if self._blocks else 0
        builder = self._newest[index] = _BlockBuilder.from_block(index, block)
        self._blocks.append(builder)
        return builder

    def _find_block(self, index: int | None, delta: MessageDelta) -> _BlockBuilder:
        """Return the block of *delta*: the newest at its index, else the latest; a new one if none was started."""
        block = self._newest.get(index) if index is not None else self._blocks[-1] if self._blocks else None
        if block is None:
            kind = _BLOCK_TYPES.get(delta.type) or (delta.type or "").removesuffix("_delta")
            block = self._start_block(index, ContentBlock(type=kind))
        return block

    @property
    def is_complete(self) -> bool:
        """Whether the message has its stop reason."""
        self.catch_up()
        return bool(self._fields.get("stop_reason"))  # some upstreams send "" before the last event

    @property
    def has_failed(self) -> bool:
        """Whether the message ended with the stop reason ``error``."""
        self.catch_up()
        return is_failure(self._fields.get("stop_reason"))

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, by the stop reason of the message."""
        self.catch_up()
        reason = self._fields.get("stop_reason")
        return _OUTCOMES.get(reason, "done") if isinstance(reason, str) else "done"

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        self.catch_up()
        count = self._usage.get("output_tokens")
        return count if isinstance(count, int) else None

    def snapshot(self) -> MessageReply:
        """Return the message assembled so far; later events do not change it."""
        self.catch_up()
        message = structure(self._fields, MessageReply)
        message._raw = message.extra or None
        message.content = [block.build_block() for block in self._ordered_blocks()]
        message.usage = structure(dict(self._usage), MessageUsage) if self._usage else None
        return message

    def _ordered_blocks(self) -> list[_BlockBuilder]:
        """Return the blocks by their index; in the order of their arrival if an index was used twice."""
        if len(self._newest) < len(self._blocks):
            return self._blocks
        return sorted(self._blocks, key=lambda block: block.index)
