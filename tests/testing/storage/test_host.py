"""The storage host: signatures, uploads, downloads, and what breaks them."""

from __future__ import annotations

import asyncio
import hashlib
import io
import socket
import urllib.request
from urllib.parse import parse_qs, unquote, urlsplit

import aiohttp
import pytest

from gradient_async.testing import Emulator

REWRITES = [
    lambda url: url.replace("%2F", "/"),
    lambda url: url.replace("%7E", "~"),
    lambda url: url.replace("+", "%20"),
    lambda url: url.replace("+", "%2B"),
    lambda url: url.replace("%2F", "%2f"),
    lambda url: url + "&x=1",
    lambda url: "&".join([url.partition("?")[0] + "?" + url.partition("?")[2].split("&")[1], url.split("&")[0]]),
    lambda url: url[:-1] + ("0" if url[-1] != "0" else "1"),
    lambda url: url.replace("/inputs/", "/outputs/"),
]


def code(answer):
    return answer.body.partition(b"<Code>")[2].partition(b"</Code>")[0].decode()


@pytest.fixture
async def url(calls):
    return (await calls.intend())["upload_url"]


async def test_a_url_tempts_a_client_to_rewrite_it(url):
    query = url.partition("?")[2]
    assert all(text in query for text in ("%2F", "%7E", "+", "%3D"))
    assert parse_qs(urlsplit(url).query)["X-Amz-Algorithm"] == ["AWS4-HMAC-SHA256"]


async def test_an_upload_is_stored_and_described(calls, gradient, url):
    answer = await calls.put(url, b"hello", headers={"Content-Type": "application/jsonl"})
    assert (answer.status, answer.headers["ETag"]) == (200, f'"{hashlib.md5(b"hello").hexdigest()}"')
    seen = gradient.storage.requests[0]
    assert (seen.method, seen.received, seen.error, seen.finished) == ("PUT", 5, None, True)
    assert seen.target == url.removeprefix(gradient.storage.url)
    assert "Authorization" not in seen.headers
    assert [request.path for request in gradient.requests] == ["/v1/batches/files"]


@pytest.mark.parametrize("rewrite", REWRITES)
async def test_a_rewritten_url_does_not_match(calls, gradient, url, rewrite):
    assert rewrite(url) != url
    answer = await calls.put(rewrite(url))
    assert (answer.status, answer.headers["Content-Type"]) == (403, "application/xml")
    assert code(answer) in ("SignatureDoesNotMatch", "AccessDenied")
    assert gradient.storage.objects == {}
    assert gradient.storage.requests[0].error == code(answer)


async def test_the_url_library_of_the_client_would_break_it(http, url):
    async with http.put(url, data=b"x") as response:
        assert response.status == 403
        assert "SignatureDoesNotMatch" in await response.text()


async def test_a_url_is_good_for_one_method(calls, url):
    await calls.put(url)
    assert code(await calls.send("GET", url)) == "SignatureDoesNotMatch"
    assert code(await calls.send("DELETE", url)) == "MethodNotAllowed"


async def test_without_a_signature_access_is_denied(calls, url):
    assert code(await calls.put(url.partition("?")[0])) == "AccessDenied"


async def test_a_url_expires_after_fifteen_minutes_of_emulated_time(calls_of):
    now = 1000.0
    async with Emulator(clock=lambda: now, time_scale=10) as gradient:
        calls = calls_of(gradient)
        url = (await calls.intend())["upload_url"]
        now = 1089.9
        assert (await calls.put(url)).status == 200
        now = 1090.0
        answer = await calls.put(url)
        assert (answer.status, code(answer)) == (403, "AccessDenied")
        assert b"Request has expired" in answer.body


@pytest.mark.parametrize(
    ("headers", "expected"), [({"Authorization": "Bearer k"}, "InvalidArgument"), ({"Cookie": "a=b"}, "InvalidRequest")]
)
async def test_credentials_and_cookies_are_refused(calls, url, headers, expected):
    answer = await calls.put(url, headers=headers)
    assert (answer.status, code(answer)) == (400, expected)


