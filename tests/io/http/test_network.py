"""Proxies, TLS contexts and headers of a session, over real sockets."""

import asyncio
import logging
import socket
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gradient_async import APIConnectionError, APIStatusError, AsyncSession, ConfigurationError, RetryPolicy, Timeouts
from gradient_async._io.deadline_timer import DeadlineTimer
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.error_translation import translate_exception
from gradient_async.testing import Emulator
from tests.support.proxy_server import run_proxy, run_tls_front
from tests.support.thread_server import receive_request, run_thread_server
from tests.support.tls import make_certificate, make_contexts

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
INSECURE: dict[str, Any] = {"base_url": "http://inference.example", "allow_insecure": True}
ONCE = RetryPolicy(attempts=1)
PROXY_NAMES = [f"{name}{end}" for name in ("http", "https", "all", "no") for end in ("_proxy", "_PROXY")]
PROXY_NAMES = [name if name.endswith("_proxy") else name.upper() for name in PROXY_NAMES]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in PROXY_NAMES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    return make_contexts(tmp_path_factory.mktemp("tls"))


@asynccontextmanager
async def open_session(*, own_pool: bool, **options: Any) -> AsyncIterator[AsyncSession]:
    """Open a session over its own pool, or over that of a caller."""
    async with aiohttp.ClientSession() as client_session:
        pool: dict[str, Any] = {} if own_pool else {"client_session": client_session}
        async with AsyncSession("test", retry=ONCE, **pool, **options) as session:
            yield session


def host_of(emulator: Emulator) -> str:
    return emulator.url.removeprefix("http://")


own_or_not = pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])


