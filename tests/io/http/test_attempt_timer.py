"""The time limit of each phase, over a real socket."""

import asyncio
import socket
from collections.abc import Iterator

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    AuthenticationError,
    RateLimiter,
    RateLimits,
    RetryPolicy,
    Timeouts,
)
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.raw_server import run_raw_server
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("steady_clock")

HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]
ONCE = RetryPolicy(attempts=1)


def session(url: str, **options: object) -> AsyncSession:
    return AsyncSession(api_key="test", base_url=url, **{"retry": ONCE, **options})  # type: ignore[arg-type]


@pytest.fixture
def silent_host() -> Iterator[str]:
    """An address that accepts no connection and refuses none: its backlog is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        port = server.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        yield f"http://127.0.0.1:{port}"
        for filler in fillers:
            filler.close()


async def test_the_connect_limit_says_that_nothing_was_sent(silent_host: str) -> None:
    async with session(silent_host, timeouts=Timeouts(connect=0.1)) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.phase, caught.value.maybe_sent) == ("connect", False)


async def test_the_first_byte_limit_says_that_the_request_was_sent(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=5)
    async with session(gradient_emulator.url, timeouts=Timeouts(first_byte=0.1)) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert (caught.value.phase, caught.value.maybe_sent) == ("first_byte", True)
    assert isinstance(caught.value, TimeoutError)
    assert len(gradient_emulator.requests) == 1


async def test_the_idle_limit_of_a_stream_keeps_what_arrived(gradient_emulator: Emulator) -> None:
    gradient_emulator.reply("one two three")
    gradient_emulator.stall(seconds=5, after=2)
    async with session(gradient_emulator.url, timeouts=Timeouts(idle=0.1)) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.stream(model="m", messages=HI).completion()
    assert caught.value.phase == "idle"
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text
    assert caught.value.request_id


async def test_keep_alive_comments_reset_the_idle_limit(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=1.0, after=2, keepalive=0.03)
    async with session(gradient_emulator.url, timeouts=Timeouts(idle=0.5)) as s:
        assert (await s.chat.completions.stream(model="m", messages=HI).completion()).text


async def test_keep_alive_comments_do_not_reset_the_token_idle_limit(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=5, after=2, keepalive=0.03)
    async with session(gradient_emulator.url, timeouts=Timeouts(token_idle=0.15)) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.stream(model="m", messages=HI).completion()
    assert caught.value.phase == "idle"


async def test_a_slow_consumer_does_not_spend_the_idle_limit(gradient_emulator: Emulator) -> None:
    gradient_emulator.token_delay = 0.01
    limits = Timeouts(idle=0.5, token_idle=0.5)
    async with (
        session(gradient_emulator.url, timeouts=limits) as s,
        s.chat.completions.stream(model="m", messages=HI) as stream,
    ):
        for _ in range(2):
            await anext(stream)
            await asyncio.sleep(0.6)
        await stream.completion()
        assert stream.outcome == "done"


async def test_the_total_limit_covers_the_whole_stream(gradient_emulator: Emulator) -> None:
    gradient_emulator.token_delay = 0.03
    async with session(gradient_emulator.url) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.stream(model="m", messages=HI, timeout=0.1).completion()
    assert caught.value.phase == "total"


async def test_the_total_limit_covers_a_whole_call(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=5, times=None)
    async with session(gradient_emulator.url) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI, timeout=0.1)
    assert caught.value.phase == "total"


async def test_a_timeout_while_waiting_for_the_pool_names_it(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=5, times=None)
    async with session(gradient_emulator.url, max_connections=1) as s:
        first = asyncio.create_task(s.chat.completions.create(model="m", messages=HI))
        await wait_until(lambda: gradient_emulator.requests)
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI, timeout=0.1)
        assert (caught.value.phase, caught.value.maybe_sent) == ("pool", False)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)


async def test_a_limiter_wait_beyond_the_deadline_is_refused_at_once(gradient_emulator: Emulator) -> None:
    limiter = RateLimiter(RateLimits(windows=[(1, 60.0)]))
    async with session(gradient_emulator.url, limits=limiter) as s:
        await s.chat.completions.create(model="m", messages=HI)
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI, timeout=5)
    assert (caught.value.phase, caught.value.maybe_sent) == ("limiter", False)
    assert len(gradient_emulator.requests) == 1


@pytest.mark.parametrize("timeouts", [Timeouts(idle=0.1), Timeouts(idle=None, total=0.1)], ids=["idle", "total"])
async def test_an_error_status_with_a_missing_body_is_still_that_error(timeouts: Timeouts) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 100\r\n\r\n{")
        await reader.read(-1)

    async with run_raw_server(serve) as address, session(f"http://{address}", timeouts=timeouts) as s:
        with pytest.raises(AuthenticationError):
            await s.chat.completions.create(model="m", messages=HI)


async def test_a_missing_body_runs_into_the_idle_limit(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=5, after=0)
    async with session(gradient_emulator.url, timeouts=Timeouts(idle=0.1)) as s:
        with pytest.raises(APITimeoutError) as caught:
            await s.chat.completions.create(model="m", messages=HI)
    assert caught.value.phase == "idle"
