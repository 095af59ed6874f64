"""Reads one file of the storage host to its last byte, over any number of connections.

Contract: no byte is returned twice, and the file ends only when every byte was returned. Closing needs no await, and
dropping the last reference closes. No time limit is running between two reads.

`DownloadState` keeps the offset and states which bytes to request next (its module has an example). Here each failure
leads to one of three steps:

    failure                                       step
    refused with 401, 403 or an expired code      fetch a fresh URL, at most twice in a row; same offset
    lost connection, idle timeout, 408, 429, 5xx  wait with backoff, request the rest again; at most
                                                  ``RetryPolicy.attempts`` in a row
    any other                                     raise

New bytes reset both counts, so a file that needs fifty connections arrives as long as each one brings some. Skipped
bytes do not: a host without range support that always cuts at the same byte would otherwise be read for ever.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable

import attrs

from gradient_async._io.batch.presigned_client import MAX_URL_RENEWALS, PresignedClient
from gradient_async._io.http.attempt_timer import body_timeout_error
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.hooks import format_error, logger
from gradient_async._protocol.batch.content_coding import ContentUnpacker
from gradient_async._protocol.batch.download_state import DownloadState
from gradient_async._protocol.batch.presigned import is_final_refusal, needs_new_url
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError, UploadError


@attrs.define(eq=False)
class ResumableDownload:
    """Reads one file of the storage host, from the offset of *state* to its last byte.

    Attributes:
        url: The presigned URL in use.
        digest: The MD5 of the stored bytes so far, if the storage host has stated one to compare it with.
        renew_url: Fetches a fresh URL of the same file.
        optional: Whether the results are readable without this file, as they are without an error sidecar.
    """

    client: PresignedClient
    url: str
    renew_url: Callable[[], Awaitable[str]]
    optional: bool = attrs.field(default=False, kw_only=True)
    state: DownloadState = attrs.field(factory=DownloadState)
    unpacker: ContentUnpacker = attrs.field(factory=ContentUnpacker, init=False)
    digest: hashlib._Hash = attrs.field(init=False, factory=lambda: hashlib.md5(usedforsecurity=False))
    _exchange: Exchange | None = attrs.field(default=None, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _renewals: int = attrs.field(default=0, init=False)
    _ended: bool = attrs.field(default=False, init=False)
    _closed: bool = attrs.field(default=False, init=False)
    """Whether the reader closed the download before its end."""

    async def read_block(self) -> bytes:
        """Return the next stored bytes; ``b""`` when the file is complete.

        Raises:
            UploadError: The storage host refused the file.
            APIConnectionError: Repeated connections brought no new byte.
            ProtocolError: The file changed since it was begun.
        """
        while not self._ended:
            if self._exchange is None:
                await self._open_response()
            elif block := await self._read_new_bytes(self._exchange):
                return block
        return b""

    async def read_content(self) -> bytes:
        """Return the next bytes of the content, unpacked if it is stored compressed; ``b""`` at its end.

        Raises:
            GradientError: As `read_block` does.
            ProtocolError: The compressed file is damaged, or other bytes arrived than the storage host has.
        """
        data = self.unpacker.read_more()
        while not data:
            block = await self.read_block()
            if not block:
                self.compare_digest()
                return self.unpacker.feed_eof()
            self.hash_block(block)
            data = self.unpacker.feed(block, self.state.coding)
        return data

    def hash_block(self, block: bytes) -> None:
        """Add stored bytes to *digest*, which costs more than reading them; `read_content` does it by itself."""
        if self.state.md5 is not None:
            self.digest.update(block)

    def compare_digest(self) -> None:
        """Raise a `ProtocolError` if the storage host has stated another MD5 than that of *digest*."""
        stated, self.state.md5 = self.state.md5, None  # once: the reader may go on with the next file
        if not self._closed and stated is not None and stated != self.digest.hexdigest():
            self.state.changed = True
            raise ProtocolError("The results arrived with other bytes than the storage host has; download them again.")

    def can_do_without(self, error: GradientError) -> bool:
        """Whether *error*, which ended the download, is to be reported beside the results instead of raised.

        A service was seen to hand out the URL of an error sidecar that does not exist.
        """
        return self.optional and self.state.offset == 0 and is_final_refusal(error)

    def close(self) -> None:
        """End the download and release its connection. Idempotent, callable at any time."""
        self._ended = self._closed = True
        self._close_exchange()

    def _close_exchange(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()

    def __del__(self) -> None:
        self.close()

    async def _open_response(self) -> None:
        problem = None
        try:
            exchange = await self.client.open_download(self.url, self.state, self._failures + 1)
        except (APIConnectionError, UploadError) as error:
            problem = error.with_traceback(None)
        if problem is not None:
            await self._recover_or_raise(problem)
            return
        self._exchange = exchange
        try:
            has_body = self.state.start_response(exchange.status, exchange.headers)
        except ProtocolError:
            self._close_exchange()
            raise
        if not has_body:
            self._close_exchange()
        if self.state.ended_early or self._ended:
            self._ended = True
            self._close_exchange()

    async def _read_new_bytes(self, exchange: Exchange) -> bytes:
        """Return the new bytes of the next block; ``b""`` if it was skipped, at the end, and after a failure."""
        try:
            async with asyncio.timeout(self.client.timeouts.idle):
                block = await exchange.read_block()
        except APIConnectionError as error:
            problem = error.with_traceback(None)
        except TimeoutError:
            problem = body_timeout_error("idle")
        else:
            if block:
                new = self.state.accept_block(block)
                if new:
                    self._failures = self._renewals = 0
                return new
            if self.state.is_complete:
                self._ended, self._exchange = True, None
                return b""
            problem = APIConnectionError("The connection ended before the file did.", maybe_sent=True)
        self._close_exchange()
        if not self._ended:
            await self._recover_or_raise(problem)
        return b""

    async def _recover_or_raise(self, problem: GradientError) -> None:
        """Fetch a fresh URL, or wait until the next attempt; raise *problem* if neither can help."""
        if needs_new_url(problem) and self._renewals < MAX_URL_RENEWALS:
            self._renewals += 1
            self.url = await self.renew_url()
            return
        self._failures += 1
        delay = self.client.retry_delay(problem, self._failures)
        if delay is None:
            raise problem
        logger.info(
            "download interrupted at byte %d (%s), going on in %.2f s", self.state.offset, format_error(problem), delay
        )
        await asyncio.sleep(delay)
