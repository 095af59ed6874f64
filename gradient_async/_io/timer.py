"""One timer for a request whose time limit changes from phase to phase.

`asyncio.timeout` makes a new timer at every reschedule, four for a request; this one is re-armed only when it fires
too early. Its cancellation follows the same rules: the task is cancelled once, and what arrives as cancellation is a
`TimeoutError` only if nobody else cancelled the task meanwhile.
"""

from __future__ import annotations

import asyncio
import math
from types import TracebackType
from typing import Self

import attrs


@attrs.define(eq=False)
class PhaseTimer:
    """Cancels the task inside its block when `limit`, on the loop's clock, has passed.

    Attributes:
        limit: When time is up; it may be moved while the block runs.
        soonest: No phase can end before this: a timer set for then need not be set again while all goes well.
    """

    loop: asyncio.AbstractEventLoop
    limit: float
    soonest: float = math.inf
    _task: asyncio.Task[object] | None = attrs.field(default=None, init=False)
    _cancelling: int = attrs.field(default=0, init=False)
    _handle: asyncio.TimerHandle | None = attrs.field(default=None, init=False)
    _expired: bool = attrs.field(default=False, init=False)

    def __enter__(self) -> Self:
        self._task = asyncio.current_task()
        if self._task is None:
            raise RuntimeError("requests are made inside a task; use asyncio.run or asyncio.create_task")
        self._cancelling = self._task.cancelling()
        self._arm(min(self.limit, self.soonest))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._handle is not None:
            self._handle.cancel()
        task, self._task = self._task, None
        if not self._expired or task is None:
            return
        if task.uncancel() <= self._cancelling and kind is not None and issubclass(kind, asyncio.CancelledError):
            raise TimeoutError from error

    def move(self, limit: float) -> None:
        """Let time be up at *limit* instead."""
        self.limit = limit
        if self._handle is None or limit < self._handle.when():
            self._arm(limit)

    def _arm(self, when: float) -> None:
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None if math.isinf(when) else self.loop.call_at(when, self._look)

    def _look(self) -> None:
        self._handle = None
        if self.loop.time() < self.limit:
            self._arm(self.limit)
        elif self._task is not None:
            self._expired = True
            self._task.cancel()
