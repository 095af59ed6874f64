"""The storage host: uploads, downloads and their faults."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
import urllib.request
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import unquote, urlsplit

import aiohttp
import pytest
from yarl import URL

from gradient_async.testing import Emulator
from tests.support.emulator_client import BatchClient, NewBatchClient, chat_lines
from tests.support.waiting import wait_until


async def test_an_upload_is_stored_and_described(batch_client: BatchClient, gradient: Emulator, url: str) -> None:
    response = await batch_client.put(url, b"hello", headers={"Content-Type": "application/jsonl"})
    assert (response.status, response.headers["ETag"]) == (200, f'"{hashlib.md5(b"hello").hexdigest()}"')
    seen = gradient.storage.requests[0]
    assert (seen.method, seen.received, seen.error, seen.finished) == ("PUT", 5, None, True)
    assert seen.target == url.removeprefix(gradient.storage.url)
    assert "Authorization" not in seen.headers
    assert [request.path for request in gradient.requests] == ["/v1/batches/files"]


async def test_a_chunked_upload_is_refused(batch_client: BatchClient, url: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"x"

    response = await batch_client.put(url, chunks())
    assert (response.status, response.s3_code) == (411, "MissingContentLength")


async def test_an_upload_that_breaks_off_is_not_stored(batch_client: BatchClient, gradient: Emulator, url: str) -> None:
    host = urlsplit(url)
    _, writer = await asyncio.open_connection(host.hostname, host.port)
    target = url.removeprefix(gradient.storage.url)
    writer.write(f"PUT {target} HTTP/1.1\r\nHost: {host.netloc}\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    await wait_until(lambda: gradient.storage.requests and gradient.storage.requests[0].received)
    writer.close()
    await writer.wait_closed()
    await wait_until(lambda: not gradient.active)
    assert gradient.storage.objects == {}
    assert list(gradient.storage.new_file().parent.iterdir()) == []
    assert gradient.storage.requests[0].disconnected


async def test_an_upload_that_expects_100_continue_gets_it(batch_client: BatchClient, url: str) -> None:
    response = await batch_client.put(url, b"x" * 10, headers={"Expect": "100-continue"})
    assert response.status == 200


@pytest.fixture
async def download(batch_client: BatchClient) -> tuple[str, bytes]:
    """The URL and the bytes of a result file."""
    job = await batch_client.wait((await batch_client.submit(chat_lines(20)))["batch_id"])
    url = (await batch_client.links(job["batch_id"]))["output_file_url"]
    return url, (await batch_client.send("GET", url)).body


RANGES = [
    ("bytes=0-9", 206, slice(0, 10)),
    ("bytes=5-", 206, slice(5, None)),
    ("bytes=-7", 206, slice(-7, None)),
    ("bytes=0-99999999", 206, slice(0, None)),
    ("lines=0-9", 200, slice(0, None)),
    ("bytes=0-1,4-5", 200, slice(0, None)),
]


@pytest.mark.parametrize(("asked", "status", "part"), RANGES)
async def test_a_range_is_served(
    batch_client: BatchClient, download: tuple[str, bytes], asked: str, status: int, part: slice
) -> None:
    url, whole = download
    response = await batch_client.send("GET", url, headers={"Range": asked})
    assert (response.status, response.body) == (status, whole[part])
    assert response.headers["Content-Length"] == str(len(response.body))
    first = len(whole) - len(response.body) if part.stop is None else 0
    expected = f"bytes {first}-{first + len(response.body) - 1}/{len(whole)}" if status == 206 else None
    assert response.headers.get("Content-Range") == expected


async def test_a_range_past_the_end_is_not_satisfiable(batch_client: BatchClient, download: tuple[str, bytes]) -> None:
    url, whole = download
    response = await batch_client.send("GET", url, headers={"Range": f"bytes={len(whole)}-"})
    assert (response.status, response.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


async def test_a_range_of_another_version_gives_the_complete_object(
    batch_client: BatchClient, download: tuple[str, bytes]
) -> None:
    url, whole = download
    headers = {"Range": "bytes=5-", "If-Range": '"other"'}
    response = await batch_client.send("GET", url, headers=headers)
    assert (response.status, response.body) == (200, whole)


async def test_a_head_response_has_the_length(
    batch_client: BatchClient, gradient: Emulator, download: tuple[str, bytes]
) -> None:
    url, whole = download
    head, _ = gradient.storage.create_url("HEAD", urlsplit(url).path)
    response = await batch_client.send("HEAD", head)
    assert (response.status, response.body, response.headers["Content-Length"]) == (200, b"", str(len(whole)))
    assert response.headers["ETag"]
    assert response.headers["Accept-Ranges"] == "bytes"


async def test_an_unknown_object_is_not_found(batch_client: BatchClient, gradient: Emulator) -> None:
    url, _ = gradient.storage.create_url("GET", "/outputs/none.jsonl")
    response = await batch_client.send("GET", url)
    assert (response.status, response.s3_code) == (404, "NoSuchKey")


@pytest.mark.parametrize("after", [0, 100])
async def test_a_download_is_cut_and_resumed(
    batch_client: BatchClient, gradient: Emulator, download: tuple[str, bytes], after: int
) -> None:
    url, whole = download
    gradient.storage.cut(after=after)
    with pytest.raises(aiohttp.ClientPayloadError):
        await batch_client.send("GET", url)
    assert gradient.storage.requests[-1].bytes_sent == after
    response = await batch_client.send("GET", url, headers={"Range": f"bytes={after}-"})
    assert response.body == whole[after:]


async def test_a_truncated_or_reset_download_is_incomplete(
    batch_client: BatchClient, gradient: Emulator, download: tuple[str, bytes]
) -> None:
    url, whole = download
    gradient.truncate(after=0, mid_event=True, path="/outputs/*")
    with pytest.raises(aiohttp.ClientPayloadError):
        await batch_client.send("GET", url)
    gradient.reset(path="/outputs/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await batch_client.send("GET", url)
    assert (await batch_client.send("GET", url)).body == whole


async def test_the_body_of_a_download_can_be_scripted(
    batch_client: BatchClient, gradient: Emulator, download: tuple[str, bytes]
) -> None:
    gradient.reply(body=b"\xef\xbb\xbf{}\r\n\r\nnot json", path="/outputs/*")
    response = await batch_client.send("GET", download[0])
    assert (response.status, response.body) == (200, b"\xef\xbb\xbf{}\r\n\r\nnot json")
    assert response.headers["Content-Length"] == "17"


@pytest.mark.parametrize(
    ("failure", "expected"),
    [
        ({"status": 403, "code": "SignatureDoesNotMatch"}, "SignatureDoesNotMatch"),
        ({"status": 403, "message": "Request has expired"}, "AccessDenied"),
        ({"status": 500}, "InternalError"),
        ({"status": 503}, "SlowDown"),
        ({"status": 502, "body": "<html>"}, ""),
    ],
)
async def test_a_scripted_failure_applies_to_one_upload(
    batch_client: BatchClient, gradient: Emulator, url: str, failure: dict[str, Any], expected: str
) -> None:
    gradient.fail(**failure, path="/inputs/*")
    response = await batch_client.put(url, io.BytesIO(b"x" * 3_000_000))
    assert (response.status, response.s3_code) == (failure["status"], expected)
    assert gradient.storage.objects == {}
    assert gradient.storage.requests[0].error == (expected or "InternalError")
    assert (await batch_client.put(url, io.BytesIO(b"x" * 3_000_000))).status == 200


async def test_an_upload_is_reset_midway(batch_client: BatchClient, gradient: Emulator, url: str) -> None:
    gradient.reset(path="/inputs/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await batch_client.put(url, io.BytesIO(b"x" * 5_000_000))
    assert 2_500_000 <= gradient.storage.requests[0].received < 5_000_000
    assert gradient.storage.objects == {}


async def test_an_upload_is_stored_although_its_response_is_lost(
    batch_client: BatchClient, gradient: Emulator, url: str
) -> None:
    gradient.batches.lose_answer(path="/inputs/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await batch_client.put(url, b"x")
    assert len(gradient.storage.objects) == 1


async def test_a_large_file_is_streamed_both_ways(batch_client: BatchClient, gradient: Emulator, url: str) -> None:
    size, block = 200 * 1024 * 1024, b"x" * 65536

    async def blocks() -> AsyncIterator[bytes]:
        for _ in range(size // len(block)):
            yield block

    response = await batch_client.put(url, blocks(), headers={"Content-Length": str(size)})
    assert response.status == 200
    assert gradient.storage.objects[unquote(urlsplit(url).path)].size == size
    link, _ = gradient.storage.create_url("GET", urlsplit(url).path)
    received = 0
    async with batch_client.http.get(URL(link, encoded=True)) as download:
        async for part in download.content.iter_any():
            received += len(part)
    assert received == size


async def test_urllib_can_upload_and_download(gradient: Emulator, batch_client: BatchClient, url: str) -> None:
    def put_and_get() -> object:
        request = urllib.request.Request(url, data=b"hello", method="PUT")
        assert urllib.request.urlopen(request).status == 200
        return urllib.request.urlopen(gradient.storage.create_url("GET", urlsplit(url).path)[0]).read()

    assert await asyncio.to_thread(put_and_get) == b"hello"


async def test_storage_is_not_counted_by_the_limits(new_batch_client: NewBatchClient) -> None:
    async with Emulator(limits=[(1, 60)]) as gradient:
        batch_client = new_batch_client(gradient)
        url = (await batch_client.create_intent())["upload_url"]
        for _ in range(3):
            response = await batch_client.put(url)
            assert (response.status, "ratelimit-limit" in response.headers) == (200, False)
        assert (await batch_client.call("GET", "/v1/batches")).status == 429


def test_the_storage_port_is_closed_after_the_end(url_after_the_end: str) -> None:
    host = urlsplit(url_after_the_end)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.hostname, host.port))


@pytest.fixture
async def url_after_the_end(new_batch_client: NewBatchClient) -> str:
    async with Emulator() as gradient:
        url: str = (await new_batch_client(gradient).create_intent())["upload_url"]
        return url
