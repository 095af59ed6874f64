"""A stream of the responses API: the reading is `BaseStream`'s, with its contract; what is this API's own is here."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from gradient_async._io.stream.base_stream import BaseStream, Opener, Outcome
from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.response_accumulator import (
    RESPONSE_DIALECT,
    ResponseAccumulator,
    response_to_events,
)
from gradient_async._protocol.stream.sse import MAX_EVENT_BYTES
from gradient_async._protocol.stream.sse_encoder import RESPONSE_ENCODER
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import ResponseReply

_FINISHED: dict[str | None, Outcome] = {
    "max_output_tokens": "length",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


class ResponseStream(BaseStream[ResponseEvent, ResponseReply]):
    """The events of a response as they arrive, and the `ResponseReply` they add up to.

    Iterating gives `ResponseEvent`. The request is sent when the stream is entered or first read. Who owns the
    connection, how it ends and what is raised is as with `ChatStream`; ``snapshot`` is a `ResponseReply`.

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
    _relay = RESPONSE_ENCODER
    _accumulator: ResponseAccumulator

    def __init__(self, opener: Opener, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(opener, EventDecoder(RESPONSE_DIALECT, max_event_bytes=max_event_bytes), ResponseAccumulator())

    def response(self) -> Coroutine[Any, Any, ResponseReply]:
        """Read to the end and return the assembled response."""
        return self._read_to_end()

    def _whole(self, body: bytes, content_type: str) -> Iterable[ResponseEvent]:
        return response_to_events(body, content_type)

    def _ending(self) -> Outcome:
        otherwise: Outcome = "tool_calls" if self._accumulator.calls_functions else "done"
        return _FINISHED.get(self._accumulator.reason, otherwise)

    def _has_token(self, event: ResponseEvent) -> bool:
        deltas = (choice.delta for choice in event.choices)
        return bool(event.text or event.delta or any(delta.reasoning_content or delta.tool_calls for delta in deltas))

    def _output_tokens(self) -> int | None:
        return self._accumulator.output_tokens