async def test_a_chunked_upload_is_refused(calls, url):
    async def chunks():
        yield b"x"

    answer = await calls.put(url, chunks())
    assert (answer.status, code(answer)) == (411, "MissingContentLength")


async def test_an_upload_that_breaks_off_is_not_stored(calls, gradient, url):
    host = urlsplit(url)
    _, writer = await asyncio.open_connection(host.hostname, host.port)
    target = url.removeprefix(gradient.storage.url)
    writer.write(f"PUT {target} HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf".encode())
    await writer.drain()
    while not gradient.storage.requests or not gradient.storage.requests[0].received:
        await asyncio.sleep(0.001)
    writer.close()
    await writer.wait_closed()
    async with asyncio.timeout(2):
        while gradient.active:
            await asyncio.sleep(0.001)
    assert gradient.storage.objects == {}
    assert list(gradient.storage.new_file().parent.iterdir()) == []
    assert gradient.storage.requests[0].disconnected


async def test_a_client_that_waits_to_be_asked_is_asked(calls, url):
    answer = await calls.put(url, b"x" * 10, headers={"Expect": "100-continue"})
    assert answer.status == 200


@pytest.fixture
async def download(calls, lines):
    job = await calls.end((await calls.submit(lines(20)))["batch_id"])
    url = (await calls.links(job["batch_id"]))["output_file_url"]
    return url, (await calls.send("GET", url)).body


RANGES = [
    ("bytes=0-9", 206, slice(0, 10)),
    ("bytes=5-", 206, slice(5, None)),
    ("bytes=-7", 206, slice(-7, None)),
    ("bytes=0-99999999", 206, slice(0, None)),
    ("lines=0-9", 200, slice(0, None)),
    ("bytes=0-1,4-5", 200, slice(0, None)),
]


@pytest.mark.parametrize(("asked", "status", "part"), RANGES)
async def test_a_range_is_served(calls, download, asked, status, part):
    url, whole = download
    answer = await calls.send("GET", url, headers={"Range": asked})
    assert (answer.status, answer.body) == (status, whole[part])
    assert answer.headers["Content-Length"] == str(len(answer.body))
    first = len(whole) - len(answer.body) if part.stop is None else 0
    expected = f"bytes {first}-{first + len(answer.body) - 1}/{len(whole)}" if status == 206 else None
    assert answer.headers.get("Content-Range") == expected


async def test_a_range_past_the_end_is_not_satisfiable(calls, download):
    url, whole = download
    answer = await calls.send("GET", url, headers={"Range": f"bytes={len(whole)}-"})
    assert (answer.status, answer.headers["Content-Range"]) == (416, f"bytes */{len(whole)}")


async def test_a_range_of_another_version_is_the_whole(calls, download):
    url, whole = download
    headers = {"Range": "bytes=5-", "If-Range": '"other"'}
    answer = await calls.send("GET", url, headers=headers)
    assert (answer.status, answer.body) == (200, whole)


async def test_a_head_says_the_length(calls, gradient, download):
    url, whole = download
    head, _ = gradient.storage.create_url("HEAD", urlsplit(url).path)
    answer = await calls.send("HEAD", head)
    assert (answer.status, answer.body, answer.headers["Content-Length"]) == (200, b"", str(len(whole)))
    assert answer.headers["ETag"]
    assert answer.headers["Accept-Ranges"] == "bytes"


async def test_an_object_that_is_not_there_is_not_found(calls, gradient):
    url, _ = gradient.storage.create_url("GET", "/outputs/none.jsonl")
    answer = await calls.send("GET", url)
    assert (answer.status, code(answer)) == (404, "NoSuchKey")


async def test_a_download_is_cut_and_resumed(calls, gradient, download):
    url, whole = download
    gradient.storage.cut(after=100)
    with pytest.raises(aiohttp.ClientPayloadError):
        await calls.send("GET", url)
    assert gradient.storage.requests[-1].bytes_sent == 100
    answer = await calls.send("GET", url, headers={"Range": "bytes=100-"})
    assert answer.body == whole[100:]


