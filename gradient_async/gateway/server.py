"""The gateway as a web server: `Gateway` takes requests, counts them, and answers with responses or failures.

It is aiohttp's low-level server, with one handler in place of an application: resources, middlewares and signals of an
application cost a third of what the server does for a request, and a gateway has use for none of them.

Contract: a caller's request is a task that ends when the caller leaves. `Gateway.drain` refuses new requests and lets
those under way end. Nothing of a request is logged.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Any, Self

import attrs
from aiohttp import web

from gradient_async._io.http.read_memory import keep_read_memory
from gradient_async.gateway.access import AccessPolicy
from gradient_async.gateway.failures import build_failure
from gradient_async.gateway.forwarded_call import MAX_BODY_BYTES, ForwardedCall, logger
from gradient_async.gateway.own_pages import OwnPages
from gradient_async.gateway.relay import build_failure_response
from gradient_async.gateway.routes import ALLOW, Route, explain_missing, find_route
from gradient_async.gateway.statistics import Statistics
from gradient_async.gateway.upstream import Upstream
from gradient_async.session import AsyncSession

if TYPE_CHECKING:
    from aiohttp.abc import AbstractStreamWriter
    from aiohttp.http_parser import RawRequestMessage
    from aiohttp.web_protocol import RequestHandler

_CLOSE_SECONDS = 0.05
"""Seconds that aiohttp leaves to requests before it cancels them; it takes 0 for no limit."""
_MAX_ROUTES = 256
_PASSWORD_PROMPT = ("WWW-Authenticate", 'Basic realm="gradient-async", charset="UTF-8"')

_find_route = lru_cache(_MAX_ROUTES)(find_route)


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
    _pages: OwnPages = attrs.field(init=False)
    _upstream: Upstream = attrs.field(init=False)
    _runner: web.ServerRunner | None = attrs.field(default=None, init=False)
    _ended: asyncio.Event = attrs.field(factory=asyncio.Event, init=False)

    def __attrs_post_init__(self) -> None:
        self._pages = OwnPages(self.statistics, self._session.limits)
        self._upstream = Upstream(self._session)

    async def listen(self, host: str, port: int) -> str:
        """Listen on *host* and *port*, 0 for a free one, and return the address.

        Raises:
            OSError: The port is in use, or the host is not one of this machine.
        """
        keep_read_memory()
        server = web.Server(
            self._respond,
            request_factory=partial(_wrap_message, asyncio.get_running_loop()),
            handler_cancellation=True,
            access_log=None,
            logger=logger,
        )
        runner = self._runner = web.ServerRunner(server, shutdown_timeout=_CLOSE_SECONDS)
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

    async def _respond(self, caller: web.BaseRequest) -> web.StreamResponse:
        """Return the response to any request."""
        method, path = caller.method, caller.raw_path
        if (refusal := self._access.find_refusal(caller.headers)) is not None:
            return _refuse(*refusal)
        route = _find_route(method, path)
        if route is not None:
            return await self._forward(caller, route)
        page = self._pages.show_page(method, path.partition("?")[0], draining=self.draining)
        if page is not None:  # aiohttp's older responses are false, as mappings without a key
            return page
        status, sentence = explain_missing(path)
        return build_failure_response(build_failure(status, sentence, [ALLOW] if status == 405 else []))

    async def _forward(self, caller: web.BaseRequest, route: Route) -> web.StreamResponse:
        if self.draining:
            return _refuse_while_draining()
        clock = asyncio.get_running_loop().time
        call = ForwardedCall(self._upstream, route, clock())
        self.statistics.begin_request(call.started_at)
        try:
            return await call.answer(caller)
        finally:
            now = clock()
            self.statistics.end_request(now, call.describe(now))
            self._ended.set()


def _wrap_message(
    loop: asyncio.AbstractEventLoop,
    message: RawRequestMessage,
    payload: Any,  # aiohttp's StreamReader, which its stubs do not export
    protocol: RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """Return aiohttp's request object, with the gateway's limit for bodies."""
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=MAX_BODY_BYTES)


def _refuse(status: int, reason: str) -> web.Response:
    """Return the response to a caller without access."""
    return build_failure_response(build_failure(status, reason, [_PASSWORD_PROMPT] if status == 401 else []))


def _refuse_while_draining() -> web.Response:
    """Return the response to a request that comes after the gateway was told to stop."""
    response = build_failure_response(
        build_failure(503, "The gateway is stopping and takes no new requests.", [("Retry-After", "1")])
    )
    response.force_close()
    return response
