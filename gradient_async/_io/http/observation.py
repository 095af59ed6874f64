"""What hooks observe: the beginning of an operation, its work in a context of its own, and its end.

Contract: a hook that saw the beginning sees the end exactly once, however the operation ends. Context variables that
it sets at the beginning are seen by the work and by nothing else. An exception in a hook does not reach the work.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Generator, Iterable, Sequence
from contextvars import Context, copy_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

import attrs

from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.http.call_details import CallOutcome
from gradient_async._io.http.hooks import call_hook

EndHook = Callable[[CallOutcome], object]
D = TypeVar("D")
T = TypeVar("T")


@attrs.define(eq=False, repr=False)
class Observation:
    """An operation that has begun; an exception that leaves its ``with`` block is reported as its end.

    Attributes:
        context: The context of the work.
    """

    context: Context
    _end_hooks: Sequence[EndHook]
    _clock: Callable[[], float]
    _started_at: float = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._started_at = self._clock()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            self.report_end(None, "cancelled" if isinstance(error, asyncio.CancelledError) else "error", error)

    def run(self, work: Coroutine[Any, Any, T]) -> InContext[T]:
        """Return an awaitable of *work* that runs it in the context of the operation, within the awaiting task."""
        return InContext(work, self.context)

    def report_end(self, result: Any, outcome: str, error: BaseException | None = None) -> None:
        """Report the end of the operation to its hooks; a second end is ignored."""
        details = CallOutcome(outcome=outcome, result=result, error=error, elapsed=self._clock() - self._started_at)
        hooks, self._end_hooks = self._end_hooks, ()
        for hook in hooks:
            call_hook(hook, details)


@attrs.frozen(eq=False, repr=False)
class InContext(Generic[T]):
    """An awaitable of *work* that takes each of its steps in *context*.

    A task with that context would do too, but costs a turn of the loop and separates the work from its caller, whose
    cancellation and time limits are those of a task.
    """

    work: Coroutine[Any, Any, T]
    context: Context

    def __await__(self) -> Generator[Any, Any, T]:
        step: Callable[[Any], Any] = self.work.send
        values: list[Any] = [None]  # popped, so that no exception is kept alive by a frame of its own traceback
        while True:
            try:
                awaited = self.context.run(step, values.pop())
            except StopIteration as end:
                result: T = end.value
                return result
            try:
                values.append((yield awaited))
                step = self.work.send
            except BaseException as error:  # noqa: BLE001 - thrown into the work, a cancellation above all
                values.append(error)
                step = self.work.throw


def begin_observation(begin_hooks: Iterable[Callable[[D], EndHook | None]], details: D) -> Observation:
    """Tell *begin_hooks* that an operation with *details* begins."""
    context = copy_context()
    ends = [context.run(call_hook, begin, details) for begin in begin_hooks]
    return Observation(context, [end for end in ends if end is not None], get_loop().time)
