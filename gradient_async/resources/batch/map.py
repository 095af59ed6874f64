"""Many chat completions through the batch service: the results that `Batches.map` returns.

Contract: the items of ``chat.completions.map``, at the price of a batch. The requests are spooled to disk and submitted
as one job, or as several that act as one; the results come in the order of the requests when the job has ended. With a
journal a killed process gets the same job again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import ExitStack, aclosing, suppress
from types import TracebackType
from typing import Any, Self, TypeVar

import attrs

from gradient_async._io.async_only import AsyncOnly
from gradient_async._io.deadline_timer import get_loop
from gradient_async._io.http.hooks import call_hook
from gradient_async._io.map.map_results import MapDisplay
from gradient_async._io.sources.row_source import RowSource
from gradient_async._protocol.http.error_body import build_status_error
from gradient_async._protocol.map.progress_meter import ProgressMeter
from gradient_async.errors import BatchError, ConflictError, GradientError
from gradient_async.models._base import Displayed
from gradient_async.models.batch import Batch, BatchFault
from gradient_async.models.batch_result import BatchResult
from gradient_async.models.map_progress import MapProgress
from gradient_async.models.map_result import MapResult
from gradient_async.resources.batch.job import BatchJob

T = TypeVar("T")


def build_result_error(fault: BatchFault) -> GradientError:
    """Return the error of a request that failed: of its status, or a `BatchError` without one."""
    if fault.status is None or fault.status < 400:
        return BatchError(str(fault))
    body = {"error": {"message": fault.message, "code": fault.code}}
    return build_status_error(fault.status, {}, json.dumps(body).encode(), now=0.0)


@attrs.define(eq=False, repr=False)
class BatchMapResults(AsyncOnly, Displayed):
    """The results of `Batches.map`, in the order of the requests: an async context manager and an async iterator.

    The job is submitted for the first result. Leaving the block does not cancel it. ``len(results)`` is the number of
    requests, if the source knows it; otherwise a TypeError.

    Attributes:
        job: The job; None before it is submitted.
    """

    _usage = "write 'async with session.batches.map(requests) as results: async for result in results: ...'"

    _source: RowSource
    _submit: Callable[[], Awaitable[BatchJob]]
    _watch: Callable[[BatchJob], AsyncIterator[Batch]]
    _on_progress: Callable[[MapProgress], object] | None = None
    _display: MapDisplay | None = None
    job: BatchJob | None = attrs.field(default=None, init=False)
    _meter: ProgressMeter = attrs.field(factory=lambda: ProgressMeter(0.0), init=False)
    _stopped: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _results: AsyncGenerator[MapResult, None] | None = attrs.field(default=None, init=False)
    _displays: ExitStack = attrs.field(factory=ExitStack, init=False)

    async def __aenter__(self) -> Self:
        self._meter.start(get_loop().time())
        self._meter.total = await self._source.count_rows()
        if self._display is not None:
            self._displays.enter_context(self._display)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._displays:
            if self._results is not None:
                await self._results.aclose()
            self._report_progress()

    def __repr__(self) -> str:
        job = "no job yet" if self.job is None else repr(self.job)
        total = "" if self._meter.total is None else f" of {self._meter.total}"
        return f"<{type(self).__name__} {self._meter.done}{total} done, {self._meter.failed} failed, {job}>"

    def __aiter__(self) -> Self:
        return self

    def __len__(self) -> int:
        if self._meter.total is None:
            raise TypeError("the source of this map does not say how many items it has")
        return self._meter.total

    @property
    def progress(self) -> MapProgress:
        """The progress at this moment; its tokens are those of the results that were read."""
        unanswered = self._meter.remaining if self.job is not None else None
        return self._meter.describe(get_loop().time(), in_flight=unanswered or 0, status=None)

    def stop(self) -> None:
        """Have no further request processed: cancel the job, or submit none.

        Results of requests that the service has processed still come; then the iteration ends.
        ``results.job.retry_failed()`` submits the rest later.
        """
        self._stopped.set()

    async def __anext__(self) -> MapResult:
        """Return the next result.

        Raises:
            BatchFailedError: The job ended without results.
            GradientError: As `Batches.submit` and the iteration over `BatchJob.results` do.
        """
        if self._results is None:
            self._results = self._iterate_results()
        return await anext(self._results)

    async def _iterate_results(self) -> AsyncGenerator[MapResult, None]:
        self.job = job = await self._run_until_stopped(self._submit())
        if job is None:
            return
        await self._wait_for_end(job)
        pairs: AsyncGenerator[tuple[Any, BatchResult], None] = job.joined()
        index = failed = 0
        async with aclosing(pairs):
            async for line, result in pairs:
                if not (self._stopped.is_set() and is_unprocessed(result)):
                    item = build_map_result(index, line, result)
                    failed += not item.ok
                    self._count_result(item, failed)
                    yield item
                index += 1

    async def _wait_for_end(self, job: BatchJob) -> None:
        """Wait until the job has ended; cancel it if the map is stopped."""
        states = self._watch(job)
        while (batch := await self._run_until_stopped(anext(states, None))) is not None:
            self._count_state(batch)
        if self._stopped.is_set():
            with suppress(ConflictError):  # it has ended meanwhile
                await job.cancel()
            async for batch in self._watch(job):
                self._count_state(batch)

    async def _run_until_stopped(self, step: Awaitable[T]) -> T | None:
        """Return the result of *step*; give it up and return None if the map is stopped."""
        task, stop = asyncio.ensure_future(step), asyncio.ensure_future(self._stopped.wait())
        try:
            await asyncio.wait([task, stop], return_when=asyncio.FIRST_COMPLETED)
            return task.result() if task.done() else None
        finally:
            for each in (task, stop):
                each.cancel()
            await asyncio.wait([task, stop])

    def _count_state(self, batch: Batch) -> None:
        counts, meter, now = batch.request_counts, self._meter, get_loop().time()
        if counts.total:
            meter.total = counts.total
        meter.count_answered(now, items=max(0, counts.completed - (meter.done - meter.failed)))
        meter.count_failed(now, items=max(0, counts.failed - meter.failed))
        self._report_progress()

    def _count_result(self, item: MapResult, failed: int) -> None:
        """Count the tokens of a result, and a failure that the service did not count."""
        meter = self._meter
        usage = item.completion.usage if item.completion is not None else None
        meter.tokens += usage.total_tokens if usage is not None else 0
        if failed > meter.failed:
            meter.failed += 1
            meter.done = max(meter.done, meter.failed)

    def _report_progress(self) -> None:
        for observe in (self._on_progress, None if self._display is None else self._display.show_progress):
            if observe is not None:
                call_hook(observe, self.progress)


def is_unprocessed(result: BatchResult) -> bool:
    """Whether the service has not processed the request of *result*, because the job was cancelled before."""
    return result.error is not None and result.error.code in ("missing", "canceled")


def build_map_result(index: int, line: Mapping[str, Any], result: BatchResult) -> MapResult:
    """Return the result of one request; its ``request`` is the body that was sent, with the id of its line."""
    request = {"custom_id": line["custom_id"], **line["body"]}
    completion = result.completion
    if completion is not None:
        return MapResult(index=index, request=request, completion=completion)
    fault = result.error or BatchFault(message="The response is not a chat completion.")
    return MapResult(index=index, request=request, error=build_result_error(fault))
