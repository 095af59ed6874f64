"""Many chat completions concurrently: the results that `ChatCompletions.map` returns.

Contract: a request that fails is a result with an error. Requests wait at the limiter behind interactive ones, without
a time limit; their own time limits begin after that wait.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from gradient_async._io.concurrent_map import ConcurrentMap
from gradient_async._io.deadline_timer import get_loop
from gradient_async._protocol.requests.chat import reject_stream
from gradient_async._protocol.requests.parameters import require_params
from gradient_async.errors import ConfigurationError, GradientError, SessionClosedError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.map_result import MapResult
from gradient_async.models.response_meta import Timings

Params = Mapping[str, Any]
MapResults = ConcurrentMap[Params, MapResult]
"""Results of ``map``: enter it, then iterate over one `MapResult` for each request."""


def map_results(
    requests: Iterable[Params] | AsyncIterable[Params],
    send: Callable[[Params], Awaitable[ChatCompletion]],
    *,
    concurrency: int,
    ordered: bool,
) -> MapResults:
    """Return the results of *requests*, each sent by *send*.

    Raises:
        ConfigurationError: *requests* is not an iterable of parameters, or *concurrency* is less than 1.
    """
    if concurrency < 1:
        raise ConfigurationError(f"concurrency={concurrency}: give at least 1.")
    if isinstance(requests, str | bytes | Mapping) or not isinstance(requests, Iterable | AsyncIterable):
        raise ConfigurationError(
            "requests must be an iterable of parameters, as [{'model': ..., 'messages': [...]}, ...]; "
            f"got {type(requests).__name__}."
        )
    return ConcurrentMap(requests, partial(_fetch_result, send), concurrency=concurrency, ordered=ordered)


async def _fetch_result(send: Callable[[Params], Awaitable[ChatCompletion]], index: int, request: Params) -> MapResult:
    """Send one request; a failure becomes the result's error, except that of a closed session."""
    loop = get_loop()
    started_at = loop.time()
    try:
        params = require_params(f"requests[{index}]", request)
        reject_stream(params)
        completion = await send(params)
    except SessionClosedError:
        raise
    except GradientError as error:
        return MapResult(index=index, request=request, error=error, timings=Timings(total=loop.time() - started_at))
    return MapResult(index=index, request=request, completion=completion, timings=completion.meta.timings)
