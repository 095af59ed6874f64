"""`FairQueue`: who is next, when interactive work goes first and bulk work must not starve.

Contract: pure. First come, first served within a priority; while both wait, one of every eight goes to bulk.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Literal, Protocol, TypeVar

import attrs

from gradient_async.errors import ConfigurationError

__all__ = ["FairQueue", "Priority", "Queued"]

Priority = Literal["interactive", "bulk"]


class Queued(Protocol):
    """What can queue, in one queue at a time and once; *queued* is the queue's own."""

    queued: bool


T = TypeVar("T", bound=Queued)

_INTERACTIVE_IN_A_ROW = 7
_FEW = 64


@attrs.define(eq=False)
class _Lane(Generic[T]):
    """One priority. Who leaves is marked, and taken out when most have left: an ordered dict takes five times as long.

    Attributes:
        size: How many of the entries have not left.
    """

    entries: deque[T] = attrs.field(factory=deque)
    size: int = 0

    def shrink(self) -> None:
        """Count one less, who is marked already."""
        self.size -= 1
        if not self.size or len(self.entries) > 2 * self.size + _FEW:
            self.entries = deque(entry for entry in self.entries if entry.queued)


class FairQueue(Generic[T]):
    """Waiters in the order in which they will be served; any of them can leave in constant time, on average."""

    __slots__ = ("_bulk", "_in_a_row", "_interactive", "size")

    def __init__(self) -> None:
        self._interactive: _Lane[T] = _Lane()
        self._bulk: _Lane[T] = _Lane()
        self._in_a_row = self.size = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        yield from [entry for lane in (self._interactive, self._bulk) for entry in lane.entries if entry.queued]

    def push(self, waiter: T, priority: Priority) -> None:
        """Let *waiter* queue."""
        lane = self._interactive if priority == "interactive" else self._lane(priority)
        waiter.queued = True
        lane.entries.append(waiter)
        lane.size += 1
        self.size += 1

    def discard(self, waiter: T, priority: Priority) -> bool:
        """Let *waiter* leave; say whether it was still there."""
        if not waiter.queued:
            return False
        waiter.queued = False
        self.size -= 1
        self._lane(priority).shrink()
        return True

    def head(self) -> T | None:
        """Return who is next, None if nobody waits."""
        if not self.size:
            return None
        entries = (self._next_lane() if self._bulk.size else self._interactive).entries
        while not entries[0].queued:
            entries.popleft()
        return entries[0]

    def pop(self) -> T:
        """Take out who is next, the `head`, which was asked for."""
        lane = self._interactive
        if self._bulk.size:
            lane = self._next_lane()
            self._in_a_row = 0 if lane is self._bulk else self._in_a_row + 1
        waiter = lane.entries.popleft()
        waiter.queued = False
        lane.size -= 1
        self.size -= 1
        return waiter

    def ahead(self, priority: Priority) -> int:
        """Return how many would be served before a newcomer of *priority* if nobody else came."""
        interactive, bulk = self._interactive.size, self._bulk.size
        if self._lane(priority) is self._interactive:
            return interactive + min(bulk, (self._in_a_row + interactive) // _INTERACTIVE_IN_A_ROW)
        return bulk + min(interactive, (bulk + 1) * _INTERACTIVE_IN_A_ROW - self._in_a_row)

    def _next_lane(self) -> _Lane[T]:
        if self._bulk.size and (not self._interactive.size or self._in_a_row >= _INTERACTIVE_IN_A_ROW):
            return self._bulk
        return self._interactive

    def _lane(self, priority: Priority) -> _Lane[T]:
        if priority == "interactive":
            return self._interactive
        if priority == "bulk":
            return self._bulk
        raise ConfigurationError(f"priority is {priority!r}: give 'interactive' or 'bulk'")
