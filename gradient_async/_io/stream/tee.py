"""Several consumers of one stream.

Contract: every branch gets every event, in order, and the stream's end or error. No branch runs more than ``buffer``
events ahead of the slowest; a branch that is closed or dropped is waited for no longer, and when the last one goes
the stream is closed. A consumer that is cancelled disturbs only itself: one task of the tee reads the stream.
"""

from __future__ import annotations

import asyncio
import copy
from collections import deque
from collections.abc import AsyncIterator
from typing import Generic, Protocol, Self, TypeVar

import attrs

from gradient_async.errors import ConfigurationError, GradientError, StreamBusyError

E = TypeVar("E")
E_co = TypeVar("E_co", covariant=True)


class Closable(Protocol[E_co]):
    """What a tee needs of a stream."""

    def __aiter__(self) -> AsyncIterator[E_co]:
        """Iterate over the events."""
        ...

    def close(self) -> None:
        """Give the connection up."""
        ...


@attrs.define(eq=False, repr=False)
class _Lane(Generic[E]):
    """What one branch has not read yet, and the future it waits on."""

    events: deque[E] = attrs.field(factory=deque)
    waiting: asyncio.Future[None] | None = None

    def wake(self) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(None)


@attrs.define(eq=False, repr=False)
class _Hub(Generic[E]):
    """Reads the stream and fills the lanes."""

    stream: Closable[E]
    buffer: int
    lanes: list[_Lane[E]] = attrs.field(factory=list)
    ended: bool = False
    error: GradientError | None = None
    pump: asyncio.Task[None] | None = None
    room: asyncio.Future[None] | None = None

    def start(self) -> None:
        if self.pump is None and not self.ended:
            self.pump = asyncio.create_task(self._read())

    async def _read(self) -> None:
        try:
            async for event in self.stream:
                for lane in self.lanes:
                    lane.events.append(event)
                    lane.wake()
                await self._wait_for_room()
        except GradientError as error:
            self.error = error
        finally:
            self.ended = True
            for lane in self.lanes:
                lane.wake()

    async def _wait_for_room(self) -> None:
        while any(len(lane.events) >= self.buffer for lane in self.lanes):
            self.room = asyncio.get_running_loop().create_future()
            await self.room

    def made_room(self) -> None:
        if self.room is not None and not self.room.done():
            self.room.set_result(None)

    def leave(self, lane: _Lane[E]) -> None:
        if lane in self.lanes:
            self.lanes.remove(lane)
            self.made_room()
        if not self.lanes:
            self.stream.close()
            if self.pump is not None:
                self.pump.cancel()


class TeeBranch(Generic[E]):
    """One consumer's view of a stream that several read. Iterating gives every event."""

    __slots__ = ("_hub", "_lane")

    def __init__(self, hub: _Hub[E]) -> None:
        self._hub = hub
        self._lane: _Lane[E] = _Lane()
        hub.lanes.append(self._lane)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> E:
        hub, lane = self._hub, self._lane
        hub.start()
        while not lane.events:
            if hub.ended or lane not in hub.lanes:
                raise copy.copy(hub.error) if hub.error is not None else StopAsyncIteration
            if lane.waiting is not None and not lane.waiting.done():
                raise StreamBusyError("Another task is reading this branch; give each a branch of its own with tee(n).")
            lane.waiting = asyncio.get_running_loop().create_future()
            try:
                await lane.waiting
            except asyncio.CancelledError:
                self.close()
                raise
        event = lane.events.popleft()
        hub.made_room()
        return event

    def close(self) -> None:
        """Leave; the others read on. The stream is closed when the last branch leaves."""
        self._hub.leave(self._lane)
        self._lane.wake()

    def __del__(self) -> None:
        self._hub.leave(self._lane)


def tee(stream: Closable[E], n: int, buffer: int) -> tuple[TeeBranch[E], ...]:
    """Return *n* branches of *stream*.

    Raises:
        ConfigurationError: *n* or *buffer* is less than 1.
    """
    if n < 1 or buffer < 1:
        raise ConfigurationError(f"tee(n={n}, buffer={buffer}): give at least 1 of each.")
    hub = _Hub(stream, buffer)
    return tuple(TeeBranch(hub) for _ in range(n))
