"""A hostile or broken server cannot exhaust memory, mix up responses or leak secrets."""

import asyncio
import gzip
import pickle
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import client_reqrep

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    AsyncSession,
    GradientError,
    ProtocolError,
    RetryPolicy,
)
from gradient_async._io.http import exchange
from gradient_async._io.http.fast_post import MAX_BODY_BYTES
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.raw_server import read_request, run_raw_server
from tests.support.tls import make_contexts
from tests.support.waiting import HANG_SECONDS

HI: list[MessageParam] = [{"role": "user", "content": "a prompt that is private"}]
KEY = "sk-do-private"
ONCE = RetryPolicy(attempts=1)


@pytest.fixture
async def session(gradient_emulator: Emulator) -> AsyncIterator[AsyncSession]:
    async with AsyncSession(api_key=KEY, base_url=gradient_emulator.url, retry=ONCE, limits=None) as session:
        yield session


async def test_a_response_that_decompresses_to_too_much_is_refused(
    gradient_emulator: Emulator, session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange, "MAX_JSON_BYTES", 1_000_000)
    bomb = gzip.compress(b" " * 20_000_000)
    gradient_emulator.reply(body=bomb, content_type="application/json", headers={"Content-Encoding": "gzip"})
    with pytest.raises(ProtocolError, match="more than 1000000 bytes"):
        await session.chat.completions.create(model="m", messages=HI)


async def test_an_error_that_decompresses_to_too_much_is_cut_off(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    bomb = gzip.compress(b"x" * 50_000_000)
    gradient_emulator.fail(status=500, body=bomb, content_type="text/plain", headers={"Content-Encoding": "gzip"})
    with pytest.raises(APIStatusError) as caught:
        await session.chat.completions.create(model="m", messages=HI)
    assert len(pickle.dumps(caught.value)) < 10_000


async def test_a_stream_is_requested_uncompressed(gradient_emulator: Emulator, session: AsyncSession) -> None:
    await session.chat.completions.stream(model="m", messages=HI).completion()
    headers = gradient_emulator.requests[0].headers
    assert (headers["Accept"], headers["Accept-Encoding"]) == ("text/event-stream", "identity")


def http_response(text: str) -> bytes:
    body = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "%b"}}]}' % text.encode()
    return b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)


@pytest.mark.parametrize("size", [1, 2 * MAX_BODY_BYTES], ids=["fast path", "session"])
async def test_an_unsolicited_response_is_not_taken_for_the_next_one(size: int) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await read_request(reader):
            writer.write(http_response("solicited"))
            await writer.drain()
            await asyncio.sleep(0.02)
            writer.write(http_response("unsolicited"))

    messages: list[MessageParam] = [{"role": "user", "content": "x" * size}]
    async with run_raw_server(serve) as address, AsyncSession(KEY, base_url=f"http://{address}", retry=ONCE) as session:
        for _ in range(3):
            assert (await session.chat.completions.create(model="m", messages=messages)).text == "solicited"
            await asyncio.sleep(0.05)


FAULTS = {
    "refused": lambda gradient: gradient.fail(status=401),
    "lost": lambda gradient: gradient.reset(),
    "redirected": lambda gradient: gradient.redirect("https://elsewhere.example/"),
    "undecodable": lambda gradient: gradient.reply(body=b"{", content_type="application/json"),
    "truncated": lambda gradient: gradient.truncate(after=1),
}


@pytest.mark.parametrize("fault", FAULTS)
async def test_an_error_holds_no_key_no_prompt_and_no_object_of_aiohttp(
    gradient_emulator: Emulator, session: AsyncSession, fault: str
) -> None:
    FAULTS[fault](gradient_emulator)
    streams = fault == "truncated"
    with pytest.raises(GradientError) as caught:
        if streams:
            await session.chat.completions.stream(model="m", messages=HI).completion()
        else:
            await session.chat.completions.create(model="m", messages=HI)
    error = caught.value
    assert error.__cause__ is None
    assert error.__context__ is None
    kept = pickle.dumps(error) + repr(error).encode() + str(error).encode()
    assert b"private" not in kept
    assert b"aiohttp.client" not in kept


async def test_the_pool_has_no_limit_of_its_own(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.hold_open(60, times=None)
    streams = [session.chat.completions.stream(model="m", messages=HI) for _ in range(150)]
    async with asyncio.timeout(HANG_SECONDS):
        await asyncio.gather(*(stream.open() for stream in streams))
    assert gradient_emulator.open_connections == 150
    for stream in streams:
        stream.close()


@pytest.fixture
async def self_signed_host(tmp_path: Path) -> AsyncIterator[str]:
    """An https address with a self-signed certificate."""
    context, _ = await asyncio.to_thread(make_contexts, tmp_path)
    server = await asyncio.start_server(lambda _reader, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://localhost:{server.sockets[0].getsockname()[1]}"


async def test_a_self_signed_certificate_is_refused_and_not_tried_again(self_signed_host: str) -> None:
    async with AsyncSession(api_key=KEY, base_url=self_signed_host, retry=RetryPolicy(replay="always")) as session:
        with pytest.raises(APIConnectionError, match="certificate") as caught:
            await session.models.list()
    error = caught.value
    assert (error.maybe_sent, error.permanent, error.attempts) == (False, True, 1)


async def test_a_port_where_nobody_listens_says_what_to_check() -> None:
    async with AsyncSession(api_key=KEY, base_url="http://127.0.0.1:1", retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(APIConnectionError, match=r"127\.0\.0\.1:1: .*Check the address and the network") as caught:
            await session.models.list()
    assert (caught.value.maybe_sent, caught.value.permanent) == (False, False)


async def test_a_server_that_does_not_speak_tls_is_not_tried_again(gradient_emulator: Emulator) -> None:
    url = gradient_emulator.url.replace("http:", "https:")
    async with AsyncSession(api_key=KEY, base_url=url, retry=RetryPolicy(replay="always")) as session:
        with pytest.raises(APIConnectionError, match="Could not connect") as caught:
            await session.models.list()
    error = caught.value
    assert (error.maybe_sent, error.permanent, error.attempts) == (False, True, 1)


async def test_a_stream_closed_while_read_leaves_no_traceback_on_aiohttps_shared_exception(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.hold_open(60, times=None)
    gradient_emulator.stall(seconds=60, after=1, times=None)
    for _ in range(3):
        stream = session.chat.completions.stream(model="m", messages=HI)
        reading = asyncio.ensure_future(stream.completion())
        async with asyncio.timeout(HANG_SECONDS):
            while not stream.snapshot.text:
                await asyncio.sleep(0.002)
            stream.cancel()
            await reading
    assert client_reqrep._CONNECTION_CLOSED_EXCEPTION.__traceback__ is None
