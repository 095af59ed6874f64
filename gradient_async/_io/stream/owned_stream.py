"""The base of all streams: who owns the connection, and when it is released.

Contract: the connection is released as soon as nobody can read it any more: at the end, on an error, when the reading
task is cancelled, when the loop over the stream is left, when the last reference is dropped, on `cancel` and `close`
from any task. None of these needs an await.

Ownership: an ``async with`` block owns the connection if there is one, else the ``async for`` loop that reads the
stream; leaving the owner releases the connection. For the same reason a stream is a class and not an async generator,
whose cleanup waits for the event loop to run it, and no time limit or cancel scope is open while the code of the
consumer runs.
"""

from __future__ import annotations

import warnings
from collections.abc import Coroutine
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gradient_async._io.async_only import AsyncOnly
from gradient_async._io.stream.iterators import EventIterator
from gradient_async._io.stream.stream_reader import E, S, StreamReader

if TYPE_CHECKING:
    from gradient_async._io.stream.tee import TeeBranch


class OwnedStream(StreamReader[E, S], AsyncOnly):
    """The events of a response as they arrive.

    Attributes:
        outcome: ``"running"``, then how it ended: ``"done"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``,
            ``"cancelled"``, ``"truncated"`` or ``"error"``.
    """

    __slots__ = ("__weakref__",)

    def __aiter__(self) -> EventIterator[E]:
        return EventIterator(self)

    def __anext__(self) -> Coroutine[Any, Any, E]:
        return self.next_event()

    def tee(self, n: int, *, buffer: int = 256) -> tuple[TeeBranch[E], ...]:
        """Return *n* iterators over the events, for as many tasks.

        Args:
            n: Number of iterators.
            buffer: Number of events that the fastest may be ahead of the slowest before it waits.
        """
        from gradient_async._io.stream.tee import tee_stream  # few streams have several readers

        return tee_stream(self, n, buffer)

    def cancel(self) -> None:
        """Stop, from any task: iteration ends without an error and the partial result stays in `snapshot`."""
        self._end_stream("cancelled")
        if self._open_block is not None:
            self._open_block.request_stop()

    def close(self) -> None:
        """Release the connection now. Safe at any time, and twice."""
        self.cancel()

    async def aclose(self) -> None:
        """Release the connection, as `close` does; for ``contextlib.aclosing``."""
        self.cancel()

    async def __aenter__(self) -> Self:
        await self.open()
        self._in_block = True
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __del__(self) -> None:
        if self.outcome != "running":
            return
        if self._opener is not None:
            warnings.warn(
                f"A {type(self).__name__} was never read, so its request was not sent; {self._usage}.",
                RuntimeWarning,
                stacklevel=2,
            )
        elif self._reply is not None:
            self.cancel()
            warnings.warn(
                f"A {type(self).__name__} was dropped while it was open; read it to the end, use 'async with', or "
                "close it.",
                ResourceWarning,
                stacklevel=2,
            )

    def __reduce__(self) -> str | tuple[Any, ...]:
        raise TypeError(
            f"A {type(self).__name__} has a connection, so it cannot be copied or pickled. Give each task a branch of "
            "tee(n); its snapshot can be copied."
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.outcome}, request_id={self.meta.request_id!r}>"

    def iterator_closed(self, reader: object) -> None:
        """Cancel the stream because *reader* was dropped, unless a block or another iterator owns it.

        An iterator that was refused because another one was reading is dropped too, and does not own the stream.
        """
        if not self._in_block and self._reader_id in (0, id(reader)):
            self.cancel()
