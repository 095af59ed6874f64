"""The execution of jobs in time slices, so that the event loop stays responsive.

Contract: one slice per turn of the loop, for any number of jobs. A job that fits into the first slice is executed
before `start` returns. `aclose` leaves no task.
Source: none.
"""

from __future__ import annotations

import asyncio
from collections import deque
from contextlib import suppress
from time import perf_counter

import attrs

from gradient_async.testing.batch.job import BatchJob

_FIRST_SLICE = 0.005
_SLICE = 0.002
"""The lengths of slices in seconds; a slice executes at least one line."""


@attrs.define(eq=False)
class JobDriver:
    """Executes jobs round-robin."""

    _queue: deque[BatchJob] = attrs.field(factory=deque, init=False, repr=False)
    _task: asyncio.Task[None] | None = attrs.field(default=None, init=False, repr=False)

    def start_job(self, job: BatchJob) -> None:
        """Execute the first slice of *job*, and the following ones in a task."""
        if not _run_slice(job, _FIRST_SLICE) or job in self._queue:
            return
        self._queue.append(job)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._drive_jobs())

    async def wait_idle(self) -> None:
        """Return when every job is executed."""
        if self._task is not None:
            await asyncio.shield(self._task)

    async def aclose(self) -> None:
        """Stop the execution of all jobs."""
        self._queue.clear()
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task

    async def _drive_jobs(self) -> None:
        while self._queue:
            job = self._queue.popleft()
            if _run_slice(job, _SLICE):
                self._queue.append(job)
            await asyncio.sleep(0)


def _run_slice(job: BatchJob, seconds: float) -> bool:
    """Execute *job* for *seconds*; return whether work remains."""
    deadline = perf_counter() + seconds
    has_work = job.execution.run_step()
    while has_work and perf_counter() < deadline:
        has_work = job.execution.run_step()
    job.update_lifecycle()
    return has_work