@own_or_not
async def test_a_plain_proxy_is_asked_for_every_request_and_its_connection_is_reused(
    gradient_emulator: Emulator, *, own_pool: bool
) -> None:
    async with (
        run_proxy(host_of(gradient_emulator)) as proxy,
        open_session(own_pool=own_pool, proxy=f"http://user:secret@{proxy.host}", **INSECURE) as session,
    ):
        for _ in range(3):
            assert (await session.chat.completions.create(**HI)).text
        await session.models.list()
    assert [head.split()[1] for head in proxy.heads] == [
        *3 * ["http://inference.example/v1/chat/completions"],
        "http://inference.example/v1/models",
    ]
    assert all("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in head for head in proxy.heads)
    assert gradient_emulator.connections == 1


@own_or_not
async def test_a_tunnel_through_a_proxy_is_reused_and_shows_it_no_key(
    gradient_emulator: Emulator, tls: tuple[ssl.SSLContext, ssl.SSLContext], *, own_pool: bool
) -> None:
    async with (
        run_tls_front(host_of(gradient_emulator), tls[0]) as front,
        run_proxy(front) as proxy,
        open_session(
            own_pool=own_pool, base_url=f"https://{front}", proxy=f"http://user:secret@{proxy.host}", ssl=tls[1]
        ) as session,
    ):
        for _ in range(3):
            completion = await session.chat.completions.create(**HI)
        stream = await session.chat.completions.stream(**HI).completion()
    assert completion.text == stream.text != ""
    assert completion.meta.timings.connect is None
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {front} HTTP/1.1")
    assert "Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=" in head
    assert "Bearer" not in head
    assert all("Proxy-Authorization" not in request.headers for request in gradient_emulator.requests)


async def test_storage_follows_the_proxy_and_never_sees_the_headers_of_the_session(
    gradient_emulator: Emulator,
) -> None:
    storage = gradient_emulator.storage.url
    async with (
        run_proxy() as proxy,
        AsyncSession(
            "test", base_url=gradient_emulator.url, proxy=f"http://{proxy.host}", headers={"X-Team": "blue"}
        ) as session,
    ):
        await session.batches.submit([{"custom_id": "1", "body": HI}])
    uploads = [head for head in proxy.heads if head.startswith(f"PUT {storage}/")]
    assert len(uploads) == 1
    assert len(proxy.heads) == len(gradient_emulator.requests) + 1
    assert all(("X-Team" in head, "\nAuthorization" in head) == (head not in uploads,) * 2 for head in proxy.heads)


async def test_the_environment_names_a_proxy_only_if_it_is_trusted(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with run_proxy(host_of(gradient_emulator)) as proxy:
        monkeypatch.setenv("HTTP_PROXY", f"http://{proxy.host}")
        async with AsyncSession("test", base_url=gradient_emulator.url) as session:
            await session.chat.completions.create(**HI)
        assert proxy.heads == []
        async with AsyncSession("test", trust_env=True, **INSECURE) as session:
            await session.chat.completions.create(**HI)
            await session.chat.completions.create(**HI)
        assert len(proxy.heads) == 2
        monkeypatch.setenv("NO_PROXY", "127.0.0.0/8")
        async with AsyncSession("test", base_url=gradient_emulator.url, trust_env=True) as session:
            await session.chat.completions.create(**HI)
        assert len(proxy.heads) == 2


async def test_an_unusable_proxy_of_the_environment_fails_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "socks5://user:secret@proxy:1080")
    async with AsyncSession("test", trust_env=True, **INSECURE) as session:
        with pytest.raises(ConfigurationError, match="ALL_PROXY") as caught:
            await session.models.list()
        assert "secret" not in str(caught.value)
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 0


@own_or_not
@pytest.mark.parametrize(("status", "permanent", "advice"), [(407, True, "user:password@"), (403, True, "rules")])
async def test_a_tunnel_that_is_refused_says_what_to_do(
    caplog: pytest.LogCaptureFixture, status: int, advice: str, *, permanent: bool, own_pool: bool
) -> None:
    caplog.set_level(logging.DEBUG)
    async with (
        run_proxy("127.0.0.1:9", refuse=status) as proxy,
        open_session(
            own_pool=own_pool, base_url="https://inference.example", proxy=f"http://user:secret@{proxy.host}"
        ) as session,
    ):
        with pytest.raises(APIConnectionError, match=f"{status}.*{advice}") as caught:
            await session.chat.completions.create(**HI)
        assert (caught.value.permanent, caught.value.maybe_sent) == (permanent, False)
        assert "secret" not in f"{caught.value!r} {vars(caught.value)} {session!r} {caplog.text}"


async def test_a_plain_proxy_that_wants_credentials_says_so() -> None:
    async with (
        run_proxy("127.0.0.1:9", refuse=407) as proxy,
        AsyncSession("test", proxy=f"http://{proxy.host}", retry=ONCE, **INSECURE) as session,
    ):
        with pytest.raises(APIStatusError, match="user:password@") as caught:
            await session.chat.completions.create(**HI)
    assert (caught.value.status, caught.value.maybe_sent) == (407, False)


async def test_a_proxy_that_cannot_be_reached_is_called_a_proxy() -> None:
    async with AsyncSession("test", proxy="http://u:secret@127.0.0.1:9", retry=ONCE, **INSECURE) as session:
        with pytest.raises(APIConnectionError, match=r"the proxy 127\.0\.0\.1:9"):
            await session.models.list()


@own_or_not
@pytest.mark.parametrize("through_proxy", [True, False])
async def test_an_authority_that_is_not_known_says_how_to_name_it(
    gradient_emulator: Emulator,
    tls: tuple[ssl.SSLContext, ssl.SSLContext],
    *,
    own_pool: bool,
    through_proxy: bool,
) -> None:
    async with run_tls_front(host_of(gradient_emulator), tls[0]) as front, run_proxy(front) as proxy:
        options = {"proxy": f"http://{proxy.host}"} if through_proxy else {}
        async with open_session(own_pool=own_pool, base_url=f"https://{front}", **options) as session:
            with pytest.raises(APIConnectionError, match=r"self.signed.*ssl=ssl\.create_default_context") as caught:
                await session.chat.completions.create(**HI)
        assert caught.value.permanent


@own_or_not
async def test_a_client_certificate_is_sent_and_its_absence_explained(tmp_path: Path, *, own_pool: bool) -> None:
    certificate, key = make_certificate(tmp_path)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    server.load_verify_locations(certificate)
    # TLS 1.3 refuses after the handshake, when a reset may overtake what it says.
    server.verify_mode, server.maximum_version = ssl.CERT_REQUIRED, ssl.TLSVersion.TLSv1_2
    client = ssl.create_default_context(cafile=str(certificate))

    def serve(connection: socket.socket) -> None:
        while receive_request(connection):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\n" + b'{"data":[]}')

    with run_thread_server(serve, server) as address:
        async with open_session(own_pool=own_pool, base_url=f"https://{address}", ssl=client) as session:
            with pytest.raises(APIConnectionError, match="load_cert_chain"):
                await session.models.list()
        client.load_cert_chain(certificate, key)
        async with open_session(own_pool=own_pool, base_url=f"https://{address}", ssl=client) as session:
            assert (await session.models.list()).data == []


async def test_a_client_certificate_that_is_missed_after_the_handshake_is_explained() -> None:
    loop = asyncio.get_running_loop()
    timer = AttemptTimer(DeadlineTimer(loop), loop.time() + 5, Timeouts(), None)
    alert = "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate required (_ssl.c:2580)"
    error = translate_exception(aiohttp.ClientOSError(1, alert), timer)
    assert isinstance(error, APIConnectionError)
    assert error.permanent
    assert "load_cert_chain" in str(error)


@pytest.mark.parametrize("form", ["{}", "https://{}", "https://{}/v1"])
@own_or_not
async def test_an_address_of_a_server_without_tls_says_so(
    form: str, gradient_emulator: Emulator, *, own_pool: bool
) -> None:
    async with open_session(own_pool=own_pool, base_url=form.format(host_of(gradient_emulator))) as session:
        with pytest.raises(APIConnectionError, match=r"does not speak TLS.*http:// in front") as caught:
            await session.chat.completions.create(**HI)
    assert caught.value.permanent
    assert not caught.value.maybe_sent


async def test_headers_go_with_every_request_and_a_call_replaces_them(gradient_emulator: Emulator) -> None:
    headers = {"X-Team": "blue", "user-agent": "mine", "X-Other": "1"}
    async with AsyncSession("test", base_url=gradient_emulator.url, headers=headers) as session:
        await session.models.list()
        for extra in ({}, {}, {"x-team": "red"}):
            await session.chat.completions.create(**HI, extra_headers=extra)
        await session.chat.completions.stream(**HI).completion()
    seen = [request.headers for request in gradient_emulator.requests]
    assert [each["X-Team"] for each in seen] == ["blue", "blue", "blue", "red", "blue"]
    assert {(each["User-Agent"], each["X-Other"], each["Authorization"]) for each in seen} == {
        ("mine", "1", "Bearer test")
    }


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"headers": {"Authorization": "Bearer secret"}}, "Authorization"),
        ({"headers": {"authorization": "secret"}}, "authorization"),
        ({"headers": {"Content-Length": "1"}}, "Content-Length"),
        ({"headers": {"Host": "secret"}}, "Host"),
        ({"headers": {"Proxy-Authorization": "secret"}}, "Proxy-Authorization"),
        ({"headers": {"Content-Type": "text/secret"}}, "Content-Type"),
        ({"headers": {"X-A": "secret\r\nX-B: 1"}}, "control character in 'X-A'"),
        ({"headers": {"X A": "secret"}}, "'X A'"),
        ({"headers": {"X-A": 1}}, "must be text"),
        ({"headers": [("X-A", "secret")]}, "dict"),
        ({"proxy": "socks5://u:secret@h"}, "HTTP proxy"),
        ({"ssl": False}, "ssl.SSLContext"),
        ({"ssl": "secret.pem" * 20}, "ssl.SSLContext"),
    ],
)
def test_settings_that_cannot_hold_are_refused_at_once(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message) as caught:
        AsyncSession("test", **options)
    assert "secret" not in str(caught.value) or "ssl" in options
