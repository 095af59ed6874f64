"""The bytes of a messages or responses stream to typed events.

Contract: as in `base_decoder`. Errors that the service sends inside a stream are raised, never handed out as events.
Frames that say nothing are dropped, as in chat streams: pings, null, numbers, objects without a type and without a part
of a result, and those under a name that is not a type of this API, unless they hold an event or an error.

Source: error shapes as listed in `error_body`.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.error_body import parse_error_event, parse_error_object
from gradient_async._protocol.http.error_detection import find_error, find_stated_error
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.base_decoder import BaseDecoder, says_nothing
from gradient_async._protocol.stream.error_lines import BARE_JSON
from gradient_async._protocol.stream.sse import DEFAULT_EVENT
from gradient_async.errors import APIStatusError, ResponseDecodeError
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)
_DONE = "[DONE]"
_RESULT_FIELDS = ("choices", "content_block", "delta", "item", "message", "part", "response")
"""The fields of events that hold parts of a result."""


@attrs.frozen(kw_only=True, slots=False)  # a cached property needs a dict
class Dialect(Generic[M]):
    """The events of one API.

    Attributes:
        event_class: The class of the events.
        known_types: The types whose fields are decoded; of other events only the type is.
        final_types: The types that end a stream.
        has_done_marker: Whether ``[DONE]`` ends a stream too.
        find_failure: Returns the error that a final event stands for, None if the stream ended well.
        split_result: Returns the events of a whole result that came as one event; none for any other object.
    """

    event_class: type[M]
    known_types: frozenset[str]
    final_types: frozenset[str]
    has_done_marker: bool
    find_failure: Callable[[M], APIStatusError | None]
    split_result: Callable[[dict[str, Any]], list[M]]

    @cached_property
    def fast_reader(self) -> FastReader[M]:
        """The reader of events that have a type; made for the first event."""
        return FastReader(self.event_class, required=("type",))


class EventDecoder(BaseDecoder[M]):
    """Decodes the body of a stream into the events of one API, fed in blocks of any size."""

    __slots__ = ("dialect",)

    def __init__(self, dialect: Dialect[M], *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes=max_event_bytes)
        self.dialect = dialect

    def decode_event(self, name: str, data: str, events: list[M]) -> None:
        if name == "error":
            raise parse_error_event(data.encode())
        text = data.strip()
        if not text:
            return
        if text == _DONE:
            self.done = self.dialect.has_done_marker
            return
        if (event := self._decode_fast(text)) is None:
            self._decode_with_converter(data, name, events)
        else:
            self._add_event(event, events)

    def _decode_fast(self, text: str) -> Any:
        """Return the event in *text*; None if the fast reader rejects it or its type is not known."""
        try:
            event: Any = self.dialect.fast_reader(text.encode())
        except FAST_READ_ERRORS:
            return None
        return event if event.type in self.dialect.known_types else None

    def _add_event(self, event: M, events: list[M]) -> None:
        """Append *event* to *events*; raise the error of a final event that stands for one."""
        is_final = event.type in self.dialect.final_types  # type: ignore[attr-defined]  # both event classes have it
        if is_final and (error := self.dialect.find_failure(event)):
            raise error
        events.append(event)
        self.done = is_final

    def _decode_with_converter(self, data: str, name: str, events: list[M]) -> None:
        """Append the event in *data* to *events*, unless it says nothing; raise the error that it stands for."""
        if name.lower().endswith("error"):
            raise parse_error_event(data.encode())
        is_type = name in self.dialect.known_types
        try:
            value = decode_json(data)
        except ResponseDecodeError:
            if is_type or name == DEFAULT_EVENT:
                raise
            return
        if error := find_stated_error(value):
            raise error
        if type(value) is dict:
            if is_type and not value.get("type"):
                value["type"] = name
            self._add_object(value, name, events)
        elif not says_nothing(value) and (is_type or name == DEFAULT_EVENT):
            problem = f"The service sent an event that is not an object but a {type(value).__name__}."
            raise ResponseDecodeError(problem, path="$")

    def _decode_bare_value(self, value: Any, events: list[M]) -> None:
        if type(value) is dict:
            self._add_object(value, BARE_JSON, events)

    def _add_object(self, value: dict[str, Any], name: str, events: list[M]) -> None:
        """Append the event or events in the JSON object *value*, of an event named *name*, to *events*."""
        dialect, kind = self.dialect, value.get("type")
        if not (kind and isinstance(kind, str)):
            found = dialect.split_result(value) or self._read_untyped(value, name)
        elif kind in dialect.known_types:
            found = [structure(value, dialect.event_class)]
        else:
            if kind.lower().endswith("error"):
                raise parse_error_object(value)
            unknown = [] if kind == "ping" else [structure({"type": kind}, dialect.event_class, raw=value)]
            found = dialect.split_result(value) or unknown
        for event in found:
            self._add_event(event, events)

    def _read_untyped(self, value: dict[str, Any], name: str) -> list[M]:
        """Return the chat-like chunk that an object without a type is, nothing if it says nothing.

        Raises:
            APIStatusError: The object is an error.
            ResponseDecodeError: It has a part of a result, which would be lost.
        """
        event_class = self.dialect.event_class
        if "choices" in value and "choices" in event_class.wire_fields:
            return [structure(value, event_class)]
        if name == DEFAULT_EVENT and (error := find_error(value)):
            raise error
        if name == DEFAULT_EVENT and any(map(value.get, _RESULT_FIELDS)):
            raise ResponseDecodeError("The service sent an event without a type.", path="$.type")
        return []
