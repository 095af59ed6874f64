"""Assembles a response from the events of its stream.

Contract: time linear in the events, memory bounded by the bytes that arrived; items and parts are kept in dicts, so a
huge index costs nothing. Every item is the one that an unstreamed request returns, whatever its type, and empty lists
stay, so that it can be sent back. A whole value (an item that is done, the output of the last event) replaces its
deltas, unless it is empty, as in the reference's last event. A response is complete once an event ends it; one of
chat-like chunks, once every choice has its finish reason.

Source: ``POST /v1/responses`` of the serverless reference, which documents two forms of a stream; both are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import attrs

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.http.error_body import parse_error_object, require_json
from gradient_async._protocol.http.reply_bodies import read_response
from gradient_async._protocol.stream.accelerators.dialect_template import TextHoles
from gradient_async._protocol.stream.accelerators.fast_event_accumulator import FastEventAccumulator, Place
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.event_decoder import Dialect
from gradient_async._protocol.stream.output_builders import ITEM_ADDED, OutputBuilder
from gradient_async._protocol.stream.response_pieces import DELTA_PIECES, DONE_PIECES, Piece, find_piece
from gradient_async.errors import APIStatusError
from gradient_async.models.chat import Choice
from gradient_async.models.chat_chunk import ChatCompletionChunk, ChunkChoice, Delta
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import OutputItem, OutputPart, ResponseReply

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import StreamOutcome

_ANNOTATION_TYPES = ("response.output_text.annotation.added", "response.output_text_annotation.added")
_PLACE_FIELDS = ("output_index", "content_index", "summary_index", "item_id")
_TEXT = Piece("message", "text", "output_text")
_OUTCOMES: dict[str | None, StreamOutcome] = {
    "max_output_tokens": "length",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_CHAT_DELTA = ("choices", 0, "delta")
_HEAD_FIELDS = ("id", "created", "created_at", "model", "usage")
_FAILED = "response.failed"
_STATUS_BY_TYPE = {"response.completed": "completed", "response.incomplete": "incomplete"}


def _find_failure(event: ResponseEvent) -> APIStatusError | None:
    """Return the error of a final event with a failed response, None for any other event."""
    response = event.response
    if event.type != _FAILED and (response is None or response.status != "failed"):
        return None
    error = response.extra.get("error") if response is not None else None
    return parse_error_object({"error": error} if error else event.extra)


def response_to_events(body: bytes, content_type: str) -> list[ResponseEvent]:
    """Return the events of a whole response that came instead of a stream.

    Raises:
        APIStatusError: The body is an error object.
        ProtocolError: The body is not a response.
    """
    require_json(body, content_type)
    return _split_response(read_response(body))


def _split_response(response: ResponseReply) -> list[ResponseEvent]:
    items = [
        ResponseEvent(type=ITEM_ADDED, output_index=index, item=item) for index, item in enumerate(response.output)
    ]
    ending = "response.incomplete" if response.status == "incomplete" else "response.completed"
    return [*items, ResponseEvent(type=ending, response=response)]


def _split_result(value: dict[str, Any]) -> list[ResponseEvent]:
    """Return the events of a whole response that came as one event; none for any other object."""
    is_response = value.get("object") == "response" and isinstance(value.get("output"), list)
    return _split_response(structure(value, ResponseReply)) if is_response else []


@attrs.define(eq=False, repr=False)
class ResponseAccumulator(FastEventAccumulator[ResponseEvent]):
    """Assembles the events of a stream into a response."""

    _head: ResponseReply = attrs.field(factory=ResponseReply, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _output: OutputBuilder = attrs.field(factory=OutputBuilder, init=False)
    _chat: ChatAccumulator | None = attrs.field(default=None, init=False)
    _has_ended: bool = attrs.field(default=False, init=False)

    def _add(self, event: ResponseEvent) -> None:
        _HANDLERS.get(event.type, ResponseAccumulator.add_unknown)(self, event)

    def _find_place(self, event: ResponseEvent) -> Place | None:
        piece = DELTA_PIECES.get(event.type)
        if piece is None or event.delta is None or event.logprobs:
            return None
        return ("delta",), self._output.find_builder(event, piece).texts[piece.field]

    def update_head(self, event: ResponseEvent) -> None:
        """Take over the response of an event that begins or ends it."""
        if event.response is not None:
            self._replace_head(event.response)
        if final_status := _STATUS_BY_TYPE.get(event.type):
            self._has_ended = True
            if self._head.status in (None, "in_progress"):
                self._head.status = final_status

    def _replace_head(self, response: ResponseReply) -> None:
        self._head = _fill_missing(attrs.evolve(response, output=[], raw=None), self._head)
        new = response.extra.items()
        self._extra |= {name: value for name, value in new if value is not None or name not in self._extra}
        if response.output:
            self._output.replace_items(response.output)

    def update_item(self, event: ResponseEvent) -> None:
        """Start an item, or replace it by its final form."""
        if event.item is not None:
            self._output.replace_item(event, event.item)

    def update_part(self, event: ResponseEvent) -> None:
        """Start a part of an item, or replace it by its final form."""
        if event.part is not None:
            is_in_summary = event.type.startswith("response.reasoning_summary")
            item_type = "reasoning" if event.part.type in ("reasoning_text", "summary_text") else "message"
            piece = Piece(item_type, "text", event.part.type, is_in_summary)
            self._output.find_part(event, piece).replace_fields(event.part.raw | {"type": event.part.type})

    def append_piece(self, event: ResponseEvent) -> None:
        """Append the delta of a text to its field."""
        piece = DELTA_PIECES[event.type]
        builder = self._output.find_builder(event, piece)
        builder.append_text(piece.field, event.delta or "")
        if event.logprobs:
            builder.extend_list("logprobs", event.logprobs)

    def finish_piece(self, event: ResponseEvent) -> None:
        """Replace a text by its final form."""
        self._finish_piece(event, DONE_PIECES[event.type])

    def _finish_piece(self, event: ResponseEvent, piece: Piece) -> None:
        raw = event.raw
        if whole := event.arguments or raw.get(piece.field):
            builder = self._output.find_builder(event, piece)
            builder.replace_text(piece.field, whole)
            if piece.part_type is None and not builder.fields.get("name") and isinstance(name := raw.get("name"), str):
                builder.fields["name"] = name

    def add_unknown(self, event: ResponseEvent) -> None:
        """Add the piece in an event of unknown type, if its type names a place."""
        if event.type in _ANNOTATION_TYPES:
            self._add_annotation(event)
        elif (piece := find_piece(event.type)) is None:
            return
        elif event.type.endswith(".done"):
            self._finish_piece(_read_place(event), piece)
        else:
            self._append_unknown(event, piece)

    def _append_unknown(self, event: ResponseEvent, piece: Piece) -> None:
        delta = event.raw.get("delta")
        if isinstance(delta, dict):
            delta = delta.get(piece.field)
        if isinstance(delta, str):
            self._output.find_builder(_read_place(event), piece).append_text(piece.field, delta)

    def _add_annotation(self, event: ResponseEvent) -> None:
        annotation = event.raw.get("annotation")
        if isinstance(annotation, dict):
            self._output.find_part(_read_place(event), _TEXT).extend_list("annotations", [annotation])

    def add_chunk(self, event: ResponseEvent) -> None:
        """Add a chat-like chunk."""
        self._chat = self._chat or ChatAccumulator()
        self._chat.add(ChatCompletionChunk(id=event.id, choices=event.choices))
        head = self._head
        head.id, head.model = head.id or event.id, head.model or event.model
        head.created = event.created if head.created is None else head.created
        head.usage = event.usage or head.usage

    @property
    def is_complete(self) -> bool:
        """Whether an event has ended the response."""
        self.catch_up()
        return self._has_ended or (self._chat is not None and self._chat.is_complete)

    @property
    def has_failed(self) -> bool:
        """Whether the response ended with the finish reason ``error``."""
        self.catch_up()
        return self._chat is not None and self._chat.has_failed

    @property
    def end_reason(self) -> str | None:
        """The reason of an incomplete response, or the finish reason of chat-like chunks; None if there is none."""
        self.catch_up()
        if self._chat is not None:
            return self._chat.finish_reason
        if self._head.incomplete_details is not None:
            return self._head.incomplete_details.reason
        return None

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, by its end reason, else by the function calls in the output."""
        self.catch_up()
        if outcome := _OUTCOMES.get(self.end_reason):
            return outcome
        if self._head.status == "incomplete":
            return "length"
        calls_functions = any(item.fields.get("type") == "function_call" for item in self._output.items)
        return "tool_calls" if calls_functions else "done"

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        self.catch_up()
        return self._head.usage.output_tokens if self._head.usage is not None else None

    def snapshot(self) -> ResponseReply:
        """Return the response assembled so far; later events do not change it."""
        self.catch_up()
        output = self._output.build_items()
        if self._chat is not None:
            output += [item for choice in self._chat.snapshot().choices for item in _choice_to_items(choice)]
        return attrs.evolve(self._head, output=output, raw=dict(self._extra) or None)


