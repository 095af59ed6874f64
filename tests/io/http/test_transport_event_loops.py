"""One session and several event loops or processes."""

import asyncio
import copy
import gc
import os
import pickle
import socket
import threading
from collections.abc import AsyncIterable, Awaitable, Callable, Coroutine, Iterator
from typing import Any, TypeVar

import aiohttp
import pytest

from gradient_async import AsyncSession, RateLimiter, RateLimits, SessionClosedError
from gradient_async.params import MessageParam
from gradient_async.testing import Emulator
from tests.support.thread_server import receive_request, run_thread_server
from tests.support.waiting import HANG_SECONDS

T = TypeVar("T")
HI: list[MessageParam] = [{"role": "user", "content": "Hi"}]


def test_a_second_loop_after_the_first_has_closed_gets_a_new_pool() -> None:
    session: AsyncSession | None = None
    port = 0

    async def once() -> str:
        nonlocal session, port
        async with Emulator(port=port) as gradient:
            port = int(gradient.url.rpartition(":")[2])
            if session is None:
                session = AsyncSession(api_key="test", base_url=gradient.url)
            return (await session.chat.completions.create(model="m", messages=HI)).text

    assert asyncio.run(once())
    assert asyncio.run(once())
    assert session is not None
    asyncio.run(session.aclose())
    gc.collect()  # a connection that is left open is an error here


async def open_stream(stream: Any) -> Any:
    """Read the first event of *stream*, inside its block."""
    await stream.__aenter__()
    await anext(stream)
    return stream


async def open_raw_stream(session: AsyncSession) -> Any:
    body = {"model": "m", "messages": HI, "stream": True}
    return await open_stream(await session.request("POST", "/v1/chat/completions", json=body, stream=True))


async def open_branch(session: AsyncSession) -> Any:
    """Return the second branch of a stream whose first event was read in the first one."""
    first, second = session.chat.completions.stream(model="m", messages=HI).tee(2)
    await anext(first)
    await anext(second)
    return second


async def return_session(session: AsyncSession) -> Any:
    return session


async def drain(source: AsyncIterable[object]) -> None:
    async for _ in source:
        pass


Prepare = Callable[[AsyncSession], Awaitable[Any]]
Use = Callable[[Any], Awaitable[object]]
USES_ELSEWHERE: dict[str, tuple[Prepare, Use]] = {
    "completion": (return_session, lambda s: s.chat.completions.create(model="m", messages=HI)),
    "stream": (return_session, lambda s: drain(s.chat.completions.stream(model="m", messages=HI))),
    "view": (return_session, lambda s: s.with_options(priority="bulk").models.list()),
    "limiter": (return_session, lambda s: s.limits.acquire()),
    "open stream": (lambda s: open_stream(s.chat.completions.stream(model="m", messages=HI)), drain),
    "text": (lambda s: open_stream(s.chat.completions.stream(model="m", messages=HI)), lambda it: drain(it.text())),
    "completion of a stream": (
        lambda s: open_stream(s.chat.completions.stream(model="m", messages=HI)),
        lambda stream: stream.completion(),
    ),
    "message stream": (lambda s: open_stream(s.messages.stream(model="m", messages=HI, max_tokens=9)), drain),
    "response stream": (lambda s: open_stream(s.responses.stream(model="m", input="Hi")), drain),
    "raw stream": (open_raw_stream, drain),
    "branch": (open_branch, drain),
    "map": (lambda s: open_stream(s.chat.completions.map(["Hi"] * 9, concurrency=1, model="m")), drain),
    "job": (
        lambda s: s.batches.submit([{"custom_id": "1", "body": {"model": "m", "messages": HI}}]),
        lambda j: j.wait(),
    ),
}


@pytest.mark.parametrize("own_pool", [True, False], ids=["own pool", "client_session"])
@pytest.mark.parametrize("use", USES_ELSEWHERE)
async def test_another_loop_is_refused_and_spoils_nothing(
    gradient_emulator: Emulator, use: str, *, own_pool: bool
) -> None:
    prepare, act = USES_ELSEWHERE[use]
    gradient_emulator.reply("One two three four five.", token_delay=0.1, times=None)
    async with aiohttp.ClientSession() as pool:
        client_session = None if own_pool else pool
        async with AsyncSession("test", base_url=gradient_emulator.url, client_session=client_session) as session:
            await session.models.list()
            thing = await prepare(session)

            async def use_elsewhere() -> None:
                async with asyncio.timeout(HANG_SECONDS):
                    await act(thing)

            with pytest.raises(SessionClosedError, match="another event loop"):
                await asyncio.to_thread(asyncio.run, use_elsewhere())
            if hasattr(thing, "__aexit__") and thing is not session:
                await thing.__aexit__(None, None, None)
            assert (await session.models.list()).data


async def test_two_loops_at_once_make_the_first_call_and_one_is_refused(gradient_emulator: Emulator) -> None:
    session, start = AsyncSession("test", base_url=gradient_emulator.url), threading.Barrier(2)

    async def call() -> None:
        start.wait(HANG_SECONDS)
        try:
            await session.models.list()
        finally:
            start.wait(HANG_SECONDS)  # neither loop is closed before both have called

    calls = (asyncio.to_thread(asyncio.run, call()) for _ in range(2))
    results = await asyncio.gather(*calls, return_exceptions=True)
    assert {type(result) for result in results} == {type(None), SessionClosedError}
    await session.aclose()


