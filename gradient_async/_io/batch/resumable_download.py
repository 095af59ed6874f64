"""A file of the storage host, read to its last byte.

Contract: survives cuts: it goes on at the byte where it stopped, with a fresh address if the old one has expired, and
it ends only when every byte is there. What it gives out is never given out twice. Closing needs no await, and
dropping the reader closes it. No time limit is open between two reads.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs

from gradient_async._io.batch.presigned_client import MAX_URL_RENEWALS, RANGE_NOT_SATISFIABLE, PresignedClient
from gradient_async._io.http.attempt_timer import body_timeout_error
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.hooks import logger
from gradient_async._protocol.batch.presigned import DownloadState, needs_new_url
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError, UploadError


@attrs.define(eq=False)
class ResumableDownload:
    """Reads one file at the storage host, from where *transfer* stands to its last byte.

    Attributes:
        renew: Returns a fresh address of the same file.
    """

    storage: PresignedClient
    url: str
    renew: Callable[[], Awaitable[str]]
    transfer: DownloadState = attrs.field(factory=DownloadState)
    _exchange: Exchange | None = attrs.field(default=None, init=False)
    _failures: int = attrs.field(default=0, init=False)
    _renewals: int = attrs.field(default=0, init=False)
    _done: bool = attrs.field(default=False, init=False)

    async def read_block(self) -> bytes:
        """Return the next bytes, ``b""`` when the file is complete.

        Raises:
            UploadError: The storage host refuses the file.
            APIConnectionError: No connection lasts long enough to bring another byte.
            ProtocolError: The file is not the one that was begun.
        """
        while not self._done:
            if self._exchange is None:
                await self._connect()
            elif block := await self._read(self._exchange):
                return block
        return b""

    def close(self) -> None:
        """Give the connection up and end. Safe at any time, and twice."""
        self._done = True
        self._hang_up()

    def _hang_up(self) -> None:
        exchange, self._exchange = self._exchange, None
        if exchange is not None:
            exchange.close()

    def __del__(self) -> None:
        self.close()

    async def _connect(self) -> None:
        problem = None
        try:
            exchange = await self.storage.get(self.url, self.transfer)
        except (APIConnectionError, UploadError) as error:
            problem = error.with_traceback(None)
        if problem is not None:
            await self._recover(problem)
            return
        self._exchange = exchange
        try:
            self.transfer.begin(exchange.status, exchange.headers)
        except ProtocolError:
            self._hang_up()
            raise
        if exchange.status == RANGE_NOT_SATISFIABLE or self._done:
            self.close()

    async def _read(self, exchange: Exchange) -> bytes:
        """Return what is new of the next block: nothing at the end, while bytes are skipped, or after a cut."""
        try:
            async with asyncio.timeout(self.storage.timeouts.idle):
                block = await exchange.read_block()
        except APIConnectionError as error:
            problem = error.with_traceback(None)
        except TimeoutError:
            problem = body_timeout_error("idle")
        else:
            if block:
                return self._new(block)
            if self.transfer.is_complete:
                self._done, self._exchange = True, None
                return b""
            problem = APIConnectionError("The connection ended before the file did.", maybe_sent=True)
        self._hang_up()
        if not self._done:
            await self._recover(problem)
        return b""

    def _new(self, block: bytes) -> bytes:
        """Return what is new of *block*; only that is progress, or a host without ranges could cut for ever."""
        new = self.transfer.take(block)
        if new:
            self._failures = self._renewals = 0
        return new

    async def _recover(self, problem: GradientError) -> None:
        """Return when another try makes sense; raise *problem* if none does."""
        if needs_new_url(problem) and self._renewals < MAX_URL_RENEWALS:
            self._renewals += 1
            self.url = await self.renew()
            return
        self._failures += 1
        delay = self.storage.delay(problem, self._failures)
        if delay is None:
            raise problem
        logger.info("download interrupted at byte %d, going on in %.2f s: %s", self.transfer.offset, delay, problem)
        await asyncio.sleep(delay)
