"""Faults of a response, expanded to steps, and the splitter that turns pieces into writes.

Contract: pure. Nothing here waits or writes; `Delivery` performs the steps in order.
Source: none; RFC 9112 section 7.1 for the clean end of a body, WHATWG for comment lines of an event stream.

A fault happens *after* so many pieces (events). The delivery of a stream of three events ``a b c`` with
``FaultPlan([Stall(after=1, seconds=2), Truncate(after=2)])`` is: send ``a``; wait 2 s; send ``b``; end the body. A
fault whose position the response never reaches happens at its end: with ``Truncate(after=9)`` all three events are
sent.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import attrs

from gradient_async.testing.replies import Split

PING = b": ping\n\n"
BEFORE_HEADERS = -1
"""The position of a fault before the status line."""


@attrs.frozen
class Send:
    """Write *data* now."""

    data: bytes


@attrs.frozen
class Wait:
    """Send nothing for *seconds*."""

    seconds: float


@attrs.frozen
class EndBody:
    """End the body cleanly and drop the remaining pieces."""


@attrs.frozen
class ResetConnection:
    """Abort the TCP connection with a reset."""


@attrs.frozen
class CloseConnection:
    """Close the TCP connection in order, as a server closes an idle one."""


Step = Send | Wait | EndBody | ResetConnection | CloseConnection


@attrs.frozen(kw_only=True)
class Fault:
    """A fault that happens once, *after* so many pieces or at the end of a shorter response."""

    after: float


@attrs.frozen(kw_only=True)
class Stall(Fault):
    """A pause of *seconds*, with a comment line every *keepalive* seconds; then the response continues."""

    seconds: float
    keepalive: float | None = None


@attrs.frozen(kw_only=True)
class Truncate(Fault):
    """A clean end of the body; with *mid_event*, after the first half of the following event."""

    mid_event: bool = False


@attrs.frozen(kw_only=True)
class Disconnect(Fault):
    """The end of the connection: a TCP reset, or an *orderly* close."""

    orderly: bool = False


@attrs.frozen(kw_only=True)
class ErrorEvent(Fault):
    """An error event inside the stream, which ends after it."""

    event: bytes


def expand_fault(fault: Fault, following: bytes) -> Iterator[Step]:
    """Yield the steps of *fault*; *following* is the piece that comes next, empty at the end of the response."""
    match fault:
        case Stall():
            yield from _stall_steps(fault)
        case Truncate(mid_event=mid_event):
            yield Send(following[: len(following) // 2] if mid_event else b"")
            yield EndBody()
        case ErrorEvent(event=event):
            yield Send(event)
            yield EndBody()
        case Disconnect(orderly=orderly):
            yield CloseConnection() if orderly else ResetConnection()


def _stall_steps(stall: Stall) -> Iterator[Step]:
    remaining = stall.seconds
    while stall.keepalive and remaining > stall.keepalive:
        remaining -= stall.keepalive
        yield Wait(stall.keepalive)
        yield Send(PING)
    yield Wait(remaining)


@attrs.frozen
class FaultPlan:
    """The faults of one response, in the order they were scripted."""

    faults: Sequence[Fault] = ()

    def steps_at(self, sent: int, following: bytes) -> Iterator[Step]:
        """Yield the steps of the faults that are due after exactly *sent* pieces, before *following* is sent."""
        for fault in self.faults:
            if fault.after == sent:
                yield from expand_fault(fault, following)

    def steps_at_end(self, sent: int) -> Iterator[Step]:
        """Yield the steps of the faults that are due at the end of a response of *sent* pieces or later."""
        for fault in self.faults:
            if fault.after >= sent:
                yield from expand_fault(fault, b"")


@attrs.define
class ChunkSplitter:
    """Splits pieces of a body into the writes that *split* asks for.

    Example: with ``split=4``, ``feed(b"012345")`` returns ``[b"0123"]``, ``feed(b"67")`` returns ``[b"4567"]``.
    """

    split: Split | None
    _buffer: bytes = attrs.field(default=b"", init=False)
    _offset: int = attrs.field(default=0, init=False)
    _boundaries: Iterator[int] = attrs.field(init=False)
    _boundary: int | None = attrs.field(default=None, init=False)

    def __attrs_post_init__(self) -> None:
        if isinstance(self.split, int):
            self._boundaries = itertools.count(self.split, self.split)
        else:
            self._boundaries = iter(sorted(self.split or ()))
        self._boundary = next(self._boundaries, None)

    def feed(self, data: bytes) -> list[bytes]:
        """Return the writes that *data* completes; without a split, *data* itself."""
        if self.split is None:
            return [data] if data else []
        self._buffer += data
        writes = list(self._complete_writes())
        return writes if self._boundary is not None else writes + self.flush()

    def flush(self) -> list[bytes]:
        """Return the buffered bytes as the last write."""
        rest, self._buffer = self._buffer, b""
        self._offset += len(rest)
        return [rest] if rest else []

    def _complete_writes(self) -> Iterator[bytes]:
        while self._boundary is not None and self._boundary <= self._offset + len(self._buffer):
            size = self._boundary - self._offset
            self._boundary = next(self._boundaries, None)
            if size > 0:
                yield self._buffer[:size]
                self._buffer = self._buffer[size:]
                self._offset += size
