"""Calls on the event loop of a session, from code without a loop and from other threads.

Contract: a session is used on one loop, so that all its calls share connections and rate limits, whatever thread they
come from. That loop is the one of its connections, else the one that entered the session, else the running one; code
without a loop, and a loop of another thread than the main one, use the portal: a thread of this process that runs a
loop until the interpreter exits. A call that waits for a loop which has stopped fails instead of waiting forever.
"""

from __future__ import annotations

import asyncio
import atexit
import concurrent.futures
import os
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import attrs

from gradient_async.errors import ConfigurationError, SessionClosedError

if TYPE_CHECKING:
    from gradient_async._io.http.pipeline import Pipeline
    from gradient_async._io.stream.chat_stream import ChatStream
    from gradient_async.models import ChatCompletion, ChatCompletionChunk

T = TypeVar("T")
Call = Callable[[], Coroutine[Any, Any, T]]
_CHECK_SECONDS = 1.0
"""How often a waiting call looks whether the loop that it waits for still runs."""
_EXIT_SECONDS = 2.0
_END: Any = object()


class _Portal:
    """A daemon thread with an event loop."""

    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="gradient_async portal", daemon=True)
        self._thread.start()

    def shut_down(self) -> None:
        """Stop the loop and close its connections, in the process that started it."""
        if self.pid == os.getpid() and not self.loop.is_closed():
            self.loop.call_soon_threadsafe(self.loop.stop)
            self._thread.join(_EXIT_SECONDS)

    def _run(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())
        self.loop.close()


_lock = threading.Lock()
_portal: _Portal | None = None


def get_portal_loop() -> asyncio.AbstractEventLoop:
    """Return the loop of the portal, started at its first use in this process."""
    global _portal  # noqa: PLW0603  there is one in each process
    with _lock:
        if _portal is None or _portal.pid != os.getpid():
            _portal = _Portal()
            atexit.register(_portal.shut_down)
        return _portal.loop


def require_blocking() -> None:
    """Refuse to block an event loop.

    Raises:
        ConfigurationError: This thread runs one.
    """
    if _get_running_loop() is not None:
        raise ConfigurationError(
            "A synchronous call would block the running event loop; await ainvoke() or abatch(), or iterate over "
            "astream(); or call it in another thread, as asyncio.to_thread does."
        )


def run_blocking(pipeline: Pipeline, call: Call[T]) -> T:
    """Run ``call()`` on the loop of the session that *pipeline* is of, and wait for its result.

    Raises:
        SessionClosedError: That loop has stopped.
    """
    loop = _find_loop(pipeline) or get_portal_loop()
    done = asyncio.run_coroutine_threadsafe(call(), loop)
    try:
        while not concurrent.futures.wait([done], timeout=_CHECK_SECONDS).done:
            _require_running(loop)
    except BaseException:
        done.cancel()
        raise
    return done.result()


async def run_bridged(pipeline: Pipeline, call: Call[T]) -> T:
    """Await ``call()`` on the loop of the session that *pipeline* is of; mostly that is the running one.

    Raises:
        SessionClosedError: That loop has stopped.
    """
    loop = find_other_loop(pipeline)
    return await (call() if loop is None else _await_on(loop, call))


def find_other_loop(pipeline: Pipeline) -> asyncio.AbstractEventLoop | None:
    """Return the loop that a call belongs to, None for the running one."""
    current = asyncio.get_running_loop()
    loop = _find_loop(pipeline)
    if loop is None and threading.current_thread() is not threading.main_thread() and not _is_bound(pipeline):
        loop = get_portal_loop()
    return None if loop is current else loop


def _find_loop(pipeline: Pipeline) -> asyncio.AbstractEventLoop | None:
    """Return the loop that the session uses or was entered on; None if there is none, or it does not run."""
    transport = pipeline.transport
    loops = (transport.loop, transport.home_loop) if transport.is_of_this_process else ()
    return next((loop for loop in loops if loop is not None and loop.is_running()), None)


