"""The stream of the responses API."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from gradient_async._io.stream.event_stream import EventFormat, EventStream
from gradient_async._protocol.stream.response_accumulator import (
    RESPONSE_DIALECT,
    RESPONSE_HOLES,
    ResponseAccumulator,
    response_to_events,
)
from gradient_async._protocol.stream.sse_encoder import RESPONSE_ENCODER
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import ResponseReply


def _response_has_token(event: ResponseEvent) -> bool:
    deltas = (choice.delta for choice in event.choices)
    return bool(event.text or event.delta or any(delta.reasoning_content or delta.tool_calls for delta in deltas))


class ResponseStream(EventStream[ResponseEvent, ResponseReply]):
    """The events of a response as they arrive, and the `ResponseReply` assembled from them.

    Iterating gives `ResponseEvent`. The request is sent when the stream is entered or first read. Ownership of the
    connection, end, outcome and errors are those of `ChatStream`; ``snapshot`` is a `ResponseReply`.

    Example::

        async with session.responses.stream(model=M, input="Hello") as stream:
            async for text in stream.text():
                print(text, end="")
            print(stream.snapshot.usage)
    """

    __slots__ = ()
    _encoder = RESPONSE_ENCODER
    _format = EventFormat(
        dialect=RESPONSE_DIALECT,
        holes=RESPONSE_HOLES,
        accumulator=ResponseAccumulator,
        decode_json_body=response_to_events,
        has_token=_response_has_token,
    )

    def response(self) -> Coroutine[Any, Any, ResponseReply]:
        """Read to the end and return the assembled response."""
        return self._read_to_end()
