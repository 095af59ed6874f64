"""Iterators over a stream: its events, their text, its tool calls, or the stream as bytes of server-sent events.

Contract: an iterator holds its stream. When the last iterator of a loop is dropped, it notifies the stream, which then
releases its connection. All are classes, because the cleanup of an async generator waits for the event loop to run it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from typing import TYPE_CHECKING, Any, Generic, Protocol, Self, TypeVar

from gradient_async._protocol.stream.sse_encoder import SSEEncoder
from gradient_async._protocol.stream.text_parts import CharacterJoiner
from gradient_async.errors import GradientError

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import Event
    from gradient_async.models.chat import ToolCall

_INCOMPLETE = ("cancelled", "truncated", "error")
E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)
G = TypeVar("G", bound="Event")


class EventSource(Protocol[E_co]):
    """The part of a stream that an iterator uses."""

    @property
    def outcome(self) -> str:
        """``"running"``, or how the stream ended."""
        ...

    @property
    def pending(self) -> Iterator[E_co]:
        """Iterates over the events that were decoded."""
        ...

    def read_event(self, reader: object) -> Coroutine[Any, Any, E_co]:
        """Read on until there is an event, and return it for *reader*."""
        ...

    def iterator_closed(self, reader: object) -> None:
        """Handle that *reader* was dropped."""
        ...


class EventIterator(Generic[E]):
    """Iterates over the events of a stream; dropping it releases the connection."""

    __slots__ = ("stream",)

    def __init__(self, stream: EventSource[E]) -> None:
        self.stream = stream

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:  # Hot: runs once for each event
        stream = self.stream
        event = next(stream.pending, None)
        return await stream.read_event(self) if event is None else event

    async def aclose(self) -> None:
        """Release the connection, as dropping the iterator does; for ``contextlib.aclosing``."""
        self.stream.iterator_closed(self)

    def __del__(self) -> None:
        self.stream.iterator_closed(self)


class _DerivedIterator(Generic[E]):
    """Iterates over something that is made of the events of a stream."""

    __slots__ = ("_events",)

    def __init__(self, stream: EventSource[E]) -> None:
        self._events = EventIterator(stream)

    def __aiter__(self) -> Self:
        return self

    async def aclose(self) -> None:
        """Release the connection, as dropping the iterator does; for ``contextlib.aclosing``."""
        await self._events.aclose()


class TextIterator(_DerivedIterator[G]):
    """Iterates over the text of the events, in whole characters; skips events without text."""

    __slots__ = ("_joiner",)

    def __init__(self, stream: EventSource[G]) -> None:
        super().__init__(stream)
        self._joiner = CharacterJoiner()

    async def __anext__(self) -> str:
        joiner = self._joiner
        while True:
            try:
                event = await self._events.__anext__()
            except StopAsyncIteration:
                if rest := joiner.feed_eof():
                    return rest
                raise
            text = event.text
            if joiner.half or not (text.isascii() or text.isprintable()):  # Hot: half a character is neither
                text = joiner.feed(text)
            if text:
                return text


class ToolCallIterator(_DerivedIterator[E]):
    """Iterates over the tool calls of a stream, each as soon as it is complete."""

    __slots__ = ("_ready", "_take_completed")

    def __init__(self, stream: EventSource[E], take_completed: Callable[[bool], Iterable[ToolCall]]) -> None:
        super().__init__(stream)
        self._take_completed = take_completed
        self._ready = deque(take_completed(False))  # noqa: FBT003 - the stream is not over

    async def __anext__(self) -> ToolCall:
        while not self._ready:
            try:
                await self._events.__anext__()
            except StopAsyncIteration:
                self._ready.extend(self._take_completed(self._events.stream.outcome not in _INCOMPLETE))
                if not self._ready:
                    raise
            else:
                self._ready.extend(self._take_completed(False))  # noqa: FBT003 - the stream is not over
        return self._ready.popleft()


class SSEIterator(_DerivedIterator[G]):
    """Iterates over the stream as bytes of server-sent events, including its end marker or its error."""

    __slots__ = ("_encoder", "_ended")

    def __init__(self, stream: EventSource[G], encoder: SSEEncoder) -> None:
        super().__init__(stream)
        self._encoder = encoder
        self._ended = False

    async def __anext__(self) -> bytes:
        if self._ended:
            raise StopAsyncIteration
        try:
            return self._encoder.encode_event(await self._events.__anext__())
        except StopAsyncIteration:
            self._ended = True
        except GradientError as error:
            self._ended = True
            return self._encoder.encode_error(error)
        if self._events.stream.outcome in _INCOMPLETE or not self._encoder.end_marker:
            raise StopAsyncIteration
        return self._encoder.end_marker
