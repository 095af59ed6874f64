"""Connections: taken out of aiohttp's pool only if nothing can go wrong with them, and timed by phase.

Before a pooled connection carries another request it is asked, without waiting, whether anything is to be read from it.
An idle connection on which something arrived, or which was closed, is discarded: aiohttp would parse what arrived as
the response to the next request, and shift all later ones by one. What arrived stands in one of three places:

    in the socket             the event loop has not read it yet, as after a pause of the program
    in the parser             the beginning of a response; aiohttp forgets it when it sets the next parser
    in the protocol           a whole response; aiohttp notices that itself

aiohttp's session writes a body in a task of its own, a turn of the loop later, in which more may arrive. Until then the
connection reads nothing, and it is asked once more at the first write.

The same holds for the pool of a session that the caller handed in, whose connector is wrapped by `CheckingConnector`.

Contract: the caller sets `current_attempt` in its context before it connects; an attempt sends once. Of aiohttp's
private names, this module uses `_create_connection`, which subclasses of its connector override, `_factory` of its
protocols, `_release_waiter`, which wakes the next waiter in its queue, and `_parser` and `_payload` of a protocol.
"""

from __future__ import annotations

import asyncio
import select
from collections.abc import Awaitable, Callable, Iterable
from contextvars import ContextVar
from functools import partial
from typing import Any

import aiohttp
from aiohttp import ClientRequest
from aiohttp.client_proto import ResponseHandler
from aiohttp.connector import Connection

from gradient_async._io.http.attempt_timer import AttemptTimer

current_attempt: ContextVar[AttemptTimer] = ContextVar("gradient_async_attempt")
_POLL = getattr(select, "poll", None)
"""None on Windows, where ``select`` takes any number of sockets, and sockets of any number."""


class WatchedProtocol(ResponseHandler):
    """A connection that ends the response body being read from it when it ends itself.

    aiohttp leaves that to its HTTP parser. The C parser reports nothing if it cannot parse the body, so that a reader
    would wait until its time limit, and neither parser tells a reset from the end of a body without a length.

    Attributes:
        poll_input: Tells whether anything is to be read from the connection; None until it is first asked.
    """

    poll_input: Callable[[], object] | None = None

    def set_exception(self, exc: BaseException, *cause: BaseException) -> None:
        """Fail the connection, as aiohttp does whenever it is lost or not understood, and its unfinished body."""
        super().set_exception(exc, *cause)
        body = self._payload
        if body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("The connection ended before the body did."))

    def connection_lost(self, exc: BaseException | None) -> None:
        """Fail the body after a reset, even if the end of the connection could be its end."""
        body = self._payload
        if exc is not None and body is not None and not body.is_eof() and body.exception() is None:
            body.set_exception(aiohttp.ClientPayloadError("The connection was reset."))
        super().connection_lost(exc)


class TimingConnector(aiohttp.TCPConnector):
    """A connection pool that records the phases of the current attempt on its `AttemptTimer`.

    aiohttp's own tracing reports the same and costs a fifth of a request.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        # A class that is assigned to the protocol later would make every access to its attributes slower.
        self._factory = partial(WatchedProtocol, loop=self._loop)  # type: ignore[assignment]  # of a subclass

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        timer = current_attempt.get()
        _require_unsent(timer)
        connection = await self.acquire_connection(req, traces, timeout)
        _hold_reused(connection, timer)
        timer.mark_sent(timer.deadline_timer.time())  # nothing is awaited between here and the first byte written
        return connection

    async def acquire_connection(
        self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> Connection:
        """Return a pooled connection that can carry a request, or else a new one."""
        timer = current_attempt.get()
        try:
            connection = await super().connect(req, traces, timeout)
            while timer.connect_started_at is None and (timer.require_new_connection or not is_idle(connection)):
                connection.close()
                connection = await super().connect(req, traces, timeout)
        except asyncio.CancelledError:
            self._release_waiter()  # a waiter cancelled at its turn would otherwise keep the slot from those behind it
            raise
        return connection

    async def _create_connection(self, *args: Any, **kwargs: Any) -> ResponseHandler:
        timer = current_attempt.get()
        timer.start_connect(timer.deadline_timer.time())
        protocol = await super()._create_connection(*args, **kwargs)
        timer.finish_connect(timer.deadline_timer.time())
        _watch(protocol)
        return protocol


class CheckingConnector:
    """The connector of a caller's session: the same pool, with the checks and the timing of `TimingConnector`.

    It stands for the connector in a copy of the session, so that the caller's own requests are not affected.
    """

    def __init__(self, connector: aiohttp.BaseConnector) -> None:
        self._connector = connector

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connector, name)

    async def connect(self, req: ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout) -> Connection:
        """Return a connection on which nothing is waiting, and mark the current attempt as sent."""
        timer = current_attempt.get()
        _require_unsent(timer)
        traces = [*traces, _PhaseTrace(timer)]
        connection = await self._connector.connect(req, traces, timeout)
        while timer.connect_started_at is None and (timer.require_new_connection or not is_idle(connection)):
            connection.close()
            connection = await self._connector.connect(req, traces, timeout)
        if connection.protocol is not None:
            _watch(connection.protocol)
        _hold_reused(connection, timer)
        timer.mark_sent(timer.deadline_timer.time())
        return connection


class _PhaseTrace:
    """Receives the trace events of a connector, and records the connecting on the attempt's timer."""

    def __init__(self, timer: AttemptTimer) -> None:
        self._timer = timer

    async def send_connection_create_start(self) -> None:
        """Record that a new connection is being opened."""
        self._timer.start_connect(self._timer.deadline_timer.time())

    async def send_connection_create_end(self) -> None:
        """Record that the new connection is open."""
        self._timer.finish_connect(self._timer.deadline_timer.time())

    def __getattr__(self, name: str) -> Callable[..., Awaitable[None]]:
        return _ignore_event


