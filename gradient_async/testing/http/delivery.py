"""The delivery of one response on its socket, with its faults.

Contract: makes no decision about the content. Each piece is one write followed by a turn of the loop, so that a client
in the same loop sees the events one by one. The record of the request is updated as bytes are sent.
Source: RFC 9112 section 7.1 (chunked bodies) and appendix C.2.2 (connections of HTTP/1.0), WHATWG server-sent events.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing

import attrs
from aiohttp import ClientError, HttpVersion11, web

from gradient_async.testing.http.server import Connection
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import SSE, Response
from gradient_async.testing.scripting.faults import (
    BEFORE_HEADERS,
    ChunkSplitter,
    CloseConnection,
    FaultPlan,
    ResetConnection,
    Send,
    Step,
    Wait,
)

_LOOP_TURNS_PER_WRITE = 4
"""Turns of the loop after each write of a split body: enough for a reader in the same loop to wake up and read it."""


@attrs.define(kw_only=True)
class Delivery:
    """Sends one response.

    Attributes:
        http: The request as aiohttp has it.
        connection: The connection of the request.
        record: The record of the request.
        response: The response to send.
        plan: The faults of the response.
        headers: Further headers; those of *response* win.
        token_delay: Seconds between two pieces, if *response* does not set them.
    """

    http: web.BaseRequest
    connection: Connection
    record: RecordedRequest
    response: Response
    plan: FaultPlan
    headers: Mapping[str, str]
    token_delay: float = 0.0
    _http_response: web.StreamResponse = attrs.field(init=False)
    _splitter: ChunkSplitter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._http_response = web.StreamResponse(status=self.response.status, headers=dict(self.headers))
        self._http_response.headers.update(self.response.headers)
        self._splitter = ChunkSplitter(self.response.split)

    async def deliver_response(self) -> web.StreamResponse:
        """Send the response with its faults; return aiohttp's response object, which may be unfinished."""
        try:
            await self._send_response()
        except ConnectionError:
            self.record.disconnected = not self.connection.aborted
            return self._http_response
        except ClientError:  # the upstream broke off: break the connection to its client too
            _end_connection(self.http.transport, ResetConnection())
            return self._http_response
        except asyncio.CancelledError:
            self.record.disconnected = self.http.transport is None and not self.connection.aborted
            raise
        finally:
            self.response.close()
        self.record.finished = True
        return self._http_response

    async def _send_response(self) -> None:
        await asyncio.sleep(self.response.delay)
        if not await self._perform_steps(self.plan.steps_at(BEFORE_HEADERS, b"")):
            return
        await self._send_headers()
        if self.http.method != "HEAD":
            await self._send_body()
        if not self._is_closing:
            await self._http_response.write_eof()

    async def _send_body(self) -> None:
        if await self._send_pieces() and await self._perform_steps(self.plan.steps_at_end(self.record.chunks_sent)):
            await self._write_all(self._splitter.flush())

    async def _send_headers(self) -> None:
        if self.response.content_type:
            self._http_response.headers.setdefault("Content-Type", self.response.content_type)
        if self._http_response.headers.get("Content-Type") == SSE:
            self._http_response.headers.setdefault("X-Accel-Buffering", "no")  # else nginx may hold a stream back
        body = self.response.body
        if body is None or self.plan.faults or self.response.split:
            self._leave_length_open()
        else:
            self._http_response.content_length = len(body)
        self.record.status = self.response.status
        await self._http_response.prepare(self.http)

    def _leave_length_open(self) -> None:
        """Send the body in chunks; for HTTP/1.0 close the connection behind it, even if the client wants to keep it."""
        if self.http.version >= HttpVersion11:
            self._http_response.enable_chunked_encoding()
        else:
            self._http_response.force_close()

    async def _send_pieces(self) -> bool:
        pause = self.token_delay if self.response.token_delay is None else self.response.token_delay
        async with aclosing(_iterate_pieces(self.response.pieces)) as pieces:
            async for piece in pieces:
                if not await self._perform_steps(self.plan.steps_at(self.record.chunks_sent, piece)):
                    return False
                if pause and self.record.chunks_sent:
                    await self._perform_steps([Wait(pause)])
                await self._write_all(self._splitter.feed(piece))
                self.record.chunks_sent += 1
        return True

    async def _perform_steps(self, steps: Iterable[Step]) -> bool:
        """Perform *steps*; return False if one of them ended the response."""
        for step in steps:
            await self._write_all(self._splitter.flush())
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Send):
                await self._write_all([step.data])
            else:
                _end_connection(self.http.transport, step)
                return False
        return True

    async def _write_all(self, writes: Iterable[bytes]) -> None:
        for data in writes:
            await self._http_response.write(data)
            self.record.bytes_sent += len(data)
            for _ in range(_LOOP_TURNS_PER_WRITE if self.response.split else 1):
                await asyncio.sleep(0)

    @property
    def _is_closing(self) -> bool:
        return self.http.transport is None or self.http.transport.is_closing()


def _end_connection(transport: asyncio.Transport | None, step: Step) -> None:
    if transport is None:
        return
    if isinstance(step, ResetConnection):  # with a linger time of zero the kernel sends a RST in place of a FIN
        linger = struct.pack("ii", 1, 0)
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        transport.abort()
    elif isinstance(step, CloseConnection):
        transport.close()


async def _iterate_pieces(pieces: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    if isinstance(pieces, AsyncIterable):
        async for piece in pieces:
            yield piece
        return
    for piece in pieces:
        yield piece
