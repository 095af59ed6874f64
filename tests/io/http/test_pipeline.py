"""The retry loop over a real socket: which requests are sent again, and what that costs."""

import asyncio
import socket

import pytest

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    AsyncSession,
    InternalServerError,
    ProtocolError,
    RateLimitError,
    RetryPolicy,
)
from gradient_async._io.http import pipeline
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.raw_server import read_request, run_raw_server

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
QUICK = RetryPolicy(first=0.01, longest=0.02)


def session(emulator: Emulator, retry: RetryPolicy = QUICK) -> AsyncSession:
    return AsyncSession(api_key="test", base_url=emulator.url, retry=retry)


@pytest.mark.parametrize("status", [408, 429, 502, 503, 504])
async def test_a_refusing_status_is_sent_again(gradient_emulator: Emulator, status: int) -> None:
    gradient_emulator.fail(status=status, times=2, retry_after=0)
    async with session(gradient_emulator) as s:
        completion = await s.chat.completions.create(model="m", messages=HI)
    assert completion.meta.attempts == 3


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 409, 422, 500])
async def test_any_other_status_is_not_sent_again(gradient_emulator: Emulator, status: int) -> None:
    gradient_emulator.fail(status=status, times=None)
    async with session(gradient_emulator) as s:
        with pytest.raises(APIStatusError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.status, caught.value.attempts) == (status, 1)
    assert caught.value.request_id == gradient_emulator.requests[0].request_id
    assert len(gradient_emulator.requests) == 1


async def test_a_stream_is_sent_again_before_its_status_line_only(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=503, times=1)
    async with session(gradient_emulator) as s:
        assert (await s.chat.completions.stream(model="m", messages=HI).completion()).text
    assert len(gradient_emulator.requests) == 2


async def test_a_retry_after_beyond_the_deadline_raises_at_once(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=429, retry_after=3600, times=None)
    async with session(gradient_emulator) as s:
        with pytest.raises(RateLimitError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.retry_after, caught.value.attempts) == (3600, 1)


async def test_a_request_that_may_have_been_billed_is_not_sent_again_after_a_lost_connection(
    gradient_emulator: Emulator,
) -> None:
    gradient_emulator.reset(times=None)
    async with session(gradient_emulator) as s:
        with pytest.raises(APIConnectionError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert caught.value.maybe_sent
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert len(gradient_emulator.requests) == 1


async def test_a_request_is_sent_again_after_a_lost_connection_on_demand_or_if_idempotent(
    gradient_emulator: Emulator,
) -> None:
    gradient_emulator.reset()
    async with session(gradient_emulator, retry=RetryPolicy(first=0.01, longest=0.02, replay="always")) as s:
        assert (await s.chat.completions.create(model="m", messages=HI)).meta.attempts == 2
    gradient_emulator.fail(status=500, times=1)
    async with session(gradient_emulator) as s:
        assert (await s.models.list()).meta.attempts == 2


async def test_a_request_over_a_stale_connection_is_sent_again_once(gradient_emulator: Emulator) -> None:
    async with session(gradient_emulator) as s:
        await s.models.list()
        gradient_emulator.drop_idle(stale=True)
        completion = await s.chat.completions.create(model="m", messages=HI)
    assert completion.meta.attempts == 2
    assert gradient_emulator.connections == 2


RESPONSE = b'HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 14\r\n\r\n{"choices":[]}'


async def test_of_many_stale_connections_only_one_costs_an_attempt() -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        await asyncio.sleep(0.02)  # so that others need connections of their own
        writer.write(RESPONSE)
        await read_request(reader)

    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=QUICK) as s:
        await asyncio.gather(*(s.chat.completions.create(model="m", messages=HI) for _ in range(3)))
        assert (await s.chat.completions.create(model="m", messages=HI)).meta.attempts == 2


async def test_a_connection_lost_within_the_response_head_is_not_stale() -> None:
    arrived = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        for response in (RESPONSE, RESPONSE[:20]):
            await read_request(reader)
            arrived += 1
            writer.write(response)

    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=QUICK) as s:
        await s.chat.completions.create(model="m", messages=HI)
        with pytest.raises(APIConnectionError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.maybe_sent, arrived) == (True, 2)


async def test_a_connection_lost_while_its_request_is_processed_is_not_stale(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pipeline, "STALE_SECONDS", 0.05)
    arrived = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await read_request(reader)
        writer.write(RESPONSE)
        await read_request(reader)
        arrived += 1
        await asyncio.sleep(0.1)

    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=QUICK) as s:
        await s.chat.completions.create(model="m", messages=HI)
        with pytest.raises(APIConnectionError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.maybe_sent, arrived) == (True, 1)


async def test_aiohttp_itself_sends_nothing_again() -> None:
    arrived = 0

    async def serve(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        nonlocal arrived
        await read_request(reader)
        arrived += 1

    async with run_raw_server(serve) as address, AsyncSession("test", base_url=f"http://{address}", retry=QUICK) as s:
        with pytest.raises(APIConnectionError) as caught:
            await s.models.list()
        assert s.limits is not None
        assert arrived == caught.value.attempts == s.limits.status().windows[0].used == QUICK.attempts


async def test_a_host_that_refuses_connections_is_retried_and_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    async with AsyncSession(api_key="test", base_url=f"http://127.0.0.1:{port}", retry=QUICK) as s:
        with pytest.raises(APIConnectionError, match=f"127.0.0.1:{port}") as caught:
            await s.chat.completions.create(model="m", messages=HI)
        assert not caught.value.maybe_sent
        assert caught.value.attempts == QUICK.attempts
        assert s.limits is not None
        assert s.limits.status().windows[0].used == 0


async def test_a_host_that_does_not_exist_is_named() -> None:
    async with AsyncSession(api_key="test", base_url="https://nowhere.invalid", retry=QUICK) as s:
        with pytest.raises(APIConnectionError, match=r"nowhere\.invalid"):
            await s.chat.completions.create(model="m", messages=HI)


async def test_the_retry_budget_limits_the_requests_of_an_outage(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=503, times=None)
    policy = RetryPolicy(first=0, longest=0, budget=5)
    async with session(gradient_emulator, retry=policy) as s:
        calls = (s.chat.completions.create(model="m", messages=HI) for _ in range(20))
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, InternalServerError) for result in results)
    assert len(gradient_emulator.requests) == 25


@pytest.mark.parametrize("body", [b"<html>502 Bad Gateway</html>", b"", b"{", b'{"detail": "x"}', b"x" * 1_000_000])
async def test_an_error_with_any_body_has_the_class_of_its_status(gradient_emulator: Emulator, body: bytes) -> None:
    gradient_emulator.fail(status=502, body=body, times=None, content_type="text/html")
    async with session(gradient_emulator, retry=RetryPolicy(attempts=1)) as s:
        with pytest.raises(InternalServerError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert len(str(caught.value)) < 500


async def test_a_response_that_is_not_http_is_a_protocol_error() -> None:
    async def speak(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        writer.write(b"SSH-2.0-OpenSSH\r\n")

    async with run_raw_server(speak) as host, AsyncSession(api_key="test", base_url=f"http://{host}") as s:
        with pytest.raises(ProtocolError, match="HTTP") as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert caught.value.__context__ is None
