"""An HTTP server on one loopback port that knows its connections.

Contract: starts and ends inside one event loop; `aclose` aborts whatever is still open.
Source: aiohttp's low-level server; `handler_cancellation` is what tells a handler that its client went away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import attrs
from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from yarl import URL

_SHUTDOWN = 1.0
"""Seconds that handlers have to notice that they were cancelled; they need one turn of the loop."""
_BACKLOG = 4096
"""Connections the kernel holds until they are accepted; past it, each of a sudden crowd would wait a second."""


@attrs.define(eq=False)
class Connection:
    """One TCP connection.

    Attributes:
        number: Its number, from 1.
        served: How many requests it carried.
        busy: Whether one is being answered.
        aborted: Whether it was closed from this side.
    """

    number: int
    served: int = 0
    busy: bool = False
    aborted: bool = False


Handler = Callable[[web.BaseRequest, Connection], Awaitable[web.StreamResponse]]


class _Web(web.Server):
    def __init__(self, handler: Handler) -> None:
        super().__init__(self._dispatch, request_factory=self._request, handler_cancellation=True, access_log=None)
        self.accepted = 0
        self.open: dict[web.RequestHandler, Connection] = {}
        self._handler = handler

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.accepted += 1
        self.open[handler] = Connection(self.accepted)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.open.pop(handler, None)

    async def _dispatch(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self.open[request.protocol]
        connection.busy = True
        try:
            return await self._handler(request, connection)
        finally:
            connection.busy = False
            connection.served += 1

    def _request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Build a request whose body may have any size."""
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=0)


@attrs.define
class LocalServer:
    """A server; `start` it, and `aclose` it."""

    handler: Handler
    host: str
    port: int
    _web: _Web | None = attrs.field(default=None, init=False, repr=False)
    _listener: asyncio.Server | None = attrs.field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        """The address, without a path."""
        if self._listener is None:
            raise RuntimeError("The emulator has no address yet; enter it with `async with` first.")
        return str(URL.build(scheme="http", host=self.host, port=self.port))

    @property
    def accepted(self) -> int:
        """How many connections were accepted so far."""
        return self._web.accepted if self._web else 0

    @property
    def open(self) -> int:
        """How many connections are open."""
        return len(self._web.open) if self._web else 0

    async def start(self) -> None:
        """Listen; port 0 becomes a free one."""
        self._web = _Web(self.handler)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._web, self.host, self.port, backlog=_BACKLOG)
        self.port = self._listener.sockets[0].getsockname()[1]

    def drop_idle(self) -> None:
        """Close the connections that carry no request right now."""
        for handler, connection in list(self._web.open.items()) if self._web else ():
            if not connection.busy and handler.transport is not None:
                handler.transport.close()

    async def aclose(self) -> None:
        """Stop listening and abort every connection."""
        if self._listener is None or self._web is None:
            return
        self._listener.close()
        for handler, connection in list(self._web.open.items()):
            connection.aborted = True
            if handler.transport is not None:
                handler.transport.abort()
        await self._web.shutdown(_SHUTDOWN)


def ask_for_body(http: web.BaseRequest) -> None:
    """Ask for the body with a 100, if the client waits to be asked."""
    if http.headers.get("Expect", "").lower() == "100-continue" and http.transport is not None:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
