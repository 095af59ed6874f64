"""The ways to read a stream: its events one by one, their text alone, or as bytes to pass on.

Contract: whoever holds a reader holds the stream; when the last reader of a loop goes, the connection goes with it.
All are classes and no async generators, so that this happens at once and needs nobody to run it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, Generic, Protocol, Self, TypeVar

from gradient_async._protocol.stream.interfaces import Event
from gradient_async._protocol.stream.sse_encoder import SSEEncoder
from gradient_async.errors import GradientError

_NOT_WHOLE = ("cancelled", "truncated", "error")
E = TypeVar("E", bound=Event)
E_co = TypeVar("E_co", bound=Event, covariant=True)


class EventSource(Protocol[E_co]):
    """What a reader needs of a stream."""

    @property
    def outcome(self) -> str:
        """``"running"``, or how the stream ended."""
        ...

    def next_event(self, reader: object = None) -> Coroutine[Any, Any, E_co]:
        """Return the next event to *reader*."""
        ...

    def iterator_closed(self, reader: object) -> None:
        """Note that *reader* reads no more."""
        ...


class EventIterator(Generic[E]):
    """Reads events, and gives the connection up when the loop over it is left."""

    __slots__ = ("stream",)

    def __init__(self, stream: EventSource[E]) -> None:
        self.stream = stream

    def __aiter__(self) -> Self:
        return self

    def __anext__(self) -> Coroutine[Any, Any, E]:
        return self.stream.next_event(self)

    def __del__(self) -> None:
        self.stream.iterator_closed(self)


class TextIterator(Generic[E]):
    """Reads the text, leaving out pieces without any."""

    __slots__ = ("_chunks",)

    def __init__(self, stream: EventSource[E]) -> None:
        self._chunks = EventIterator(stream)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> str:
        while True:
            chunk = await self._chunks.__anext__()
            if text := chunk.text:
                return text


class SSEIterator(Generic[E]):
    """Reads the stream as the bytes of an event stream, its end or its error included."""

    __slots__ = ("_chunks", "_ended", "_relay")

    def __init__(self, stream: EventSource[E], relay: SSEEncoder) -> None:
        self._chunks = EventIterator(stream)
        self._relay = relay
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        try:
            return self._relay.encode_event(await self._chunks.__anext__())
        except StopAsyncIteration:
            self._ended = True
        except GradientError as error:
            self._ended = True
            return self._relay.encode_error(error)
        if self._chunks.stream.outcome in _NOT_WHOLE or not self._relay.end_marker:
            raise StopAsyncIteration
        return self._relay.end_marker
