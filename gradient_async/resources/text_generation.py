"""Text generation, the untyped half of chat, messages and responses: a request, a stream, a class, tools, a map.

Contract: the subclasses declare the typed keyword arguments of each call (PEP 692 offers no way to share those) and
delegate here. Modules are imported with the first call that needs them: most programs use few of these methods.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Coroutine, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request, mark_bulk
from gradient_async.models.response_meta import ResponseModel
from gradient_async.resources.base import StreamingResource

if TYPE_CHECKING:
    from gradient_async._io.map.limiter_gate import LimiterGate
    from gradient_async._io.map.map_results import MapResults
    from gradient_async._io.sources.row_source import SupportsRead
    from gradient_async._protocol.sources.row_template import Template
    from gradient_async.models.map_result import MapResult
    from gradient_async.resources.interfaces import BodyReader, DialectLoader, FormLoader, RequestBuilder

R = TypeVar("R", bound=ResponseModel)
P = TypeVar("P")

if TYPE_CHECKING:
    Requests = (
        Iterable[P | Mapping[str, Any] | str]
        | AsyncIterable[P | Mapping[str, Any] | str]
        | str
        | os.PathLike[str]
        | SupportsRead
    )
    """The requests of a ``map``: parameters or texts, or a file or table of them."""


class TextGenerationResource(StreamingResource, Generic[R]):
    """Sends requests for generated content to one host; *R* is the type of their results.

    Attributes:
        _path: Path of the endpoint.
        _results: Name of the results in checkpoints.
        _read: Reads the body of a result.
        _build: Builds a request from its parameters.
        _load_dialect: Returns the form of the API's tools and structured output.
        _load_form: Returns the form of the requests that `map` makes of texts and rows.
    """

    _path: str
    _results: ClassVar[str]
    _read: ClassVar[BodyReader[Any]]
    _build: ClassVar[RequestBuilder]
    _load_dialect: ClassVar[DialectLoader]
    _load_form: ClassVar[FormLoader]

    def _build_request(self, params: Mapping[str, Any], timeout: float | Timeouts | None, *, stream: bool) -> Request:
        """Build the request of one call."""
        return self._build(params, stream=stream, timeouts=self._timeouts.override_with(timeout))

    def _send(self, params: Mapping[str, Any], timeout: float | Timeouts | None) -> Coroutine[Any, Any, R]:
        return self._pipeline.send_and_decode(
            self._build_request(params, timeout, stream=False), self._target(), self._read
        )

    def _send_parsed(
        self, params: Mapping[str, Any], response_format: type, timeout: float | Timeouts | None
    ) -> Coroutine[Any, Any, Any]:
        from gradient_async.resources.structured_call import send_parsed  # many programs only want text

        return send_parsed(partial(self._send, timeout=timeout), self._load_dialect(), params, response_format)

    def _run_tool_rounds(
        self,
        params: Mapping[str, Any],
        tools: Iterable[Any],
        timeout: float | Timeouts | None,
        *,
        max_rounds: int,
        concurrency: int,
        in_threads: bool,
    ) -> Coroutine[Any, Any, Any]:
        from gradient_async.resources.tool_rounds import run_tool_rounds  # many programs have no tools

        send = partial(self._send, timeout=timeout)
        bounds = {"max_rounds": max_rounds, "concurrency": concurrency}
        hooks = self._pipeline.tool_hooks
        return run_tool_rounds(send, self._load_dialect(), params, tools, **bounds, in_threads=in_threads, hooks=hooks)

    def _map_requests(
        self,
        requests: Any,
        shared: Mapping[str, Any],
        *,
        template: Template | None,
        columns: Sequence[str] | None,
        timeout: float | Timeouts | None,
        **options: Any,
    ) -> MapResults[MapResult[R]]:
        """Return the results of many requests; *options* are those of `build_map_options`."""
        from gradient_async._protocol.sources.row_template import build_row_template
        from gradient_async.resources.map_options import build_map_options
        from gradient_async.resources.request_map import RequestMap, map_results  # loads anyio; many send single calls

        map_options = build_map_options(self._results, **options)
        self._timeouts.override_with(timeout)  # refuses an invalid one before any request would
        rows = build_row_template(template, columns)
        build = partial(self._build_in_bulk, timeout)
        request_map = RequestMap(
            shared, rows, build, self._send_in_bulk, self._find_scope, self._read, self._load_form()
        )
        return map_results(requests, request_map, map_options)

    def _build_in_bulk(self, timeout: float | Timeouts | None, params: Mapping[str, Any]) -> Request:
        """Build one of many requests; ``timeout`` in *params* overrides *timeout*."""
        params = dict(params)
        timeout = params.pop("timeout", timeout)
        return mark_bulk(self._build_request(params, timeout, stream=False))

    def _send_in_bulk(self, request: Request, gate: LimiterGate) -> Coroutine[Any, Any, R]:
        """Send one of many requests, behind single calls."""
        return self._pipeline.send_and_decode(request, gate.guard_target(self._target), self._read)

    def _find_scope(self) -> str:
        """Return the part of the fingerprint of a request that its body does not have."""
        return self._path
