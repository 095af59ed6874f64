"""A response that has begun: its status and headers, and reading its body within limits.

Contract: `Exchange.close` needs no await, works from any thread and wakes the task that reads. A body that is read
whole has a maximum size: more is a `ProtocolError` for a success, and cut off for an error.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from functools import lru_cache
from typing import Any, Protocol
from urllib.parse import urlsplit

import aiohttp
from aiohttp.http import HttpProcessingError

from gradient_async._io.event_loops import call_on_loop, find_loop_error
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._protocol.http.rate_limit_headers import get_request_id
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError

HTTP_OK_END = 300
HTTP_ERROR_START = 400
MAX_JSON_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 64 * 1024
_LOCATION_CHARS = 200
READ_ERRORS = (aiohttp.ClientError, HttpProcessingError, OSError, RuntimeError)
"""Exceptions of reading a body; aiohttp raises RuntimeError when the connection is gone."""


class ExchangeOwner(Protocol):
    """The part of a transport that its exchanges call."""

    def translate_error(self, caught: Exception, timer: AttemptTimer) -> GradientError:
        """Return our error for an exception of aiohttp."""
        ...

    def forget_exchange(self, exchange: Exchange) -> None:
        """Stop tracking *exchange*: its body was read, or its connection closed."""
        ...


class Exchange:
    """A request and the beginning of its response: the body can be read, or the connection closed.

    Attributes:
        status: HTTP status.
        headers: Response headers; names are case-insensitive.
        raw_headers: Response headers as they arrived.
        arrived_at: When the status line arrived, on the loop's clock.
        time: The clock of the loop that the exchange belongs to.
        read: The coroutine function behind `read_block`, for hot loops that handle `READ_ERRORS` themselves.
    """

    __slots__ = (
        *("_content", "_owner", "_response"),
        *("arrived_at", "headers", "raw_headers", "read", "status", "time", "timer"),
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
        """The media type in lower case, without parameters; ``""`` if the header is missing."""
        return _parse_media_type(self.headers.get("Content-Type", ""))

    @property
    def at_eof(self) -> bool:
        """Whether the whole body was read, so that the connection is back in the pool."""
        return self._content.at_eof()

    def take_buffered_body(self) -> bytes | None:
        """Return the body if all of it has arrived and none was read, which is the common case; else None."""
        if not self._content.is_eof() or self._content.exception() is not None:
            return None
        self._owner.forget_exchange(self)
        return self._content.read_nowait()

    async def read_block(self) -> bytes:
        """Return the next bytes of the body, ``b""`` at its end.

        Raises:
            APIConnectionError: The connection was lost, or `close` was called.
        """
        try:
            block = await self.read()
        except READ_ERRORS as caught:
            error = self.translate_error(caught)
            if block := self.take_buffered():
                return block
        else:
            if self._content.at_eof():
                self._owner.forget_exchange(self)
            return block
        raise error

    def take_buffered(self) -> bytes:
        """Return the bytes that arrived before the connection was lost; aiohttp raises and keeps them."""
        content = self._content
        exception, content._exception = content._exception, None
        try:
            return content.read_nowait()
        finally:
            content._exception = exception

    def translate_error(self, caught: Exception) -> GradientError:
        """Return our error for one of the `READ_ERRORS`."""
        caught.__traceback__ = None  # aiohttp raises one and the same object for every closed response
        error = find_loop_error(self.timer.deadline_timer.loop, "This response")  # asyncio raises RuntimeError then
        return error or self._owner.translate_error(caught, self.timer)

    async def drain_body(self, seconds: float) -> None:
        """Read the rest of the body, so that the connection can be reused; close it after *seconds*."""
        try:
            async with asyncio.timeout(seconds):
                while await self.read_block():
                    pass
        except (GradientError, TimeoutError):
            self.close()

    def close(self) -> None:
        """Close the connection now, from any thread; the task that reads the body is woken."""
        self._owner.forget_exchange(self)
        call_on_loop(self.timer.deadline_timer.loop, self._response.close)


async def read_body(exchange: Exchange, timer: AttemptTimer) -> bytes:
    """Read the whole body.

    Of an error's body, return the part that arrived before its limit or before the connection was lost.

    Raises:
        APIConnectionError: The connection was lost in the body of a success.
        ProtocolError: The body of a success is larger than `MAX_JSON_BYTES`.
    """
    is_error = exchange.status >= HTTP_OK_END
    limit = MAX_ERROR_BYTES if is_error else MAX_JSON_BYTES
    body = exchange.take_buffered_body()
    if body is None:
        body = await _read_blocks(exchange, timer, limit, is_error=is_error)
    if len(body) > limit and not is_error:
        raise ProtocolError(f"The service sent a body of more than {limit} bytes.")
    return body


def build_response_error(exchange: Exchange, body: bytes, now: float) -> GradientError:
    """Build the error for a response that is not a success; *now* is in epoch seconds."""
    if exchange.status < HTTP_ERROR_START:
        return _build_redirect_error(exchange)
    from gradient_async._protocol.http.error_body import build_status_error  # many programs never see an error

    return build_status_error(exchange.status, exchange.headers, body, now=now)


async def _read_blocks(exchange: Exchange, timer: AttemptTimer, limit: int, *, is_error: bool) -> bytes:
    """Read to the end of the body, or close the connection once more than *limit* bytes have arrived."""
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


def _build_redirect_error(exchange: Exchange) -> ProtocolError:
    location = exchange.headers.get("Location")
    message = f"The service responded with status {exchange.status}, which is neither a success nor an error."
    if location:
        message = (
            f"The service redirected ({exchange.status}) to {_describe_location(location)}. Redirects are not "
            "followed, because the prompt would go along; set base_url to that address if it is the right one."
        )
    error = ProtocolError(message, maybe_sent=False)
    error.request_id = get_request_id(exchange.headers)
    return error


def _describe_location(location: str) -> str:
    """Return scheme and host of a redirect, or the path of one to the same host; never its query."""
    try:
        parts = urlsplit(location)
        host = parts.hostname
    except ValueError:
        return "an address that cannot be parsed"
    if host:
        return f"{parts.scheme + '://' if parts.scheme else ''}{host}"[:_LOCATION_CHARS]
    return f"{parts.path[:_LOCATION_CHARS]} of the same host"


@lru_cache(maxsize=64)
def _parse_media_type(content_type: str) -> str:
    return content_type.partition(";")[0].strip().lower()
