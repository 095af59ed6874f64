"""Many chat completions through the batch service: the results that `Batches.map` returns.

Contract: the items of ``chat.completions.map``, at the price of a batch. The requests are spooled to disk and submitted
as one job, or as several that act as one; the results come in the order of the requests when the job has ended. With a
journal a killed process gets the same job again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from types import TracebackType
from typing import Any, Self

import attrs

from gradient_async._protocol.http.error_body import build_status_error
from gradient_async.errors import BatchError, GradientError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import BatchResult
from gradient_async.models.map_result import MapResult
from gradient_async.resources.batch.job import BatchJob


def build_result_error(fault: BatchFault) -> GradientError:
    """Return the error of a request that failed: of its status, or a `BatchError` without one."""
    if fault.status is None or fault.status < 400:
        return BatchError(str(fault))
    body = {"error": {"message": fault.message, "code": fault.code}}
    return build_status_error(fault.status, {}, json.dumps(body).encode(), now=0.0)


@attrs.define(eq=False)
class BatchMapResults:
    """The results of `Batches.map`, in the order of the requests: an async context manager and an async iterator.

    The job is submitted for the first result. Leaving the block does not cancel it.

    Attributes:
        job: The job; None before it is submitted.
    """

    _submit: Callable[[], Awaitable[BatchJob]]
    _wait: Callable[[BatchJob], Awaitable[object]]
    job: BatchJob | None = attrs.field(default=None, init=False)
    _results: AsyncGenerator[MapResult, None] | None = attrs.field(default=None, init=False)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._results is not None:
            await self._results.aclose()

    def __aiter__(self) -> Self:
        return self

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
        self.job = job = await self._submit()
        await self._wait(job)
        index = 0
        pairs: AsyncGenerator[tuple[Any, BatchResult], None] = job.joined()
        async for line, result in pairs:
            yield build_map_result(index, line, result)
            index += 1


def build_map_result(index: int, line: Mapping[str, Any], result: BatchResult) -> MapResult:
    """Return the result of one request; its ``request`` is the body that was sent, with the id of its line."""
    request = {"custom_id": line["custom_id"], **line["body"]}
    completion = result.completion
    if completion is not None:
        return MapResult(index=index, request=request, completion=completion)
    fault = result.error or BatchFault(message="The response is not a chat completion.")
    return MapResult(index=index, request=request, error=build_result_error(fault))
