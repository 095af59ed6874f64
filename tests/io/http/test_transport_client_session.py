"""The caller's aiohttp session: its connections and settings are used, but none that would break a promise."""

import gc
import gzip
import socket
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    ConfigurationError,
    RateLimiter,
    RateLimits,
    RetryPolicy,
    SessionClosedError,
    Timeouts,
)
from gradient_async.testing import Emulator
from tests.support.waiting import HANG_SECONDS

ONCE = RetryPolicy(attempts=1)
HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}


@pytest.fixture
async def own() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as own:
        yield own


async def test_a_permit_is_released_when_the_call_ends(gradient_emulator: Emulator, own: aiohttp.ClientSession) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 0.1)]), guard=0)
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own, limits=limiter) as session:
        await session.chat.completions.create(**HI)
        assert limiter.status().held == 0
        assert (await session.chat.completions.create(**HI, timeout=HANG_SECONDS)).text


@pytest.mark.parametrize(
    ("timeouts", "phase"), [(Timeouts(first_byte=0.1), "first_byte"), (Timeouts(total=0.1), "total")]
)
async def test_a_timeout_names_its_phase(
    gradient_emulator: Emulator, own: aiohttp.ClientSession, timeouts: Timeouts, phase: str
) -> None:
    gradient_emulator.stall(seconds=5)
    async with AsyncSession(
        "test", base_url=gradient_emulator.url, client_session=own, timeouts=timeouts, retry=RetryPolicy(attempts=1)
    ) as session:
        with pytest.raises(APITimeoutError) as caught:
            await session.chat.completions.create(**HI, timeout=None)
    assert (caught.value.phase, caught.value.maybe_sent) == (phase, True)


async def test_a_closed_client_session_is_named(gradient_emulator: Emulator, own: aiohttp.ClientSession) -> None:
    await own.close()
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own) as session:
        with pytest.raises(SessionClosedError, match="client_session"):
            await session.chat.completions.create(**HI)


async def test_a_call_knows_its_phases_and_reuses_connections(
    gradient_emulator: Emulator, own: aiohttp.ClientSession
) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own) as session:
        timings = [(await session.chat.completions.create(**HI)).meta.timings for _ in range(3)]
    assert [timing.connect is not None for timing in timings] == [True, False, False]
    assert all(timing.first_byte is not None for timing in timings)
    assert gradient_emulator.connections == 1


async def test_a_refused_connection_was_surely_not_sent(own: aiohttp.ClientSession) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    options: dict[str, Any] = {"base_url": f"http://127.0.0.1:{port}", "client_session": own}
    async with AsyncSession("test", retry=RetryPolicy(attempts=2, first=0), **options) as session:
        with pytest.raises(APIConnectionError) as caught:
            await session.chat.completions.create(**HI)
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 0
    assert (caught.value.maybe_sent, caught.value.attempts) == (False, 2)


@pytest.mark.parametrize("status", [429, 500])
async def test_an_error_status_is_that_error_whatever_the_caller_raises(
    gradient_emulator: Emulator, status: int
) -> None:
    gradient_emulator.fail(status, retry_after=30, message="slow down")
    async with (
        aiohttp.ClientSession(raise_for_status=True) as own,
        AsyncSession("test", base_url=gradient_emulator.url, client_session=own, retry=ONCE) as session,
    ):
        with pytest.raises(APIStatusError, match="slow down") as caught:
            await session.chat.completions.create(**HI)
        assert session.limits is not None
        assert (session.limits.status().paused_until is not None) is (status == 429)
    assert caught.value.status == status


async def test_compressed_responses_are_read_whatever_the_caller_decompresses(gradient_emulator: Emulator) -> None:
    body = b'{"choices": [{"index": 0, "message": {"role": "assistant", "content": "Hello"}}]}'
    headers = {"Content-Encoding": "gzip"}
    gradient_emulator.reply(body=gzip.compress(body), content_type="application/json", headers=headers)
    async with (
        aiohttp.ClientSession(auto_decompress=False) as own,
        AsyncSession("test", base_url=gradient_emulator.url, client_session=own, retry=ONCE) as session,
    ):
        assert (await session.chat.completions.create(**HI)).text == "Hello"


@pytest.mark.filterwarnings("ignore:.*(auth|BasicAuth):DeprecationWarning")
async def test_credentials_of_the_callers_session_are_refused() -> None:
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "password")) as own:
        with pytest.raises(ConfigurationError, match="auth=") as caught:
            AsyncSession("test", client_session=own)
    assert "password" not in str(caught.value)


async def test_credentials_in_netrc_are_not_sent(
    gradient_emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login user password secret", encoding="utf-8")
    monkeypatch.setenv("NETRC", str(netrc))
    async with (
        aiohttp.ClientSession(trust_env=True) as own,
        AsyncSession("test", base_url=gradient_emulator.url, client_session=own) as session,
    ):
        await session.chat.completions.create(**HI)
        await session.batches.submit([{"custom_id": "1", "body": HI}])
    assert gradient_emulator.requests[0].headers["Authorization"] == "Bearer test"
    assert all("Authorization" not in upload.headers for upload in gradient_emulator.storage.requests)


async def test_the_proxy_of_the_environment_is_used_if_the_callers_session_trusts_it(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", gradient_emulator.url)  # it serves whatever host is asked for
    url = "http://inference.example"
    async with (
        aiohttp.ClientSession(trust_env=True) as own,
        AsyncSession("test", base_url=url, client_session=own, allow_insecure=True, retry=ONCE) as session,
    ):
        await session.models.list()
        monkeypatch.setenv("NO_PROXY", "inference.example")
        with pytest.raises(APIConnectionError, match=r"inference\.example"):
            await session.models.list()
    assert len(gradient_emulator.requests) == 1


async def test_the_callers_own_requests_are_not_affected(
    gradient_emulator: Emulator, own: aiohttp.ClientSession
) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own) as session:
        await session.models.list()
        async with own.get(f"{gradient_emulator.url}/v1/models") as response:
            assert response.status == 401
        await session.models.list()
    assert not own.closed
    assert type(own.connector) is aiohttp.TCPConnector
    assert gradient_emulator.connections == 1


async def test_a_middleware_of_the_caller_cannot_send_a_request_twice(gradient_emulator: Emulator) -> None:
    async def send_twice(request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType) -> aiohttp.ClientResponse:
        (await handler(request)).close()
        return await handler(request)

    async with (
        aiohttp.ClientSession(middlewares=[send_twice]) as own,
        AsyncSession("test", base_url=gradient_emulator.url, client_session=own, retry=ONCE) as session,
    ):
        with pytest.raises(APIConnectionError):
            await session.chat.completions.create(**HI)
    assert len(gradient_emulator.requests) == 1


async def test_a_session_that_is_dropped_leaves_the_callers_session_alone(
    gradient_emulator: Emulator, own: aiohttp.ClientSession, recwarn: pytest.WarningsRecorder
) -> None:
    session = AsyncSession("test", base_url=gradient_emulator.url, client_session=own)
    await session.chat.completions.create(**HI)
    await session.batches.submit([{"custom_id": "1", "body": HI}])
    del session
    gc.collect()
    assert not own.closed
    assert recwarn.list == []


async def test_headers_that_the_caller_adds_later_are_sent(
    gradient_emulator: Emulator, own: aiohttp.ClientSession
) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url, client_session=own) as session:
        await session.models.list()
        own.headers["X-Team"] = "blue"
        await session.models.list()
    assert [request.headers.get("X-Team") for request in gradient_emulator.requests] == [None, "blue"]
