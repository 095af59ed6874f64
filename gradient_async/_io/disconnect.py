"""Stopping work whose client has gone away.

A streaming response is cancelled by its server when the client leaves; a handler that awaits one answer is not, and
goes on paying for it. `run_until_disconnected` watches the client while it waits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import Any, TypeVar

from gradient_async.errors import ConfigurationError

T = TypeVar("T")
LOOK_SECONDS = 0.02


async def run_until_disconnected(request: Any, awaitable: Awaitable[T]) -> T | None:
    """Return what *awaitable* gives, or None when the client of *request* leaves first.

    Args:
        request: The request being handled, of Starlette, FastAPI, Litestar or aiohttp.web, its body read already.
        awaitable: The work, as ``session.chat.completions.create(...)``; it is cancelled when the client leaves.

    Raises:
        ConfigurationError: The request is of another framework.
    """
    watcher = asyncio.ensure_future(_disconnected(request))
    work = asyncio.ensure_future(awaitable)
    try:
        await asyncio.wait({watcher, work}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (watcher, work):
            task.cancel()
    await asyncio.wait({watcher, work})
    if not watcher.cancelled() and (problem := watcher.exception()) is not None:
        raise problem
    return None if work.cancelled() else work.result()


async def _disconnected(request: Any) -> None:
    if callable(receive := getattr(request, "receive", None)):
        while (await receive())["type"] != "http.disconnect":
            pass
    elif hasattr(request, "transport"):
        while (transport := request.transport) is not None and not transport.is_closing():  # noqa: ASYNC110 - it tells nobody
            await asyncio.sleep(LOOK_SECONDS)
    else:
        raise ConfigurationError(
            f"run_until_disconnected cannot watch a {type(request).__name__}; "
            "it knows the requests of Starlette, FastAPI, Litestar and aiohttp.web."
        )
