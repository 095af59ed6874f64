"""The bytes of a messages or responses stream to typed events.

Contract: as in `base_decoder`. Errors that the service sends inside a stream are raised, never handed out as events;
pings are dropped.

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
from gradient_async._protocol.http.error_detection import find_error
from gradient_async._protocol.stream.base_decoder import BaseDecoder
from gradient_async._protocol.stream.sse import DEFAULT_EVENT
from gradient_async.errors import APIStatusError, ResponseDecodeError
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)


@attrs.frozen(kw_only=True, slots=False)  # a cached property needs a dict
class Dialect(Generic[M]):
    """The events of one API.

    Attributes:
        event_class: The class of the events.
        known_types: The types whose fields are decoded; of other events only the type is.
        final_types: The types that end a stream.
        has_done_marker: Whether ``[DONE]`` ends a stream too.
        find_error: Returns the error that an event's JSON object stands for, None if it is an event.
    """

    event_class: type[M]
    known_types: frozenset[str]
    final_types: frozenset[str]
    has_done_marker: bool
    find_error: Callable[[dict[str, Any]], APIStatusError | None]

    @cached_property
    def fast_reader(self) -> FastReader[M]:
        """The reader of events that have a type; made for the first event."""
        return FastReader(self.event_class, required=("type",))


@attrs.define(eq=False, repr=False)
class EventDecoder(BaseDecoder[M]):
    """Decodes the body of a stream into the events of one API, fed in blocks of any size."""

    dialect: Dialect[M]

    def _decode_event(self, name: str, data: str, events: list[M]) -> None:
        text = data.strip()
        if not text or name == "ping":
            return
        if name == "error":
            raise parse_error_event(data.encode())
        if text == "[DONE]":
            self.done = self.dialect.has_done_marker
            return
        event = self._decode_fast(text) or self._decode_with_converter(data, name)
        if event is not None:
            events.append(event)
            self.done = event.type in self.dialect.final_types

    def _decode_fast(self, text: str) -> Any:
        """Return the event in *text*; None if the fast reader rejects it or its type is not known."""
        try:
            event: Any = self.dialect.fast_reader(text.encode())
        except FAST_READ_ERRORS:
            return None
        return event if event.type in self.dialect.known_types else None

    def _decode_with_converter(self, data: str, name: str) -> Any:
        """Return the event in *data*, None for a ping; raise the error that it stands for."""
        value = _decode_object(data, name)
        kind = value.get("type")
        if kind == "ping":
            return None
        if error := _find_error(value) or self.dialect.find_error(value):
            raise error
        if isinstance(kind, str) and kind not in self.dialect.known_types:
            return structure({"type": kind}, self.dialect.event_class, raw=value)
        return structure(value, self.dialect.event_class)


def _decode_object(data: str, name: str) -> dict[str, Any]:
    """Return the JSON object in *data*; an event's *name* becomes its type, if it has none."""
    value = decode_json(data)
    if type(value) is not dict:
        raise ResponseDecodeError(
            f"The service sent an event that is not an object but a {type(value).__name__}.", path="$"
        )
    if name != DEFAULT_EVENT and "type" not in value:
        value["type"] = name
    return value


def _find_error(value: dict[str, Any]) -> APIStatusError | None:
    """Return the error that the JSON object of an event stands for, None if it is an event."""
    if value.get("error"):
        return parse_error_object(value)
    if value.get("type") == "error":
        return parse_error_object({name: item for name, item in value.items() if name != "type"})
    if "type" in value or "choices" in value:
        return None
    if error := find_error(value):
        return error
    raise ResponseDecodeError("The service sent an event that has no type.", path="$.type")
