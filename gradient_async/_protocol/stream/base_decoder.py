"""The decoder of a stream of server-sent events: an SSE parser, and the decoding of one event left to subclasses.

Contract: events that arrived before a failure are handed out first. After the end, or a failure, further bytes are
ignored. An error that the service writes beside its events (see `error_lines`) is a failure like any other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from gradient_async._protocol.codec.json_text import decode_json
from gradient_async._protocol.http.error_detection import find_error
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.error_lines import BARE_JSON, ErrorLineParser
from gradient_async._protocol.stream.sse import ServerSentEvent
from gradient_async.errors import GradientError, ResponseDecodeError

E = TypeVar("E")


class BaseDecoder(Generic[E]):
    """Decodes the body of a stream into typed events, fed in blocks of any size.

    Attributes:
        done: Whether the event that ends the stream was seen.
        error: The first failure; raise it after the events before it were used.
    """

    __slots__ = ("done", "error", "max_event_bytes", "parser")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.done = False
        self.error: GradientError | None = None
        self.parser = ErrorLineParser(max_event_bytes=self.max_event_bytes)

    def decode_block(self, block: bytes) -> list[list[E]]:
        """Return the events that *block* completes, in one batch."""
        return [list(self.feed(block))]

    def decode_eof(self) -> list[list[E]]:
        """Return the events that the end of the body completes, in one batch."""
        return [list(self.feed_eof())]

    def feed(self, block: bytes) -> Iterator[E]:
        """Return the events that *block* completes."""
        events: list[E] = []
        if self.done or self.error is not None:
            return iter(events)
        try:
            self._decode_events(self.parser.feed(block), events)
        except GradientError as error:
            self.error = error.with_traceback(None)
        return iter(events)

    def feed_eof(self) -> Iterator[E]:
        """Return the last event, if its JSON is complete and only its closing blank line is missing."""
        events: list[E] = []
        if self.done or self.error is not None:
            return iter(events)
        try:
            self._decode_events(self.parser.finish(), events)
        except ResponseDecodeError:
            pass  # the body was cut inside the event; the stream is reported as truncated
        except GradientError as error:
            self.error = error.with_traceback(None)
        return iter(events)

    def _decode_events(self, found: list[ServerSentEvent], events: list[E]) -> None:
        for event in found:
            if self.done:
                return
            if event.event == BARE_JSON:
                self._decode_bare(event.data, events)
            else:
                self.decode_event(event.event, event.data, events)

    def _decode_bare(self, text: str, events: list[E]) -> None:
        """Raise the error in bare JSON; ignore bare JSON that says nothing, as the standard ignores all of it."""
        try:
            value = decode_json(text)
        except ResponseDecodeError:
            return
        if error := find_error(value):
            raise error
        self._decode_bare_value(value, events)

    def _decode_bare_value(self, value: Any, events: list[E]) -> None:
        """Append the event that *value* is to *events*, if it is one."""

    def decode_event(self, name: str, data: str, events: list[E]) -> None:
        """Decode one event: append it to *events*, set `done`, or raise the error that it stands for."""
        raise NotImplementedError


def says_nothing(value: Any) -> bool:
    """Whether the JSON *value* of an event carries nothing: it is empty, a number, or the end marker in quotes.

    Text and lists may carry something, so they are refused by whoever cannot read them.
    """
    return not value or value == "[DONE]" or isinstance(value, bool | int | float)
