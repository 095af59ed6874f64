"""A parser of event streams that also finds the errors which servers write beside the events.

Example bodies under ``text/event-stream``, both of which hold no event by the standard:

    error: {"code": 400, "message": "context is full"}        a field of its own (llama.cpp until autumn 2025)

    {"error": {"message": "no worker is free"}}               bare JSON, on one line or on many

Contract: events are those of `SSEParser`. Such lines become an event of their own at the end of their block, after
that of its data: an event ``error``, or for bare JSON one with the name `BARE_JSON`, which no stream can send.
"""

from __future__ import annotations

from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.sse import ServerSentEvent, SSEParser

BARE_JSON = "\n"
_NO_ERRORS = (b"", b"null")


class ErrorLineParser(SSEParser):
    """Parses an event stream, and the error lines in it."""

    __slots__ = ("_is_json",)

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes=max_event_bytes)
        self._is_json = False
        """Whether the error lines of this block are bare JSON."""

    def finish(self) -> list[ServerSentEvent]:
        """Return the event that was not complete when the body ended; the standard would drop it."""
        return self.feed(b"\n\n\n")  # two end the block, one more if a carriage return was last

    def _parse_other_line(self, line: bytes, name: bytes, value: bytes) -> None:
        if self._is_json or line.startswith((b"{", b"[")):
            self._is_json = True
            self._add_failure(line)
        elif name == b"error" and value.strip() not in _NO_ERRORS:
            self._add_failure(value)

    def _add_failure(self, line: bytes) -> None:
        self._failure.append(line)
        self._data_size += len(line)
        self._add_size(len(line))

    def _build_failure(self) -> ServerSentEvent:
        name = BARE_JSON if self._is_json else "error"
        event = ServerSentEvent(event=name, data=b"\n".join(self._failure).decode(errors="replace"), id=self._id)
        self._failure, self._is_json = [], False
        return event
