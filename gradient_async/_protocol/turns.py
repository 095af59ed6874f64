"""Who is next among results that arrive in any order.

Contract: pure; every result is handed out once. In order, a result waits for all before it.
"""

from __future__ import annotations

from collections import deque
from typing import Generic, TypeVar

import attrs

T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class Turns(Generic[T]):
    """Results by the number of their request, handed out in that order, or with ``ordered=False`` as they come."""

    ordered: bool
    _next: int = attrs.field(default=0, init=False)
    _early: dict[int, T] = attrs.field(factory=dict, init=False)
    _ready: deque[T] = attrs.field(factory=deque, init=False)

    def put(self, number: int, result: T) -> None:
        """Add the *result* of request *number*; the first has the number 0."""
        if not self.ordered:
            self._ready.append(result)
            return
        self._early[number] = result
        while self._next in self._early:
            self._ready.append(self._early.pop(self._next))
            self._next += 1

    def take(self) -> T | None:
        """Return the next result, None if it is not there yet."""
        return self._ready.popleft() if self._ready else None
