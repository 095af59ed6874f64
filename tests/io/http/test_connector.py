"""Connections are reused only if nothing waits on them, in the session's own pool and in that of a caller."""

import asyncio
import socket
import ssl
import struct
import threading
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp.connector import Connection

from gradient_async import APIConnectionError, AsyncSession, RetryPolicy
from gradient_async._io.http.connector import is_idle
from gradient_async._io.http.fast_post import MAX_BODY_BYTES
from tests.support.thread_server import receive_request, run_thread_server
from tests.support.tls import make_contexts
from tests.support.waiting import HANG_SECONDS

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
LONG: Any = {"model": "m", "messages": [{"role": "user", "content": "x" * (2 * MAX_BODY_BYTES)}]}
ONCE = RetryPolicy(attempts=1)
PAUSE = 0.02


def http_response(text: str) -> bytes:
    body = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "%b"}}]}' % text.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


UNSOLICITED = http_response("unsolicited")


def end_connection(connection: socket.socket) -> None:
    connection.shutdown(socket.SHUT_RDWR)


def reset_connection(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


AFTER_A_RESPONSE: dict[str, Callable[[socket.socket], object]] = {
    "a response": lambda connection: connection.sendall(UNSOLICITED),
    "two responses": lambda connection: connection.sendall(2 * UNSOLICITED),
    "the first byte": lambda connection: connection.sendall(UNSOLICITED[:1]),
    "half a status line": lambda connection: connection.sendall(UNSOLICITED[:11]),
    "half a head": lambda connection: connection.sendall(UNSOLICITED[:40]),
    "half a body": lambda connection: connection.sendall(UNSOLICITED[:-9]),
    "100 Continue": lambda connection: connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n"),
    "noise": lambda connection: connection.sendall(b"\x00\x15\x03"),
    "an end": end_connection,
    "a reset": reset_connection,
}


@asynccontextmanager
async def open_session(address: str, *, own_pool: bool, **options: Any) -> AsyncIterator[AsyncSession]:
    """Open a session without retries and limits, over its own pool or over that of a caller."""
    async with aiohttp.ClientSession() as client_session:
        pool = {} if own_pool else {"client_session": client_session}
        options = {"retry": ONCE, "limits": None, **pool, **options}
        async with AsyncSession("test", base_url=f"http://{address}", **options) as session:
            yield session


@asynccontextmanager
async def open_tls_session(address: str, tls: ssl.SSLContext) -> AsyncIterator[AsyncSession]:
    """Open a session over the pool of a caller that trusts the server's own certificate."""
    async with (
        aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=tls)) as client_session,
        AsyncSession(
            "test", base_url=f"https://{address}", retry=ONCE, limits=None, client_session=client_session
        ) as session,
    ):
        yield session


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
@pytest.mark.parametrize("params", [HI, LONG], ids=["short", "long"])
@pytest.mark.parametrize("is_busy", [True, False], ids=["busy loop", "idle loop"])
@pytest.mark.parametrize("what", AFTER_A_RESPONSE)
async def test_a_connection_on_which_something_waits_is_not_used(
    what: str, params: Any, *, is_busy: bool, own_pool: bool
) -> None:
    received, happened = threading.Event(), threading.Event()

    def serve(connection: socket.socket) -> None:
        while receive_request(connection):
            connection.sendall(http_response("solicited"))
            received.wait(HANG_SECONDS)
            received.clear()
            AFTER_A_RESPONSE[what](connection)
            happened.set()

    with run_thread_server(serve) as address:
        async with open_session(address, own_pool=own_pool) as session:
            for _ in range(4):
                happened.clear()
                assert (await session.chat.completions.create(**params)).text == "solicited"
                received.set()
                if is_busy:
                    assert happened.wait(HANG_SECONDS)  # the loop does not run, so that it reads nothing
                    time.sleep(PAUSE)  # noqa: ASYNC251 - see above
                else:
                    await asyncio.to_thread(happened.wait, HANG_SECONDS)
                    await asyncio.sleep(PAUSE)


