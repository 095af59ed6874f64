"""The parser of server-sent events.

Contract: the events are those of the WHATWG standard, however the bytes are split; time is linear in the bytes, memory
bounded by one event. The only exception is the `ProtocolError` of an event above ``max_event_bytes``.

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html#parsing-an-event-stream
"""

from __future__ import annotations

import attrs

from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._value import Value
from gradient_async.errors import ProtocolError

EVENT_BEGIN, EVENT_END = b"data: ", b"\n\n"
DEFAULT_EVENT = "message"
"""The type of an event that names none."""
_FIELDS = (b"data:", b"event:", b"id:", b"retry:", b"error:", b":")
_MAX_START_BYTES = 64
_BOM = b"\xef\xbb\xbf"
_MAX_RETRY_DIGITS = 18


@attrs.define(kw_only=True, eq=False, repr=False)
class ServerSentEvent(Value):
    """One event of a stream.

    Attributes:
        event: The type, ``"message"`` unless the stream names another.
        data: The data lines, joined with line feeds.
        id: The last event id seen in the stream, None if there was none.
        retry: The reconnection time in milliseconds, None if the event does not set one.
    """

    event: str = DEFAULT_EVENT
    data: str = ""
    id: str | None = None
    retry: int | None = None


def begins_event_stream(start: bytes) -> bool | None:
    """Whether a body that begins with *start* is an event stream, by its bytes alone; None if more are needed.

    It begins with a field and its colon, or with a comment; a byte order mark and blank lines may precede.
    """
    text = start.removeprefix(_BOM).lstrip(b"\r\n")
    if text.startswith(_FIELDS):
        return True
    is_open = _BOM.startswith(start) or any(field.startswith(text) for field in _FIELDS)
    return None if is_open and len(start) <= _MAX_START_BYTES else False


def is_single_line(event: bytes) -> bool:
    """Whether *event* is one complete ``data: `` line and a blank line, as the service sends it: it needs no parser."""
    return (
        event.startswith(EVENT_BEGIN) and event.endswith(EVENT_END) and b"\r" not in event and event.count(b"\n") == 2
    )


class SSEParser:
    r"""Parses the bytes of an event stream, fed in blocks of any size.

    >>> parser = SSEParser()
    >>> parser.feed(b"data: Hel")
    []
    >>> parser.feed(b"lo\n\n")
    [ServerSentEvent(event='message', data='Hello', id=None, retry=None)]

    Args:
        max_event_bytes: The size in bytes above which an event raises `ProtocolError`.
    """

    __slots__ = (
        "__weakref__",
        "_after_cr",
        "_data",
        "_data_size",
        "_event",
        "_failure",
        "_id",
        "_partial",
        "_retry",
        "_size",
        "_start",
        "max_event_bytes",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self._partial: list[bytes] = []
        self._data: list[bytes] = []
        self._data_size = 0
        self._size = 0
        self._event = b""
        self._id: str | None = None
        self._retry: int | None = None
        self._after_cr = False
        self._failure: list[bytes] = []
        """Lines of the block that are no fields of the standard; a subclass keeps those that tell of an error."""
        self._start: bytes | None = b""
        """The first bytes of the stream, as long as they can be the beginning of a byte order mark; then None."""

    @property
    def between_events(self) -> bool:
        """Whether every byte fed so far belongs to an event that is complete."""
        pending = self._partial or self._data or self._event or self._after_cr or self._failure
        return self._start is None and self._retry is None and not pending

    def feed(self, block: bytes) -> list[ServerSentEvent]:
        """Return the events that *block* completes.

        Raises:
            ProtocolError: An event is larger than ``max_event_bytes``.
        """
        events = []
        for line in self._split_lines(self._strip_bom(block)):
            if line:
                self._parse_field(line)
            elif self._data:
                events.append(self._build_event())
            else:
                self._reset_event()
            if not line and self._failure:
                events.append(self._build_failure())
        return events

    def feed_eof(self) -> list[ServerSentEvent]:
        """Drop the event that is not complete, as the standard demands; return no events."""
        self._partial.clear()
        self._reset_event()
        return []

    def _strip_bom(self, block: bytes) -> bytes:
        if self._start is None:
            return block
        self._start += block
        if len(self._start) < len(_BOM) and _BOM.startswith(self._start):
            return b""
        block, self._start = self._start.removeprefix(_BOM), None
        return block

    def _split_lines(self, block: bytes) -> list[bytes]:
        """Return the lines that *block* completes; keep the beginning of the next one.

        Each byte is looked at once: the parts of a line are joined when its end arrives.
        """
        if self._after_cr and block:
            block, self._after_cr = block.removeprefix(b"\n"), False
        if not block:
            return []
        self._after_cr = block.endswith(b"\r")
        self._partial.append(block)
        if b"\n" not in block and b"\r" not in block:
            self._add_size(len(block))
            return []
        joined = b"".join(self._partial)
        if b"\r" in joined:
            joined = joined.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        *lines, rest = joined.split(b"\n")
        self._partial = [rest] if rest else []
        self._size = self._data_size + len(rest)
        return lines

    def _add_size(self, size: int) -> None:
        self._size += size
        if self._size > self.max_event_bytes:
            raise ProtocolError(
                f"The service sent an event of more than {self.max_event_bytes} bytes; "
                "raise max_event_bytes if such events are expected."
            )

    def _parse_field(self, line: bytes) -> None:
        name, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if name == b"data":
            self._data.append(value)
            self._data_size += len(value)
            self._add_size(len(value))
        elif name == b"event":
            self._event = value
        elif name == b"id" and b"\0" not in value:
            self._id = value.decode(errors="replace")
        elif name == b"retry" and value.isdigit() and len(value) <= _MAX_RETRY_DIGITS:
            self._retry = int(value)
        else:
            self._parse_other_line(line, name, value)

    def _parse_other_line(self, line: bytes, name: bytes, value: bytes) -> None:
        """Ignore a line that is not a field of the standard."""

    def _build_event(self) -> ServerSentEvent:
        event = ServerSentEvent(
            event=self._event.decode(errors="replace") or DEFAULT_EVENT,
            data=b"\n".join(self._data).decode(errors="replace"),
            id=self._id,
            retry=self._retry,
        )
        self._reset_event()
        return event

    def _build_failure(self) -> ServerSentEvent:
        """Return the event that the lines kept by `_parse_other_line` stand for."""
        raise NotImplementedError

    def _reset_event(self) -> None:
        self._data = []
        self._data_size = self._size = 0
        self._event, self._retry = b"", None
