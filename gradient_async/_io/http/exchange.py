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

from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._protocol.http.error_body import build_status_error
from gradient_async._protocol.http.rate_limit_headers import get_request_id
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError

READ_ERRORS = (aiohttp.ClientError, OSError, RuntimeError)
"""What reading a body raises; RuntimeError is aiohttp's word for "not connected"."""


class ExchangeOwner(Protocol):
    """What an exchange needs of the transport that made it."""

    def translate_error(self, caught: Exception, timer: AttemptTimer) -> GradientError:
        """Return our error for one of aiohttp's."""
        ...

    def forget_exchange(self, exchange: Exchange) -> None:
        """Note that *exchange* has been read or given up."""
        ...


class Exchange:
    """An answer whose status line has arrived; its body is read here, or the connection given up.

    Attributes:
        status: The HTTP status.
        headers: The response headers; names match whatever the case.
        raw_headers: The same as they arrived.
        arrived_at: When the status line came, on the loop's clock.
        time: Tells the time on the clock of the loop that this belongs to.
        read: What `read_block` awaits, for those who read so often that they deal with `READ_ERRORS` themselves.
    """

    __slots__ = (
        *("_content", "_owner", "_response"),
        *("arrived_at", "headers", "timer", "raw_headers", "read", "status", "time"),
    )

    def __init__(self, timer: AttemptTimer, response: aiohttp.ClientResponse, owner: ExchangeOwner) -> None:
        self.timer, self._response, self._owner = timer, response, owner
        self._content = response.content
        self.read: Callable[[], Coroutine[Any, Any, bytes]] = self._content.readany
        self.status: int = response.status
        self.headers: Mapping[str, str] = response.headers
        self.raw_headers: tuple[tuple[bytes, bytes], ...] = response.raw_headers
        self.time: Callable[[], float] = timer.deadline_timer.time
        self.arrived_at = self.time()

    @property
    def content_type(self) -> str:
        """The media type, lower case, without parameters; ``""`` if there is none."""
        return _parse_media_type(self.headers.get("Content-Type", ""))

    @property
    def at_eof(self) -> bool:
        """Whether the whole body was read, and the connection is back in the pool."""
        return self._content.at_eof()

    def take_buffered_body(self) -> bytes | None:
        """Return the body if all of it has arrived and none was read, as is so with most answers; else None."""
        if not self._content.is_eof() or self._content.exception() is not None:
            return None
        self._owner.forget_exchange(self)
        return self._content.read_nowait()

    async def read_block(self) -> bytes:
        """Return the next bytes of the body, ``b""`` at its end.

        Raises:
            APIConnectionError: The connection broke, or `close` was called.
        """
        try:
            block = await self.read()
        except READ_ERRORS as caught:
            error = self.translate_error(caught)
        else:
            if self._content.at_eof():
                self._owner.forget_exchange(self)
            return block
        raise error

    def translate_error(self, caught: Exception) -> GradientError:
        """Return our error for one of those that `read` raises."""
        caught.__traceback__ = None  # aiohttp raises one and the same object for every closed response
        return self._owner.translate_error(caught, self.timer)

    async def drain_body(self, seconds: float) -> None:
        """Read to the end of the body, so that the connection can be used again; give it up after *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                while await self.read_block():
                    pass
        except (GradientError, TimeoutError):
            self.close()

    def close(self) -> None:
        """Give the connection up, now; whoever reads the body is woken. Safe from any thread."""
        self._owner.forget_exchange(self)
        loop = self.timer.deadline_timer.loop
        if _is_running_loop(loop):
            self._response.close()
        elif not loop.is_closed():
            loop.call_soon_threadsafe(self._response.close)


@lru_cache(maxsize=64)
def _parse_media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()


def _is_running_loop(loop: asyncio.AbstractEventLoop) -> bool:
    try:
        return asyncio.get_running_loop() is loop
    except RuntimeError:
        return False


# MERGED: What an answer brings besides its status line: its body, and the error it stands for.
HTTP_OK_END = 300
HTTP_ERROR_START = 400
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024


async def read_body(exchange: Exchange, timer: AttemptTimer) -> bytes:
    """Return the body, or give the connection up; of an error's, return what came of it."""
    is_error = exchange.status >= HTTP_OK_END
    limit = MAX_ERROR_BYTES if is_error else MAX_JSON_BYTES
    body = exchange.take_buffered_body()
    if body is None:
        body = await _read_blocks(exchange, timer, limit, is_error=is_error)
    if len(body) > limit and not is_error:
        raise ProtocolError(f"The service sent a body of more than {limit} bytes.")
    return body


async def _read_blocks(exchange: Exchange, timer: AttemptTimer, limit: int, *, is_error: bool) -> bytes:
    """Return the body, or what came of it when it passed its *limit* or, if it *is_error*, broke off."""
    idle = timer.timeouts.idle
    blocks: list[bytes] = []
    size, now = 0, exchange.arrived_at
    try:
        while size <= limit:
            timer.enter_phase("idle", now, idle)
            block = await exchange.read_block()
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


def build_response_error(exchange: Exchange, body: bytes, now: float) -> GradientError:
    """Return the error that an answer without success stands for; *now* is the wall clock's."""
    if exchange.status < HTTP_ERROR_START:
        return _build_redirect_error(exchange)
    return build_status_error(exchange.status, exchange.headers, body, now=now)


def _build_redirect_error(exchange: Exchange) -> ProtocolError:
    host = _parse_host(exchange.headers.get("Location", "")) or "an address of its own"
    error = ProtocolError(
        f"The service redirected ({exchange.status}) to {host}. Redirects are not followed, because the prompt "
        "would go along; set base_url to that host if it is the right one."
    )
    error.request_id = get_request_id(exchange.headers)
    return error


def _parse_host(address: str) -> str | None:
    try:
        return urlsplit(address).hostname
    except ValueError:
        return None
