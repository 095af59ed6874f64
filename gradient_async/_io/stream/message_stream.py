"""The stream of the messages API."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any

from gradient_async._io.stream.event_stream import EventFormat, EventStream
from gradient_async._protocol.stream.message_accumulator import (
    MESSAGE_DIALECT,
    MESSAGE_HOLES,
    MessageAccumulator,
    message_to_events,
)
from gradient_async._protocol.stream.sse_encoder import MESSAGE_ENCODER
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.messages import MessageReply


def _message_has_token(event: MessageEvent) -> bool:
    delta = event.delta
    return bool(event.text or (delta and (delta.thinking or delta.partial_json)))


class MessageStream(EventStream[MessageEvent, MessageReply]):
    """The events of a message as they arrive, and the `MessageReply` assembled from them.

    Iterating gives `MessageEvent`. The request is sent when the stream is entered or first read. Ownership of the
    connection, end, outcome and errors are those of `ChatStream`; ``snapshot`` is a `MessageReply`.

    Example::

        async with session.messages.stream(model=M, max_tokens=500, messages=messages) as stream:
            async for text in stream.text():
                print(text, end="")
            print(stream.snapshot.usage)
    """

    __slots__ = ()
    _encoder = MESSAGE_ENCODER
    _format = EventFormat(
        dialect=MESSAGE_DIALECT,
        holes=MESSAGE_HOLES,
        accumulator=MessageAccumulator,
        decode_json_body=message_to_events,
        has_token=_message_has_token,
    )

    def message(self) -> Coroutine[Any, Any, MessageReply]:
        """Read to the end and return the assembled message."""
        return self._read_to_end()
