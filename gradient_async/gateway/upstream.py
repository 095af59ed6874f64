"""The other end of the gateway: which host, key and limiter a caller's request goes to, and in which form.

Contract: pure. What is the same for all requests of a caller is kept, for a bounded number of callers and paths.
"""

from __future__ import annotations

from functools import lru_cache

import attrs
from aiohttp import web

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.requests.raw import resolve_path
from gradient_async.gateway.forwarded_request import ForwardedRequest, build_forwarded_request
from gradient_async.gateway.headers import SHARED_HEADERS, pick_headers
from gradient_async.gateway.relay import adapt_pipeline
from gradient_async.gateway.routes import Destination, Route
from gradient_async.session import AsyncSession

_MAX_TARGETS = 64
_MAX_PATHS = 256

_resolve_path = lru_cache(_MAX_PATHS)(resolve_path)


@attrs.define(eq=False, repr=False)
class Upstream:
    """The services behind a gateway, reached with the keys and the budget of a session.

    Attributes:
        pipeline: Sends the requests.
    """

    _session: AsyncSession
    pipeline: Pipeline = attrs.field(init=False)
    _targets: dict[tuple[Destination, tuple[tuple[str, str], ...]], Target] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.pipeline = adapt_pipeline(self._session._pipeline)

    def find_target(self, destination: Destination, caller: web.BaseRequest) -> Target:
        """Return host, key and limiter of *destination*, with the headers that all requests of this caller share.

        Raises:
            ConfigurationError: Its key or its address is missing.
        """
        shared = pick_headers(caller.headers, SHARED_HEADERS)
        target = self._targets.get((destination, shared))
        if target is None:
            is_agent = destination == "agent"
            base = self._session.agent()._target() if is_agent else self._session._get_target()
            target = base.with_headers(shared)
            if len(self._targets) < _MAX_TARGETS:
                self._targets[destination, shared] = target
        return target

    def translate_request(self, route: Route, target: Target, caller: web.BaseRequest, body: bytes) -> ForwardedRequest:
        """Return the caller's request as one of the session.

        Raises:
            ConfigurationError: The path leads elsewhere, or a header for the gateway has an invalid value.
        """
        path = _resolve_path(route.path, target.base_url)
        return build_forwarded_request(caller.method, path, body, caller.headers, self._session._timeouts)
