"""Disk work: in a thread, and with errors that say what happened to which file.

Contract: the work is over when the call returns or raises, even if the task is cancelled meanwhile. So nobody closes,
deletes or reopens a file while a thread still writes to it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import anyio

from gradient_async._io.deadline_timer import get_loop
from gradient_async.errors import GradientError

T = TypeVar("T")


async def run_in_thread(work: Callable[[], T]) -> T:
    """Run *work* in a thread and return its result; raise a cancellation only when the work is over."""
    return await finish_future(get_loop().run_in_executor(None, work))


async def finish_future(future: asyncio.Future[T]) -> T:
    """Return the result of *future*; raise a cancellation only when it is done, and leave it alone until then."""
    with anyio.CancelScope(shield=True):
        cancelled = await _wait_through_cancellation(future)
    if cancelled is None:
        return future.result()
    future.exception()  # retrieved, or asyncio would log it: the cancellation takes precedence
    raise cancelled


async def _wait_through_cancellation(future: asyncio.Future[T]) -> asyncio.CancelledError | None:
    """Wait until *future* is done; return the last cancellation that arrived meanwhile."""
    cancelled = None
    while not future.done():
        try:
            await asyncio.wait([future])
        except asyncio.CancelledError as error:  # anyio's shield does not stop task.cancel()
            cancelled = error
    return cancelled


@contextmanager
def replace_os_error(build_error: Callable[[str], GradientError]) -> Iterator[None]:
    """Raise the error that *build_error* makes of the reason in place of an OSError inside the block."""
    problem = ""
    try:
        yield
    except OSError as error:
        problem = error.strerror or type(error).__name__
    if problem:
        raise build_error(problem) from None


def write_all(write: Callable[[memoryview], int], data: bytes) -> None:
    """Call *write* until it has taken every byte of *data*; a raw file may take fewer at a time."""
    view = memoryview(data)
    while view:
        view = view[write(view) :]
