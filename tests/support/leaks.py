"""What a call must not leave behind."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from gradient_async import AsyncSession
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.waiting import wait_until


async def assert_nothing_leaked(
    session: AsyncSession, tasks: Collection[asyncio.Task[object]], emulator: Emulator
) -> None:
    """Assert that no connection is in use, no task of ours runs but *tasks*, and every unsent permit was refunded."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert count_acquired(session) == 0
    ours = [
        task
        for task in asyncio.all_tasks()
        if task not in tasks and ("gradient_async/_io" in repr(task) or "aiohttp/client" in repr(task))
    ]
    assert ours == []
    assert session.limits is not None
    status = session.limits.status()
    assert (status.queued, status.held) == (0, 0)
    await wait_until(lambda: not emulator.active)
    assert status.windows[0].used <= len(emulator.requests) + emulator.connections
