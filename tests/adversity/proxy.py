"""A TCP proxy between a client and a server that breaks the connections through it as planned.

Contract: blocks are passed on as they arrive, unchanged, until the fault of the connection's plan. Works on plain
sockets, so that it can reset, close one direction, and look whether a request is on its way.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections import Counter
from collections.abc import Callable, Coroutine
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import attrs

from tests.adversity.faults import ANSWERS, FORGED_ANSWER, Action, ConnectionPlan, Fault, Moment

BLOCK_BYTES = 65_536
_GARBAGE = bytes(range(256))
_RESET_AT_CLOSE = struct.pack("ii", 1, 0)
_DRIP_PAUSES = 40
"""Pieces of a block with a pause; the others follow without, so that a long response does not take seconds."""


@attrs.define(eq=False)
class FaultyProxy:
    """A running proxy; an async context manager.

    Attributes:
        upstream: The address to pass everything on to, as ``http://host:port``.
        next_plan: Returns the plan of the next connection.
        open_count: The number of open connections.
        struck: How often each fault came about.
    """

    upstream: str
    next_plan: Callable[[], ConnectionPlan]
    open_count: int = 0
    struck: Counter[str] = attrs.field(factory=Counter)
    _listener: socket.socket = attrs.field(init=False)
    _tasks: set[asyncio.Task[None]] = attrs.field(factory=set, init=False)

    async def __aenter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=100)
        self._listener.setblocking(False)
        self._start(self._accept())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._listener.close()

    @property
    def url(self) -> str:
        """The address of the proxy."""
        return "http://{}:{}".format(*self._listener.getsockname())

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _accept(self) -> None:
        while True:
            client, _ = await asyncio.get_running_loop().sock_accept(self._listener)
            plan = self.next_plan()
            self._start(self._serve(client, plan))
            self.struck["slow accept"] += plan.accept_delay > 0
            await asyncio.sleep(plan.accept_delay)

    async def _serve(self, client: socket.socket, plan: ConnectionPlan) -> None:
        self.open_count += 1
        try:
            with contextlib.closing(client), socket.socket() as server:
                for each in (client, server):
                    each.setblocking(False)
                    each.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                await _Link(client, server, plan, self.struck).run(urlsplit(self.upstream).netloc)
        finally:
            self.open_count -= 1


class _BrokenError(Exception):
    """The connection has met its fault and is to be closed."""


@attrs.define(eq=False)
class _Link:
    """A client's connection, and the one to the server that carries it on.

    Attributes:
        under_way: Whether a request has begun whose response is not complete.
        response: The bytes of the response so far.
        requests: The number of requests that have begun.
        sent: The number of response bytes that were passed on.
        silent: Whether nothing more is passed on to the client.
    """

    client: socket.socket
    server: socket.socket
    plan: ConnectionPlan
    struck: Counter[str]
    under_way: bool = False
    response: bytes = b""
    requests: int = 0
    sent: int = 0
    silent: bool = False

    async def run(self, upstream: str) -> None:
        """Pass everything on until one side closes, or the fault of the plan does."""
        host, _, port = upstream.partition(":")
        if self.plan.latency:
            self.struck["latency"] += 1
        try:
            await asyncio.sleep(self.plan.accept_delay)
            await self._strike("accept")
            await asyncio.get_running_loop().sock_connect(self.server, (host, int(port)))
        except (_BrokenError, OSError):
            return
        await run_until_first_end(self._pass_requests(), self._pass_responses())

    async def _pass_requests(self) -> None:
        while block := await receive(self.client):
            begins = not self.under_way
            if begins:
                self.under_way, self.requests = True, self.requests + 1
            await asyncio.sleep(self.plan.latency)
            if begins:
                await self._strike("request", self.requests)
            if not self.silent:
                await asyncio.get_running_loop().sock_sendall(self.server, block)

    async def _pass_responses(self) -> None:
        while block := await receive(self.server):
            await asyncio.sleep(self.plan.latency)
            for number, piece in enumerate(split_block(block, self.plan.drip)):
                if self.plan.drip is not None and number < _DRIP_PAUSES:
                    self.struck["drip"] += not number
                    await asyncio.sleep(0.0005)
                if not self.silent:
                    await self._pass_piece(piece)

    async def _pass_piece(self, piece: bytes) -> None:
        fault = self.plan.fault
        if fault is not None and fault.moment == "response" and self.sent + len(piece) > fault.number:
            await self._send(piece[: fault.number - self.sent])
            await self._strike("response", fault.number)
            return
        self.response += piece
        if not is_complete(self.response):
            await self._send(piece)
            return
        response, self.response, self.under_way = self.response, b"", False
        fault = self._find_idle_fault()
        if fault is None:
            await self._send(piece)
        elif fault.action in ANSWERS and not fault.seconds:
            self.struck[fault.action] += 1
            await self._send(piece + build_unsolicited(fault.action, response))
        else:
            await self._send(piece)
            await self._strike_idle(fault, response)

    async def _send(self, data: bytes) -> None:
        self.sent += len(data)
        await asyncio.get_running_loop().sock_sendall(self.client, data)

    def _find_idle_fault(self) -> Fault | None:
        """Return the fault that is due after the response that is complete now."""
        fault = self.plan.fault
        return fault if fault is not None and (fault.moment, fault.number) == ("idle", self.requests) else None

    async def _strike_idle(self, fault: Fault, response: bytes) -> None:
        """Break the connection between two requests, unless the next one has begun by then."""
        await asyncio.sleep(fault.seconds)
        if self.requests != fault.number or has_input(self.client):
            return
        if fault.action in ANSWERS:
            self.struck[f"late {fault.action}"] += 1
            await self._send(build_unsolicited(fault.action, response))
        else:
            await self._strike("idle", fault.number)

    async def _strike(self, moment: Moment, number: int = 1) -> None:
        """Do what the plan has for *moment*; raises `_BrokenError` if that ends the connection."""
        fault = self.plan.fault
        if fault is None or (fault.moment, fault.number) != (moment, number):
            return
        self.struck[name_fault(fault)] += 1
        if fault.action == "garbage":
            await self._send(_GARBAGE)
        if fault.action == "reset":
            self.client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_AT_CLOSE)
        if fault.action == "half close":
            self.client.shutdown(socket.SHUT_WR)
        if fault.action in ("half close", "black hole"):
            self.silent = True
        else:
            raise _BrokenError


async def run_until_first_end(*work: Coroutine[Any, Any, None]) -> None:
    """Run all of *work* until one ends or a connection breaks, and cancel the others."""
    tasks = [asyncio.ensure_future(each) for each in work]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception) and not isinstance(result, _BrokenError | OSError):
                raise result


def name_fault(fault: Fault) -> str:
    """Return the name of *fault* in the figures."""
    if fault.moment == "idle" or (fault.moment == "request" and fault.number > 1):
        return f"stale keep-alive, {fault.action}"
    return f"{fault.action} at {fault.moment}" if fault.moment != "response" else f"{fault.action} in a response"


def build_unsolicited(action: Action, response: bytes) -> bytes:
    """Return what is sent after a complete *response* although nobody asked for it."""
    return {"doubled answer": response, "forged answer": FORGED_ANSWER, "garbage": _GARBAGE}[action]


def split_block(block: bytes, size: int | None) -> list[bytes]:
    """Return *block* in pieces of at most *size* bytes."""
    if size is None:
        return [block]
    return [block[start : start + size] for start in range(0, len(block), size)]


def is_complete(response: bytes) -> bool:
    """Whether *response* holds a whole response, with a length or in chunks."""
    head, separator, body = response.partition(b"\r\n\r\n")
    fields = head.lower()
    if b"transfer-encoding: chunked" in fields:
        return body.endswith(b"0\r\n\r\n") and (body == b"0\r\n\r\n" or body.endswith(b"\r\n0\r\n\r\n"))
    length = fields.partition(b"content-length: ")[2].partition(b"\r\n")[0]
    return bool(separator) and len(body) >= int(length or 0)


async def receive(connection: socket.socket) -> bytes:
    """Return the next bytes of *connection*, ``b""`` at its end.

    They stay in the kernel until the caller goes on, so that `has_input` sees them up to then.
    """
    while True:
        try:
            return connection.recv(BLOCK_BYTES)
        except BlockingIOError:
            await wait_readable(connection)


async def wait_readable(connection: socket.socket) -> None:
    """Wait until there is something to receive."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(connection, readable.set)
    try:
        await readable.wait()
    finally:
        loop.remove_reader(connection)


def has_input(connection: socket.socket) -> bool:
    """Whether something has arrived on *connection*, or its end."""
    try:
        connection.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        return False
    except OSError:
        pass
    return True
