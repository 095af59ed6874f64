"""The client of the storage host: uploads to presigned URLs, and the single requests of a download.

Contract: a URL is used verbatim or not at all. Requests carry no API key and no cookie, follow no redirect and do not
pass the rate limiter. A file of any size takes the memory of one block. An upload states its length. Transient
failures are retried at the same URL; a URL that the storage host rejects is never tried again.
"""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from logging import DEBUG
from types import TracebackType
from typing import Self, TypeVar

import anyio
import attrs

from gradient_async._io.batch.input_file import InputFile
from gradient_async._io.deadline_timer import DeadlineTimer
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.call_details import AttemptDetails
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.hooks import Hook, format_error, logger, report_attempt
from gradient_async._io.http.transport import Transport
from gradient_async._protocol.batch.download_state import RANGE_NOT_SATISFIABLE, DownloadState
from gradient_async._protocol.batch.presigned import UrlPolicy, storage_error, storage_retry_delay
from gradient_async._protocol.batch.validation_report import InputPart
from gradient_async._protocol.http.retry import RetryPolicy
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError, UploadError

BLOCK_BYTES = 1_048_576
MAX_URL_RENEWALS = 2
"""Number of fresh URLs to request before a refusal of the storage host is final."""

_MAX_ERROR_BYTES = 65_536
_DRAIN_SECONDS = 1.0
_DOWNLOAD_STATUSES = frozenset({200, 206, RANGE_NOT_SATISFIABLE})
UploadProgress = Callable[[int], object]
"""Called with the number of bytes sent."""

T = TypeVar("T")


@attrs.define(eq=False)
class _UploadBody:
    """The body of one upload attempt: an async iterator over the blocks of a part of a file.

    Attributes:
        problem: The exception of the file or of the progress callback that ended the iteration.
        ended: Whether the attempt is over.
    """

    file: InputFile
    part: InputPart
    on_progress: UploadProgress | None
    timer: AttemptTimer | None = None
    problem: Exception | None = None
    ended: bool = False
    _offset: int = attrs.field(default=0, init=False)

    def __aiter__(self) -> Self:
        self._offset = self.part.start  # reset for each pass: before 3.14.3 aiohttp itself repeats idempotent requests
        return self

    async def __anext__(self) -> bytes:
        try:
            block = await self._read_next_block()
        except Exception as error:  # of the file or the callback; aiohttp would report it as a lost connection
            self.problem = error
            raise
        if not block:
            raise StopAsyncIteration
        return block

    async def _read_next_block(self) -> bytes:
        """Report the bytes sent so far, and return the next block; ``b""`` at the end of the part."""
        if self.on_progress is not None:
            self.on_progress(self._offset - self.part.start)
        timer = self.timer
        if (
            timer is not None and not timer.response_started and not self.ended
        ):  # the last block was written: restart the time limit
            timer.enter_phase("first_byte", timer.deadline_timer.time(), timer.timeouts.first_byte)
        size = min(self.part.end - self._offset, BLOCK_BYTES)
        if not size:
            return b""
        block = await anyio.to_thread.run_sync(self.file.read_range, self._offset, size)
        self._offset += size
        return block


@attrs.define(eq=False)
class _PresignedAttempt:
    """One request to a presigned URL; reported to the hooks when its ``with`` block ends, as any other attempt.

    Attributes:
        error: The error of the attempt; None if it succeeded.
    """

    method: str
    url: str
    number: int
    hooks: Sequence[Hook]
    timer: AttemptTimer
    exchange: Exchange | None = None
    error: GradientError | None = None
    _started_at: float = attrs.field(default=0.0, init=False)

    def __enter__(self) -> Self:
        self._started_at = self.timer.deadline_timer.time()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not (self.hooks or logger.isEnabledFor(DEBUG)):
            return
        caught = error if isinstance(error, GradientError) else None
        details = AttemptDetails(
            method=self.method,
            url=self.url.partition("?")[0],
            attempt=self.number,
            limiter_wait=0.0,
            status=self.exchange.status if self.exchange else None,
            request_id=self.exchange.headers.get("x-amz-request-id") if self.exchange else None,
            error=self.error or caught,
            elapsed=self.timer.deadline_timer.time() - self._started_at,
            cancelled=isinstance(error, asyncio.CancelledError),
        )
        report_attempt(self.hooks, details)


