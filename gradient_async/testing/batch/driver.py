"""Drives the work of jobs in slices, so that the event loop stays free for those who wait for it.

Contract: one slice per turn of the loop, whatever the number of jobs; a job that needs no more than the first
slice is done before `start` returns. `aclose` leaves no task behind.
Source: none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import perf_counter

import attrs

from gradient_async.testing.batch.job import Job

_FIRST_SLICE = 0.005
_SLICE = 0.002
"""Seconds; one line is the least that is done."""


@attrs.define(eq=False)
class Driver:
    """The jobs that have work to do, taking turns."""

    _queue: deque[Job] = attrs.field(factory=deque, init=False, repr=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False, repr=False)

    def start(self, job: Job) -> None:
        """Begin with *job*, and leave what is too much for one slice to a task."""
        if not _slice(job, _FIRST_SLICE) or job in self._queue:
            return
        self._queue.append(job)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._work())

    async def settled(self) -> None:
        """Return when no job has work left."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def aclose(self) -> None:
        """Stop working."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _work(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            if _slice(job, _SLICE):
                self._queue.append(job)
            await asyncio.sleep(0)


def _slice(job: Job, seconds: float) -> bool:
    """Work on *job* for so long; False if it has nothing left to do."""
    until = perf_counter() + seconds
    more = job.run.step()
    while more and perf_counter() < until:
        more = job.run.step()
    job.sync()
    return more
