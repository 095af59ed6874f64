"""The dry run of ``gradient-async map``: what would be sent, without a request and a key."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import attrs

from gradient_async import ConfigurationError, Limiter, RollingTokenBucket, Timeouts
from gradient_async._io.sources.row_source import open_source
from gradient_async._io.sources.threaded_iterator import iterate_without_blocking
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.requests.chat import AGENT_MODEL, CHAT_PATH, build_chat_request
from gradient_async._protocol.sources.row_template import Template, build_row_template
from gradient_async.resources.request_map import RequestMap

_MAX_FAULTS = 100


@attrs.define
class MapEstimate:
    """The size of a map.

    Attributes:
        requests: Number of requests that would be sent.
        tokens: Their estimated tokens, prompts and responses.
        seconds: Seconds that the limits of the session need to admit them.
        faulty: Number of rows that cannot be sent.
        faults: A sentence for each of the first of these.
    """

    requests: int = 0
    tokens: int = 0
    seconds: float = 0.0
    faulty: int = 0
    faults: list[str] = attrs.field(factory=list)


async def estimate_map(
    source: Any,
    shared_params: Mapping[str, Any],
    template: Template | None,
    columns: Sequence[str] | None,
    windows: Sequence[tuple[int, float]],
) -> MapEstimate:
    """Build every request of *source* and count; *windows* are those of the limiter.

    Raises:
        ConfigurationError: The source is malformed.
    """
    estimate = MapEstimate()
    build = partial(build_chat_request, CHAT_PATH, stream=False, timeouts=Timeouts())
    shared = {"model": AGENT_MODEL, **shared_params}
    rows = build_row_template(template, columns)
    request_map = RequestMap(shared, rows, build, _refuse_call, str, read_completion)
    index = -1
    async for row in iterate_without_blocking(open_source(source, columns).rows):
        index += 1
        try:
            estimate.tokens += request_map.build_request(index, row).tokens
        except ConfigurationError as error:
            estimate.faulty += 1
            if len(estimate.faults) < _MAX_FAULTS:
                estimate.faults.append(str(error))
        else:
            estimate.requests += 1
    estimate.seconds = estimate_seconds(estimate.requests, windows)
    return estimate


def list_windows(limiter: Limiter | None) -> list[tuple[int, float]]:
    """Return the windows of the limiter that a session has, none without one."""
    return [] if limiter is None else [(window.capacity, window.period) for window in limiter.status().windows]


def estimate_seconds(requests: int, windows: Sequence[tuple[int, float]]) -> float:
    """Return the seconds until *windows* have admitted so many *requests*.

    Whole periods of the window that admits least, and the rest within the last of them.
    """
    if not requests or not windows:
        return 0.0
    capacity, period = min(windows, key=lambda window: window[0] / window[1])
    whole = max(0, math.ceil(requests / capacity) - 1)
    bucket = RollingTokenBucket(windows)
    return whole * period + bucket.forecast_send_time(0.0, requests - whole * capacity)


def _refuse_call(*_: Any) -> Any:
    raise AssertionError("a dry run sends nothing")
