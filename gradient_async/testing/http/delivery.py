"""The socket side: performs the steps of an answer on one aiohttp response, and notes how it went.

Contract: no decision about the content is made here. Each event is one write followed by a turn of the loop,
so that a client in the same loop sees events one by one.
Source: RFC 9112 section 7.1 (chunked bodies), WHATWG server-sent events.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing

import attrs
from aiohttp import ClientError, web

from gradient_async.testing.http.server import Connection
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer
from gradient_async.testing.scripting.faults import BEFORE, Cutter, HangUp, Plan, Reset, Send, Step, Wait

_TURNS_BETWEEN_CUTS = 4
"""Turns of the loop in which a reader in the same loop is woken and takes what has arrived."""


@attrs.define(kw_only=True)
class Delivery:
    """One answer on its way.

    Attributes:
        http: The request it answers.
        connection: The connection it goes out on.
        record: Where to note how it went.
        answer: What to send.
        plan: The faults.
        headers: Headers that every answer of this call carries; those of the answer win.
        token_delay: Seconds between two events, unless the answer says it.
    """

    http: web.BaseRequest
    connection: Connection
    record: RecordedRequest
    answer: Answer
    plan: Plan
    headers: Mapping[str, str]
    token_delay: float = 0.0
    _response: web.StreamResponse = attrs.field(init=False)
    _cutter: Cutter = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._response = web.StreamResponse(status=self.answer.status, headers=dict(self.headers))
        self._response.headers.update(self.answer.headers)
        self._cutter = Cutter(self.answer.split)

    async def run(self) -> web.StreamResponse:
        """Send the answer, and return the response in the state the faults left it in."""
        try:
            await self._send()
        except ConnectionError:
            self.record.disconnected = not self.connection.aborted
            return self._response
        except ClientError:  # an upstream broke off, and its client shall see that
            _end(self.http.transport, Reset())
            return self._response
        except asyncio.CancelledError:
            self.record.disconnected = self.http.transport is None and not self.connection.aborted
            raise
        finally:
            self.answer.close()
        self.record.finished = True
        return self._response

    async def _send(self) -> None:
        await asyncio.sleep(self.answer.delay)
        if not await self._perform(self.plan.at(BEFORE, b"")):
            return
        await self._begin()
        if await self._send_pieces() and await self._perform(self.plan.at_end(self.record.chunks_sent)):
            await self._write_all(self._cutter.flush())
        if not self._gone:
            await self._response.write_eof()

    async def _begin(self) -> None:
        if self.answer.content_type:
            self._response.headers.setdefault("Content-Type", self.answer.content_type)
        whole = self.answer.whole
        if whole is None or self.plan.faults or self.answer.split:
            self._response.enable_chunked_encoding()
        else:
            self._response.content_length = len(whole)
        self.record.status = self.answer.status
        await self._response.prepare(self.http)

    async def _send_pieces(self) -> bool:
        pause = self.token_delay if self.answer.token_delay is None else self.answer.token_delay
        async with aclosing(_each(self.answer.pieces)) as pieces:
            async for piece in pieces:
                if not await self._perform(self.plan.at(self.record.chunks_sent, piece)):
                    return False
                if pause and self.record.chunks_sent:
                    await self._perform([Wait(pause)])
                await self._write_all(self._cutter.feed(piece))
                self.record.chunks_sent += 1
        return True

    async def _perform(self, steps: Iterable[Step]) -> bool:
        """Perform *steps*; False if one of them ended the answer."""
        for step in steps:
            await self._write_all(self._cutter.flush())
            if isinstance(step, Wait):
                await asyncio.sleep(step.seconds)
            elif isinstance(step, Send):
                await self._write_all([step.data])
            else:
                _end(self.http.transport, step)
                return False
        return True

    async def _write_all(self, writes: Iterable[bytes]) -> None:
        for data in writes:
            await self._response.write(data)
            self.record.bytes_sent += len(data)
            for _ in range(_TURNS_BETWEEN_CUTS if self.answer.split else 1):
                await asyncio.sleep(0)

    @property
    def _gone(self) -> bool:
        return self.http.transport is None or self.http.transport.is_closing()


def _end(transport: asyncio.Transport | None, step: Step) -> None:
    if transport is None:
        return
    if isinstance(step, Reset):
        _abort(transport)
    elif isinstance(step, HangUp):
        transport.close()


def _abort(transport: asyncio.Transport) -> None:
    """Close with a RST: with a linger time of zero the kernel sends one instead of a FIN."""
    sock = transport.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


async def _each(pieces: Iterable[bytes] | AsyncIterable[bytes]) -> AsyncGenerator[bytes, None]:
    if isinstance(pieces, AsyncIterable):
        async for piece in pieces:
            yield piece
        return
    for piece in pieces:
        yield piece