def test_another_thread_that_shows_the_limits_gets_the_same_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[object] = []

    class SlowLimiter(RateLimiter):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            if not reading.ident:
                reading.start()
                reading.join(0.05)

    monkeypatch.setattr("gradient_async._io.rate_limit.limiter.RateLimiter", SlowLimiter)
    session = AsyncSession("test", base_url="http://127.0.0.1:9")
    reading = threading.Thread(target=lambda: seen.append(session.limits))
    seen.append(session.limits)
    reading.join()
    assert seen == [session.limits] * 2


async def test_a_client_session_of_another_loop_is_refused(gradient_emulator: Emulator) -> None:
    async def list_elsewhere(pool: aiohttp.ClientSession) -> None:
        async with AsyncSession("test", base_url=gradient_emulator.url, client_session=pool) as session:
            await session.models.list()

    async with aiohttp.ClientSession() as pool:
        with pytest.raises(SessionClosedError, match="client_session belongs to another event loop"):
            await asyncio.to_thread(asyncio.run, list_elsewhere(pool))


class LoopThread:
    """A thread that runs an event loop."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return the result of *work* on the loop."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(HANG_SECONDS)

    def stop(self, *, closes: bool = True) -> None:
        """End the thread, and maybe the loop."""
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(HANG_SECONDS)
        if closes:
            self.loop.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()


@pytest.fixture
def server() -> Iterator[str]:
    """The address of a server in a thread of its own, which knows when its connections end."""
    with run_thread_server(answer) as address:
        yield f"http://{address}"


def answer(connection: socket.socket) -> None:
    while request := receive_request(connection):
        is_stream = b'"stream":true' in request
        head = b"HTTP/1.1 200 OK\r\nContent-Type: %b\r\n" % (b"text/event-stream" if is_stream else b"application/json")
        body = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n' if is_stream else b'{"data": []}'
        connection.sendall(head + b"Content-Length: %d\r\n\r\n" % (99_999 if is_stream else len(body)) + body)


@pytest.mark.parametrize("is_running", [True, False], ids=["a running loop", "a stopped loop"])
@pytest.mark.parametrize("own_limits", [True, False])
def test_closing_from_another_loop_leaves_nothing_open(server: str, *, is_running: bool, own_limits: bool) -> None:
    limits = RateLimits() if own_limits else None
    thread = LoopThread()
    session = AsyncSession("test", base_url=server, limits=limits)
    thread.run(session.models.list())
    pool = session._transport._pool
    assert pool is not None
    if not is_running:
        thread.stop(closes=False)
    asyncio.run(session.aclose())
    assert pool.closed
    if is_running:
        thread.stop()
    else:
        thread.loop.close()
    del session, pool
    gc.collect()  # a connection that is left open is an error here


def test_closing_from_another_loop_ends_what_runs_there(server: str) -> None:
    thread = LoopThread()
    session = AsyncSession("test", base_url=server, limits=RateLimits(windows=[(1, 60.0)]))
    stream = session.chat.completions.stream(model="m", messages=HI)

    async def read_stream() -> str:
        async for _ in stream:
            started.set()
        return stream.outcome

    async def wait_for_limiter() -> None:
        queued.set()
        await session.models.list()

    started, queued = threading.Event(), threading.Event()
    reading = asyncio.run_coroutine_threadsafe(read_stream(), thread.loop)
    assert started.wait(HANG_SECONDS)
    waiting = asyncio.run_coroutine_threadsafe(wait_for_limiter(), thread.loop)
    assert queued.wait(HANG_SECONDS)
    asyncio.run(session.aclose())
    for future in (reading, waiting):
        with pytest.raises(SessionClosedError):
            future.result(HANG_SECONDS)
    thread.stop()
    gc.collect()


def test_a_session_that_is_not_closed_ends_with_its_loop(server: str) -> None:
    session = AsyncSession("test", base_url=server)
    asyncio.run(list_models(session))
    pool = session._transport._pool
    assert pool is not None
    assert pool.closed
    del session, pool
    gc.collect()  # a connection that is left open is an error here


async def list_models(session: AsyncSession) -> None:
    await session.models.list()


async def test_a_child_process_gets_a_new_pool(gradient_session: AsyncSession, monkeypatch: pytest.MonkeyPatch) -> None:
    await gradient_session.models.list()
    before = gradient_session._transport._pool
    monkeypatch.setattr(os, "getpid", lambda: -1)
    await gradient_session.models.list()
    assert gradient_session._transport._pool is not before
    assert before is not None
    assert not before.closed
    await before.close()


async def test_the_callers_aiohttp_session_is_used_and_left_open(gradient_emulator: Emulator) -> None:
    async with aiohttp.ClientSession(headers={"X-Own": "1"}) as own:
        async with AsyncSession(api_key="test", base_url=gradient_emulator.url, client_session=own) as session:
            assert (await session.chat.completions.create(model="m", messages=HI)).text
        assert not own.closed
    assert gradient_emulator.requests[0].headers["X-Own"] == "1"


@pytest.mark.parametrize("make_copy", [copy.copy, copy.deepcopy, pickle.dumps])
@pytest.mark.parametrize(
    "choose",
    [
        lambda session: session,
        lambda session: session.with_options(),
        lambda session: session.chat,
        lambda session: {"client": session},
        lambda session: session.agent("https://x.agents.do-ai.run", "secret"),
    ],
    ids=["session", "view", "resource", "inside", "agent"],
)
async def test_a_session_cannot_be_copied_and_says_what_to_do(
    gradient_session: AsyncSession, make_copy: Callable[[object], object], choose: Callable[[AsyncSession], object]
) -> None:
    await gradient_session.models.list()
    if make_copy is copy.copy and type(choose(gradient_session)) is not AsyncSession:
        pytest.skip("a shallow copy of what holds a session copies no session")
    with pytest.raises(TypeError, match=r"with_options\(.*another process"):
        make_copy(choose(gradient_session))
