"""Many chat completions at once: what `ChatCompletions.map` returns.

Contract: a request that fails is a result like any other. Requests wait at the limiter behind interactive ones and for
as long as it takes; their time limits begin after that.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import Any

from gradient_async._io.concurrent_map import ConcurrentMap
from gradient_async._protocol.requests.request import reject_stream
from gradient_async.errors import ConfigurationError, GradientError, SessionClosedError
from gradient_async.models.chat import ChatCompletion
from gradient_async.models.map_result import MapResult
from gradient_async.models.response_meta import Timings

Params = Mapping[str, Any]
MapResults = ConcurrentMap[Params, MapResult]
"""What ``map`` returns; enter it, then read a `MapResult` for each request."""


def map_results(
    requests: Iterable[Params] | AsyncIterable[Params],
    ask: Callable[[Params], Awaitable[ChatCompletion]],
    *,
    concurrency: int,
    ordered: bool,
) -> MapResults:
    """Return the results of *requests*, each of which *ask* sends.

    Raises:
        ConfigurationError: There is nothing to iterate over, or no concurrency.
    """
    if concurrency < 1:
        raise ConfigurationError(f"concurrency={concurrency}: give at least 1.")
    if isinstance(requests, str | bytes | Mapping) or not isinstance(requests, Iterable | AsyncIterable):
        raise ConfigurationError(
            "requests must be an iterable of parameters, as [{'model': ..., 'messages': [...]}, ...]; "
            f"got {type(requests).__name__}."
        )
    return ConcurrentMap(requests, partial(_result, ask), concurrency=concurrency, ordered=ordered)


async def _result(ask: Callable[[Params], Awaitable[ChatCompletion]], index: int, request: Params) -> MapResult:
    loop = asyncio.get_running_loop()
    began = loop.time()
    try:
        if not isinstance(request, Mapping):
            raise ConfigurationError(f"requests[{index}] must be a dict of parameters; got {type(request).__name__}.")
        reject_stream(request)
        completion = await ask(request)
    except SessionClosedError:
        raise
    except GradientError as error:
        return MapResult(index=index, request=request, error=error, timings=Timings(total=loop.time() - began))
    return MapResult(index=index, request=request, completion=completion, timings=completion.meta.timings)
