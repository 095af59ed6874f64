"""Cancelling a coroutine at an await of a given number.

Contract: the await is waiting when the cancellation reaches it, as with `asyncio.Task.cancel` by another task. Counted
is every suspension of the coroutine's own task, however deep.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Generator
from typing import Any

import attrs


@attrs.define
class CancelledAt:
    """Awaits *work*, and cancels its task at the awaits of the numbers *cuts*.

    Attributes:
        suspensions: The number of awaits so far.
        reached: Whether one of *cuts* was reached.
    """

    work: Awaitable[object]
    cuts: tuple[int, ...]
    suspensions: int = 0
    reached: bool = False

    def __await__(self) -> Generator[Any, Any, object]:
        steps = self.work.__await__()
        step: Callable[[Any], Any] = steps.send
        value: Any = None
        while True:
            try:
                future = step(value)
            except StopIteration as ended:
                return ended.value
            self.suspensions += 1
            if self.suspensions in self.cuts:
                self.reached = True
                task = asyncio.current_task()
                assert task is not None
                task.cancel()  # it reaches the future that is handed to the task below
            try:
                value = yield future
                step = steps.send
            except BaseException as error:  # noqa: BLE001 - whatever it is, it is for the coroutine
                value, step = error, steps.throw
