"""Disk work in a thread.

Contract: it is over when the call is, also when the task is cancelled meanwhile: nobody closes a file, deletes it or
opens it again under a thread that still writes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio

T = TypeVar("T")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Do *work* in a thread and return when it is over; a cancellation is raised only then."""
    future = asyncio.get_running_loop().run_in_executor(None, work)
    with anyio.CancelScope(shield=True):
        cancelled = await _over(future)
    if cancelled is None:
        return future.result()
    future.exception()  # it is not told: the caller is leaving
    raise cancelled


async def _over(future: asyncio.Future[T]) -> asyncio.CancelledError | None:
    """Return when *future* is done; the cancellation of the caller, if there was one, is the result."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:  # anyio's shield does not keep off those of asyncio
            cancelled = error
    return cancelled
