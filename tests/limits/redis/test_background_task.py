"""The task of a shared budget under the task factories of a program."""

from __future__ import annotations

import asyncio
import sys

import pytest

from gradient_async.limits.redis.background_task import BackgroundTask


@pytest.mark.skipif(sys.version_info < (3, 12), reason="eager tasks came with CPython 3.12")
async def test_a_run_that_ends_at_once_can_be_repeated_with_eager_tasks() -> None:
    loop, runs = asyncio.get_running_loop(), 0
    loop.set_task_factory(getattr(asyncio, "eager_task_factory", None))

    async def run(_: asyncio.Future[object] | None) -> None:
        nonlocal runs
        runs += 1

    task = BackgroundTask(run, lambda: None)
    task.use_loop(loop)
    for _ in range(2):
        task.start()
        await asyncio.sleep(0)
    assert (runs, task.is_idle) == (2, True)