def send_unsolicited(happened: threading.Event, connection: socket.socket) -> None:
    """Serve a connection; after each response, send another one and set *happened*."""
    while receive_request(connection):
        connection.sendall(http_response("solicited"))
        time.sleep(0.001)
        connection.sendall(UNSOLICITED)
        happened.set()


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
async def test_no_call_gets_a_late_response_to_another(*, own_pool: bool) -> None:
    """The program works between the calls, while the server sends what nobody asked for."""
    happened = threading.Event()

    with run_thread_server(partial(send_unsolicited, happened)) as address:
        async with open_session(address, own_pool=own_pool) as session:
            texts = []
            for _ in range(100):
                happened.clear()
                texts.append((await session.chat.completions.create(**HI)).text)
                assert happened.wait(HANG_SECONDS)
    assert set(texts) == {"solicited"}


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
@pytest.mark.parametrize("attempts", [1, 2])
async def test_what_arrives_after_the_look_at_a_connection_is_no_response(
    monkeypatch: pytest.MonkeyPatch, attempts: int, *, own_pool: bool
) -> None:
    """aiohttp writes a long body a turn of the loop after the connection was asked."""
    asked, arrived, bodies = threading.Event(), threading.Event(), []

    def serve(connection: socket.socket) -> None:
        while receive_request(connection):
            bodies.append(connection)
            connection.sendall(http_response("solicited"))
            if asked.wait(HANG_SECONDS) and not arrived.is_set():
                connection.sendall(UNSOLICITED)
                time.sleep(PAUSE)
                arrived.set()

    def ask_first(connection: Connection) -> bool:
        found = is_idle(connection)
        asked.set()
        assert arrived.wait(HANG_SECONDS)
        return found

    with run_thread_server(serve) as address:
        retry = RetryPolicy(attempts=attempts, first=0.001)
        async with open_session(address, own_pool=own_pool, retry=retry) as session:
            assert (await session.chat.completions.create(**LONG)).text == "solicited"
            monkeypatch.setattr("gradient_async._io.http.connector.is_idle", ask_first)
            if attempts == 1:
                with pytest.raises(APIConnectionError) as caught:
                    await session.chat.completions.create(**LONG)
                assert not caught.value.maybe_sent
                assert len(bodies) == 1
            else:
                assert (await session.chat.completions.create(**LONG)).text == "solicited"
                assert len(bodies) == 2


async def test_a_tls_connection_on_which_something_waits_is_not_used(tmp_path: Path) -> None:
    server_tls, client_tls = await asyncio.to_thread(make_contexts, tmp_path)
    happened = threading.Event()

    with run_thread_server(partial(send_unsolicited, happened), server_tls) as address:
        async with open_tls_session(address, client_tls) as session:
            for _ in range(5):
                happened.clear()
                assert (await session.chat.completions.create(**HI)).text == "solicited"
                assert happened.wait(HANG_SECONDS)
                time.sleep(PAUSE)  # noqa: ASYNC251 - the loop does not run, so that it reads nothing


async def test_an_idle_tls_connection_is_reused(tmp_path: Path) -> None:
    server_tls, client_tls = await asyncio.to_thread(make_contexts, tmp_path)
    connections = 0

    def serve(connection: socket.socket) -> None:
        nonlocal connections
        connections += 1
        while receive_request(connection):
            connection.sendall(http_response("solicited"))

    with run_thread_server(serve, server_tls) as address:
        async with open_tls_session(address, client_tls) as session:
            for _ in range(5):
                await session.chat.completions.create(**HI)
                await asyncio.sleep(PAUSE)
    assert connections == 1


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
async def test_stray_line_ends_after_a_response_do_no_harm(*, own_pool: bool) -> None:
    def serve(connection: socket.socket) -> None:
        while receive_request(connection):
            connection.sendall(http_response("solicited") + b"\r\n")

    with run_thread_server(serve) as address:
        async with open_session(address, own_pool=own_pool) as session:
            for _ in range(3):
                assert (await session.chat.completions.create(**HI)).text == "solicited"
                await asyncio.sleep(PAUSE)


# Servers that close after each response without saying so.


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
async def test_a_server_that_closes_unannounced_is_called_each_time_over_a_new_connection(*, own_pool: bool) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"}")
        requests += 1
        writer.write(http_response("fine"))
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    async with server, open_session("127.0.0.1:{1}".format(*server.sockets[0].getsockname()), own_pool=own_pool) as s:
        for _ in range(20):
            assert (await s.chat.completions.create(**HI)).text == "fine"
    assert requests == 20


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
async def test_a_server_that_closes_later_than_the_next_request_costs_one_call(*, own_pool: bool) -> None:
    def serve(connection: socket.socket) -> None:
        receive_request(connection)
        connection.sendall(http_response("fine"))
        connection.recv(1)  # the beginning of the next request, which is lost

    failures = []
    with run_thread_server(serve) as address:
        async with open_session(address, own_pool=own_pool) as session:
            for number in range(10):
                try:
                    await session.chat.completions.create(**HI)
                except APIConnectionError as error:
                    failures.append((number, error.maybe_sent))
    assert failures == [(1, True)]


# The settings of a caller's session.


async def test_a_get_over_a_callers_session_is_sent_once_in_each_attempt() -> None:
    requests = 0

    def serve(connection: socket.socket) -> None:
        nonlocal requests
        while receive_request(connection):
            requests += 1
            if requests > 1:
                return
            connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n{"data":[]}')

    with run_thread_server(serve) as address:
        async with open_session(address, own_pool=False) as session:
            await session.models.list()
            with pytest.raises(APIConnectionError):
                await session.models.list()
    assert requests == 2
