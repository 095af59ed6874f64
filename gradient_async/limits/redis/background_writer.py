"""`BackgroundWriter`: writes to Redis without making any caller wait.

Contract: a write that fails is reported to the owner once, and never raised. Outcomes of permits are collected
for a moment and written in one call. Every task is referenced until it is done.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine

from gradient_async.limits.redis.store import RedisUnavailable

__all__ = ["BackgroundWriter", "PermitOutcomes"]

_COALESCE = 0.01
"""Seconds for which outcomes of permits are collected."""
_RETRY_AFTER = 1.0
"""Seconds after which outcomes that could not be written are written again."""
_CLOSE_TIMEOUT = 1.0
"""Seconds for which closing waits for writes in progress."""

PermitOutcomes = dict[str, float | None]
"""Sent time of each named permit on the loop's clock, None for a refunded one."""
Write = Coroutine[object, object, None]


class BackgroundWriter:
    """Runs writes as tasks of one event loop at a time.

    Args:
        write_outcomes: Writes the outcomes of permits.
        on_failure: Called with the reason when a write failed.
        on_written: Called when outcomes were written, which may have freed tokens.
    """

    def __init__(
        self,
        write_outcomes: Callable[[PermitOutcomes], Write],
        on_failure: Callable[[RedisUnavailable], None],
        on_written: Callable[[], None],
    ) -> None:
        self._write_outcomes, self._on_failure, self._on_written = write_outcomes, on_failure, on_written
        self._loop: asyncio.AbstractEventLoop | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._outcomes: PermitOutcomes = {}
        self._timer: asyncio.TimerHandle | None = None

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run further writes on *loop*; tasks of the previous one are over."""
        self._loop, self._timer = loop, None
        self._tasks.clear()

    def start_task(self, coroutine: Write) -> asyncio.Task[None]:
        """Run *coroutine*, which handles its own failures."""
        assert self._loop is not None  # noqa: S101  the owner calls use_loop first
        task = self._loop.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def start_write(self, write: Write) -> None:
        """Run *write* and report its failure; without a running loop, drop it."""
        if self._loop is None or self._loop.is_closed():
            return write.close()
        # A task that is cancelled before its first step never awaits the write.
        self.start_task(self._report_failure(write)).add_done_callback(lambda _: write.close())
        return None

    def add_outcome(self, name: str, sent_at: float | None) -> None:
        """Write soon that the permit *name* counts from *sent_at*, or, with None, that it was refunded."""
        self._outcomes[name] = sent_at
        self._flush_after(_COALESCE)

    async def aclose(self, *, flush: bool) -> None:
        """Cancel every write. With *flush*, first wait a moment for them, and write the remaining outcomes."""
        if self._tasks and flush:
            await asyncio.wait(self._tasks, timeout=_CLOSE_TIMEOUT)
        self._cancel_timer()
        if self._outcomes and flush:
            await self._flush_outcomes()
        self._cancel_timer()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _flush_after(self, seconds: float) -> None:
        if self._timer is None and self._loop is not None and not self._loop.is_closed():
            self._timer = self._loop.call_later(seconds, self._start_flush)

    def _start_flush(self) -> None:
        self._timer = None
        self.start_task(self._flush_outcomes())

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def _flush_outcomes(self) -> None:
        outcomes, self._outcomes = self._outcomes, {}
        try:
            await self._write_outcomes(outcomes)
        except RedisUnavailable as failure:
            self._outcomes = outcomes | self._outcomes
            self._flush_after(_RETRY_AFTER)
            return self._on_failure(failure)
        return self._on_written()

    async def _report_failure(self, write: Write) -> None:
        try:
            await write
        except RedisUnavailable as failure:
            self._on_failure(failure)