def _is_bound(pipeline: Pipeline) -> bool:
    loop = pipeline.transport.loop
    return loop is not None and not loop.is_closed()


async def _await_on(loop: asyncio.AbstractEventLoop, call: Call[T]) -> T:
    done = asyncio.wrap_future(asyncio.run_coroutine_threadsafe(call(), loop))
    try:
        while not (await asyncio.wait([done], timeout=_CHECK_SECONDS))[0]:
            _require_running(loop)
    except BaseException:
        done.cancel()
        raise
    return done.result()


def _require_running(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_running():
        raise SessionClosedError(
            "The event loop of this session has stopped while a call from another thread waited; keep it running, or "
            "open the session in the thread that uses it."
        )


def _get_running_loop() -> asyncio.AbstractEventLoop | None:
    try:
        return asyncio.get_running_loop()
    except RuntimeError:
        return None


@attrs.define(eq=False, repr=False)
class BridgedStream:
    """A chat stream of another loop: the same methods, from the running loop.

    Attributes:
        loop: The loop of the stream.
        stream: The stream.
    """

    loop: asyncio.AbstractEventLoop
    stream: ChatStream
    _chunks: AsyncIterator[ChatCompletionChunk] | None = attrs.field(default=None, init=False)

    async def open(self) -> None:
        """Send the request; return when the response begins."""
        await _await_on(self.loop, self._open)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.cancel()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatCompletionChunk:
        chunk = await _await_on(self.loop, self.read_chunk)
        if chunk is _END:
            raise StopAsyncIteration
        return chunk  # type: ignore[no-any-return]  # the marker of the end is Any

    async def read_chunk(self) -> Any:
        """Return the next chunk, or the marker of the end; on the loop of the stream."""
        if self._chunks is None:
            self._chunks = aiter(self.stream)
        return await anext(self._chunks, _END)

    @property
    def snapshot(self) -> ChatCompletion:
        """The completion assembled so far."""
        return self.stream._build_snapshot()  # only `read_chunk` reads the stream, and it has returned

    def cancel(self) -> None:
        """Stop the stream, from any thread."""
        with suppress(RuntimeError):  # the loop is closed, and the connection with it
            self.loop.call_soon_threadsafe(self.stream.cancel)

    def __del__(self) -> None:
        self.cancel()

    async def _open(self) -> None:
        await self.stream.open()


def bridge_stream(pipeline: Pipeline, stream: ChatStream) -> ChatStream | BridgedStream:
    """Return *stream*, or where its session belongs to another loop than the running one, a bridge to that."""
    loop = find_other_loop(pipeline)
    return stream if loop is None else BridgedStream(loop, stream)


@attrs.define(eq=False, repr=False)
class BlockingStream:
    """The chunks of a chat stream for code without a loop; leaving the ``with`` block cancels the stream.

    Attributes:
        pipeline: Sends the requests of the session.
        make_stream: Creates the stream, on the loop of the session.
    """

    pipeline: Pipeline
    make_stream: Callable[[], ChatStream]
    _bridged: BridgedStream | None = attrs.field(default=None, init=False)

    def __enter__(self) -> Self:
        async def bridge() -> BridgedStream:
            return BridgedStream(asyncio.get_running_loop(), self.make_stream())

        self._bridged = run_blocking(self.pipeline, bridge)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._require_bridged().cancel()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> ChatCompletionChunk:
        chunk = run_blocking(self.pipeline, self._require_bridged().read_chunk)
        if chunk is _END:
            raise StopIteration
        return chunk  # type: ignore[no-any-return]  # the marker of the end is Any

    @property
    def snapshot(self) -> ChatCompletion:
        """The completion assembled so far."""
        return self._require_bridged().snapshot

    def _require_bridged(self) -> BridgedStream:
        assert self._bridged is not None  # noqa: S101  inside the block; this tells mypy
        return self._bridged