async def _ignore_event(*_: object) -> None:
    """Ignore an event of a connector."""


class _HeldTransport:
    """Stands for the transport of a reused connection until the first write: nothing is read, and it is asked again."""

    def __init__(self, protocol: ResponseHandler, transport: asyncio.Transport, timer: AttemptTimer) -> None:
        self._protocol, self._transport, self._timer = protocol, transport, timer

    def write(self, data: bytes) -> None:
        """Write *data* if still nothing has arrived."""
        self._release().write(data)

    def writelines(self, chunks: Iterable[bytes]) -> None:
        """Write *chunks* if still nothing has arrived."""
        self._release().writelines(chunks)

    def _release(self) -> asyncio.Transport:
        """Return the transport, which is in its place again and reads.

        Raises:
            aiohttp.ClientConnectionResetError: Something has arrived. The connection is closed, nothing is written.
        """
        if isinstance(self._protocol.transport, _HeldTransport):  # None after the loss of the connection
            self._protocol.transport = self._transport
        if _build_input_poll(self._transport)():
            self._timer.sent = False
            self._transport.abort()
            raise aiohttp.ClientConnectionResetError("Something arrived on an idle connection.")
        self._transport.resume_reading()
        return self._transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)


def _hold_reused(connection: Connection, timer: AttemptTimer) -> None:
    """Let *connection* read nothing before the request is written, unless it is new."""
    protocol = connection.protocol
    if timer.connect_started_at is None and protocol is not None and protocol.transport is not None:
        transport = protocol.transport
        if transport.is_reading():
            transport.pause_reading()
            protocol.transport = _HeldTransport(protocol, transport, timer)  # type: ignore[assignment]  # until a write


def _require_unsent(timer: AttemptTimer) -> None:
    """Refuse to send a request twice in one attempt, as aiohttp does to a GET after a lost connection.

    Raises:
        aiohttp.ServerDisconnectedError: The attempt has sent its request: a retry is for the retry policy to decide.
    """
    if timer.sent:
        raise aiohttp.ServerDisconnectedError


def is_idle(connection: Connection) -> bool:
    """Whether a pooled connection is open, with nothing to be read from it. Never waits; about 1 us."""
    protocol = connection.protocol
    transport = None if protocol is None else protocol.transport
    if protocol is None or transport is None or transport.is_closing():
        return False
    if protocol.should_close or _has_begun_response(protocol._parser):
        return False
    if type(protocol) is not WatchedProtocol:
        return not _build_input_poll(transport)()
    if protocol.poll_input is None:
        protocol.poll_input = _build_input_poll(transport)
    return not protocol.poll_input()


def _build_input_poll(transport: asyncio.Transport) -> Callable[[], object]:
    """Return a function that tells, without waiting, whether anything is to be read from *transport*.

    Hot: building it takes longer than calling it, so that a connection keeps it.
    """
    tls, poll_socket = transport.get_extra_info("ssl_object"), _build_socket_poll(transport.get_extra_info("socket"))
    return poll_socket if tls is None else lambda: tls.pending() or poll_socket()


def _build_socket_poll(socket: Any) -> Callable[[], object]:
    if socket is None:
        return lambda: False
    if (fd := socket.fileno()) < 0:
        return lambda: True  # closed
    if _POLL is None:
        return lambda: select.select([fd], [], [], 0)[0]
    poll = _POLL()
    poll.register(fd, select.POLLIN)
    return partial(poll.poll, 0)


def _has_begun_response(parser: Any) -> bool:
    """Whether the parser of the last response holds the beginning of another one. It is not used again."""
    if parser is None:
        return False
    if hasattr(parser, "_lines") and (parser._lines or parser._tail):  # of the parser in Python
        return True
    try:
        return parser.feed_eof() is not None
    except Exception:  # noqa: BLE001 - what it was fed is no response
        return True


def _watch(protocol: ResponseHandler) -> None:
    """Make *protocol* a `WatchedProtocol`, which has the same layout. Other subclasses are left alone."""
    if type(protocol) is ResponseHandler:
        protocol.__class__ = WatchedProtocol
