"""An answer that has begun: reading its body, or giving its connection up.

Contract: `close` needs no await, works from any thread and wakes whoever reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp

from gradient_async._io.http.attempt_timer import Progress
from gradient_async._protocol.http.error_body import status_error
from gradient_async._protocol.http.rate_limit_headers import request_id_of
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError

BROKEN = (aiohttp.ClientError, OSError, RuntimeError)
"""What reading a body raises; RuntimeError is aiohttp's word for "not connected"."""


class Owner(Protocol):
    """What an exchange needs of the transport that made it."""

    def problem(self, caught: Exception, progress: Progress) -> GradientError:
        """Return our error for one of aiohttp's."""
        ...

    def forget(self, exchange: Exchange) -> None:
        """Note that *exchange* has been read or given up."""
        ...


class Exchange:
    """An answer whose status line has arrived; its body is read here, or the connection given up.

    Attributes:
        status: The HTTP status.
        headers: The response headers; names match whatever the case.
        raw_headers: The same as they arrived.
        arrived: When the status line came, on the loop's clock.
        time: Tells the time on the clock of the loop that this belongs to.
        read: What `next_block` awaits, for those who read so often that they deal with `BROKEN` themselves.
    """

    __slots__ = (
        *("_content", "_owner", "_response"),
        *("arrived", "headers", "progress", "raw_headers", "read", "status", "time"),
    )

    def __init__(self, progress: Progress, response: aiohttp.ClientResponse, owner: Owner) -> None:
        self.progress, self._response, self._owner = progress, response, owner
        self._content = response.content
        self.read: Callable[[], Coroutine[Any, Any, bytes]] = self._content.readany
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.raw_headers: tuple[tuple[bytes, bytes], ...] = response.raw_headers
        self.time: Callable[[], float] = progress.deadline_timer.time
        self.arrived = self.time()

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; ``""`` if there is none."""
        return _media_type(self.headers.get("Content-Type", ""))

    @property
    def at_eof(self) -> bool:
        """Whether the whole body was read, and the connection is back in the pool."""
        return self._content.at_eof()

    def whole_body(self) -> bytes | None:
        """Return the body if all of it has arrived and none was read, as is so with most answers; else None."""
        if not self._content.is_eof() or self._content.exception() is not None:
            return None
        self._owner.forget(self)
        return self._content.read_nowait()

    async def next_block(self) -> bytes:
        """Return the next bytes of the body, ``b""`` at its end.

        Raises:
            APIConnectionError: The connection broke, or `close` was called.
        """
        try:
            block = await self.read()
        except BROKEN as caught:
            error = self.problem(caught)
        else:
            if self._content.at_eof():
                self._owner.forget(self)
            return block
        raise error

    def problem(self, caught: Exception) -> GradientError:
        """Return our error for one of those that `read` raises."""
        caught.__traceback__ = None  # aiohttp raises one and the same object for every closed response
        return self._owner.problem(caught, self.progress)

    async def drain(self, seconds: float) -> None:
        """Read to the end of the body, so that the connection can be used again; give it up after *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                while await self.next_block():
                    pass
        except (GradientError, TimeoutError):
            self.close()

    def close(self) -> None:
        """Give the connection up, now; whoever reads the body is woken. Safe from any thread."""
        self._owner.forget(self)
        loop = self.progress.deadline_timer.loop
        if _runs_here(loop):
            self._response.close()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._response.close)


@lru_cache(maxsize=64)
def _media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _runs_here(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


# MERGED: What an answer brings besides its status line: its body, and the error it stands for.
HTTP_OK_END = 300
HTTP_ERROR_START = 400
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024


async def read_body(exchange: Exchange, progress: Progress) -> bytes:
    """Return the body, or give the connection up; of an error's, return what came of it."""
    is_error = exchange.status >= HTTP_OK_END
    limit = MAX_ERROR_BYTES if is_error else MAX_JSON_BYTES
    body = exchange.whole_body()
    if body is None:
        body = await _read(exchange, progress, limit, is_error=is_error)
    if len(body) > limit and not is_error:
        raise ProtocolError(f"The service sent a body of more than {limit} bytes.")
    return body


async def _read(exchange: Exchange, progress: Progress, limit: int, *, is_error: bool) -> bytes:
    """Return the body, or what came of it when it passed its *limit* or, if it *is_error*, broke off."""
    idle = progress.timeouts.idle
    blocks: list[bytes] = []
    size, now = 0, exchange.arrived
    try:
        while size <= limit:
            progress.enter("idle", now, idle)
            block = await exchange.next_block()
            blocks.append(block)
            if exchange.at_eof:
                return b"".join(blocks)
            size += len(block)
            now = exchange.time()
    except BaseException as caught:
        exchange.close()
        if not is_error or not isinstance(caught, APIConnectionError):
            raise
    exchange.close()
    return b"".join(blocks)


def error_of(exchange: Exchange, body: bytes, now: float) -> GradientError:
    """Return the error that an answer without success stands for; *now* is the wall clock's."""
    if exchange.status < HTTP_ERROR_START:
        return _redirect_error(exchange)
    return status_error(exchange.status, exchange.headers, body, now=now)


def _redirect_error(exchange: Exchange) -> ProtocolError:
    host = _host_of(exchange.headers.get("Location", "")) or "an address of its own"
    error = ProtocolError(
        f"The service redirected ({exchange.status}) to {host}. Redirects are not followed, because the prompt "
        "would go along; set base_url to that host if it is the right one."
    )
    error.request_id = request_id_of(exchange.headers)
    return error


def _host_of(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
