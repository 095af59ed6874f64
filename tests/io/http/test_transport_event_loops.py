"""One session and several event loops or processes."""

import asyncio
import copy
import gc
import os
import pickle
import socket
import threading
from collections.abc import Callable, Coroutine, Iterator
from typing import Any, TypeVar

import aiohttp
import pytest

from gradient_async import AsyncSession, RateLimits, SessionClosedError
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


async def test_a_second_open_loop_is_refused(gradient_session: AsyncSession) -> None:
    await gradient_session.models.list()
    errors: list[SessionClosedError] = []

    def use_second_loop() -> None:
        try:
            asyncio.run(list_models(gradient_session))
        except SessionClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=use_second_loop)
    thread.start()
    await asyncio.to_thread(thread.join)
    assert "one AsyncSession in each loop" in str(errors[0])
    await gradient_session.models.list()


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
