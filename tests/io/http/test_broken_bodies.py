"""A connection that ends in the middle of a response body ends its reading at once, whatever aiohttp's parser reports.

The whole module also runs with aiohttp's parser in Python, in a process of its own.
"""

import asyncio
import contextlib
import gzip
import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import aiohttp
import pytest

from gradient_async import (
    APIConnectionError,
    AsyncSession,
    GradientError,
    ProtocolError,
    RetryPolicy,
    StreamTruncatedError,
)
from tests.support.raw_server import read_request, run_raw_server
from tests.support.waiting import HANG_SECONDS

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
ONCE = RetryPolicy(attempts=1)
PYTHON_PARSER = "AIOHTTP_NO_EXTENSIONS"
CHUNK = {"id": "c", "model": "m", "choices": [{"index": 0, "delta": {"content": "Hello"}, "finish_reason": None}]}
EVENT = b"data: " + json.dumps(CHUNK).encode() + b"\n\n"
HALF_ANSWER = b'{"choices": [{"index": 0, "mess'


def head(content_type: str, framing: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\n{framing}\r\n".encode()


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


async def end(writer: asyncio.StreamWriter) -> None:
    writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    await writer.drain()
    await asyncio.sleep(0.02)  # else the reset overtakes what was written
    sock = writer.get_extra_info("socket")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


def send(data: bytes) -> Callable[[asyncio.StreamWriter], Awaitable[None]]:
    async def write(writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return write


CHUNKED, LENGTH, UNTIL_CLOSE = "Transfer-Encoding: chunked\r\n", "Content-Length: 9999\r\n", "Connection: close\r\n"
BREAKS: dict[str, tuple[str, Callable[[asyncio.StreamWriter], Awaitable[None]]]] = {
    "chunked, end": (CHUNKED, end),
    "chunked, reset": (CHUNKED, reset),
    "chunked, no chunk size": (CHUNKED, send(b"what is this?\r\n")),
    "chunked, negative chunk size": (CHUNKED, send(b"-5\r\nabc\r\n")),
    "chunked, no line end after a chunk": (CHUNKED, send(b"2\r\nabcdef\r\n")),
    "chunked, end in a chunk": (CHUNKED, lambda writer: _write_and_end(writer, b"ff\r\nabc")),
    "length, end": (LENGTH, end),
    "length, reset": (LENGTH, reset),
    "until close, reset": (UNTIL_CLOSE, reset),
}
if os.environ.get(PYTHON_PARSER) and int(aiohttp.__version__.split(".")[1]) < 14:
    del BREAKS["chunked, no line end after a chunk"]  # aiohttp's parser in Python waited there for more, until 3.14


async def _write_and_end(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def run_breaking_server(content_type: str, sent: bytes, break_off: str) -> AsyncIterator[str]:
    """Serve responses that break off after *sent*, and keep the connection open if the break does not close it."""
    framing, perform_break = BREAKS[break_off]

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head(content_type, framing) + (chunked(sent) if framing is CHUNKED else sent))
        await writer.drain()
        await asyncio.sleep(0.02)
        await perform_break(writer)
        await reader.read(-1)

    async with run_raw_server(serve) as address:
        yield f"http://{address}"


@contextlib.asynccontextmanager
async def open_session(url: str, *, own_pool: bool) -> AsyncIterator[AsyncSession]:
    async with aiohttp.ClientSession() as client_session:
        pool: dict[str, Any] = {} if own_pool else {"client_session": client_session}
        async with AsyncSession("test", base_url=url, retry=ONCE, limits=None, **pool) as session:
            yield session


@contextlib.asynccontextmanager
async def open_broken_session(
    content_type: str, sent: bytes, break_off: str, *, own_pool: bool
) -> AsyncIterator[AsyncSession]:
    """Open a session with a server whose responses break off after *sent*."""
    async with (
        asyncio.timeout(HANG_SECONDS),
        run_breaking_server(content_type, sent, break_off) as url,
        open_session(url, own_pool=own_pool) as session,
    ):
        yield session


both_pools = pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])


@both_pools
@pytest.mark.parametrize("break_off", BREAKS)
async def test_a_stream_is_truncated_at_once_and_keeps_what_arrived(break_off: str, *, own_pool: bool) -> None:
    async with open_broken_session("text/event-stream", EVENT, break_off, own_pool=own_pool) as session:
        with pytest.raises(StreamTruncatedError) as caught:
            await session.chat.completions.stream(**HI).completion()
    assert caught.value.maybe_sent
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "Hello"


