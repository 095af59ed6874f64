"""An HTTP server on one loopback port that tracks its connections.

Contract: starts and ends inside one event loop; `aclose` aborts the open connections.
Source: aiohttp's low-level server; its `handler_cancellation` cancels the handler of a client that disconnects.
"""

from __future__ import annotations

import asyncio
import ssl
import uuid
from collections.abc import Awaitable, Callable
from typing import TypeVar

import attrs
from aiohttp import HttpVersion11, StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http_parser import RawRequestMessage
from yarl import URL

from gradient_async.testing.recorded_request import RecordedRequest

_SHUTDOWN = 1.0
"""Seconds that cancelled handlers have to end; they need one turn of the loop."""
_BACKLOG = 4096
"""Connections that the kernel queues; past it, each connection of a burst would be retried after a second."""


@attrs.define(eq=False)
class Connection:
    """One TCP connection.

    Attributes:
        number: The number of the connection, counted from 1.
        served: The number of requests it has carried.
        busy: Whether a request is being handled.
        aborted: Whether the server closed it.
    """

    number: int
    served: int = 0
    busy: bool = False
    aborted: bool = False


Record = TypeVar("Record", bound=RecordedRequest)
Handler = Callable[[web.BaseRequest, Connection], Awaitable[web.StreamResponse]]


class _TrackingServer(web.Server):
    def __init__(self, handler: Handler) -> None:
        super().__init__(
            self._handle_request, request_factory=self._build_request, handler_cancellation=True, access_log=None
        )
        self.accepted = 0
        self.open_connections: dict[web.RequestHandler, Connection] = {}
        self._handler = handler

    def connection_made(self, handler: web.RequestHandler, transport: asyncio.Transport) -> None:
        super().connection_made(handler, transport)
        self.accepted += 1
        self.open_connections[handler] = Connection(self.accepted)

    def connection_lost(self, handler: web.RequestHandler, exc: BaseException | None = None) -> None:
        super().connection_lost(handler, exc)
        self.open_connections.pop(handler, None)

    async def _handle_request(self, request: web.BaseRequest) -> web.StreamResponse:
        connection = self.open_connections[request.protocol]
        connection.busy = True
        try:
            return await self._handler(request, connection)
        finally:
            connection.busy = False
            connection.served += 1

    def _build_request(
        self,
        message: RawRequestMessage,
        payload: StreamReader,
        protocol: web.RequestHandler,
        writer: AbstractStreamWriter,
        task: asyncio.Task[None],
    ) -> web.BaseRequest:
        """Build a request without a limit on the size of its body."""
        return web.BaseRequest(message, payload, protocol, writer, task, self._loop, client_max_size=0)


@attrs.define
class LocalServer:
    """A server on one port; call `start_listening`, and `aclose` at the end."""

    handler: Handler
    host: str
    port: int
    _scheme: str = attrs.field(default="http", init=False, repr=False)
    _server: _TrackingServer | None = attrs.field(default=None, init=False, repr=False)
    _listener: asyncio.Server | None = attrs.field(default=None, init=False, repr=False)

    @property
    def url(self) -> str:
        """The address, without a path."""
        if self._listener is None:
            raise RuntimeError("The emulator has no address yet; enter it with `async with` first.")
        return str(URL.build(scheme=self._scheme, host=self.host, port=self.port))

    @property
    def accepted_count(self) -> int:
        """The number of accepted connections."""
        return self._server.accepted if self._server else 0

    @property
    def open_count(self) -> int:
        """The number of open connections."""
        return len(self._server.open_connections) if self._server else 0

    async def start_listening(self, tls: ssl.SSLContext | None = None) -> None:
        """Listen on *port*, with TLS if *tls* is given; 0 is replaced by a free port."""
        self._scheme = "https" if tls else "http"
        self._server = _TrackingServer(self.handler)
        loop = asyncio.get_running_loop()
        self._listener = await loop.create_server(self._server, self.host, self.port, backlog=_BACKLOG, ssl=tls)
        self.port = self._listener.sockets[0].getsockname()[1]

    def drop_idle(self) -> None:
        """Close the connections without a request in progress."""
        for handler, connection in list(self._server.open_connections.items()) if self._server else ():
            if not connection.busy and handler.transport is not None:
                handler.transport.close()

    async def aclose(self) -> None:
        """Stop listening and abort every connection."""
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        for handler, connection in list(self._server.open_connections.items()):
            connection.aborted = True
            if handler.transport is not None:
                handler.transport.abort()
        await self._server.shutdown(_SHUTDOWN)


def send_continue(http: web.BaseRequest) -> None:
    """Send ``100 Continue`` if the client waits for it before it sends the body; HTTP/1.0 does not know it."""
    expects = http.version >= HttpVersion11 and http.headers.get("Expect", "").lower() == "100-continue"
    if expects and http.transport is not None:
        http.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")


def new_record(kind: type[Record], http: web.BaseRequest, connection: Connection, now: float) -> Record:
    """Return the record of a request that is complete at *now* in epoch seconds, without its body."""
    return kind(
        method=http.method,
        path=http.path,
        query=dict(http.query),
        headers=http.headers,
        time=now,
        request_id=str(uuid.uuid4()),
        connection=connection.number,
        reused=connection.served > 0,
    )
