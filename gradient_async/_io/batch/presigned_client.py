"""The storage host: presigned uploads, and the requests of which `download` makes whole files.

Contract: an address is used verbatim, or not at all. No key, no cookie, no redirect, no limiter. A file of any size
needs the memory of one block. An upload says its length; what failed in passing is sent again, what the address is
to blame for never to the same address.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable
from typing import Self, TypeVar

import anyio
import attrs

from gradient_async._io.batch.input_file import InputFile
from gradient_async._io.deadline_timer import DeadlineTimer
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.hooks import logger
from gradient_async._io.http.transport import Transport
from gradient_async._protocol.batch.presigned import DownloadState, UrlPolicy, storage_error, storage_retry_delay
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async._protocol.http.retry import RetryPolicy
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError, UploadError

BLOCK_BYTES = 1_048_576
MAX_URL_RENEWALS = 2
"""How often a fresh address is asked for before the storage host's refusal counts."""

RANGE_NOT_SATISFIABLE = 416
_ERROR_BYTES = 65_536
_DRAIN_SECONDS = 1.0
_DOWNLOAD_STATUSES = frozenset({200, 206, RANGE_NOT_SATISFIABLE})
Watcher = Callable[[int], object]
T = TypeVar("T")


@attrs.define(eq=False)
class _Body:
    """Gives the bytes of a part of a file to the connection, block by block."""

    file: InputFile
    part: InputPart
    watch: Watcher | None
    timer: AttemptTimer
    problem: Exception | None = None
    ended: bool = False
    _offset: int = attrs.field(default=0, init=False)

    def __aiter__(self) -> Self:
        self._offset = self.part.start  # of every pass: before 3.14.3 aiohttp itself sends again what is idempotent
        return self

    async def __anext__(self) -> bytes:
        try:
            block = await self._next()
        except Exception as error:  # of the file or the watcher; aiohttp makes a lost connection of it
            self.problem = error
            raise
        if not block:
            raise StopAsyncIteration
        return block

    async def _next(self) -> bytes:
        """Return the next block, ``b""`` at the end of the part."""
        self._note()
        size = min(self.part.end - self._offset, BLOCK_BYTES)
        if not size:
            return b""
        block = await anyio.to_thread.run_sync(self.file.read, self._offset, size)
        self._offset += size
        return block

    def _note(self) -> None:
        """Tell how far it is, and let the time limit count from now: the last block has gone."""
        if self.watch is not None:
            self.watch(self._offset - self.part.start)
        timer = self.timer
        if not timer.response_started and not self.ended:
            timer.enter_phase("first_byte", timer.deadline_timer.time(), timer.timeouts.first_byte)


@attrs.define(eq=False)
class PresignedClient:
    """Sends to presigned addresses, over the session's pool."""

    transport: Transport
    retry: RetryPolicy
    timeouts: Timeouts
    urls: Callable[[], UrlPolicy]

    async def put(
        self,
        url: str,
        file: InputFile,
        part: InputPart,
        *,
        content_type: str | None,
        expires: float | None = None,
        watch: Watcher | None = None,
    ) -> None:
        """Upload a *part* of *file*; *expires* says until when the address may be tried again, in epoch seconds.

        Raises:
            UploadError: The storage host refused; `needs_new_url` tells whether the address is to blame.
            APIConnectionError: No answer came.
            ProtocolError: The address is not one to send anything to.
        """
        self.urls().validate_url(url)
        attempt = 0
        while True:
            attempt += 1
            error = await self._try_put(url, file, part, content_type, watch)
            if error is None:
                return
            delay = self.delay(error, attempt)
            if delay is None:
                raise error
            logger.info("upload failed, next attempt in %.2f s: %s", delay, error)
            await asyncio.sleep(delay)
            if expires is not None and time.time() >= expires:
                raise UploadError("The upload's address expired before the file was there.", code="RequestExpired")

    def delay(self, error: GradientError, attempt: int) -> float | None:
        """Return the seconds until the next *attempt* after *error*, None to give up."""
        longest = self.timeouts.total
        return storage_retry_delay(error, attempt=attempt, policy=self.retry, chance=_draw_jitter(), longest=longest)

    async def get(self, url: str, transfer: DownloadState) -> Exchange:
        """Ask for the rest of a file; the answer's status is 200, 206 or 416.

        Raises:
            UploadError: The storage host refused.
            APIConnectionError: No answer came.
            ProtocolError: The address is not one to send anything to.
        """
        self.urls().validate_url(url)
        timer = self._new_timer()
        headers = transfer.headers()
        exchange = await _timed(timer, self.transport.fetch_presigned("GET", url, headers=headers, timer=timer))
        if exchange.status in _DOWNLOAD_STATUSES:
            return exchange
        raise await _refusal(exchange, "download", self.timeouts.idle)

    async def _try_put(
        self, url: str, file: InputFile, part: InputPart, content_type: str | None, watch: Watcher | None
    ) -> GradientError | None:
        """Send the part once; an error of the host or of the network is the result, not raised."""
        timer = self._new_timer()
        body = _Body(file, part, watch, timer)
        headers = {"Content-Length": str(part.size)} | ({"Content-Type": content_type} if content_type else {})
        sending = self.transport.fetch_presigned("PUT", url, headers=headers, data=body, timer=timer)
        try:
            return await _timed(timer, _outcome(sending, self.timeouts.idle))
        except (APIConnectionError, ProtocolError) as error:
            if body.problem is None:
                return error.with_traceback(None)
        finally:
            body.ended = True
        raise body.problem

    def _new_timer(self) -> AttemptTimer:
        return AttemptTimer(DeadlineTimer(), math.inf, self.timeouts, None)


async def _timed(timer: AttemptTimer, step: Awaitable[T]) -> T:
    """Return what *step* comes to, within the limits of *timer*."""
    try:
        with timer:
            return await step
    except GradientError:
        raise
    except TimeoutError:
        pass
    raise timer.build_timeout_error(timer.deadline_timer.time())


async def _outcome(sending: Awaitable[Exchange], patience: float | None) -> GradientError | None:
    exchange = await sending
    if exchange.status >= 300:
        return await _refusal(exchange, "upload", patience)
    await exchange.drain_body(_DRAIN_SECONDS)
    return None


async def _refusal(exchange: Exchange, doing: str, patience: float | None) -> GradientError:
    """Return the error that an answer is, and give its connection up; *patience* is in seconds."""
    if exchange.status < 400:
        exchange.close()
        return ProtocolError(f"The storage host redirected the {doing}; that is not followed.")
    body = b""
    try:
        async with asyncio.timeout(patience):
            while len(body) < _ERROR_BYTES and (block := await exchange.read_block()):
                body += block
    except (APIConnectionError, TimeoutError):
        pass  # what came of it will do
    finally:
        if not exchange.at_eof:
            exchange.close()
    return storage_error(exchange.status, exchange.headers, body, doing=doing, now=time.time())


def _draw_jitter() -> float:
    return random.random()  # noqa: S311 - jitter, no secret