async def test_a_cut_of_nothing_sends_headers_only(calls, gradient, download):
    url, _ = download
    gradient.storage.cut(after=0)
    with pytest.raises(aiohttp.ClientPayloadError):
        await calls.send("GET", url)


async def test_a_truncated_or_reset_download_breaks_its_promise(calls, gradient, download):
    url, whole = download
    gradient.truncate(after=0, mid_event=True, path="/outputs/*")
    with pytest.raises(aiohttp.ClientPayloadError):
        await calls.send("GET", url)
    gradient.reset(path="/outputs/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.send("GET", url)
    assert (await calls.send("GET", url)).body == whole


async def test_a_download_can_say_anything(calls, gradient, download):
    gradient.reply(body=b"\xef\xbb\xbf{}\r\n\r\nnot json", path="/outputs/*")
    answer = await calls.send("GET", download[0])
    assert (answer.status, answer.body) == (200, b"\xef\xbb\xbf{}\r\n\r\nnot json")
    assert answer.headers["Content-Length"] == "17"


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
async def test_an_upload_fails_once(calls, gradient, url, failure, expected):
    gradient.fail(**failure, path="/inputs/*")
    answer = await calls.put(url, io.BytesIO(b"x" * 3_000_000))
    assert (answer.status, code(answer)) == (failure["status"], expected)
    assert gradient.storage.objects == {}
    assert gradient.storage.requests[0].error == (expected or "InternalError")
    assert (await calls.put(url, io.BytesIO(b"x" * 3_000_000))).status == 200


async def test_an_upload_is_reset_midway(calls, gradient, url):
    gradient.reset(path="/inputs/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.put(url, io.BytesIO(b"x" * 5_000_000))
    assert 2_500_000 <= gradient.storage.requests[0].received < 5_000_000
    assert gradient.storage.objects == {}


async def test_an_upload_is_stored_but_its_answer_lost(calls, gradient, url):
    gradient.batches.lose_answer(path="/inputs/*")
    with pytest.raises(aiohttp.ClientConnectionError):
        await calls.put(url, b"x")
    assert len(gradient.storage.objects) == 1


async def test_a_large_file_goes_both_ways_through_the_disk(calls, gradient, url):
    size, block = 200 * 1024 * 1024, b"x" * 65536

    async def blocks():
        for _ in range(size // len(block)):
            yield block

    answer = await calls.put(url, blocks(), headers={"Content-Length": str(size)})
    assert answer.status == 200
    assert gradient.storage.objects[unquote(urlsplit(url).path)].size == size
    link, _ = gradient.storage.create_url("GET", urlsplit(url).path)
    received = 0
    async with calls.http.get(aiohttp.client.URL(link, encoded=True)) as response:
        async for part in response.content.iter_any():
            received += len(part)
    assert received == size


async def test_urllib_is_served_too(gradient, calls, url):
    def put_and_get():
        request = urllib.request.Request(url, data=b"hello", method="PUT")
        assert urllib.request.urlopen(request).status == 200
        return urllib.request.urlopen(gradient.storage.create_url("GET", urlsplit(url).path)[0]).read()

    assert await asyncio.to_thread(put_and_get) == b"hello"


async def test_storage_is_not_counted_by_the_limits(calls_of):
    async with Emulator(limits=[(1, 60)]) as gradient:
        calls = calls_of(gradient)
        url = (await calls.intend())["upload_url"]
        for _ in range(3):
            answer = await calls.put(url)
            assert (answer.status, "ratelimit-limit" in answer.headers) == (200, False)
        assert (await calls.api("GET", "/v1/batches")).status == 429


def test_nothing_listens_after_the_end(url_after_the_end):
    host = urlsplit(url_after_the_end)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host.hostname, host.port))


@pytest.fixture
async def url_after_the_end(calls_of):
    async with Emulator() as gradient:
        return (await calls_of(gradient).intend())["upload_url"]
