"""Work on the event loop that something belongs to, from wherever its owner is; refusals to wait on any other.

Contract: asyncio's objects are touched on their own loop only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any

from gradient_async.errors import SessionClosedError, StreamBusyError

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


def call_on_loop(loop: asyncio.AbstractEventLoop, work: Callable[[], object]) -> None:
    """Call *work* on *loop*: now if that runs here, soon if it is another thread's, never if it is closed."""
    if asyncio._get_running_loop() is loop:
        work()
    elif not loop.is_closed():
        loop.call_soon_threadsafe(work)


def find_loop_error(loop: asyncio.AbstractEventLoop, subject: str) -> SessionClosedError | None:
    """Return the error for using *subject*, which belongs to *loop*, on another one; None if *loop* runs here."""
    if asyncio._get_running_loop() is loop:
        return None
    return SessionClosedError(f"{subject} belongs to another event loop; use one AsyncSession in each loop.")


def require_loop(loop: asyncio.AbstractEventLoop, subject: str) -> None:
    """Refuse to use *subject*, which belongs to *loop*, on another one: nobody would wake what waits there.

    Raises:
        SessionClosedError: Another loop runs here.
    """
    if error := find_loop_error(loop, subject):
        raise error


def require_own_thread(loop: asyncio.AbstractEventLoop) -> None:
    """Refuse to read what a stream has collected in another thread while *loop* runs: text could be lost.

    Raises:
        StreamBusyError: *loop* runs in another thread.
    """
    if asyncio._get_running_loop() is not loop and loop.is_running():
        raise StreamBusyError(
            "The snapshot of a stream that still runs was asked for outside the thread of its loop, which could lose "
            "text. Ask for it in a task of that loop and hand it over, or wait for the end of the stream."
        )
