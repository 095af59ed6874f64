"""Clients of HTTP/1.0: the end of the connection ends a body, unless it has a length and the client keeps it."""

from __future__ import annotations

import asyncio
import json

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import chat_body
from tests.support.waiting import HANG_SECONDS

KEEP = "Connection: keep-alive\r\n"


async def send_raw(url: str, *messages: bytes) -> bytes:
    """Send *messages* on one connection; return everything until the server closes it."""
    host, _, port = url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"".join(messages))
    async with asyncio.timeout(HANG_SECONDS):
        data = await reader.read()
    writer.close()
    return data


def build_get(path: str, headers: str = "") -> bytes:
    return f"GET {path} HTTP/1.0\r\nAuthorization: Bearer key\r\n{headers}\r\n".encode()


def build_chat(headers: str = "", *, stream: bool = False) -> bytes:
    body = json.dumps(chat_body("Hi", stream=stream)).encode()
    head = f"POST /v1/chat/completions HTTP/1.0\r\nAuthorization: Bearer key\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + headers.encode() + b"\r\n" + body


@pytest.mark.parametrize("headers", ["", KEEP])
@pytest.mark.parametrize("fault", ["none", "split"])
@pytest.mark.parametrize("stream", [True, False])
async def test_a_body_without_a_length_ends_with_its_connection(
    gradient: Emulator, headers: str, fault: str, stream: bool
) -> None:
    gradient.reply("Lisbon.", split=7 if fault == "split" else None)
    if fault == "none" and not stream:
        headers = ""  # a whole body has a length, see below
    head, _, body = (await send_raw(gradient.url, build_chat(headers, stream=stream))).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.0 200 OK\r\n")
    assert b"transfer-encoding" not in head.lower()
    assert b"keep-alive" not in head.lower()
    assert body.endswith(b"data: [DONE]\n\n") if stream else json.loads(body)["choices"]


async def test_a_connection_is_kept_when_the_client_asks_for_it(gradient: Emulator) -> None:
    data = await send_raw(gradient.url, build_get("/v1/models", KEEP), build_get("/v1/models"))
    assert data.count(b"HTTP/1.0 200 OK\r\n") == 2
    assert data.lower().count(b"connection: keep-alive\r\n") == 1
    assert [request.reused for request in gradient.requests] == [False, True]


async def test_100_continue_is_not_sent_to_http_1_0(gradient: Emulator) -> None:
    assert (await send_raw(gradient.url, build_chat("Expect: 100-continue\r\n"))).startswith(b"HTTP/1.0 200 OK\r\n")


async def test_errors_close_the_connection_too(gradient: Emulator) -> None:
    gradient.fail(503)
    assert (await send_raw(gradient.url, build_chat())).startswith(b"HTTP/1.0 503 ")
    assert (await send_raw(gradient.url, build_get("/v1/nothing"))).startswith(b"HTTP/1.0 404 ")


async def test_objects_of_the_storage_host_are_served(gradient: Emulator) -> None:
    put, _ = gradient.storage.create_url("PUT", "/inputs/1.jsonl")
    get, _ = gradient.storage.create_url("GET", "/inputs/1.jsonl")
    url = gradient.storage.url
    target, host = put.removeprefix(url), f"Host: {url.partition('//')[2]}\r\n"  # which is signed
    stored = await send_raw(url, f"PUT {target} HTTP/1.0\r\n{host}Content-Length: 4\r\n\r\nfour".encode())
    assert stored.startswith(b"HTTP/1.0 200 OK\r\n")
    found = await send_raw(url, f"GET {get.removeprefix(url)} HTTP/1.0\r\n{host}\r\n".encode())
    assert found.endswith(b"\r\n\r\nfour")
