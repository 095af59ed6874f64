"""Many chat completions through the batch service: the results that `Batches.map` returns.

Contract: the items of ``chat.completions.map``, at the price of a batch. The requests are spooled to disk and submitted
as one job, or as several that act as one; the results come in the order of the requests when the job has ended. With a
journal a killed process gets the same job again.
"""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from functools import partial
from types import TracebackType
from typing import Any, Self

import attrs

from gradient_async._io.map.threaded_iterator import iterate_without_blocking
from gradient_async._io.sources.row_source import RowSource
from gradient_async._protocol.http.error_body import build_status_error
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.chat import build_chat_request
from gradient_async.errors import BatchError, GradientError
from gradient_async.models.batch import BatchFault
from gradient_async.models.batch_result import BatchResult
from gradient_async.models.map_result import MapResult, find_own_id
from gradient_async.resources.batch.job import BatchJob
from gradient_async.resources.chat.map import ChatMap

CHAT_ENDPOINT = "/v1/chat/completions"


def build_lines(rows: RowSource, build: Callable[[int, Any], Mapping[str, Any]]) -> AsyncIterator[dict[str, Any]]:
    """Yield the line of each row: its own id, or else ``request-N`` by its position, and the body of its request."""

    async def iterate() -> AsyncGenerator[dict[str, Any], None]:
        index = 0
        async for row in iterate_without_blocking(rows.rows):
            own_id = find_own_id(row)
            yield {"custom_id": f"request-{index}" if own_id is None else str(own_id), "body": build(index, row)}
            index += 1

    return iterate()


def build_body(chat_map: ChatMap, index: int, row: object) -> Mapping[str, Any]:
    """Return the body of the request for a row, as a single call would send it."""
    body: dict[str, Any] = json.loads(chat_map.build_request(index, row).body or b"{}")
    return body


def new_chat_map(shared: Mapping[str, Any], template: Any) -> ChatMap:
    """Return the builder of the requests of a map."""
    build = partial(build_chat_request, CHAT_ENDPOINT, stream=False, timeouts=Timeouts())
    return ChatMap(shared, template, build, _never_sent, lambda: "")


async def _never_sent(*_: object) -> Any:
    raise AssertionError  # pragma: no cover - a batch sends no single request


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
