"""The gateway as a web server: `Gateway` takes requests, counts them, and answers with responses or failures.

Contract: a caller's request is a task that ends when the caller leaves. `Gateway.drain` refuses new requests and lets
those under way end. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
import logging
import math
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Self

import attrs
from aiohttp import web

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async._protocol.requests.raw import resolve_path
from gradient_async.errors import ConfigurationError, GradientError
from gradient_async.gateway.access import AccessPolicy
from gradient_async.gateway.failures import Failure, build_failure, translate_failure
from gradient_async.gateway.forwarded_request import ForwardedRequest, build_forwarded_request
from gradient_async.gateway.headers import SHARED_HEADERS, pick_headers
from gradient_async.gateway.prometheus import CONTENT_TYPE, format_metrics
from gradient_async.gateway.relay import Relay, adapt_pipeline, break_connection, build_failure_response
from gradient_async.gateway.routes import Destination, Route, explain_missing, find_route
from gradient_async.gateway.statistics import CALLER_LEFT, FinishedRequest, Statistics
from gradient_async.gateway.status_page import PAGE_HEADERS, build_status, read_page
from gradient_async.session import AsyncSession

if TYPE_CHECKING:
    from gradient_async._protocol.rate_limit.status import LimiterStatus

MAX_BODY_BYTES = 256 * 1024 * 1024
_CLOSE_SECONDS = 0.05
"""Seconds that aiohttp leaves to requests before it cancels them; it takes 0 for no limit."""
_MAX_TARGETS = 64
_SHOWN_QUOTAS = 50
_UPSTREAM_LOST = 502
_PASSWORD_PROMPT = ("WWW-Authenticate", 'Basic realm="gradient-async", charset="UTF-8"')

_logger = logging.getLogger("gradient_async.gateway")
_logger.addHandler(logging.NullHandler())


@attrs.define(eq=False, repr=False)
class Gateway:
    """Serves the paths of the inference service and of the agent, with the key and the budget of a session.

    Args:
        session: Sends the requests; it belongs to the caller.
        access: Decides who is served.

    Attributes:
        statistics: Counts of all requests.
        draining: Whether new requests are refused.
    """

    _session: AsyncSession = attrs.field(repr=False)
    _access: AccessPolicy = attrs.field(factory=AccessPolicy)
    statistics: Statistics = attrs.field(factory=Statistics, init=False)
    draining: bool = attrs.field(default=False, init=False)
    _pipeline: Pipeline = attrs.field(init=False)
    _runner: web.AppRunner | None = attrs.field(default=None, init=False)
    _ended: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)
    _targets: dict[tuple[object, ...], Target] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._pipeline = adapt_pipeline(self._session._pipeline)

    async def listen(self, host: str, port: int) -> str:
        """Listen on *host* and *port*, 0 for a free one, and return the address.

        Raises:
            OSError: The port is in use, or the host is not one of this machine.
        """
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_get("/", self._show_page)
        app.router.add_get("/status.json", self._show_status)
        app.router.add_get("/metrics", self._show_metrics)
        app.router.add_route("*", "/{path:.*}", self._forward)
        runner = self._runner = web.AppRunner(
            app, handler_cancellation=True, access_log=None, logger=_logger, shutdown_timeout=_CLOSE_SECONDS
        )
        await runner.setup()
        await web.TCPSite(runner, host, port).start()
        name, bound_port = runner.addresses[0][:2]
        return f"http://[{name}]:{bound_port}" if ":" in name else f"http://{name}:{bound_port}"

    async def drain(self, seconds: float) -> int:
        """Refuse new requests, wait at most *seconds* for those under way, and return how many are left."""
        self.draining = True
        if self._runner is not None:
            for site in list(self._runner.sites):
                await site.stop()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while self.statistics.running:
                    self._ended.clear()
                    await self._ended.wait()
        return self.statistics.running

    async def aclose(self) -> None:
        """Stop listening, and end the requests that are still under way."""
        if self._runner is not None:
            await self._runner.cleanup()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    # The gateway's own pages.

    async def _show_page(self, request: web.Request) -> web.Response:
        return self._refuse(request) or web.Response(
            body=read_page(), content_type="text/html", charset="utf-8", headers=PAGE_HEADERS
        )

    async def _show_status(self, request: web.Request) -> web.Response:
        if refusal := self._refuse(request):
            return refusal
        now = asyncio.get_running_loop().time()
        status = build_status(
            self.statistics, self._read_limits(), now, quotas=self._read_quotas(), draining=self.draining
        )
        return web.Response(body=encode_jsonable(status), content_type="application/json", headers=PAGE_HEADERS)

    async def _show_metrics(self, request: web.Request) -> web.Response:
        return self._refuse(request) or web.Response(
            body=format_metrics(self.statistics, self._read_limits()).encode(), headers={"Content-Type": CONTENT_TYPE}
        )

    def _read_limits(self) -> LimiterStatus | None:
        limiter = self._session.limits
        return None if limiter is None else limiter.status()

    def _read_quotas(self) -> list[LimiterStatus]:
        """Return the state of the limiter for each of the models that are shown."""
        limiter = self._session.limits
        return [] if limiter is None else [limiter.status(model) for model in limiter.status().models[:_SHOWN_QUOTAS]]

    def _refuse(self, request: web.Request) -> web.Response | None:
        """Return the response to a caller without access, None for one with access."""
        if (refusal := self._access.find_refusal(request.headers)) is None:
            return None
        status, reason = refusal
        return build_failure_response(build_failure(status, reason, [_PASSWORD_PROMPT] if status == 401 else None))

    # Forwarding.

    async def _forward(self, caller: web.Request) -> web.StreamResponse:
        if (refused := self._refuse(caller)) is not None:
            return refused
        if self.draining:
            return _refuse_while_draining()
        route = find_route(caller.method, caller.raw_path)
        if route is None:
            return build_failure_response(build_failure(404, explain_missing(caller.method, caller.raw_path)))
        clock = asyncio.get_running_loop().time
        call = _ForwardedCall(self, Relay(self._pipeline), clock)
        self.statistics.begin_request(clock())
        try:
            return await call.answer(caller, route)
        finally:
            self.statistics.end_request(clock(), call.describe())
            self._ended.set()

    def find_target(self, destination: Destination, caller: web.Request) -> Target:
        """Return host, key and limiter of *destination*, with the headers that all requests of this caller share.

        Raises:
            ConfigurationError: Its key or its address is missing.
        """
        shared = pick_headers(caller.headers, SHARED_HEADERS)
        target = self._targets.get((destination, shared))
        if target is None:
            is_agent = destination == "agent"
            base = self._session.agent()._target() if is_agent else self._session._get_target()
            target = attrs.evolve(base, headers=(*base.headers, *shared))
            if len(self._targets) < _MAX_TARGETS:
                self._targets[destination, shared] = target
        return target

    def build_request(self, caller: web.Request, path: str, body: bytes) -> ForwardedRequest:
        """Return the caller's request as one of the session."""
        return build_forwarded_request(caller.method, path, body, caller.headers, self._session._timeouts)