@attrs.define(eq=False)
class PresignedClient:
    """Sends requests to presigned URLs through the session's connection pool.

    Attributes:
        url_policy: Returns the rules that URLs must follow.
        hooks: Observers of each attempt.
    """

    transport: Transport
    retry: RetryPolicy
    timeouts: Timeouts
    url_policy: Callable[[], UrlPolicy]
    hooks: Sequence[Hook] = ()

    async def upload_part(
        self,
        url: str,
        file: InputFile,
        part: InputPart,
        *,
        content_type: str | None,
        expires: float | None = None,
        on_progress: UploadProgress | None = None,
    ) -> None:
        """Upload a part of a file, with retries.

        Args:
            url: The presigned URL.
            file: The file.
            part: The range of bytes to send.
            content_type: The ``Content-Type``; None sends none.
            expires: Epoch seconds after which *url* is not retried; None if unknown.
            on_progress: Called with the number of bytes sent.

        Raises:
            UploadError: The storage host refused; `needs_new_url` says whether a fresh URL may help.
            APIConnectionError: No response arrived.
            ProtocolError: The URL breaks the rules of the policy; nothing was sent.
        """
        self.url_policy().validate_url(url)
        attempt = 0
        while True:
            attempt += 1
            error = await self._try_upload(url, attempt, _UploadBody(file, part, on_progress), content_type)
            if error is None:
                return
            delay = self.retry_delay(error, attempt)
            if delay is None:
                raise error
            logger.info("upload failed (%s), next attempt in %.2f s", format_error(error), delay)
            await asyncio.sleep(delay)
            if expires is not None and time.time() >= expires:
                raise UploadError("The upload URL expired before the file was stored.", code="RequestExpired")

    def retry_delay(self, error: GradientError, attempt: int) -> float | None:
        """Return the seconds to wait after *attempt*, counted from 1, failed with *error*; None to give up."""
        chance = random.random()  # noqa: S311 - jitter, not a secret
        longest = self.timeouts.total
        return storage_retry_delay(error, attempt=attempt, policy=self.retry, chance=chance, longest=longest)

    async def open_download(self, url: str, state: DownloadState, attempt: int = 1) -> Exchange:
        """Request the rest of a file as attempt number *attempt*; return the response with status 200, 206 or 416.

        Raises:
            UploadError: The storage host refused.
            APIConnectionError: No response arrived.
            ProtocolError: The URL breaks the rules of the policy; nothing was sent.
        """
        self.url_policy().validate_url(url)
        timer = self._new_timer()
        with _PresignedAttempt("GET", url, attempt, self.hooks, timer) as details:
            sending = self.transport.fetch_presigned("GET", url, headers=state.request_headers(), timer=timer)
            details.exchange = exchange = await _await_with_timer(timer, sending)
            if exchange.status in _DOWNLOAD_STATUSES:
                return exchange
            raise await _read_refusal(exchange, "download", self.timeouts.idle)

    async def _try_upload(
        self, url: str, attempt: int, body: _UploadBody, content_type: str | None
    ) -> GradientError | None:
        """Send the part once; return an error of the storage host or of the connection, raise any other."""
        body.timer = timer = self._new_timer()
        headers = {"Content-Length": str(body.part.size)} | ({"Content-Type": content_type} if content_type else {})
        sending = self.transport.fetch_presigned("PUT", url, headers=headers, data=body, timer=timer)
        try:
            with _PresignedAttempt("PUT", url, attempt, self.hooks, timer) as details:
                details.error = await _await_with_timer(timer, _finish_upload(sending, details, self.timeouts.idle))
                return details.error
        except (APIConnectionError, ProtocolError) as error:
            if body.problem is None:
                return error.with_traceback(None)
        finally:
            body.ended = True
        raise body.problem

    def _new_timer(self) -> AttemptTimer:
        return AttemptTimer(DeadlineTimer(), math.inf, limit_silence(self.timeouts), None)


def limit_silence(timeouts: Timeouts) -> Timeouts:
    """Return *timeouts* with a limit on the wait for a response, which only ``total`` limits elsewhere.

    A transfer of any size may take longer than ``total``, so it has no such deadline.
    """
    if timeouts.first_byte is not None:
        return timeouts
    return attrs.evolve(timeouts, first_byte=timeouts.idle or timeouts.total)


async def _await_with_timer(timer: AttemptTimer, step: Awaitable[T]) -> T:
    """Await *step* within the limits of *timer*; turn its expiry into an `APITimeoutError`."""
    try:
        with timer:
            return await step
    except GradientError:
        raise
    except TimeoutError:
        pass
    raise timer.build_timeout_error(timer.deadline_timer.time())


async def _finish_upload(
    sending: Awaitable[Exchange], attempt: _PresignedAttempt, idle: float | None
) -> GradientError | None:
    """Await the response of an upload; return the error if the storage host refused it."""
    attempt.exchange = exchange = await sending
    if exchange.status >= 300:
        return await _read_refusal(exchange, "upload", idle)
    await exchange.drain_body(_DRAIN_SECONDS)
    return None


async def _read_refusal(exchange: Exchange, action: str, idle: float | None) -> GradientError:
    """Read an error response and release its connection.

    Args:
        exchange: The response.
        action: ``"upload"`` or ``"download"``, for the message.
        idle: Seconds to wait for the whole body; the part that arrived in time is used.
    """
    if exchange.status < 400:
        exchange.close()
        return ProtocolError(f"The storage host redirected the {action}; redirects are not followed.")
    body = b""
    try:
        async with asyncio.timeout(idle):
            while len(body) < _MAX_ERROR_BYTES and (block := await exchange.read_block()):
                body += block
    except (APIConnectionError, TimeoutError):
        pass  # use the part that arrived
    finally:
        if not exchange.at_eof:
            exchange.close()
    return storage_error(exchange.status, exchange.headers, body, action=action, now=time.time())