def _fill_missing(head: ResponseReply, known: ResponseReply) -> ResponseReply:
    """Fill the empty fields of *head* from *known* and return it."""
    for name in _HEAD_FIELDS:
        if not getattr(head, name):
            setattr(head, name, getattr(known, name))
    return head


def _read_place(event: ResponseEvent) -> ResponseEvent:
    """Return an event of unknown type with the fields that tell its place."""
    raw = event.raw
    place = {name: raw[name] for name in _PLACE_FIELDS if name in raw}
    return structure(place | {"type": event.type}, ResponseEvent, raw=raw)


def _choice_to_items(choice: Choice) -> Iterator[OutputItem]:
    """Yield the output items of a choice that was assembled from chat-like chunks."""
    message = choice.message
    if reasoning := message.reasoning_content or message.reasoning:
        yield OutputItem(type="reasoning", content=[OutputPart(type="reasoning_text", text=reasoning)])
    if message.content is not None:
        yield OutputItem(role=message.role, content=[OutputPart(text=message.content)])
    if message.refusal:
        yield OutputItem(role=message.role, content=[OutputPart(type="refusal", refusal=message.refusal)])
    for call in message.tool_calls or ():
        function = call.function
        yield OutputItem(type="function_call", call_id=call.id, name=function.name, arguments=function.arguments)


