"""A response put together from the events of its stream.

Contract: linear time, memory bounded by what arrived; items and parts live in dicts, so a huge index costs nothing.
What an event tells as whole (an item that is done, the output of the last event) wins over its pieces, unless it is
empty, as the reference's last event is. A response is complete once an event says how it ended; one made of chat-like
chunks, once every choice has its finish reason.

Source: ``POST /v1/responses`` of the serverless reference, whose two accounts of a stream are both read.
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
from gradient_async._protocol.stream.tool_call_assembler import append_part, join_parts
from gradient_async.errors import APIStatusError
from gradient_async.models.chat import Choice
from gradient_async.models.chat_chunk import ChatCompletionChunk
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import OutputItem, OutputPart, ResponseReply

_BEGINS = "response.output_item.added"
_PART_OF_DELTA = {
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
_LAST = frozenset({"response.completed", "response.incomplete"})


def _failure(value: dict[str, Any]) -> APIStatusError | None:
    """Return the error of a response that failed."""
    if value.get("type") != "response.failed":
        return None
    response = value.get("response")
    error = response.get("error") if isinstance(response, dict) else None
    return parse_error_object({"error": error if isinstance(error, dict) else {}})


def response_to_events(body: bytes, content_type: str) -> list[ResponseEvent]:
    """Return the events of a whole response that came instead of a stream.

    Raises:
        APIStatusError: It is an error object.
        ProtocolError: It is no response.
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
class _Part:
    """One part of an item in the making."""

    type: str
    text: list[str] | None = None
    refusal: list[str] | None = None
    extra: dict[str, Any] = attrs.field(factory=dict)

    @classmethod
    def of(cls, part: OutputPart) -> Self:
        text, refusal = (None if value is None else [value] for value in (part.text, part.refusal))
        return cls(part.type, text, refusal, part.extra)

    def value(self) -> OutputPart:
        text, refusal = join_parts(self.text), join_parts(self.refusal)
        return OutputPart(type=self.type, text=text, refusal=refusal, raw=dict(self.extra) or None)


@attrs.define(eq=False, repr=False)
class _Item:
    """One item of the output in the making."""

    head: OutputItem
    extra: dict[str, Any]
    content: dict[int, _Part] = attrs.field(factory=dict)
    summary: dict[int, _Part] = attrs.field(factory=dict)
    arguments: list[str] | None = None

    @classmethod
    def of(cls, item: OutputItem) -> Self:
        made = cls(item, {})
        made.replace(item)
        return made

    def replace(self, item: OutputItem) -> None:
        """Take over what *item* tells as whole."""
        self.head, self.extra = attrs.evolve(item, content=None, summary=None, raw=None), item.extra
        if item.content:
            self.content = {index: _Part.of(part) for index, part in enumerate(item.content)}
        if item.summary:
            self.summary = {index: _Part.of(part) for index, part in enumerate(item.summary)}
        if item.arguments:
            self.arguments = [item.arguments]

    def value(self) -> OutputItem:
        return attrs.evolve(
            self.head,
            content=_values(self.content),
            summary=_values(self.summary),
            arguments=join_parts(self.arguments) if self.arguments else self.head.arguments,
            raw=dict(self.extra) or None,
        )


def _values(parts: dict[int, _Part]) -> list[OutputPart] | None:
    return [parts[index].value() for index in sorted(parts)] or None


