"""The delivery of streams: headers for proxies, and clients that speak HTTP/1.0."""

import asyncio
import json
from typing import Any

import pytest

from gradient_async.testing import Emulator
from tests.support.emulator_client import EmulatorClient

MESSAGES = [{"role": "user", "content": "Hi"}]
STREAMS: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": MESSAGES},
    "/v1/messages": {"messages": MESSAGES, "max_tokens": 9},
    "/v1/responses": {"input": "Hi"},
}


async def request_http10(gradient: Emulator, path: str, body: dict[str, Any]) -> tuple[bytes, bytes]:
    """Send a request as an HTTP/1.0 client; return head and body of the response, which the connection ends."""
    data = json.dumps({"model": "m", **body}).encode()
    host, port = gradient.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    head = f"POST {path} HTTP/1.0\r\nHost: x\r\nAuthorization: Bearer k\r\nContent-Type: application/json\r\n"
    writer.write(head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data)
    response = await reader.read()
    writer.close()
    await writer.wait_closed()
    head_bytes, _, rest = response.partition(b"\r\n\r\n")
    return head_bytes, rest


@pytest.mark.parametrize("path", STREAMS)
async def test_a_stream_of_an_http10_client_ends_with_the_connection(gradient: Emulator, path: str) -> None:
    head, body = await request_http10(gradient, path, {"stream": True, **STREAMS[path]})
    assert head.startswith(b"HTTP/1.0 200 ")
    assert b"transfer-encoding" not in head.lower()
    assert body.count(b"data: ") > 1


@pytest.mark.parametrize("path", STREAMS)
async def test_a_whole_response_of_an_http10_client_has_its_length(gradient: Emulator, path: str) -> None:
    head, body = await request_http10(gradient, path, STREAMS[path])
    assert b"content-length: %d" % len(body) in head.lower()
    assert json.loads(body)


async def test_a_stalled_response_of_an_http10_client_is_not_chunked(gradient: Emulator) -> None:
    gradient.stall(0.01)
    head, body = await request_http10(gradient, "/v1/chat/completions", {"messages": MESSAGES})
    assert b"transfer-encoding" not in head.lower()
    assert json.loads(body)


async def test_a_stream_cut_short_ends_early_for_an_http10_client(gradient: Emulator) -> None:
    gradient.truncate(after=1)
    _, body = await request_http10(gradient, "/v1/chat/completions", {"messages": MESSAGES, "stream": True})
    assert body.count(b"data: ") == 1


@pytest.mark.parametrize("path", STREAMS)
async def test_streams_ask_proxies_not_to_buffer_them(client: EmulatorClient, path: str) -> None:
    stream = await client.send({"model": "m", "stream": True, **STREAMS[path]}, path)
    whole = await client.send({"model": "m", **STREAMS[path]}, path)
    assert stream.headers["X-Accel-Buffering"] == "no"
    assert "X-Accel-Buffering" not in whole.headers
