"""Refusals, which no waiting mends, apart from outages; and passwords, which stay in nothing that is shown."""

import asyncio
import contextlib
import logging
import re
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from gradient_async.errors import APIConnectionError, ConfigurationError
from gradient_async.limits.redis.lua_script import EXCHANGE
from gradient_async.limits.redis.outage import WhenDown
from tests.support.ports import find_free_port
from tests.support.raw_server import run_raw_server
from tests.support.redis_server import (
    RedisServer,
    open_limiter,
    run_redis_server,
    run_replicated_pair,
    run_sentinel,
)
from tests.support.tls import make_certificate
from tests.support.waiting import HANG_SECONDS

SECRET = "hidden-word"
POLICIES: tuple[WhenDown, ...] = ("local_share", "fail_open", "fail_closed")
PAGE = Path(__file__).parents[3] / "docs" / "redis.md"


async def refuse(url: str, key: str = "k", *, when_down: WhenDown = "fail_open") -> ConfigurationError:
    """Return the error of the first acquire; it and its context show no secret."""
    async with open_limiter(url, (5, 60.0), key=key, when_down=when_down, timeout=30.0) as limiter:
        for _ in range(2):  # the second call is told so, too
            with pytest.raises(ConfigurationError) as refusal:
                await asyncio.wait_for(limiter.acquire(timeout=30.0), HANG_SECONDS)
        error = refusal.value
        assert error.__context__ is None
        assert error.__cause__ is None
        assert SECRET not in "".join(traceback.format_exception(error)) + repr(limiter) + repr(error)
        return error


def restrict_user(server: RedisServer, *rules: str) -> str:
    """Create a user with *rules*, and return the address with its name and password."""
    server.execute("ACL", "SETUSER", "limiter", "reset", "on", f">{SECRET}", *rules)
    return server.url.replace("//", f"//limiter:{SECRET}@")


@pytest.mark.parametrize("when_down", POLICIES)
async def test_a_replica_is_refused_under_each_policy(when_down: WhenDown) -> None:
    with run_replicated_pair() as (_, replica):
        error = await refuse(replica.url, when_down=when_down)
    assert "ReadOnlyError" in str(error)
    assert "primary" in str(error)


@pytest.mark.parametrize(
    ("rules", "says"),
    [
        (("~*",), "NoPermissionError"),
        (("~*", "+evalsha"), "access control list"),
        (("~*", "+eval", "+evalsha"), "access control list"),
        (("~other:*", "+@all"), "~{gradient-async:*"),
    ],
)
async def test_a_user_without_permission_is_refused(own_server: RedisServer, rules: tuple[str, ...], says: str) -> None:
    assert says in str(await refuse(restrict_user(own_server, *rules)))


