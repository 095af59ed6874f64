"""The transport: one exchange with a host, over a connection pool that is created on first use.

Contract: owns the aiohttp session; none of aiohttp's exceptions leaves it. Keys belong to a request, never to the pool.
The pool has no cookies, no redirects and no time limits of aiohttp. Proxy and TLS context hold for every host, storage
included.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from io import BytesIO
from typing import TYPE_CHECKING, Any, NoReturn

import aiohttp
from yarl import URL

from gradient_async._io.deadline_timer import DeadlineTimer, GroupedBlock, OpenBlock
from gradient_async._io.event_loops import run_on_loop
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.connector import TimingConnector, current_attempt
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.fast_post import NO_LIMITS, FastPostSender
from gradient_async._io.http.read_memory import keep_read_memory
from gradient_async._io.http.target import Target
from gradient_async._protocol.requests.request import Request, build_headers
from gradient_async.errors import GradientError, SessionClosedError

if TYPE_CHECKING:
    from gradient_async._io.http.proxies import ProxyFinder

READ_BUFFER_BYTES = 65_536
FILE_BUFFER_BYTES = 1_048_576
MAX_BYTES_AT_ONCE = 1_048_576
"""aiohttp warns of longer bodies, unless it may read them block by block."""
KEEP_ALIVE_SECONDS = 60.0
DNS_CACHE_SECONDS = 300
_OTHER_LOOP = (
    "This session's connections belong to another event loop that is still open; use one AsyncSession in each loop."
)
_binding = threading.Lock()
"""Held while a session gets its event loop: once in the life of most sessions."""


class Transport:
    """Sends requests over a pool of connections.

    Attributes:
        max_connections: Maximum number of open connections; None for any number.
        client_session: The caller's aiohttp session, used as it is and never closed; None to create a pool.
        proxies: Finds the proxy of a request; None without one.
        ssl_context: The context of every TLS connection; None for aiohttp's, with the system's authorities.
        home_loop: The event loop that entered the session, None if none did.
        closed: Whether `aclose` was called.
    """

    def __init__(
        self,
        max_connections: int | None = None,
        client_session: aiohttp.ClientSession | None = None,
        proxies: ProxyFinder | None = None,
        ssl_context: ssl.SSLContext | None = None,
        home_loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        self.max_connections = max_connections
        self.client_session = client_session
        self.proxies = proxies
        self.ssl_context = ssl_context
        self.home_loop = home_loop
        self.closed = False
        self._open_exchanges: set[Exchange] = set()
        self._active_calls: set[OpenBlock] = set()
        # The loop that the session belongs to, by its timer, and the process that bound it.
        self._deadline_timer: DeadlineTimer | None = None
        self._bound_pid = 0
        # The pool, the loop and the process that opened it, and the pool of the parent process.
        self._pool: aiohttp.ClientSession | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._pid = 0
        self._fast_posts: FastPostSender | None = None
        self._guard: AsyncGenerator[None, None] | None = None
        self._inherited: object = None

    @property
    def loop(self) -> asyncio.AbstractEventLoop | None:
        """The event loop of the connections; None before the first call."""
        return self._loop if self._deadline_timer is None else self._deadline_timer.loop

    @property
    def is_of_this_process(self) -> bool:
        """Whether no other process opened the connections."""
        return self._pid in (0, os.getpid())

    def get_deadline_timer(self, loop: asyncio.AbstractEventLoop) -> DeadlineTimer:
        """Return the timer of all requests on *loop*, which the session belongs to from now on.

        Raises:
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        timer = self._deadline_timer
        return timer if timer is not None and timer.loop is loop else self._bind_loop(loop)

    def _bind_loop(self, loop: asyncio.AbstractEventLoop) -> DeadlineTimer:
        """Move the session to *loop*, from a closed one or the parent process; loops of two threads may try at once."""
        self._require_open()
        with _binding:
            timer, pid = self._deadline_timer, os.getpid()
            if timer is not None and self._bound_pid == pid and not timer.loop.is_closed():
                raise SessionClosedError(_OTHER_LOOP)
            self._deadline_timer, self._bound_pid = DeadlineTimer(loop), pid
            return self._deadline_timer

    def cancel_on_close(self) -> GroupedBlock:
        """Return a ``with`` block that `aclose` ends; code after the block raises `build_closed_error`.

        Raises:
            SessionClosedError: The session is closed.
        """
        self._require_open()
        return GroupedBlock(self._active_calls)

    def forget_exchange(self, exchange: Exchange) -> None:
        """Stop tracking *exchange*: its body was read, or its connection closed."""
        self._open_exchanges.discard(exchange)

    def start_exchange(self, request: Request, target: Target, timer: AttemptTimer) -> Coroutine[Any, Any, Exchange]:
        """Send *request* once and return when its status line has arrived.

        Once the pool exists, most requests take the fast path past aiohttp's session.

        Raises:
            APIConnectionError: No response arrived.
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        fast_posts = self._fast_posts
        if (
            fast_posts is not None
            and self._usable_pool(timer.deadline_timer.loop) is not None
            and fast_posts.can_send(request)
        ):
            return self._await_exchange(fast_posts.send(request, target, timer), timer)
        return self._await_exchange(self._send_with_session(request, target, timer), timer)

    async def fetch_presigned(
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any = None, timer: AttemptTimer
    ) -> Exchange:
        """Send a request to a presigned *url*, byte for byte as given, without key, cookies or default headers.

        Raises:
            APIConnectionError: No response arrived.
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        with self.cancel_on_close():
            return await self._await_exchange(self._send_presigned(method, url, headers, data, timer), timer)
        raise build_closed_error(maybe_sent=timer.sent)

    async def _await_exchange(self, sending: Awaitable[aiohttp.ClientResponse], timer: AttemptTimer) -> Exchange:
        """Await the status line of the response that *sending* yields, and track its exchange."""
        current_attempt.set(timer)
        try:
            response = await sending
        except (aiohttp.ClientError, OSError) as caught:
            error = self.translate_error(caught, timer)
        else:
            timer.response_started = timer.sent = True  # a mock of aiohttp opens no connection
            exchange = Exchange(timer, response, self)
            self._open_exchanges.add(exchange)
            return exchange
        raise error

    async def _send_with_session(self, request: Request, target: Target, timer: AttemptTimer) -> aiohttp.ClientResponse:
        """Send *request* through aiohttp's session."""
        pool, body, url = await self._get_pool(timer), request.body, target.base_url + request.path
        options: dict[str, Any] = {
            "data": body if body is None or len(body) <= MAX_BYTES_AT_ONCE else BytesIO(body),
            "headers": build_headers(request, target.key, target.headers),
            **await self._build_network_options(url),
            "allow_redirects": False,
            "raise_for_status": False,
            "auto_decompress": True,
            "timeout": NO_LIMITS,
        }
        with self._lend_session(pool) as session:
            return await session.request(request.method, URL(url, encoded=True), **options)

    async def _send_presigned(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, timer: AttemptTimer
    ) -> aiohttp.ClientResponse:
        """Send a request without the headers and cookies of the caller's session."""
        pool = await self._get_pool(timer)
        options: dict[str, Any] = {
            "data": data,
            "headers": {"User-Agent": "gradient-async", **headers},
            "skip_auto_headers": None if "Content-Type" in headers else ("Content-Type",),
            **await self._build_network_options(url),
            "read_bufsize": FILE_BUFFER_BYTES,
            "auto_decompress": False,
            "allow_redirects": False,
            "timeout": NO_LIMITS,
        }
        with self._lend_session(pool, bare=True) as session:
            return await session.request(method, URL(url, encoded=True), **options)

    async def _build_network_options(self, url: str) -> dict[str, Any]:
        """Return the options of aiohttp that name the proxy of *url* and, for the caller's session, the TLS context."""
        proxy = None if self.proxies is None else await self.proxies.find(url)
        options: dict[str, Any] = {"proxy": None if proxy is None else proxy.url}
        if self.client_session is not None and self.ssl_context is not None:
            options["ssl"] = self.ssl_context  # our own pool has it already
        return options

    def _lend_session(
        self, pool: aiohttp.ClientSession, *, bare: bool = False
    ) -> AbstractContextManager[aiohttp.ClientSession]:
        """Return a block with the session that sends one request: our own pool, or a copy of the caller's session."""
        if self.client_session is None:
            return nullcontext(pool)
        from gradient_async._io.http.borrowed_session import borrow_session  # most sessions have their own pool

        return borrow_session(self.client_session, bare=bare)

    async def _get_pool(self, timer: AttemptTimer) -> aiohttp.ClientSession:
        """Return the pool of the running loop, created if it does not exist."""
        return self._usable_pool(timer.deadline_timer.loop) or await self._open_pool()

    async def run_on_own_loop(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Await ``work()`` on the event loop of the connections; here before the first call."""
        await run_on_loop(self.loop, work)

    async def aclose(self) -> None:
        """Close every connection, and wake the calls that wait for one or on one; on the loop of the connections."""
        self.closed = True
        for call in list(self._active_calls):  # aiohttp would ignore those that connect, and cancel those in its queue
            call.request_stop()
        for exchange in list(self._open_exchanges):
            exchange.close()
        if self._deadline_timer is not None:
            self._deadline_timer.disarm()
        pool, self._pool = self._pool, None
        if pool is not None:
            await pool.close()
        await self._end_guard()

    async def _end_guard(self) -> None:
        guard, self._guard = self._guard, None
        if guard is not None:
            with suppress(RuntimeError):  # the loop is ending it at this moment
                await guard.aclose()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "An AsyncSession has connections and an event loop, so it cannot be copied or pickled. For other settings "
            "use session.with_options(...); for another process or loop create an AsyncSession there."
        )

    def translate_error(self, caught: Exception, timer: AttemptTimer) -> GradientError:
        """Return our error for an exception of aiohttp or of the operating system."""
        if self.closed:
            return build_closed_error(maybe_sent=timer.sent)
        from gradient_async._io.http.error_translation import translate_exception  # loaded with the first failure

        return translate_exception(caught, timer)

    def _usable_pool(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession | None:
        """Return the pool if it belongs to the running *loop* and to this process, as it usually does."""
        is_ours = self._loop is loop and self._pid == os.getpid()
        return self._pool if is_ours and not self.closed else None

    async def _open_pool(self) -> aiohttp.ClientSession:
        """Return the caller's session, or a new pool for the running loop in place of a stale one."""
        self._require_open()
        if self.client_session is not None:
            if self.client_session.closed:
                raise SessionClosedError("The aiohttp session given as client_session is closed; give an open one.")
            if self.client_session._loop is not asyncio.get_running_loop():
                raise SessionClosedError(
                    "The aiohttp session given as client_session belongs to another event loop; give each loop its own."
                )
            return self.client_session
        pid = os.getpid()
        await self._abandon_pool(pid)
        self._loop, self._pid = asyncio.get_running_loop(), pid
        self._pool = self._build_pool(self._loop)
        self._guard = _close_with_loop(weakref.ref(self._pool))
        await anext(self._guard)
        return self._pool

    def _require_open(self) -> None:
        if self.closed:
            raise SessionClosedError("This session is closed; open a new AsyncSession.")

    async def _abandon_pool(self, pid: int) -> None:
        """Give up the pool of a closed loop or of the parent process; refuse to abandon one of an open loop."""
        if self._pool is None or self._loop is None:
            return
        if self._pid != pid:
            # kept and never used: closing its sockets would disturb the parent process
            self._inherited = (self._pool, self._guard)
            return
        if not self._loop.is_closed():
            raise SessionClosedError(_OTHER_LOOP)
        await self._pool.close()

    def _build_pool(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        keep_read_memory()
        connector = TimingConnector(
            limit=self.max_connections or 0,
            ttl_dns_cache=DNS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
            ssl=self.ssl_context or True,
        )
        pool = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=NO_LIMITS, read_bufsize=READ_BUFFER_BYTES
        )
        # Not `connector.connect`: it would mark the request as sent, which the fast path does itself.
        self._fast_posts = FastPostSender(connector.acquire_connection, pool, loop, READ_BUFFER_BYTES, self.proxies)
        return pool


async def _close_with_loop(pool: weakref.ref[aiohttp.ClientSession]) -> AsyncGenerator[None, None]:
    """Close a pool that is still open when its loop ends: ``asyncio.run`` then closes every asynchronous generator."""
    try:
        yield
    finally:
        if (open_pool := pool()) is not None:
            await open_pool.close()


def build_closed_error(*, maybe_sent: bool) -> SessionClosedError:
    """Build the error for a call that was under way when the session was closed."""
    error = SessionClosedError("The session was closed while a response was awaited; open a new AsyncSession.")
    error.maybe_sent = maybe_sent
    return error
