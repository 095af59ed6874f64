"""The results of a job as a stream.

Contract: constant memory; every line once, whatever happens to connections and addresses; each file verified to its
last byte. A stream that is left or dropped gives its connection up at once. One reader at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import anyio
import attrs

from gradient_async._io.batch.resumable_download import ResumableDownload
from gradient_async._protocol.batch.api import batch_failed_error, results_overdue_error
from gradient_async._protocol.batch.poll_schedule import expects_results, results_retry_delay
from gradient_async._protocol.batch.result_body import ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import ResultDecoder, ResultLineReader
from gradient_async.errors import BatchFailedError, BatchNotReadyError, StreamBusyError
from gradient_async.models.batch import Batch, ResultLinks
from gradient_async.models.batch_result import BatchResult, ResultFile
from gradient_async.resources.batch.client import BatchClient

FILES: tuple[ResultFile, ...] = ("output", "error")


@attrs.define(eq=False)
class ResultFiles:
    """The files of one job at the service."""

    calls: BatchClient
    batch: Batch
    endpoint: str | None
    _links: ResultLinks = attrs.field(factory=ResultLinks, init=False)

    async def find(self) -> BatchFailedError | None:
        """Look where the files are, a moment longer if the job has only just ended.

        Returns:
            The error if the job ended without results; other jobs of the same input may have some.

        Raises:
            BatchNotReadyError: The job is not at its end, or its results do not come.
        """
        attempt = 0
        while True:
            attempt += 1
            try:
                self._links = await self.calls.result_links(self.batch.batch_id)
            except BatchNotReadyError as error:
                problem = error
            else:
                return None
            if not self.batch.is_terminal:
                raise problem
            delay = results_retry_delay(self.batch, attempt)
            if delay is None:
                break
            await anyio.sleep(delay)
        if expects_results(self.batch):
            raise results_overdue_error(self.batch)
        return batch_failed_error(self.batch)

    def open(self, name: ResultFile) -> ResumableDownload | None:
        """Return the reader of a file, None if the job has no such file."""
        url = _url(self._links, name)
        return None if url is None else ResumableDownload(self.calls.storage, url, lambda: self._fresh_url(name))

    def decoder(self, name: ResultFile) -> ResultDecoder:
        """Return what turns the bytes of a file into results."""
        return ResultDecoder(ResultLineReader(name, ResultBodyDecoder(self.endpoint)))

    async def _fresh_url(self, name: ResultFile) -> str:
        self._links = await self.calls.result_links(self.batch.batch_id)
        url = _url(self._links, name)
        if url is None:
            raise BatchNotReadyError(f"The {name} file of batch {self.batch.batch_id} is not available any more.")
        return url


def _url(links: ResultLinks, name: ResultFile) -> str | None:
    return links.output_file_url if name == "output" else links.error_file_url


class ResultStream:
    """The results of a job, one `BatchResult` for each line: the output file, then the error sidecar.

    Nothing is asked for until the first result is. It may be read on after an error or a cancellation: no result
    is lost and none comes twice.

    Raises:
        BatchNotReadyError: The job is not at its end.
        BatchFailedError: The job ended without results.
        UploadError: The storage host refuses the file.
        APIConnectionError: No connection lasts long enough to bring anything.
        ProtocolError: The file is not the one that was begun.
    """

    __slots__ = ("__weakref__", "_busy", "_closed", "_current", "_files", "_look", "_results")

    def __init__(self, look: Callable[[], Awaitable[Sequence[ResultFiles]]]) -> None:
        self._look: Callable[[], Awaitable[Sequence[ResultFiles]]] | None = look
        self._files: deque[tuple[ResultFiles, ResultFile]] = deque()
        self._current: tuple[ResumableDownload, ResultDecoder] | None = None
        self._results: Iterator[BatchResult] = iter(())
        self._busy = self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchResult:
        result = next(self._results, None)
        return await self._next() if result is None else result

    def close(self) -> None:
        """Give the connection up, now, and end. Safe at any time, and twice."""
        self._closed = True
        self._results = iter(())
        if self._current is not None:
            self._current[0].close()

    async def aclose(self) -> None:
        """Do what `close` does, for ``contextlib.aclosing``."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _next(self) -> BatchResult:
        """Return the first result of the next block that has one.

        Raises:
            StopAsyncIteration: There are no more.
        """
        if self._busy:
            raise StreamBusyError("Another task is reading these results; call results() for a stream of your own.")
        self._busy = True
        try:
            while (result := next(self._results, None)) is None:
                await self._step()
            return result
        finally:
            self._busy = False

    async def _step(self) -> None:
        """Bring the next result nearer: find the files, open one, or read a block of it."""
        if self._closed:
            raise StopAsyncIteration
        if self._look is not None:
            self._files.extend((files, name) for files in await self._look() for name in FILES)
            self._look = None
        elif self._current is not None:
            await self._read(*self._current)
        elif self._files:
            self._open(*self._files.popleft())
        else:
            raise StopAsyncIteration

    def _open(self, files: ResultFiles, name: ResultFile) -> None:
        reader = files.open(name)
        if reader is not None:
            self._current = reader, files.decoder(name)

    async def _read(self, reader: ResumableDownload, decoder: ResultDecoder) -> None:
        block = await reader.read_block()
        if self._closed:
            return
        self._results = decoder.feed(block) if block else decoder.feed_eof()
        if not block:
            self._current = None
