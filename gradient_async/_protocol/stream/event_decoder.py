"""From the bytes of a stream of typed events to the events.

Contract: what arrived before a failure is always handed out first. Errors the service sends inside a stream are never
events, nor are pings. After the end, or a failure, further bytes are ignored.

Source: error shapes as listed in `response`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any, Generic, TypeVar

import attrs

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.error_body import find_error, parse_error_event, parse_error_object
from gradient_async._protocol.stream.sse import MAX_EVENT_BYTES, SSEParser
from gradient_async.errors import APIStatusError, GradientError, ResponseDecodeError
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)
_UNNAMED = "message"


@attrs.frozen(kw_only=True, slots=False)  # a cached property needs a dict
class Dialect(Generic[M]):
    """What one API says in its events.

    Attributes:
        event: The class of the events.
        known: The types whose fields are read; of any other event only the type is.
        last: The types that end a stream.
        ends_by_mark: Whether ``[DONE]`` ends it too.
        failure: Returns the error that an event stands for, None if it is none.
    """

    event_class: type[M]
    known_types: frozenset[str]
    final_types: frozenset[str]
    has_done_marker: bool
    find_error: Callable[[dict[str, Any]], APIStatusError | None]

    @cached_property
    def fast_reader(self) -> FastReader[M]:
        """Reads an event that says its type, if it is as documented; made when the first one arrives."""
        return FastReader(self.event_class, required=("type",))


@attrs.define(eq=False, repr=False)
class EventDecoder(Generic[M]):
    """Turns the body of a stream into events, fed in any pieces.

    Attributes:
        done: Whether the event that ends the stream was seen.
        error: What went wrong, to be raised once the events before it were used.
    """

    dialect: Dialect[M]
    max_event_bytes: int = attrs.field(default=MAX_EVENT_BYTES, kw_only=True)
    done: bool = attrs.field(default=False, init=False)
    error: GradientError | None = attrs.field(default=None, init=False)
    _parser: SSEParser = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._parser = SSEParser(max_event_bytes=self.max_event_bytes)

    def feed(self, block: bytes) -> Iterator[M]:
        """Return the events that *block* completes."""
        found: list[M] = []
        if self.done or self.error is not None:
            return iter(found)
        try:
            for event in self._parser.feed(block):
                self._take(event.event, event.data, found)
        except GradientError as error:
            self.error = error.with_traceback(None)
        return iter(found)

    def feed_eof(self) -> Iterator[M]:
        """Return the event that the end of the body completes: whole JSON whose blank line is missing."""
        found: list[M] = []
        if self.done or self.error is not None:
            return iter(found)
        try:
            self._take(_UNNAMED, self._parser.unfinished_data, found)
        except ResponseDecodeError:
            pass  # cut inside the event: the verdict says so
        except GradientError as error:
            self.error = error.with_traceback(None)
        return iter(found)

    def _take(self, name: str, data: str, found: list[M]) -> None:
        text = data.strip()
        if self.done or not text or name == "ping":
            return
        if name == "error":
            raise parse_error_event(data.encode())
        if text == "[DONE]":
            self.done = self.dialect.has_done_marker
            return
        event = self._quickly(text) or self._slowly(data, name)
        if event is not None:
            found.append(event)
            self.done = event.type in self.dialect.final_types

    def _quickly(self, text: str) -> Any:
        """Return the event in *text* if it is one whose fields are read, with nothing odd about it; else None."""
        try:
            event: Any = self.dialect.fast_reader(text.encode())
        except FAST_READ_ERRORS:
            return None
        return event if event.type in self.dialect.known_types else None

    def _slowly(self, data: str, name: str) -> Any:
        """Return the event in *data*, None if it is a ping; raise the error that it stands for."""
        value = _object(data, name)
        if value.get("type") == "ping":
            return None
        if error := _error_in(value) or self.dialect.find_error(value):
            raise error
        return self._event(value)

    def _event(self, value: dict[str, Any]) -> M:
        kind = value.get("type")
        if isinstance(kind, str) and kind not in self.dialect.known_types:
            return structure({"type": kind}, self.dialect.event_class, raw=value)
        return structure(value, self.dialect.event_class)


def _object(data: str, name: str) -> dict[str, Any]:
    """Return the JSON object in *data*, with the event's *name* for its type where it has none."""
    value = decode_json(data)
    if type(value) is not dict:
        raise ResponseDecodeError(
            f"The service sent an event that is no object but a {type(value).__name__}.", path="$"
        )
    if name != _UNNAMED and "type" not in value:
        value["type"] = name
    return value


def _error_in(value: dict[str, Any]) -> APIStatusError | None:
    """Return the error that an event's object is, None if it is an event."""
    if value.get("error"):
        return parse_error_object(value)
    if value.get("type") == "error":
        return parse_error_object({name: item for name, item in value.items() if name != "type"})
    if "type" in value or "choices" in value:
        return None
    return find_error(value) or _untyped()


def _untyped() -> APIStatusError:
    raise ResponseDecodeError("The service sent an event that has no type.", path="$.type")
