"""`FairQueue`: who is next, when interactive work goes first and bulk work must not starve.

Contract: pure. First come, first served within a priority; while both wait, one of every eight goes to bulk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable, Iterator
from typing import Generic, Literal, TypeVar

from gradient_async.errors import ConfigurationError

__all__ = ["FairQueue", "Priority"]

Priority = Literal["interactive", "bulk"]
T = TypeVar("T", bound=Hashable)

_INTERACTIVE_IN_A_ROW = 7


class FairQueue(Generic[T]):
    """Waiters in the order in which they will be served; any of them can leave in constant time."""

    __slots__ = ("_bulk", "_in_a_row", "_interactive", "size")

    def __init__(self) -> None:
        self._interactive: OrderedDict[T, None] = OrderedDict()
        self._bulk: OrderedDict[T, None] = OrderedDict()
        self._in_a_row = self.size = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        yield from [*self._interactive, *self._bulk]

    def push(self, waiter: T, priority: Priority) -> None:
        """Let *waiter* queue."""
        lane = self._interactive if priority == "interactive" else self._lane(priority)
        lane[waiter] = None
        self.size += 1

    def discard(self, waiter: T, priority: Priority) -> bool:
        """Let *waiter* leave; say whether it was still there."""
        lane = self._lane(priority)
        if waiter not in lane:
            return False
        del lane[waiter]
        self.size -= 1
        return True

    def head(self) -> T | None:
        """Return who is next, None if nobody waits."""
        if not self.size:
            return None
        return next(iter(self._next_lane() if self._bulk else self._interactive))

    def pop(self) -> T:
        """Take out who is next."""
        self.size -= 1
        if not self._bulk:
            return self._interactive.popitem(last=False)[0]
        lane = self._next_lane()
        self._in_a_row = 0 if lane is self._bulk else self._in_a_row + 1
        return lane.popitem(last=False)[0]

    def ahead(self, priority: Priority) -> int:
        """Return how many would be served before a newcomer of *priority* if nobody else came."""
        interactive, bulk = len(self._interactive), len(self._bulk)
        if self._lane(priority) is self._interactive:
            return interactive + min(bulk, interactive // _INTERACTIVE_IN_A_ROW)
        return bulk + min(interactive, (bulk + 1) * _INTERACTIVE_IN_A_ROW)

    def _next_lane(self) -> OrderedDict[T, None]:
        if self._bulk and (not self._interactive or self._in_a_row >= _INTERACTIVE_IN_A_ROW):
            return self._bulk
        return self._interactive

    def _lane(self, priority: Priority) -> OrderedDict[T, None]:
        if priority == "interactive":
            return self._interactive
        if priority == "bulk":
            return self._bulk
        raise ConfigurationError(f"priority is {priority!r}: give 'interactive' or 'bulk'")