@both_pools
@pytest.mark.parametrize("break_off", BREAKS)
async def test_a_slow_consumer_of_a_broken_stream_gets_what_arrived(break_off: str, *, own_pool: bool) -> None:
    async with open_broken_session("text/event-stream", EVENT + EVENT, break_off, own_pool=own_pool) as session:
        texts = []
        with pytest.raises(StreamTruncatedError):
            async with session.chat.completions.stream(**HI) as stream:
                await asyncio.sleep(0.1)  # the connection has ended before anything was read
                async for chunk in stream:
                    texts.append(chunk.text)
    assert texts == ["Hello", "Hello"]


@both_pools
@pytest.mark.parametrize("break_off", BREAKS)
async def test_a_whole_response_that_breaks_off_is_a_lost_connection(break_off: str, *, own_pool: bool) -> None:
    async with open_broken_session("application/json", HALF_ANSWER, break_off, own_pool=own_pool) as session:
        with pytest.raises(APIConnectionError, match="in the middle of") as caught:
            await session.chat.completions.create(**HI)
    assert caught.value.maybe_sent


@contextlib.asynccontextmanager
async def open_coded_session(coding: str, body: bytes, *, own_pool: bool) -> AsyncIterator[AsyncSession]:
    """Open a session with a server whose responses are *body*, with the header ``Content-Encoding: *coding*``."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        framing = f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n"
        writer.write(head("application/json", framing) + body)
        await reader.read(-1)

    async with (
        asyncio.timeout(HANG_SECONDS),
        run_raw_server(serve) as address,
        open_session(f"http://{address}", own_pool=own_pool) as session,
    ):
        yield session


DAMAGED_GZIP = gzip.compress(HALF_ANSWER * 9)[:20] + bytes(40)


@both_pools
async def test_a_damaged_compression_is_named_as_such(*, own_pool: bool) -> None:
    async with open_coded_session("gzip", DAMAGED_GZIP, own_pool=own_pool) as session:
        with pytest.raises(APIConnectionError, match="cannot be decompressed: it was damaged") as caught:
            await session.chat.completions.create(**HI)
        with pytest.raises(StreamTruncatedError, match="cannot be decompressed: it was damaged"):
            await session.chat.completions.stream(**HI).completion()
    assert caught.value.maybe_sent


@both_pools
@pytest.mark.skipif(importlib.util.find_spec("brotli") is not None, reason="aiohttp can read brotli here")
async def test_a_compression_that_cannot_be_read_is_named_as_such(*, own_pool: bool) -> None:
    async with open_coded_session("br", b"some", own_pool=own_pool) as session:
        with pytest.raises(ProtocolError, match=r"compression that nobody asked for .* brotli"):
            await session.chat.completions.create(**HI)


@both_pools
@pytest.mark.parametrize("how", ["close", "abort"])
async def test_a_transport_closed_under_a_reader_ends_the_stream(how: str, *, own_pool: bool) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(head("text/event-stream", CHUNKED) + chunked(EVENT))
        await reader.read(-1)

    async with (
        run_raw_server(serve) as address,
        open_session(f"http://{address}", own_pool=own_pool) as session,
        asyncio.timeout(HANG_SECONDS),
        session.chat.completions.stream(**HI) as stream,
    ):
        assert (await anext(stream)).text == "Hello"
        reading = asyncio.ensure_future(stream.completion())
        await asyncio.sleep(0.02)
        assert stream._reply is not None
        connection = stream._reply.exchange._response.connection
        assert connection is not None
        getattr(connection.transport, how)()
        with pytest.raises(StreamTruncatedError):
            await reading


@both_pools
async def test_no_connection_stays_acquired_after_a_broken_body(*, own_pool: bool) -> None:
    for break_off in BREAKS:
        async with open_broken_session("text/event-stream", EVENT, break_off, own_pool=own_pool) as session:
            with pytest.raises(GradientError):
                await session.chat.completions.stream(**HI).completion()
            pool = session._transport._pool or session._transport.client_session
            assert pool is not None
            assert pool.connector is not None
            assert not pool.connector._acquired


async def test_the_same_holds_with_aiohttps_parser_in_python() -> None:
    if os.environ.get(PYTHON_PARSER):
        pytest.skip("this is the process with the parser in Python")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, PYTHON_PARSER: "1"}
    run = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False, timeout=HANG_SECONDS * 4
    )
    assert run.returncode == 0, run.stdout[-3000:]
