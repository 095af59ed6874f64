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

    __slots__ = ("_in_a_row", "_lanes", "size")

    def __init__(self) -> None:
        self._lanes: dict[str, OrderedDict[T, None]] = {"interactive": OrderedDict(), "bulk": OrderedDict()}
        self._in_a_row = self.size = 0

    def __len__(self) -> int:
        return self.size

    def __iter__(self) -> Iterator[T]:
        for lane in self._lanes.values():
            yield from list(lane)

    def push(self, waiter: T, priority: Priority) -> None:
        """Let *waiter* queue."""
        self._lane(priority)[waiter] = None
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
        lane = self._next_lane()
        return next(iter(lane)) if lane else None

    def pop(self) -> T:
        """Take out who is next."""
        lane = self._next_lane()
        if lane is self._lanes["bulk"]:
            self._in_a_row = 0
        elif self._lanes["bulk"]:
            self._in_a_row += 1
        self.size -= 1
        return lane.popitem(last=False)[0]

    def ahead(self, priority: Priority) -> int:
        """Return how many would be served before a newcomer of *priority* if nobody else came."""
        interactive, bulk = len(self._lanes["interactive"]), len(self._lanes["bulk"])
        self._lane(priority)
        if priority == "interactive":
            return interactive + min(bulk, interactive // _INTERACTIVE_IN_A_ROW)
        return bulk + min(interactive, (bulk + 1) * _INTERACTIVE_IN_A_ROW)

    def _next_lane(self) -> OrderedDict[T, None]:
        interactive, bulk = self._lanes["interactive"], self._lanes["bulk"]
        if bulk and (not interactive or self._in_a_row >= _INTERACTIVE_IN_A_ROW):
            return bulk
        return interactive

    def _lane(self, priority: Priority) -> OrderedDict[T, None]:
        try:
            return self._lanes[priority]
        except KeyError:
            raise ConfigurationError(f"priority is {priority!r}: give 'interactive' or 'bulk'") from None
