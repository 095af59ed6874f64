"""Keys, scripts, connections and replies of Redis."""

import asyncio
import sys

import pytest
import redis

from gradient_async.errors import APIConnectionError, ConfigurationError
from gradient_async.limits import RedisLimiter
from tests.support.raw_server import run_raw_server
from tests.support.redis_server import RedisServer, open_limiter
from tests.support.waiting import HANG_SECONDS


async def test_keys_expire_by_themselves(url: str, key: str) -> None:
    async with open_limiter(url, (5, 0.5), key=key) as limiter:
        await limiter.acquire()
        limiter.pause(0.2)
        await asyncio.sleep(0.1)
    with redis.Redis.from_url(url) as client:
        keys = client.keys(f"*{key}*")
        assert len(keys) == 1
        assert all(0 < client.pttl(key) < 70_000 for key in keys)


async def test_scripts_that_redis_dropped_are_loaded_again(url: str, key: str) -> None:
    async with open_limiter(url, (5, 60.0), key=key) as limiter:
        await limiter.acquire()
        with redis.Redis.from_url(url) as client:
            client.script_flush()
        await limiter.acquire()
        assert limiter.status().windows[0].used == 2


async def test_a_closed_connection_is_not_an_outage(own_server: RedisServer, caplog: pytest.LogCaptureFixture) -> None:
    async with open_limiter(own_server.url, (5, 60.0), key="k") as limiter:
        await limiter.acquire()
        with redis.Redis.from_url(own_server.url) as client:
            client.client_kill_filter(_type="normal", skipme=True)
        await limiter.acquire()
        assert limiter.status().windows[0].used == 2
    assert not caplog.records


@pytest.mark.parametrize("reply", [b"+OK\r\n", b":3\r\n", b"$-1\r\n", b"*0\r\n", b"*3\r\n:1\r\n:0\r\n$1\r\na\r\n"])
async def test_a_reply_that_is_not_the_scripts_fails_the_waiters(reply: bytes) -> None:
    async def reply_wrongly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while commands := await reader.read(65536):
            writer.write(reply if b"EVALSHA" in commands else b"+OK\r\n" * commands.count(b"*"))

    async with (
        run_raw_server(reply_wrongly) as host,
        open_limiter(f"redis://{host}/0?protocol=2", (5, 60.0), key="k", when_down="fail_closed") as limiter,
    ):
        with pytest.raises(APIConnectionError):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)


def test_a_missing_extra_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis.asyncio", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'gradient-async\[redis\]'"):
        RedisLimiter("redis://localhost")


def test_an_invalid_address_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigurationError, match="redis://host:port") as error:
        RedisLimiter("http://user:secret@host")
    assert "secret" not in str(error.value)
