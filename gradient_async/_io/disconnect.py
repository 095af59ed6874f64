"""Stop work when the client of a web request disconnects.

A web server cancels a streaming response when its client leaves. It does not cancel a handler that awaits a whole
completion, which goes on and is paid for. `run_until_disconnected` watches the client meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any, TypeVar

from gradient_async.errors import ConfigurationError

T = TypeVar("T")
POLL_SECONDS = 0.02


async def run_until_disconnected(request: Any, awaitable: Awaitable[T]) -> T | None:
    """Await *awaitable*, and cancel it if the client of *request* disconnects first.

    Example:
        ``completion = await run_until_disconnected(request, session.chat.completions.create(...))``

    Args:
        request: The request being handled, of Starlette, FastAPI, Litestar, BlackSheep or aiohttp.web; its body must be
            read. Quart and Sanic cancel a handler themselves.
        awaitable: The work, as ``session.chat.completions.create(...)``.

    Returns:
        The result of *awaitable*, None if the client disconnected first.

    Raises:
        ConfigurationError: The request is of another framework, or behind a server that tells nothing.
    """
    watcher = asyncio.ensure_future(_wait_for_disconnect(request))
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


async def _wait_for_disconnect(request: Any) -> None:
    if callable(receive := getattr(request, "receive", None)):
        while (await receive())["type"] != "http.disconnect":
            pass
        return
    while not await _is_disconnected(request):  # noqa: ASYNC110 - no event
        await asyncio.sleep(POLL_SECONDS)


async def _is_disconnected(request: Any) -> bool:
    """Whether the client of a *request* without ``receive`` has left.

    Raises:
        ConfigurationError: The request does not tell.
    """
    with suppress(NotImplementedError):  # of Sanic's transport behind another server
        if hasattr(request, "transport"):
            return request.transport is None or request.transport.is_closing()
        if callable(is_disconnected := getattr(request, "is_disconnected", None)):
            return bool(await is_disconnected())
    raise ConfigurationError(
        f"run_until_disconnected cannot watch a {type(request).__name__}; it knows the requests of Starlette, FastAPI, "
        "Litestar, BlackSheep and aiohttp.web. Quart and Sanic cancel a handler themselves: await the call there."
    )
