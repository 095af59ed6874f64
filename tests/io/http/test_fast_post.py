"""The fast path of short posts: the same bytes as from aiohttp's session, and the session whenever in doubt."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from functools import partial, partialmethod, wraps
from types import SimpleNamespace
from typing import Any

import aiohttp
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import AsyncSession, RetryPolicy
from gradient_async._io.http import fast_post
from gradient_async._io.http.aiohttp_internals import (
    describe_fast_path,
    find_request_method,
    report_changed_method,
)
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.fast_post import MAX_BODY_BYTES, FastPostSender
from gradient_async._io.http.proxies import ProxyFinder
from gradient_async._io.http.target import Target
from gradient_async._io.http.transport import Transport
from gradient_async._protocol.http.proxies import parse_proxy
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import Request
from gradient_async.testing import Emulator
from tests.support.raw_server import read_request, run_raw_server

HI: Any = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
known_aiohttp = pytest.mark.skipif(find_request_method() is None, reason="this aiohttp has other internals")


@attrs.define
class Post:
    """A request and the key to send it with."""

    request: Request
    key: str
    headers: tuple[tuple[str, str], ...] = ()


async def send_posts(posts: list[Post], *, fast: bool, proxy_user: str | None = None) -> list[bytes]:
    """Return the bytes of each of *posts* as the server receives them, or with *proxy_user* a proxy."""
    received: list[bytes] = []
    loop = asyncio.get_running_loop()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            received.append(await read_request(reader))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")

    async with run_raw_server(keep) as host:
        proxy = None if proxy_user is None else parse_proxy(f"http://{proxy_user}{host}")
        base_url = f"http://{host}" if proxy is None else "http://inference.example"
        transport = Transport(proxies=ProxyFinder(proxy))
        await transport._open_pool()
        sender = transport._fast_posts
        transport._fast_posts = sender if fast else None
        for post in posts:
            assert sender is not None
            assert sender.can_send(post.request)
            timer = AttemptTimer(transport.get_deadline_timer(loop), loop.time() + 5, Timeouts(), None)
            target = Target(base_url, post.key, headers=post.headers)
            exchange = await transport.start_exchange(post.request, target, timer)
            assert await exchange.read_block() == b"{}"
        await transport.aclose()
    return [each.replace(host.encode(), b"HOST") for each in received]


NAMES = st.sampled_from(
    ["X-One", "x-one", "x-two", "Accept", "accept", "User-Agent", "Content-Type", "Accept-Encoding"]
)
PATHS = st.sampled_from(["/v1/chat/completions", "/api/v1/chat/completions?agent=true", "/v1/a%20b/%C3%A9?q=%2F"])
POSTS = st.builds(
    Post,
    st.builds(
        Request,
        method=st.just("POST"),
        path=PATHS,
        body=st.binary(max_size=300) | st.integers(MAX_BODY_BYTES - 2, MAX_BODY_BYTES).map(bytes),
        headers=st.just({}) | st.dictionaries(NAMES, st.text("abc é%", max_size=8)),
        stream=st.booleans(),
    ),
    key=st.sampled_from(["one", "two", "percent%d"]),
    headers=st.sampled_from([(), (("X-One", "of the session"), ("User-Agent", "mine")), (("x-two", "2"),)]),
)


@known_aiohttp
@given(posts=st.lists(POSTS, min_size=1, max_size=6))
def test_the_fast_path_sends_the_bytes_of_the_session(posts: list[Post]) -> None:
    assert asyncio.run(send_posts(posts, fast=True)) == asyncio.run(send_posts(posts, fast=False))


@known_aiohttp
@pytest.mark.parametrize("user", ["", "user:pass%20word@"])
def test_a_proxy_receives_the_bytes_of_the_session(user: str) -> None:
    posts = [
        Post(Request(method="POST", path=f"/v1/a%20b?q=%2F{number % 2}", body=b"{}"), "k", (("X-One", "1"),))
        for number in range(3)
    ]
    received = asyncio.run(send_posts(posts, fast=True, proxy_user=user))
    assert received == asyncio.run(send_posts(posts, fast=False, proxy_user=user))
    assert all(request.startswith(b"POST http://inference.example/v1/a%20b") for request in received)
    assert all((b"Proxy-Authorization: Basic dXNlcjpwYXNzIHdvcmQ=" in request) is bool(user) for request in received)


@known_aiohttp
def test_many_keys_are_each_sent_with_their_own_request() -> None:
    posts = [Post(Request(method="POST", path="/p", body=b"{}"), f"key-{number}") for number in (*range(200), 0)]
    arrived = asyncio.run(send_posts(posts, fast=True))
    assert all(f"Bearer {post.key}\r\n".encode() in one for post, one in zip(posts, arrived, strict=True))


async def requests_through_session(
    monkeypatch: pytest.MonkeyPatch, act: Callable[[], Awaitable[object]]
) -> list[tuple[str, str]]:
    """Return method and path of the requests that *act* sends through `aiohttp.ClientSession`."""
    requests: list[tuple[str, str]] = []
    request = aiohttp.ClientSession.request

    def note(pool: aiohttp.ClientSession, method: str, url: Any, **options: Any) -> Any:
        requests.append((method, url.path))
        return request(pool, method, url, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "request", note)
    await act()
    return requests


CHAT = ("POST", "/v1/chat/completions")


@known_aiohttp
async def test_short_posts_take_the_fast_path_and_others_the_session(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        completions = session.chat.completions
        long: Any = HI | {"messages": [{"role": "user", "content": "long " * MAX_BODY_BYTES}]}
        await completions.create(**HI)  # creates the pool, and goes through the session
        assert not await requests_through_session(monkeypatch, partial(completions.create, **HI))
        assert not await requests_through_session(monkeypatch, completions.stream(**HI).completion)
        assert await requests_through_session(monkeypatch, partial(completions.create, **long)) == [CHAT]
        assert await requests_through_session(monkeypatch, session.models.list) == [("GET", "/v1/models")]
    assert gradient_emulator.requests[3].json["messages"] == long["messages"]


async def test_a_very_long_post_is_sent_without_a_warning(gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=503)
    very_long: Any = HI | {"messages": [{"role": "user", "content": "long" * 300_000}]}
    async with AsyncSession("test", base_url=gradient_emulator.url, retry=RetryPolicy(first=0, longest=0)) as session:
        assert (await session.chat.completions.create(**very_long)).text
    assert [request.json["messages"] for request in gradient_emulator.requests] == [very_long["messages"]] * 2


async def test_a_replaced_request_method_of_aiohttp_gets_the_requests(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    replaced = partialmethod(aiohttp.ClientSession._request)  # as mocks of aiohttp do
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        monkeypatch.setattr(aiohttp.ClientSession, "_request", replaced)
        assert await requests_through_session(monkeypatch, partial(session.chat.completions.create, **HI)) == [CHAT]


async def test_a_tracing_hook_of_aiohttp_sees_the_body(
    gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []

    async def note(_session: object, _context: object, params: aiohttp.TraceRequestChunkSentParams) -> None:
        sent.append(params.chunk)

    tracing = aiohttp.TraceConfig()
    tracing.on_request_chunk_sent.append(note)
    made = partial(aiohttp.ClientSession, trace_configs=[tracing])  # as instrumentation of aiohttp does
    monkeypatch.setattr(aiohttp, "ClientSession", made)
    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        assert (await session.chat.completions.create(**HI)).text
    assert sent == [gradient_emulator.requests[0].body]


def test_a_request_method_wrapped_before_import_is_recognised(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = aiohttp.ClientSession._request

    async def wrapped(*args: Any, **options: Any) -> aiohttp.ClientResponse:
        return await own(*args, **options)

    monkeypatch.setattr(aiohttp.ClientSession, "_request", wrapped)
    assert find_request_method() is None
    monkeypatch.setattr(aiohttp.ClientSession, "_request", partial(wrapped))
    assert find_request_method() is None


def test_an_aiohttp_with_other_signatures_is_recognised() -> None:
    assert find_request_method({(aiohttp.ClientResponse, "start"): ("self", "connection", "and_more")}) is None
    assert find_request_method({(aiohttp.ClientResponse, "begin"): ("self", "connection")}) is None
    assert find_request_method({(dict, "update"): ()}) is None


@known_aiohttp
async def test_the_fast_path_creates_no_task(gradient_emulator: Emulator) -> None:
    loop, made = asyncio.get_running_loop(), 0

    def factory(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> asyncio.Task[Any]:
        nonlocal made
        made += "aiohttp/client" in coroutine.cr_code.co_filename
        return asyncio.Task(coroutine, loop=loop, **options)

    async with AsyncSession("test", base_url=gradient_emulator.url) as session:
        await session.chat.completions.create(**HI)
        loop.set_task_factory(factory)
        try:
            assert (await session.chat.completions.create(**HI)).text
        finally:
            loop.set_task_factory(None)
    assert made == 0


@known_aiohttp
@pytest.mark.parametrize("transport", [None, SimpleNamespace(is_closing=lambda: True)])
async def test_a_connection_that_closed_before_the_request_is_released(transport: object) -> None:
    released: list[bool] = []
    connection = SimpleNamespace(protocol=SimpleNamespace(transport=transport), close=partial(released.append, True))

    async def connect(*_: object) -> object:
        return connection

    loop = asyncio.get_running_loop()
    timer = AttemptTimer(Transport().get_deadline_timer(loop), loop.time() + 5, Timeouts(), None)
    async with aiohttp.ClientSession() as pool:
        sender = FastPostSender(connect, pool, loop, 1)  # type: ignore[arg-type]
        with pytest.raises(aiohttp.ClientConnectionResetError):
            await sender.send(Request(method="POST", path="/p", body=b"{}"), Target("http://127.0.0.1:1", "k"), timer)
    assert released == [True]
    assert not timer.sent


async def test_an_aiohttp_with_other_signatures_is_logged_once(
    gradient_emulator: Emulator, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aiohttp, "__version__", "99.1")
    monkeypatch.setattr(fast_post, "_SESSION_REQUEST", None)
    monkeypatch.setattr(fast_post, "_CHANGED_METHOD", "ClientResponse.start")
    report_changed_method.cache_clear()
    with caplog.at_level(logging.INFO, "gradient_async"):
        for _ in range(2):
            async with AsyncSession("test", base_url=gradient_emulator.url) as session:
                assert (await session.chat.completions.create(**HI)).text
    report_changed_method.cache_clear()
    (record,) = [record.getMessage() for record in caplog.records if "aiohttp" in record.getMessage()]
    assert "aiohttp 99.1 is not known" in record
    assert "ClientResponse.start" in record


def test_the_reason_against_the_fast_path_is_described(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(aiohttp, "__version__", "99.1")
    reason = describe_fast_path({(aiohttp.ClientResponse, "start"): ("self", "connection", "and_more")})
    assert reason == "aiohttp 99.1 is not known to this version (ClientResponse.start differs)"
    reason = describe_fast_path({(aiohttp.ClientResponse, "gone"): ("self",)})
    assert reason == "aiohttp 99.1 is not known to this version (ClientResponse.gone differs)"
    monkeypatch.setattr(aiohttp.ClientSession, "_request", partial(aiohttp.ClientSession._request))
    assert describe_fast_path({}) == "another library replaces aiohttp's method for requests"


def test_a_method_that_a_tracer_has_wrapped_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    start, reason = aiohttp.ClientResponse.start, describe_fast_path()

    @wraps(start)
    async def trace(*args: Any) -> Any:
        return await start(*args)

    monkeypatch.setattr(aiohttp.ClientResponse, "start", trace)
    assert describe_fast_path() == reason
