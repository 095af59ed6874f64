"""The results of a job as a stream.

Contract: constant memory; each line once, over any number of connections and URLs; each file read to its last byte.
A stream that is closed or dropped releases its connection at once. One reader at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from types import TracebackType
from typing import Self

import anyio
import attrs

from gradient_async._io.async_only import AsyncOnly
from gradient_async._io.batch.resumable_download import ResumableDownload
from gradient_async._io.http.hooks import format_error, logger
from gradient_async._protocol.batch.job_state import batch_failed_error, results_overdue_error
from gradient_async._protocol.batch.poll_schedule import expects_results, results_retry_delay
from gradient_async._protocol.batch.result_body import ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import ResultDecoder, ResultLineReader
from gradient_async.errors import BatchFailedError, BatchNotReadyError, GradientError, StreamBusyError
from gradient_async.models.batch import Batch, ResultLinks
from gradient_async.models.batch_result import BatchResult, ResultFile
from gradient_async.resources.batch.client import BatchClient

FILE_ORDER: tuple[ResultFile, ...] = ("output", "error")


@attrs.define(eq=False)
class ResultFiles:
    """The results files of one job at the storage host."""

    calls: BatchClient
    batch: Batch
    endpoint: str | None
    _links: ResultLinks = attrs.field(factory=ResultLinks, init=False)

    async def fetch_links(self) -> BatchFailedError | None:
        """Fetch the presigned URLs; for a job that has just ended, wait a moment for them.

        Returns:
            The error if the job ended without results; other jobs of the same input may have some.

        Raises:
            BatchNotReadyError: The job has not ended, or its results do not appear.
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

    def open_file(self, name: ResultFile) -> ResumableDownload | None:
        """Return a download of one file; None if the job does not have it."""
        url = _select_url(self._links, name)
        if url is None:
            return None
        optional = name == "error" and self._links.output_file_url is not None
        return ResumableDownload(self.calls.storage, url, lambda: self._renew_url(name), optional=optional)

    def new_decoder(self, name: ResultFile) -> ResultDecoder:
        """Return a decoder for the bytes of one file."""
        return ResultDecoder(ResultLineReader(name, ResultBodyDecoder(self.endpoint)))

    async def _renew_url(self, name: ResultFile) -> str:
        self._links = await self.calls.result_links(self.batch.batch_id)
        url = _select_url(self._links, name)
        if url is None:
            raise BatchNotReadyError(f"The {name} file of batch {self.batch.batch_id} is not available any more.")
        return url


def _select_url(links: ResultLinks, name: ResultFile) -> str | None:
    return links.output_file_url if name == "output" else links.error_file_url


class ResultStream(AsyncOnly):
    """The results of a job, one `BatchResult` for each line: the output file, then the error sidecar.

    An async iterator; also an async context manager. The first request is sent for the first result. Iterating again
    after an error or a cancellation continues with the next result: none is lost and none comes twice.

    Attributes:
        problems: The errors of sidecars that could not be read beside a readable output, such as a missing file.

    Raises:
        BatchNotReadyError: The job has not ended.
        BatchFailedError: The job ended without results.
        UploadError: The storage host refused the file.
        APIConnectionError: Repeated connections brought no new byte.
        ProtocolError: The file changed while it was being read, or other bytes arrived than those of its MD5.
        StreamBusyError: Another task is reading this stream.
    """

    _usage = "write 'async for result in job.results(): ...'"
    __slots__ = ("__weakref__", "_busy", "_closed", "_current", "_files", "_locate_files", "_results", "problems")

    def __init__(self, locate_files: Callable[[], Awaitable[Sequence[ResultFiles]]]) -> None:
        self._locate_files: Callable[[], Awaitable[Sequence[ResultFiles]]] | None = locate_files
        self._files: deque[tuple[ResultFiles, ResultFile]] = deque()
        self._current: tuple[ResumableDownload, ResultDecoder] | None = None
        self._results: Iterator[BatchResult] = iter(())
        self._busy = self._closed = False
        self.problems: list[GradientError] = []

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> BatchResult:
        result = next(self._results, None)
        return await self._read_next_result() if result is None else result

    def close(self) -> None:
        """Release the connection at once and end the iteration. Idempotent, callable at any time."""
        self._closed = True
        self._results = iter(())
        if self._current is not None:
            self._current[0].close()

    async def aclose(self) -> None:
        """Close the stream, as `close` does; for ``contextlib.aclosing``."""
        self.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _read_next_result(self) -> BatchResult:
        """Return the first result of the next block that has one.

        Raises:
            StopAsyncIteration: Every file is read, or the stream is closed.
        """
        if self._busy:
            raise StreamBusyError("Another task is reading these results; call results() for a stream of your own.")
        self._busy = True
        try:
            while (result := next(self._results, None)) is None:
                await self._advance_stream()
            return result
        finally:
            self._busy = False

    async def _advance_stream(self) -> None:
        """Take one step towards the next result: locate the files, open one, or read a block."""
        if self._closed:
            raise StopAsyncIteration
        if self._locate_files is not None:
            self._files.extend((files, name) for files in await self._locate_files() for name in FILE_ORDER)
            self._locate_files = None
        elif self._current is not None:
            await self._read_block(*self._current)
        elif self._files:
            files, name = self._files.popleft()
            opened = files.open_file(name)
            if opened is not None:
                self._current = opened, files.new_decoder(name)
        else:
            raise StopAsyncIteration

    async def _read_block(self, download: ResumableDownload, decoder: ResultDecoder) -> None:
        """Read the next block of a file and decode its results."""
        try:
            block = await download.read_content()
        except GradientError as error:
            if not download.can_do_without(error):
                raise
            self._report_problem(error.with_traceback(None))
            block = b""
        if self._closed:
            raise StopAsyncIteration
        self._results = decoder.feed(block) if block else decoder.feed_eof()
        if not block:
            self._current = None

    def _report_problem(self, error: GradientError) -> None:
        self.problems.append(error)
        logger.warning("the error sidecar of a job cannot be read: %s", format_error(error))