@attrs.define(eq=False, repr=False)
class ResponseAccumulator:
    """Assembles events into the response they are pieces of."""

    _head: ResponseReply = attrs.field(factory=ResponseReply, init=False)
    _extra: dict[str, Any] = attrs.field(factory=dict, init=False)
    _items: dict[int, _Item] = attrs.field(factory=dict, init=False)
    _places: dict[str, int] = attrs.field(factory=dict, init=False)
    _latest: int | None = attrs.field(default=None, init=False)
    _next: int = attrs.field(default=0, init=False)
    _chat: ChatAccumulator | None = attrs.field(default=None, init=False)
    _is_ended: bool = attrs.field(default=False, init=False)

    def add_decoded(self, event: ResponseEvent) -> None:
        """Add the next event of the stream."""
        if (add := _STEPS.get(event.type)) is not None:
            add(self, event)

    def take_head(self, event: ResponseEvent) -> None:
        """Take over what an event tells of the whole response."""
        if (response := event.response) is not None:
            self._head = _with_known(attrs.evolve(response, output=[], raw=None), self._head)
            self._extra |= response.extra
            if response.output:
                self._items = {index: _Item.of(item) for index, item in enumerate(response.output)}
        self._is_ended = event.type in _LAST

    def take_item(self, event: ResponseEvent) -> None:
        """Begin an item, or end it."""
        if event.item is not None:
            self._item(event, event.item).replace(event.item)

    def take_part(self, event: ResponseEvent) -> None:
        """Begin a part of an item, or end it."""
        if event.part is None:
            return
        parts, index = self._parts(event)
        begun = parts.get(index)
        if begun is None or event.part.text or event.part.refusal:
            parts[index] = _Part.of(event.part)

    def take_text(self, event: ResponseEvent) -> None:
        """Add a piece of a text."""
        parts, index = self._parts(event)
        if (part := parts.get(index)) is None:
            part = parts[index] = _Part(_PART_OF_DELTA[event.type])
        if event.type == "response.refusal.delta":
            part.refusal = append_part(part.refusal, event.delta or "")
        else:
            part.text = append_part(part.text, event.delta or "")

    def take_arguments(self, event: ResponseEvent) -> None:
        """Add a piece of a function call's arguments, or take them over."""
        item = self._item(event, OutputItem(type="function_call", id=event.item_id))
        if event.delta is not None:
            item.arguments = append_part(item.arguments, event.delta)
        elif event.arguments:
            item.arguments = [event.arguments]

    def take_chunk(self, event: ResponseEvent) -> None:
        """Add a chat-like chunk."""
        self._chat = self._chat or ChatAccumulator()
        self._chat.add(ChatCompletionChunk(id=event.id, choices=event.choices))
        head = self._head
        head.id, head.model = head.id or event.id, head.model or event.model
        head.created = event.created if head.created is None else head.created
        head.usage = event.usage or head.usage

    def _parts(self, event: ResponseEvent) -> tuple[dict[int, _Part], int]:
        """Return where the part of an event is or will be."""
        is_thought = event.type.startswith("response.reasoning")
        item = self._item(event, OutputItem(type="reasoning" if is_thought else "message", id=event.item_id))
        if event.type.startswith("response.reasoning_summary"):
            return item.summary, event.summary_index or 0
        return item.content, event.content_index or 0

    def _item(self, event: ResponseEvent, otherwise: OutputItem) -> _Item:
        """Return the item of an event: by its index, then by its id, then the latest; a new one where there is none."""
        index, name = event.output_index, event.item_id or (event.item.id if event.item else None)
        if index is None:
            index = self._places.get(name) if name else None if event.type == _BEGINS else self._latest
        index = self._next if index is None else index
        if index not in self._items:
            self._items[index] = _Item.of(otherwise)
            self._next = max(self._next, index + 1)
        if name:
            self._places[name] = index
        self._latest = index
        return self._items[index]

    @property
    def is_complete(self) -> bool:
        """Whether it was told how the response ended."""
        return self._is_ended or (self._chat is not None and self._chat.is_complete)

    @property
    def reason(self) -> str | None:
        """Why the response ended early, or the finish reason of chat-like chunks; None if there is none."""
        if self._chat is not None:
            return self._chat.finish_reason
        if self._head.incomplete_details is not None:
            return self._head.incomplete_details.reason
        return None

    @property
    def outcome(self) -> StreamOutcome:
        """The outcome of the stream, by its end reason, else by the function calls in the output."""
        calls_functions = any(item.head.type == "function_call" for item in self._items.values())
        return _OUTCOMES.get(self.reason, "tool_calls" if calls_functions else "done")

    @property
    def output_tokens(self) -> int | None:
        """How many tokens the response has, as far as that was told."""
        return self._head.usage.output_tokens if self._head.usage is not None else None

    def snapshot(self) -> ResponseReply:
        """Return what has been assembled so far; later events do not change it."""
        output = [self._items[index].value() for index in sorted(self._items)]
        if self._chat is not None:
            output += [item for choice in self._chat.snapshot().choices for item in _items_of(choice)]
        return attrs.evolve(self._head, output=output, raw=dict(self._extra) or None)


def _with_known(head: ResponseReply, known: ResponseReply) -> ResponseReply:
    """Return *head* with what it leaves out of what is *known*."""
    for name in _HEAD_FIELDS:
        if not getattr(head, name):
            setattr(head, name, getattr(known, name))
    return head


def _items_of(choice: Choice) -> Iterator[OutputItem]:
    """Yield the items that a choice of chat-like chunks stands for."""
    message = choice.message
    if message.reasoning_content:
        yield OutputItem(type="reasoning", content=[OutputPart(type="reasoning_text", text=message.reasoning_content)])
    if message.content is not None:
        yield OutputItem(role=message.role, content=[OutputPart(text=message.content)])
    for call in message.tool_calls or ():
        function = call.function
        yield OutputItem(type="function_call", call_id=call.id, name=function.name, arguments=function.arguments)


_STEPS: dict[str, Callable[[ResponseAccumulator, ResponseEvent], None]] = {
    "response.created": ResponseAccumulator.take_head,
    "response.queued": ResponseAccumulator.take_head,
    "response.in_progress": ResponseAccumulator.take_head,
    "response.completed": ResponseAccumulator.take_head,
    "response.incomplete": ResponseAccumulator.take_head,
    "response.output_item.added": ResponseAccumulator.take_item,
    "response.output_item.done": ResponseAccumulator.take_item,
    "response.content_part.added": ResponseAccumulator.take_part,
    "response.content_part.done": ResponseAccumulator.take_part,
    "response.reasoning_summary_part.added": ResponseAccumulator.take_part,
    "response.reasoning_summary_part.done": ResponseAccumulator.take_part,
    **dict.fromkeys(_PART_OF_DELTA, ResponseAccumulator.take_text),
    "response.function_call_arguments.delta": ResponseAccumulator.take_arguments,
    "response.function_call_arguments.done": ResponseAccumulator.take_arguments,
    "response.chunk": ResponseAccumulator.take_chunk,
}
_READ_ALSO = ("response.output_text.done", "response.reasoning_text.done", "response.refusal.done")
RESPONSE_DIALECT = Dialect(
    event_class=ResponseEvent,
    known_types=frozenset({*_STEPS, *_READ_ALSO}),
    final_types=_LAST,
    has_done_marker=True,
    find_error=_failure,
)
