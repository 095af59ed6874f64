"""The streams of generated text: the ways to consume one beside its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, TypeVar

from gradient_async._io.stream.iterators import SSEIterator, TextIterator
from gradient_async._io.stream.owned_stream import OwnedStream
from gradient_async._io.stream.stream_reader import S
from gradient_async._protocol.stream.sse_encoder import SSEEncoder

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import Event

E = TypeVar("E", bound="Event")


class BaseStream(OwnedStream[E, S]):
    """The events of a response as they arrive, and the result assembled from them.

    Attributes:
        outcome: ``"running"``, then how it ended: ``"done"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``,
            ``"cancelled"``, ``"truncated"`` or ``"error"``.
    """

    __slots__ = ()
    _encoder: ClassVar[SSEEncoder]
    """Writes the events as server-sent events for `sse`."""

    def text(self) -> TextIterator[E]:
        """Iterate over the text as it arrives (of the first choice if there are several), skipping empty pieces.

        It comes in whole characters: if a piece ends with the first half of an emoji, that waits for the second.
        """
        return TextIterator(self)

    def sse(self) -> SSEIterator[E]:
        """Iterate over the stream as bytes of server-sent events in the service's own form, to pass it on.

        The end is marked as the service marks it; an error becomes an event and ends the iteration without raising.
        Send ``X-Accel-Buffering: no`` along with it, so that an nginx in between does not hold the stream back.
        """
        return SSEIterator(self, self._encoder)

    async def _read_to_end(self) -> S:
        async for _ in self:
            pass
        if self._failure is not None:
            raise self._failure
        return self.snapshot