@attrs.define(eq=False, repr=False)
class _ForwardedCall:
    """A request of a caller, from its arrival to its end.

    Attributes:
        status: The status for the counts; that of a caller who left until the response is known.
    """

    gateway: Gateway
    relay: Relay
    clock: Callable[[], float]
    started_at: float = attrs.field(init=False)
    status: int = CALLER_LEFT
    request: ForwardedRequest | None = None
    target: Target | None = None

    def __attrs_post_init__(self) -> None:
        self.started_at = self.clock()

    async def answer(self, caller: web.Request, route: Route) -> web.StreamResponse:
        """Return the response, or the failure that stands for it."""
        try:
            response = await self._send(caller, route)
        except web.HTTPRequestEntityTooLarge:
            response = build_failure_response(
                build_failure(413, f"The body is larger than {MAX_BODY_BYTES >> 20} MiB; upload files to storage.")
            )
        except ConnectionError:  # the caller left between two blocks
            break_connection(caller)
            return self.relay.response or web.Response(status=CALLER_LEFT)
        except GradientError as error:
            response = build_failure_response(self._translate(error))
        except Exception as error:  # noqa: BLE001 - one failing request must not be silent, nor quote its prompt
            response = build_failure_response(_report_unexpected(error))
        self.status = _UPSTREAM_LOST if self.relay.lost else response.status
        return response

    async def _send(self, caller: web.Request, route: Route) -> web.StreamResponse:
        target = self.target = self.gateway.find_target(route.destination, caller)
        body = await caller.read()
        request = self.request = self.gateway.build_request(caller, resolve_path(route.path, target.base_url), body)
        return await self.relay.relay_request(request, target, caller)

    def _translate(self, error: GradientError) -> Failure:
        model = None if self.request is None else self.request.model
        limiter = None if self.target is None else self.target.limiter
        wait = 0.0 if limiter is None else limiter.estimate(1, model)
        if isinstance(error, ConfigurationError) and self.target is None:
            return build_failure(404, str(error))
        refusal = None if self.request is None else self.request.refusal
        return translate_failure(error, refusal, wait if wait < math.inf else 0.0)

    def describe(self) -> FinishedRequest:
        """Return the request for the counts, after its end."""
        return FinishedRequest(
            model=None if self.request is None else self.request.model,
            status=self.status,
            seconds=self.clock() - self.started_at,
            limiter_wait=self.relay.limiter_wait,
            usage=self.relay.usage,
        )


def _report_unexpected(error: Exception) -> Failure:
    """Log the kind and the place of an unexpected error, without its message, and return the response for it."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    _logger.error("unexpected %s at %s:%s", type(error).__name__, place.filename, place.lineno)
    return build_failure(500, f"The gateway failed with {type(error).__name__}; its log names the place.")


def _refuse_while_draining() -> web.Response:
    """Return the response to a request that comes after the gateway was told to stop."""
    response = build_failure_response(
        build_failure(503, "The gateway is stopping and takes no new requests.", [("Retry-After", "1")])
    )
    response.force_close()
    return response
