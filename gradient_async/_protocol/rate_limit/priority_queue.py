"""`PriorityQueue`: the order in which waiting requests are served.

Contract: pure.

Fairness. First come, first served within a priority. Interactive entries go before bulk ones, but while both
wait, every eighth turn is bulk's: 7 interactive, 1 bulk. So bulk work never starves, and costs interactive work at
most an eighth of the rate. While one priority waits alone it gets every turn. Example with 9 interactive (i) and
3 bulk (b) entries, all waiting from the start::

    i i i i i i i b i i b b

The count of interactive turns in a row grows only while bulk waits, and starts again after each bulk turn.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Generic, Literal, Protocol, TypeVar

import attrs

from gradient_async.errors import ConfigurationError

__all__ = ["Priority", "PriorityQueue", "QueueEntry"]

Priority = Literal["interactive", "bulk"]


class QueueEntry(Protocol):
    """An object that waits in at most one queue, once; the queue maintains *queued*."""

    queued: bool


T = TypeVar("T", bound=QueueEntry)

_MAX_INTERACTIVE_IN_A_ROW = 7
_MIN_REMOVED_ENTRIES = 64
"""Removed entries that a lane keeps before it is worth rebuilding."""


@attrs.define(eq=False)
class _Lane(Generic[T]):
    """The entries of one priority. Removed ones are only marked until they are the majority.

    An ordered dict, which removes at once, takes five times as long.

    Attributes:
        entries: Waiting and removed entries, the oldest first.
        size: Number of entries that wait.
    """

    entries: deque[T] = attrs.field(factory=deque)
    size: int = 0

    def remove_marked(self) -> None:
        """Account for one entry that was marked as removed; rebuild the lane if most entries are."""
        self.size -= 1
        if not self.size or len(self.entries) > 2 * self.size + _MIN_REMOVED_ENTRIES:
            self.entries = deque(entry for entry in self.entries if entry.queued)


class PriorityQueue(Generic[T]):
    """Entries in the order in which they will be served; removing any of them takes amortized constant time.

    Attributes:
        size: Number of entries that wait.
    """

    __slots__ = ("_bulk", "_interactive", "_interactive_in_a_row", "size")

    def __init__(self) -> None:
        self._interactive: _Lane[T] = _Lane()
        self._bulk: _Lane[T] = _Lane()
        self._interactive_in_a_row = self.size = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        yield from [entry for lane in (self._interactive, self._bulk) for entry in lane.entries if entry.queued]

    def push(self, entry: T, priority: Priority) -> None:
        """Append *entry* to the lane of *priority*.

        Raises:
            ConfigurationError: The priority is unknown.
        """
        lane = self._interactive if priority == "interactive" else self._find_lane(priority)
        entry.queued = True
        lane.entries.append(entry)
        lane.size += 1
        self.size += 1

    def discard(self, entry: T, priority: Priority) -> bool:
        """Remove *entry*; return whether it was still waiting."""
        if not entry.queued:
            return False
        entry.queued = False
        self.size -= 1
        self._find_lane(priority).remove_marked()
        return True

    def peek(self) -> T | None:
        """Return the entry to serve next, None if the queue is empty."""
        if not self.size:
            return None
        entries = (self._find_next_lane() if self._bulk.size else self._interactive).entries
        while not entries[0].queued:
            entries.popleft()
        return entries[0]

    def pop(self) -> T:
        """Remove and return the entry that the preceding `peek` returned."""
        lane = self._interactive
        if self._bulk.size:
            lane = self._find_next_lane()
            self._interactive_in_a_row = 0 if lane is self._bulk else self._interactive_in_a_row + 1
        entry = lane.entries.popleft()
        entry.queued = False
        lane.size -= 1
        self.size -= 1
        return entry

    def count_ahead(self, priority: Priority) -> int:
        """Return how many entries would be served before a new one of *priority* if no others were added."""
        interactive, bulk = self._interactive.size, self._bulk.size
        if self._find_lane(priority) is self._interactive:
            return interactive + min(bulk, (self._interactive_in_a_row + interactive) // _MAX_INTERACTIVE_IN_A_ROW)
        return bulk + min(interactive, (bulk + 1) * _MAX_INTERACTIVE_IN_A_ROW - self._interactive_in_a_row)

    def _find_next_lane(self) -> _Lane[T]:
        """Return the lane to serve next while bulk entries wait."""
        if self._interactive.size and self._interactive_in_a_row < _MAX_INTERACTIVE_IN_A_ROW:
            return self._interactive
        return self._bulk

    def _find_lane(self, priority: Priority) -> _Lane[T]:
        if priority == "interactive":
            return self._interactive
        if priority == "bulk":
            return self._bulk
        raise ConfigurationError(f"priority is {priority!r}: give 'interactive' or 'bulk'")
