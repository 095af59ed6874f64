"""`BackgroundTask`: one run at a time, and one timer that starts it.

Contract: belongs to one event loop at a time; without a running loop, nothing is started.

A task of its own for each run costs two more iterations of the event loop, which is half the time of an acquire. So a
caller that has nothing else to do may run in its own task, until it has what it waits for.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Coroutine
from typing import Any

__all__ = ["BackgroundTask"]


class BackgroundTask:
    """Runs a coroutine function whenever it is started, never twice at once.

    Args:
        run: The coroutine function, which handles its own failures, and ends early when its argument is done.
        on_end: Called when a run has ended; it may start the next one.
    """

    def __init__(
        self, run: Callable[[asyncio.Future[Any] | None], Coroutine[object, object, None]], on_end: Callable[[], None]
    ) -> None:
        self._run, self._on_end = run, on_end
        self._loop: asyncio.AbstractEventLoop | None = None
        self._task: asyncio.Task[None] | None = None
        self._ended_here: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._is_stopped = False

    def use_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Run on *loop* from now on; the task and the timer of the previous one are over."""
        self._loop, self._task, self._ended_here, self._timer = loop, None, None, None

    @property
    def is_idle(self) -> bool:
        """Whether nothing runs."""
        return self._task is None and self._ended_here is None

    def start(self) -> None:
        """Start the task, unless it runs."""
        self._is_stopped = False
        if self.is_idle and self._loop is not None and not self._loop.is_closed():
            # Not by the loop's factory: an eager task may have ended, or started another, before this line is done.
            self._task = asyncio.Task(self._run_once(), loop=self._loop)

    async def run_until(self, done: asyncio.Future[Any]) -> None:
        """Run in the calling task, which nothing else does, until *done* is done or the run ends by itself."""
        self._is_stopped = False
        ended = self._ended_here = asyncio.get_running_loop().create_future()
        try:
            await self._run(done)
        finally:
            ended.set_result(None)
            if self._ended_here is ended:
                self._end_run()

    def start_after(self, seconds: float) -> None:
        """Start the task in *seconds*, or when it is due already, whichever is earlier; not after `stop`."""
        loop = self._loop
        if loop is None or loop.is_closed() or self._is_stopped or seconds == math.inf:
            return
        when = loop.time() + seconds
        if self._timer is None or when < self._timer.when():
            self.cancel_timer()
            self._timer = loop.call_at(when, self._on_timer)

    def cancel_timer(self) -> None:
        """Forget when the task is due."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    async def stop_task(self, timeout: float) -> None:
        """Wait at most *timeout* seconds for a run to end by itself, then cancel its task; the next `start` goes on."""
        self._is_stopped = True
        self.cancel_timer()
        running = [each for each in (self._task, self._ended_here) if each is not None]
        if not running or self._loop is not asyncio.get_running_loop():
            return
        await asyncio.wait(running, timeout=timeout)
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run_once(self) -> None:
        try:
            await self._run(None)
        finally:
            self._task = None
        self._end_run()

    def _end_run(self) -> None:
        self._ended_here = None
        if not self._is_stopped:
            self._on_end()

    def _on_timer(self) -> None:
        self._timer = None
        self.start()
