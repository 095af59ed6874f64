"""Assembles a response from the events of its stream.

Contract: time linear in the events, memory bounded by the bytes that arrived; items and parts are kept in dicts, so a
huge index costs nothing. A whole value (an item that is done, the output of the last event) replaces its deltas, unless
it is empty, as in the reference's last event. A response is complete once an event ends it; one of chat-like chunks,
once every choice has its finish reason.

Source: ``POST /v1/responses`` of the serverless reference, which documents two forms of a stream; both are read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import attrs

from gradient_async._protocol.http.error_body import parse_error_object, require_json
from gradient_async._protocol.http.reply_bodies import read_response
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.event_decoder import Dialect
from gradient_async._protocol.stream.interfaces import StreamOutcome
from gradient_async._protocol.stream.text_parts import append_part, join_parts
from gradient_async.errors import APIStatusError
from gradient_async.models.chat import Choice
from gradient_async.models.chat_chunk import ChatCompletionChunk
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import OutputItem, OutputPart, ResponseReply

_ITEM_ADDED = "response.output_item.added"
_PART_TYPES = {
    "response.output_text.delta": "output_text",
    "response.refusal.delta": "refusal",
    "response.reasoning_text.delta": "reasoning_text",
    "response.reasoning_summary_text.delta": "summary_text",
}
_OUTCOMES: dict[str | None, StreamOutcome] = {
    "max_output_tokens": "length",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}
_HEAD_FIELDS = ("id", "created", "created_at", "model", "usage")
_FINAL_TYPES = frozenset({"response.completed", "response.incomplete"})


def _find_failure(value: dict[str, Any]) -> APIStatusError | None:
    """Return the error of a ``response.failed`` event, None for any other."""
    if value.get("type") != "response.failed":
        return None
    response = value.get("response")
    error = response.get("error") if isinstance(response, dict) else None
    return parse_error_object({"error": error if isinstance(error, dict) else {}})


def response_to_events(body: bytes, content_type: str) -> list[ResponseEvent]:
    """Return the events of a whole response that came instead of a stream.

    Raises:
        APIStatusError: The body is an error object.
        ProtocolError: The body is not a response.
    """
    require_json(body, content_type)
    response = read_response(body)
    items = [
        ResponseEvent(type="response.output_item.added", output_index=index, item=item)
        for index, item in enumerate(response.output)
    ]
    ending = "response.incomplete" if response.status == "incomplete" else "response.completed"
    return [*items, ResponseEvent(type=ending, response=response)]


@attrs.define(eq=False, repr=False)
class _PartBuilder:
    """A part of an item, as far as its deltas have arrived."""

    type: str
    text: list[str] | None = None
    refusal: list[str] | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)

    @classmethod
    def from_part(cls, part: OutputPart) -> Self:
        text, refusal = (None if value is None else [value] for value in (part.text, part.refusal))
        return cls(part.type, text, refusal, part.extra)

    def build_part(self) -> OutputPart:
        text, refusal = join_parts(self.text), join_parts(self.refusal)
        return OutputPart(type=self.type, text=text, refusal=refusal, raw=dict(self.extra) or None)


@attrs.define(eq=False, repr=False)
class _ItemBuilder:
    """An item of the output, as far as its events have arrived."""

    head: OutputItem
    extra: dict[str, Any]
    content: dict[int, _PartBuilder] = attrs.field(factory=dict)
    summary: dict[int, _PartBuilder] = attrs.field(factory=dict)
    arguments: list[str] | None = None

    @classmethod
    def from_item(cls, item: OutputItem) -> Self:
        builder = cls(item, {})
        builder.replace_with(item)
        return builder

    def replace_with(self, item: OutputItem) -> None:
        """Replace every field that *item* has; content, summary and arguments only if it has some."""
        self.head, self.extra = attrs.evolve(item, content=None, summary=None, raw=None), item.extra
        if item.content:
            self.content = {index: _PartBuilder.from_part(part) for index, part in enumerate(item.content)}
        if item.summary:
            self.summary = {index: _PartBuilder.from_part(part) for index, part in enumerate(item.summary)}
        if item.arguments:
            self.arguments = [item.arguments]

    def build_item(self) -> OutputItem:
        return attrs.evolve(
            self.head,
            content=_build_parts(self.content),
            summary=_build_parts(self.summary),
            arguments=join_parts(self.arguments) if self.arguments else self.head.arguments,
            raw=dict(self.extra) or None,
        )


def _build_parts(parts: dict[int, _PartBuilder]) -> list[OutputPart] | None:
    return [parts[index].build_part() for index in sorted(parts)] or None


@attrs.define(eq=False, repr=False)
class ResponseAccumulator:
    """Assembles the events of a stream into a response."""

    _head: ResponseReply = attrs.field(factory=ResponseReply, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _items: dict[int, _ItemBuilder] = attrs.field(factory=dict, init=False)
    _index_of_id: dict[str, int] = attrs.field(factory=dict, init=False)
    _latest: int | None = attrs.field(default=None, init=False)
    _next_index: int = attrs.field(default=0, init=False)
    _chat: ChatAccumulator | None = attrs.field(default=None, init=False)
    _has_ended: bool = attrs.field(default=False, init=False)

    def add_decoded(self, event: ResponseEvent) -> None:
        """Add the next event of the stream."""
        if (handler := _HANDLERS.get(event.type)) is not None:
            handler(self, event)

    def update_head(self, event: ResponseEvent) -> None:
        """Take over the response of an event that begins or ends it."""
        if (response := event.response) is not None:
            self._head = _fill_missing(attrs.evolve(response, output=[], raw=None), self._head)
            self._extra |= response.extra
            if response.output:
                self._items = {index: _ItemBuilder.from_item(item) for index, item in enumerate(response.output)}
        self._has_ended = event.type in _FINAL_TYPES

    def update_item(self, event: ResponseEvent) -> None:
        """Start an item, or replace it by its final form."""
        if event.item is not None:
            self._find_item(event, event.item).replace_with(event.item)

    def update_part(self, event: ResponseEvent) -> None:
        """Start a part of an item, or replace it by its final form."""
        if event.part is None:
            return
        parts, index = self._find_parts(event)
        if parts.get(index) is None or event.part.text or event.part.refusal:
            parts[index] = _PartBuilder.from_part(event.part)

    def append_text(self, event: ResponseEvent) -> None:
        """Append the delta of a text or refusal to its part."""
        parts, index = self._find_parts(event)
        if (part := parts.get(index)) is None:
            part = parts[index] = _PartBuilder(_PART_TYPES[event.type])
        if event.type == "response.refusal.delta":
            part.refusal = append_part(part.refusal, event.delta or "")
        else:
            part.text = append_part(part.text, event.delta or "")

    def append_arguments(self, event: ResponseEvent) -> None:
        """Append the delta of a function call's arguments, or replace them by their final form."""
        item = self._find_item(event, OutputItem(type="function_call", id=event.item_id))
        if event.delta is not None:
            item.arguments = append_part(item.arguments, event.delta)
        elif event.arguments:
            item.arguments = [event.arguments]

    def add_chunk(self, event: ResponseEvent) -> None:
        """Add a chat-like chunk."""
        self._chat = self._chat or ChatAccumulator()
        self._chat.add(ChatCompletionChunk(id=event.id, choices=event.choices))
        head = self._head
        head.id, head.model = head.id or event.id, head.model or event.model
        head.created = event.created if head.created is None else head.created
        head.usage = event.usage or head.usage

    def _find_parts(self, event: ResponseEvent) -> tuple[dict[int, _PartBuilder], int]:
        """Return the parts that an event is about, and the index of its part in them."""
        is_reasoning = event.type.startswith("response.reasoning")
        item = self._find_item(event, OutputItem(type="reasoning" if is_reasoning else "message", id=event.item_id))
        if event.type.startswith("response.reasoning_summary"):
            return item.summary, event.summary_index or 0
        return item.content, event.content_index or 0

    def _find_item(self, event: ResponseEvent, default: OutputItem) -> _ItemBuilder:
        """Return the item of an event: by index, else by id, else the latest; from *default* if there is none."""
        index, item_id = event.output_index, event.item_id or (event.item.id if event.item else None)
        if index is None and item_id:
            index = self._index_of_id.get(item_id)
        elif index is None and event.type != _ITEM_ADDED:
            index = self._latest
        if index is None:
            index = self._next_index
        if index not in self._items:
            self._items[index] = _ItemBuilder.from_item(default)
            self._next_index = max(self._next_index, index + 1)
        if item_id:
            self._index_of_id[item_id] = index
        self._latest = index
        return self._items[index]

    @property
    def is_complete(self) -> bool:
        """Whether an event has ended the response."""
        return self._has_ended or (self._chat is not None and self._chat.is_complete)

    @property
    def end_reason(self) -> str | None:
        """The reason of an incomplete response, or the finish reason of chat-like chunks; None if there is none."""
        if self._chat is not None:
            return self._chat.finish_reason
        if self._head.incomplete_details is not None:
            return self._head.incomplete_details.reason
        return None

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, by its end reason, else by the function calls in the output."""
        calls_functions = any(item.head.type == "function_call" for item in self._items.values())
        return _OUTCOMES.get(self.end_reason, "tool_calls" if calls_functions else "done")

    @property
    def output_tokens(self) -> int | None:
        """The number of generated tokens, None if the service did not report it."""
        return self._head.usage.output_tokens if self._head.usage is not None else None

    def snapshot(self) -> ResponseReply:
        """Return the response assembled so far; later events do not change it."""
        output = [self._items[index].build_item() for index in sorted(self._items)]
        if self._chat is not None:
            output += [item for choice in self._chat.snapshot().choices for item in _choice_to_items(choice)]
        return attrs.evolve(self._head, output=output, raw=dict(self._extra) or None)


def _fill_missing(head: ResponseReply, known: ResponseReply) -> ResponseReply:
    """Fill the empty fields of *head* from *known* and return it."""
    for name in _HEAD_FIELDS:
        if not getattr(head, name):
            setattr(head, name, getattr(known, name))
    return head


def _choice_to_items(choice: Choice) -> Iterator[OutputItem]:
    """Yield the output items of a choice that was assembled from chat-like chunks."""
    message = choice.message
    if message.reasoning_content:
        yield OutputItem(type="reasoning", content=[OutputPart(type="reasoning_text", text=message.reasoning_content)])
    if message.content is not None:
        yield OutputItem(role=message.role, content=[OutputPart(text=message.content)])
    for call in message.tool_calls or ():
        function = call.function
        yield OutputItem(type="function_call", call_id=call.id, name=function.name, arguments=function.arguments)


_HANDLERS: dict[str, Callable[[ResponseAccumulator, ResponseEvent], None]] = {
    "response.created": ResponseAccumulator.update_head,
    "response.queued": ResponseAccumulator.update_head,
    "response.in_progress": ResponseAccumulator.update_head,
    "response.completed": ResponseAccumulator.update_head,
    "response.incomplete": ResponseAccumulator.update_head,
    "response.output_item.added": ResponseAccumulator.update_item,
    "response.output_item.done": ResponseAccumulator.update_item,
    "response.content_part.added": ResponseAccumulator.update_part,
    "response.content_part.done": ResponseAccumulator.update_part,
    "response.reasoning_summary_part.added": ResponseAccumulator.update_part,
    "response.reasoning_summary_part.done": ResponseAccumulator.update_part,
    **dict.fromkeys(_PART_TYPES, ResponseAccumulator.append_text),
    "response.function_call_arguments.delta": ResponseAccumulator.append_arguments,
    "response.function_call_arguments.done": ResponseAccumulator.append_arguments,
    "response.chunk": ResponseAccumulator.add_chunk,
}
_IGNORED_TYPES = (  # decoded for the caller; their text has arrived in deltas
    "response.output_text.done",
    "response.reasoning_text.done",
    "response.refusal.done",
)
RESPONSE_DIALECT = Dialect(
    event_class=ResponseEvent,
    known_types=frozenset({*_HANDLERS, *_IGNORED_TYPES}),
    final_types=_FINAL_TYPES,
    has_done_marker=True,
    find_error=_find_failure,
)