_HANDLERS: dict[str, Callable[[ResponseAccumulator, ResponseEvent], None]] = {
    "response.created": ResponseAccumulator.update_head,
    "response.queued": ResponseAccumulator.update_head,
    "response.in_progress": ResponseAccumulator.update_head,
    "response.completed": ResponseAccumulator.update_head,
    "response.incomplete": ResponseAccumulator.update_head,
    ITEM_ADDED: ResponseAccumulator.update_item,
    "response.output_item.done": ResponseAccumulator.update_item,
    "response.content_part.added": ResponseAccumulator.update_part,
    "response.content_part.done": ResponseAccumulator.update_part,
    "response.reasoning_summary_part.added": ResponseAccumulator.update_part,
    "response.reasoning_summary_part.done": ResponseAccumulator.update_part,
    **dict.fromkeys(DELTA_PIECES, ResponseAccumulator.append_piece),
    **dict.fromkeys(DONE_PIECES, ResponseAccumulator.finish_piece),
    "response.chunk": ResponseAccumulator.add_chunk,
}
RESPONSE_DIALECT = Dialect(
    event_class=ResponseEvent,
    known_types=frozenset({*_HANDLERS, _FAILED}),
    final_types=frozenset({*_STATUS_BY_TYPE, _FAILED}),
    has_done_marker=True,
    find_failure=_find_failure,
    split_result=_split_result,
)
RESPONSE_HOLES: TextHoles[ResponseEvent] = TextHoles(
    texts=frozenset({("delta",), (*_CHAT_DELTA, "content")}),
    ignored=frozenset({("sequence_number",)}),
    models={(): ResponseEvent, _CHAT_DELTA[:2]: ChunkChoice, _CHAT_DELTA: Delta},
)