async def test_a_user_needs_no_more_than_the_documented_permissions(own_server: RedisServer) -> None:
    (rules,) = re.findall(r"ACL SETUSER limiter on >password (.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    url = restrict_user(own_server, *rules.split())
    async with open_limiter(url, (5, 60.0), key="k") as limiter:
        permit = await limiter.acquire(hold=True)
        permit.refund()
        limiter.pause(0.01)
        await asyncio.sleep(0.05)
        await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
        assert limiter.status().windows[0].used == 1


async def test_an_error_about_permissions_names_all_that_are_documented(own_server: RedisServer) -> None:
    (rules,) = re.findall(r"ACL SETUSER limiter on >password (.+?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    error = str(await refuse(restrict_user(own_server, "~*")))
    assert set(rules.split()) <= set(error.rstrip(".").split())
    called = re.findall(r"(?:call|call_in_parts)\('([A-Z]+)'", EXCHANGE)
    assert {f"+{name.lower()}" for name in called} < set(rules.split())


@pytest.mark.parametrize("login", [f":{SECRET}", f"somebody:{SECRET}", ""])
async def test_a_wrong_or_missing_password_is_refused(own_server: RedisServer, login: str) -> None:
    own_server.execute("CONFIG", "SET", "requirepass", "the right one")
    error = await refuse(own_server.url.replace("//", f"//{login}@" if login else "//"))
    assert "AuthenticationError" in str(error)
    assert "password" in str(error)


@pytest.fixture
def tls_url(tmp_path: Path) -> Iterator[str]:
    """Run a server with a certificate that nobody trusts, and yield its address."""
    certificate, key = make_certificate(tmp_path)
    port = find_free_port()
    options = ["--tls-port", str(port), "--tls-cert-file", str(certificate), "--tls-key-file", str(key)]
    with run_redis_server(*options, "--tls-ca-cert-file", str(certificate), "--tls-auth-clients", "no"):
        yield f"rediss://localhost:{port}/0"


async def test_a_certificate_that_is_not_trusted_is_refused(tls_url: str) -> None:
    error = str(await refuse(tls_url.replace("//", f"//:{SECRET}@")))
    assert "SSLCertVerificationError" in error
    assert "ssl_ca_certs" in error


async def test_a_port_without_tls_is_refused() -> None:
    async def answer_plainly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            writer.write(b"-ERR Protocol error: unbalanced quotes in request\r\n")

    async with run_raw_server(answer_plainly) as host:
        assert "does not speak TLS" in str(await refuse(f"rediss://{host}/0"))


async def test_a_certificate_that_is_trusted_is_used(tls_url: str, tmp_path: Path) -> None:
    url = f"{tls_url}?ssl_ca_certs={tmp_path / 'certificate.pem'}"
    async with open_limiter(url, (5, 60.0), key="k", when_down="fail_closed", timeout=30.0) as limiter:
        await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)


@contextlib.contextmanager
def run_refusing_server(kind: str) -> Iterator[str]:
    """Run servers of *kind*; yield an address that they will never serve."""
    if kind == "no cluster":
        with run_redis_server() as server:
            yield server.url.replace("redis://", "redis+cluster://")
    elif kind == "unknown service":
        with run_replicated_pair() as (primary, _), run_sentinel(primary) as sentinel:
            yield f"redis+sentinel://127.0.0.1:{sentinel.port}/other/0"
    elif kind == "address of a Sentinel":
        with run_replicated_pair() as (primary, _), run_sentinel(primary) as sentinel:
            yield sentinel.url
    elif kind == "unknown database":
        with run_redis_server() as server:
            yield server.url.replace("/0", "/99")
    elif kind == "key of another program":
        with run_redis_server() as server:
            server.execute("SET", "{gradient-async:k}:v2", "x")
            yield server.url


@pytest.mark.parametrize(
    ("kind", "cause", "cure"),
    [
        ("no cluster", "not a node of a cluster", "redis://"),
        ("unknown service", "does not know the service", "redis+sentinel://"),
        ("address of a Sentinel", "Sentinel", "redis+sentinel://"),
        ("unknown database", "no database of this number", "redis://host:6379/0"),
        ("key of another program", "another program", "key="),
    ],
)
async def test_a_server_that_will_never_serve_is_refused_with_cause_and_cure(kind: str, cause: str, cure: str) -> None:
    with run_refusing_server(kind) as url:
        error = str(await refuse(url))
    assert cause in error
    assert cure in error


async def test_the_same_refusal_later_is_an_outage_with_its_class(caplog: pytest.LogCaptureFixture) -> None:
    with run_replicated_pair() as (primary, replica):
        replica.execute("REPLICAOF", "NO", "ONE")
        async with open_limiter(replica.url, (8, 60.0), key="k", share=0.5) as limiter:
            await limiter.acquire()
            replica.execute("REPLICAOF", "127.0.0.1", primary.port)
            with caplog.at_level(logging.WARNING, "gradient_async"):
                for _ in range(3):  # the share is 4
                    await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
    assert "ReadOnlyError" in caplog.records[0].getMessage()
    assert "local_share" in caplog.records[0].getMessage()


@pytest.mark.parametrize(
    "reply",
    [
        b":abc\r\n",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"\x15\x03\x01\x00\x02\x02\x16",
        b"-LOADING Redis is loading the dataset in memory\r\n",
        b"-MISCONF Redis is configured to save RDB snapshots\r\n",
        b"-OOM command not allowed when used memory > 'maxmemory'.\r\n",
        b"-CLUSTERDOWN The cluster is down\r\n",
        b"-ERR max number of clients reached\r\n",
        b"*-1\r\n",
        b"$5\r\n\xff\xfe\xfd\xfc\xfb\r\n",
        b"",
    ],
)
async def test_whatever_answers_instead_of_redis_is_an_outage(reply: bytes) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.read(65536) and reply:
            writer.write(reply)

    async with (
        run_raw_server(answer) as host,
        open_limiter(f"redis://{host}/0", (5, 60.0), key="k", when_down="fail_closed") as limiter,
    ):
        with pytest.raises(APIConnectionError):
            await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)


async def test_a_server_that_never_answers_is_an_outage() -> None:
    async def read_only(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        while await reader.read(65536):
            pass

    async with (
        run_raw_server(read_only) as host,
        open_limiter(f"redis://{host}/0", (5, 60.0), key="k", timeout=0.1) as limiter,
    ):
        await asyncio.wait_for(limiter.acquire(), HANG_SECONDS)
