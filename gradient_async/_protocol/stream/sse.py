"""Server-sent events from any split of the bytes.

Contract: the events are those of the WHATWG text, whatever the chunking; time is linear in the bytes and memory
bounded by one event. The only exception is the `ProtocolError` of an event above the cap.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import attrs

from gradient_async.errors import ProtocolError

MAX_EVENT_BYTES = 256 * 1024 * 1024
EVENT_BEGIN, EVENT_END = b"data: ", b"\n\n"
_BOM = b"\xef\xbb\xbf"
_LONGEST_RETRY_DIGITS = 18


@attrs.define(kw_only=True)
class ServerSentEvent:
    """One event.

    Attributes:
        event: Its type, ``"message"`` unless the stream named another.
        data: Its data lines, joined with line feeds.
        id: The last event id seen so far in the stream.
        retry: The reconnection time in milliseconds, if this event's block set one.
    """

    event: str = "message"
    data: str = ""
    id: str | None = None
    retry: int | None = None


def is_single_line(event: bytes) -> bool:
    """Whether *event* is whole and one ``data: `` line alone, as the service writes them: it needs no parser."""
    return (
        event.startswith(EVENT_BEGIN) and event.endswith(EVENT_END) and b"\r" not in event and event.count(b"\n") == 2
    )


@attrs.define(eq=False, repr=False)
class SSEParser:
    """Turns the bytes of an event stream into events, fed in any pieces.

    Args:
        max_event_bytes: An event larger than this raises `ProtocolError`.
    """

    max_event_bytes: int = attrs.field(default=MAX_EVENT_BYTES, kw_only=True)
    _partial: list[bytes] = attrs.field(factory=list, init=False)
    _data: list[bytes] = attrs.field(factory=list, init=False)
    _data_size: int = attrs.field(default=0, init=False)
    _size: int = attrs.field(default=0, init=False)
    _event: bytes = attrs.field(default=b"", init=False)
    _id: str | None = attrs.field(default=None, init=False)
    _retry: int | None = attrs.field(default=None, init=False)
    _after_cr: bool = attrs.field(default=False, init=False)
    _start: bytes | None = attrs.field(default=b"", init=False)
    """The first bytes of the stream until it is known whether they are a byte order mark; then None."""

    @property
    def between_events(self) -> bool:
        """Whether everything fed so far belongs to events that are finished."""
        pending = self._partial or self._data or self._event or self._after_cr
        return self._start is None and self._retry is None and not pending

    @property
    def unfinished_data(self) -> str:
        """The data of the event that the stream has begun and not ended."""
        lines = self._data.copy()
        if (line := b"".join(self._partial)).startswith(b"data:"):
            lines.append(line[5:].removeprefix(b" "))
        return b"\n".join(lines).decode(errors="replace")

    def feed(self, block: bytes) -> list[ServerSentEvent]:
        """Return the events that *block* completes.

        Raises:
            ProtocolError: An event is larger than ``max_event_bytes``.
        """
        events = []
        for line in self._complete_lines(self._without_bom(block)):
            if line:
                self._field(line)
            elif self._data:
                events.append(self._finished_event())
            else:
                self._reset()
        return events

    def feed_eof(self) -> list[ServerSentEvent]:
        """Return the events that the end of the stream completes: none, by the standard."""
        self._partial.clear()
        self._reset()
        return []

    def _without_bom(self, block: bytes) -> bytes:
        if self._start is None:
            return block
        self._start += block
        if len(self._start) < len(_BOM) and _BOM.startswith(self._start):
            return b""
        block, self._start = self._start.removeprefix(_BOM), None
        return block

    def _complete_lines(self, block: bytes) -> list[bytes]:
        """Return the lines that *block* ends; the beginning of the next one waits for more.

        Every byte is looked at once: a line in many pieces is joined when its end arrives.
        """
        if self._after_cr and block:
            block, self._after_cr = block.removeprefix(b"\n"), False
        if not block:
            return []
        self._after_cr = block.endswith(b"\r")
        self._partial.append(block)
        if b"\n" not in block and b"\r" not in block:
            self._grow(len(block))
            return []
        text = b"".join(self._partial)
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = text.split(b"\n")
        self._partial = [rest] if rest else []
        self._size = self._data_size + len(rest)
        return lines

    def _grow(self, size: int) -> None:
        self._size += size
        if self._size > self.max_event_bytes:
            raise ProtocolError(
                f"The service sent an event of more than {self.max_event_bytes} bytes; "
                "raise max_event_bytes if that is to be expected."
            )

    def _field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_size += len(value)
            self._grow(len(value))
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _LONGEST_RETRY_DIGITS:
            self._retry = int(value)

    def _finished_event(self) -> ServerSentEvent:
        event = ServerSentEvent(
            event=self._event.decode(errors="replace") or "message",
            data=b"\n".join(self._data).decode(errors="replace"),
            id=self._id,
            retry=self._retry,
        )
        self._reset()
        return event

    def _reset(self) -> None:
        self._data = []
        self._data_size = self._size = 0
        self._event, self._retry = b"", None
