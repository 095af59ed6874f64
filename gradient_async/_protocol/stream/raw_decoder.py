"""The bytes of any event stream to its events, as they are.

Contract: as in `base_decoder`. ``[DONE]`` ends the stream and is not handed out; an event ``error``, or one whose data
is an error and nothing else, is raised. The standard drops an event that its blank line is missing from; here it counts
if its data is whole JSON, and else the stream was cut.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

from gradient_async._protocol.codec.json_text import is_complete_json
from gradient_async._protocol.http.error_body import parse_error_event, require_json
from gradient_async._protocol.http.error_detection import find_lone_error
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.base_decoder import BaseDecoder
from gradient_async._protocol.stream.error_lines import BARE_JSON
from gradient_async._protocol.stream.sse import ServerSentEvent
from gradient_async.errors import GradientError
from gradient_async.models.raw_reply import RawReply

_DONE = "[DONE]"


class RawEventDecoder(BaseDecoder[ServerSentEvent]):
    """Decodes the body of a stream, fed in blocks of any size.

    Attributes:
        is_cut: Whether the body ended within an event.
    """

    __slots__ = ("_ends_line", "is_cut")

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(max_event_bytes=max_event_bytes)
        self.is_cut = False
        self._ends_line = False

    def feed(self, block: bytes) -> Iterator[ServerSentEvent]:
        """Return the events that *block* completes."""
        self._ends_line = block.endswith((b"\r", b"\n")) if block else self._ends_line
        return super().feed(block)

    def feed_eof(self) -> Iterator[ServerSentEvent]:
        """Return the last event, if its data is whole and only its closing blank line is missing."""
        events: list[ServerSentEvent] = []
        if self.done or self.error is not None:
            return iter(events)
        found = self.parser.finish()
        whole = [event for event in found if event.data.strip() == _DONE or is_complete_json(event.data)]
        self.is_cut = len(whole) < len(found) if found else not self._ends_line
        try:
            self._decode_events(whole, events)
        except GradientError as error:
            self.error = error.with_traceback(None)
        return iter(events)

    def _decode_events(self, found: list[ServerSentEvent], events: list[ServerSentEvent]) -> None:
        for event in found:
            if self.done:
                return
            if event.event == BARE_JSON:
                self._decode_bare(event.data, events)
            elif event.event == "error":
                raise parse_error_event(event.data.encode())
            elif event.data.strip() == _DONE:
                self.done = True
            else:
                self._add_event(event, events)

    def _add_event(self, event: ServerSentEvent, events: list[ServerSentEvent]) -> None:
        if '"error"' in event.data and (error := find_lone_error(event.data)):
            raise error
        events.append(event)


@attrs.define(eq=False, repr=False)
class RawAccumulator:
    """Keeps nothing, because only the caller knows how the events of an unknown endpoint are put together.

    Attributes:
        is_whole: Tells whether the body has ended well.
    """

    is_whole: Callable[[], bool]

    @property
    def is_complete(self) -> bool:
        """Whether the body may end here."""
        return self.is_whole()

    def snapshot(self) -> RawReply:
        """Return a response without a body, for its metadata."""
        return RawReply(content_type="text/event-stream")


def body_to_events(body: bytes, content_type: str) -> list[ServerSentEvent]:
    """Return the one event that a JSON *body* in place of a stream stands for.

    Raises:
        APIStatusError: The body is an error.
        ProtocolError: The body is not JSON either.
    """
    require_json(body, content_type)
    if error := find_lone_error(body):
        raise error
    return [ServerSentEvent(data=body.decode(errors="replace"))]
