"""How an answer is sent: faults turned into steps, and the cutter that turns pieces into writes.

Contract: pure. Nothing here waits or writes; `serve` performs the steps in order.
Source: none; RFC 9112 section 7.1 for what a clean end of a body is, WHATWG for comment lines of an event
stream.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import attrs

from gradient_async.testing.replies import Split

PING = b": ping\n\n"
BEFORE = -1
"""The place of a fault that happens before the status line."""


@attrs.frozen
class Send:
    """Write these bytes now."""

    data: bytes


@attrs.frozen
class Wait:
    """Be silent for so many seconds."""

    seconds: float


@attrs.frozen
class End:
    """End the body cleanly here; what was still to come is dropped."""


@attrs.frozen
class Reset:
    """Abort the TCP connection."""


@attrs.frozen
class HangUp:
    """Close the TCP connection in order, as a server does with one that was idle for too long."""


Step = Send | Wait | End | Reset | HangUp


@attrs.frozen(kw_only=True)
class Fault:
    """Something that happens once *after* pieces of an answer were sent, at the latest at its end."""

    after: float


@attrs.frozen(kw_only=True)
class Stall(Fault):
    """Silence, or comment lines every *keepalive* seconds; then the answer goes on."""

    seconds: float
    keepalive: float | None = None


@attrs.frozen(kw_only=True)
class Truncate(Fault):
    """A clean end of the body, in the middle of the next event if *mid_event*."""

    mid_event: bool = False


@attrs.frozen(kw_only=True)
class Sever(Fault):
    """The end of the connection: a TCP reset, or an orderly close if *gently*."""

    gently: bool = False


@attrs.frozen(kw_only=True)
class Interrupt(Fault):
    """An error event inside the stream, which then ends."""

    event: bytes


def unfold(fault: Fault, following: bytes) -> Iterator[Step]:
    """Yield the steps of *fault*, given the piece that would have been sent next (empty at the end)."""
    match fault:
        case Stall():
            yield from _silence(fault)
        case Truncate(mid_event=mid_event):
            yield Send(following[: len(following) // 2] if mid_event else b"")
            yield End()
        case Interrupt(event=event):
            yield Send(event)
            yield End()
        case Sever(gently=gently):
            yield HangUp() if gently else Reset()


def _silence(stall: Stall) -> Iterator[Step]:
    left = stall.seconds
    while stall.keepalive and left > stall.keepalive:
        left -= stall.keepalive
        yield Wait(stall.keepalive)
        yield Send(PING)
    yield Wait(left)


@attrs.frozen
class Plan:
    """The faults of one answer, in the order they were scripted."""

    faults: Sequence[Fault] = ()

    def at(self, sent: int, following: bytes) -> Iterator[Step]:
        """Yield the steps of every fault that is due once *sent* pieces are out."""
        for fault in self.faults:
            if fault.after == sent:
                yield from unfold(fault, following)

    def at_end(self, sent: int) -> Iterator[Step]:
        """Yield the steps of every fault that waited for at least *sent* pieces, the whole answer."""
        for fault in self.faults:
            if fault.after >= sent:
                yield from unfold(fault, b"")


@attrs.define
class Cutter:
    """Cuts bytes that arrive piece by piece into the writes a *split* asks for."""

    split: Split | None
    _held: bytes = attrs.field(default=b"", init=False)
    _offset: int = attrs.field(default=0, init=False)
    _marks: Iterator[int] = attrs.field(init=False)
    _mark: int | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        self._marks = _offsets(self.split)
        self._mark = next(self._marks, None)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the writes that are complete; without a split, *data* itself."""
        if self.split is None:
            return [data] if data else []
        self._held += data
        writes = list(self._complete())
        return writes if self._mark is not None else writes + self.flush()

    def flush(self) -> list[bytes]:
        """Return what is held back, as the last write."""
        rest, self._held = self._held, b""
        self._offset += len(rest)
        return [rest] if rest else []

    def _complete(self) -> Iterator[bytes]:
        while self._mark is not None and self._mark <= self._offset + len(self._held):
            size = self._mark - self._offset
            self._mark = next(self._marks, None)
            if size > 0:
                yield self._take(size)

    def _take(self, size: int) -> bytes:
        head, self._held = self._held[:size], self._held[size:]
        self._offset += size
        return head


def _offsets(split: Split | None) -> Iterator[int]:
    if split is None:
        return iter(())
    if isinstance(split, int):
        return itertools.count(split, split)
    return iter(sorted(split))
