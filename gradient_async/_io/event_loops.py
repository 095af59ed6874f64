"""Work on the event loop that something belongs to, from wherever its owner is.

Contract: asyncio's objects are touched on their own loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

MAX_WAIT_SECONDS = 5.0
"""How long to wait for another thread's loop, which may be blocked by the very thread that waits."""


async def run_on_loop(loop: asyncio.AbstractEventLoop | None, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
    """Await ``work()`` on *loop*; here if that is None, closed or the running loop.

    A loop that another thread runs gets it as a task; one that nobody runs is run for it, in a thread of its own.
    """
    if loop is None or loop.is_closed() or loop is asyncio.get_running_loop():
        await work()
    elif loop.is_running():
        done = asyncio.run_coroutine_threadsafe(work(), loop)
        await asyncio.wait([asyncio.wrap_future(done)], timeout=MAX_WAIT_SECONDS)
    else:
        await asyncio.to_thread(loop.run_until_complete, work())
