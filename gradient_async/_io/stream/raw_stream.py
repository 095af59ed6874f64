"""The stream of an endpoint that the library does not know: its server-sent events as they are."""

from __future__ import annotations

from gradient_async._io.stream.owned_stream import OwnedStream
from gradient_async._io.stream.stream_reader import Opener
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.raw_decoder import RawAccumulator, RawEventDecoder, body_to_events
from gradient_async._protocol.stream.sse import ServerSentEvent
from gradient_async.models.raw_reply import RawReply


class RawStream(OwnedStream[ServerSentEvent, RawReply]):
    """The server-sent events of any endpoint as they arrive.

    Iterating gives `ServerSentEvent`. Ownership of the connection, `cancel`, `close`, ``tee`` and errors are those of
    `ChatStream`. A final ``[DONE]`` ends the iteration and is not given out.

    What makes such a stream complete is not known: it ends well (``outcome`` is ``"done"``) with ``[DONE]``, or with
    the end of its body after a whole event. Check that the last event is one that ends the result.

    Example::

        async with await session.request("POST", "/v1/new", json={"prompt": "Hi"}, stream=True) as stream:
            async for event in stream:
                print(event.event, json.loads(event.data))

    Raises:
        APIStatusError: An event reports an error.
        StreamTruncatedError: The body ended within an event, or its connection broke.
        ProtocolError: The response is not an event stream.
    """

    __slots__ = ()
    _decoder: RawEventDecoder

    def __init__(self, opener: Opener, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        decoder = RawEventDecoder(max_event_bytes=max_event_bytes)
        super().__init__(opener, decoder, RawAccumulator(self._is_whole), body_to_events, iter)

    def _is_whole(self) -> bool:
        """Whether the body has ended well: after an event, and not by the loss of the connection."""
        return not self._decoder.is_cut and (self._watchdog is None or self._watchdog.lost is None)

    def _find_partial_result(self) -> None:
        return None
