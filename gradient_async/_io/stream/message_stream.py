"""A stream of the messages API: the reading is `BaseStream`'s, with its contract; what is this API's own is here."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from gradient_async._io.stream.base_stream import BaseStream, Opener, Outcome
from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT, MessageAccumulator, message_to_events
from gradient_async._protocol.stream.sse import MAX_EVENT_BYTES
from gradient_async._protocol.stream.sse_encoder import MESSAGE_ENCODER
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.messages import MessageReply

_FINISHED: dict[str | None, Outcome] = {
    "max_tokens": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


class MessageStream(BaseStream[MessageEvent, MessageReply]):
    """The events of a message as they arrive, and the `MessageReply` they add up to.

    Iterating gives `MessageEvent`. The request is sent when the stream is entered or first read. Who owns the
    connection, how it ends and what is raised is as with `ChatStream`; ``snapshot`` is a `MessageReply`.

    Raises:
        APIStatusError: The service refused the request, or reported an error inside the stream.
        APIConnectionError: The connection was not made, or a time limit ran out.
        StreamTruncatedError: The stream ended, or its connection broke, before it was complete.
        ProtocolError: What came is no stream of such events.

    Attributes:
        outcome: ``"running"``, then how it ended: ``"done"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``,
            ``"cancelled"``, ``"truncated"`` or ``"error"``.
    """

    __slots__ = ()
    _relay = MESSAGE_ENCODER
    _accumulator: MessageAccumulator

    def __init__(self, opener: Opener, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(opener, EventDecoder(MESSAGE_DIALECT, max_event_bytes=max_event_bytes), MessageAccumulator())

    def message(self) -> Coroutine[Any, Any, MessageReply]:
        """Read to the end and return the assembled message."""
        return self._read_to_end()

    def _whole(self, body: bytes, content_type: str) -> Iterable[MessageEvent]:
        return message_to_events(body, content_type)

    def _ending(self) -> Outcome:
        return _FINISHED.get(self._accumulator.stop_reason, "done")

    def _has_token(self, event: MessageEvent) -> bool:
        delta = event.delta
        return bool(event.text or (delta and (delta.thinking or delta.partial_json)))

    def _output_tokens(self) -> int | None:
        return self._accumulator.output_tokens
