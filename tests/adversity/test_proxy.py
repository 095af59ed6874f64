"""The proxy does to a connection what its plan says, and nothing else."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from random import Random
from urllib.parse import urlsplit

import pytest

from tests.adversity.faults import ANSWERS, ENDS, FORGED_ANSWER, Action, ConnectionPlan, Fault, Moment, draw_plan
from tests.adversity.proxy import FaultyProxy, is_complete
from tests.support.raw_server import read_request, run_raw_server
from tests.support.waiting import HANG_SECONDS, wait_until

REQUEST = b"POST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi"
RESPONSE = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"


@pytest.fixture
async def origin() -> AsyncIterator[str]:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(RESPONSE)

    async with run_raw_server(serve) as address:
        yield f"http://{address}"


async def exchange(origin: str, plan: ConnectionPlan, requests: int, expected: bytes, end: str) -> None:
    """Send so many requests; assert that *expected* comes back, and that the connection is then in the state *end*."""
    loop = asyncio.get_running_loop()
    async with FaultyProxy(origin, lambda: plan) as proxy, asyncio.timeout(HANG_SECONDS):
        address = urlsplit(proxy.url)
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.setblocking(False)
            received = b""
            for number in range(1, requests + 1):
                await loop.sock_sendall(connection, REQUEST)
                received += await receive_bytes(connection, min(number * len(RESPONSE), len(expected)) - len(received))
            received += await receive_bytes(connection, len(expected) - len(received))
            assert received == expected
            assert await find_state(connection, is_open=end == "open") == end
        await wait_until(lambda: not proxy.open_count)


async def receive_bytes(connection: socket.socket, size: int) -> bytes:
    received = b""
    while len(received) < size:
        received += await asyncio.get_running_loop().sock_recv(connection, size - len(received))
    return received


async def find_state(connection: socket.socket, *, is_open: bool) -> str:
    """Return whether the connection is closed or reset, or else open, for which nothing may come for a moment."""
    try:
        async with asyncio.timeout(0.01 if is_open else HANG_SECONDS):
            return "open with more" if await asyncio.get_running_loop().sock_recv(connection, 1) else "closed"
    except ConnectionError:
        return "reset"
    except TimeoutError:
        return "open"


OUTCOMES: dict[Action, str] = {"cut": "closed", "reset": "reset", "black hole": "open", "half close": "closed"}


@pytest.mark.parametrize("action", ENDS)
@pytest.mark.parametrize(
    ("moment", "number", "requests", "received"),
    [
        ("accept", 1, 0, b""),
        ("request", 1, 1, b""),
        ("request", 2, 2, RESPONSE),
        ("response", 0, 1, b""),
        ("response", 7, 1, RESPONSE[:7]),
        ("response", len(RESPONSE) + 3, 2, RESPONSE + RESPONSE[:3]),
        ("idle", 1, 1, RESPONSE),
    ],
)
async def test_a_fault_ends_the_connection_at_its_moment(
    origin: str, action: Action, moment: Moment, number: int, requests: int, received: bytes
) -> None:
    plan = ConnectionPlan(fault=Fault(action, moment, number))
    await exchange(origin, plan, requests, received, OUTCOMES[action])


@pytest.mark.parametrize("seconds", [0.0, 0.001])
@pytest.mark.parametrize("action", ANSWERS)
async def test_what_nobody_asked_for_follows_a_response(origin: str, action: Action, seconds: float) -> None:
    plan = ConnectionPlan(fault=Fault(action, "idle", 1, seconds))
    extra = {"doubled answer": RESPONSE, "forged answer": FORGED_ANSWER, "garbage": bytes(range(256))}[action]
    await exchange(origin, plan, 1, RESPONSE + extra, "open")


@pytest.mark.parametrize(
    "plan", [ConnectionPlan(), ConnectionPlan(accept_delay=0.001, latency=0.001), ConnectionPlan(drip=1)]
)
async def test_a_slow_connection_passes_everything_on(origin: str, plan: ConnectionPlan) -> None:
    await exchange(origin, plan, 2, RESPONSE * 2, "open")


@pytest.mark.parametrize("head", [b"Content-Length: 5", b"Transfer-Encoding: chunked"])
def test_a_response_is_complete_at_its_last_byte(head: bytes) -> None:
    body = b"hello" if b"5" in head else b"5\r\nhello\r\n0\r\n\r\n"
    response = b"HTTP/1.1 200 OK\r\n" + head + b"\r\n\r\n" + body
    assert [is_complete(response[:size]) for size in range(len(response) + 1)] == [False] * len(response) + [True]


def test_every_fault_is_drawn() -> None:
    random = Random(0)
    faults = [draw_plan(random, 1.0).fault for _ in range(1000)]
    drawn = {(fault.action, fault.moment) for fault in faults if fault is not None}
    assert drawn >= {(action, moment) for action in ENDS for moment in ("accept", "request", "response", "idle")}
    assert drawn >= {(action, "idle") for action in ANSWERS}
