"""One exchange with a host, over a pool that is made when it is first needed.

Contract: owns the aiohttp session and is where aiohttp's exceptions become ours, which hold no request, no key and
nothing of aiohttp's. Keys travel with a request, never with the pool. No
cookies, no redirects, no proxy from the environment, no time limit of aiohttp's own.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Coroutine, Mapping
from io import BytesIO
from typing import Any

import aiohttp
import attrs
from yarl import URL

from gradient_async._io.deadline_timer import DeadlineTimer, GroupedBlock, OpenBlock
from gradient_async._io.http.attempt_timer import Progress
from gradient_async._io.http.connector import WatchedConnector, in_progress
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.fast_post import NO_LIMITS, DirectPosts
from gradient_async._protocol.requests.request import Request, build_headers
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError, SessionClosedError

READ_BUFFER_BYTES = 65_536
FILE_BUFFER_BYTES = 1_048_576
MOST_BYTES_AT_ONCE = 1_048_576
"""aiohttp warns of bodies beyond that, unless it may read them piece by piece."""
KEEP_ALIVE_SECONDS = 60.0
DNS_CACHE_SECONDS = 300


@attrs.define(eq=False, repr=False)
class Transport:
    """Owns the pool.

    Args:
        max_connections: How many connections may be open at once; None for any number.
        given: A session of the caller's, used as it is and never closed.
    """

    max_connections: int | None = None
    given: aiohttp.ClientSession | None = attrs.field(default=None, repr=False)
    closed: bool = attrs.field(default=False, init=False)
    _pool: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)
    _open: set[Exchange] = attrs.field(factory=set, init=False, repr=False)
    _under_way: set[OpenBlock] = attrs.field(factory=set, init=False, repr=False)
    _deadline_timer: DeadlineTimer | None = attrs.field(default=None, init=False, repr=False)
    _bare: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)
    _inherited: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False, repr=False)
    _pid: int = attrs.field(default=0, init=False, repr=False)
    _direct: DirectPosts | None = attrs.field(default=None, init=False, repr=False)

    def deadline_timer(self, loop: asyncio.AbstractEventLoop) -> DeadlineTimer:
        """Return what watches the time limits of requests on *loop*."""
        if self._deadline_timer is None or self._deadline_timer.loop is not loop:
            self._deadline_timer = DeadlineTimer(loop)
        return self._deadline_timer

    def until_closed(self) -> GroupedBlock:
        """Return a block that `aclose` ends; what follows it raises `closed_meanwhile`.

        Raises:
            SessionClosedError: The session is closed.
        """
        self._check_open()
        return GroupedBlock(self._under_way)

    def forget(self, exchange: Exchange) -> None:
        """Note that *exchange* has been read or given up."""
        self._open.discard(exchange)

    def exchange(
        self, request: Request, *, base_url: str, key: str, progress: Progress
    ) -> Coroutine[Any, Any, Exchange]:
        """Send *request* once and return when its status line has arrived.

        Once there is a pool, most requests go straight over its connections, past aiohttp's session.

        Raises:
            APIConnectionError: No answer came.
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        url, direct = base_url + request.path, self._direct
        if (
            direct is not None
            and self._pool_at_home(progress.deadline_timer.loop) is not None
            and direct.takes(request)
        ):
            return self._answered(direct.send(request, url, key, progress), progress)
        return self._answered(self._ask(request, url, key, progress), progress)

    async def fetch(
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any = None, progress: Progress
    ) -> Exchange:
        """Send a request to a presigned *url*, byte for byte as it is, without key, cookies or default headers.

        Raises:
            APIConnectionError: No answer came.
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        with self.until_closed():
            return await self._answered(self._ask_bare(method, url, headers, data, progress), progress)
        raise closed_meanwhile()

    async def _answered(self, asked: Awaitable[aiohttp.ClientResponse], progress: Progress) -> Exchange:
        """Return what comes of *asked* when its status line has arrived."""
        in_progress.set(progress)
        try:
            response = await asked
        except (aiohttp.ClientError, OSError) as caught:
            error = self.problem(caught, progress)
        else:
            progress.answered = True
            exchange = Exchange(progress, response, self)
            self._open.add(exchange)
            return exchange
        raise error

    async def _ask(self, request: Request, url: str, key: str, progress: Progress) -> aiohttp.ClientResponse:
        """Send *request* as aiohttp does."""
        pool, body = await self._pool_for(progress), request.body
        return await pool.request(
            request.method,
            URL(url, encoded=True),
            data=body if body is None or len(body) <= MOST_BYTES_AT_ONCE else BytesIO(body),
            headers=build_headers(request, key),
            allow_redirects=False,
            timeout=NO_LIMITS,
        )

    async def _ask_bare(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, progress: Progress
    ) -> aiohttp.ClientResponse:
        """Send a request with nothing of a session's own."""
        pool = await self._pool_for(progress)
        bare = self._bare_pool(pool) if pool is self.given else pool
        return await bare.request(
            method,
            URL(url, encoded=True),
            data=data,
            headers={"User-Agent": "gradient-async", **headers},
            skip_auto_headers=None if "Content-Type" in headers else ("Content-Type",),
            read_bufsize=FILE_BUFFER_BYTES,
            allow_redirects=False,
            timeout=NO_LIMITS,
        )

    async def _pool_for(self, progress: Progress) -> aiohttp.ClientSession:
        """Return the pool, made if need be."""
        pool = self._pool_at_home(progress.deadline_timer.loop) or await self._ready_pool()
        if pool is self.given:  # nothing tells how far a pool of the caller's has come
            progress.sent = True
            progress.enter("first_byte", progress.deadline_timer.time(), progress.timeouts.first_byte)
        return pool

    async def aclose(self) -> None:
        """Close every connection of the pool; whoever waits for one, or on one, is woken."""
        self.closed = True
        for call in list(self._under_way):  # aiohttp would leave those who connect, and cancel those who queue
            call.stop()
        for exchange in list(self._open):
            exchange.close()
        if self._deadline_timer is not None:
            self._deadline_timer.stop()
        if self._bare is not None:
            await self._bare.close()
        pool, self._pool = self._pool, None
        loop = self._loop
        if pool is None or loop is None:
            return
        if loop is asyncio.get_running_loop() or loop.is_closed():
            await pool.close()
        else:
            asyncio.run_coroutine_threadsafe(pool.close(), loop)

    def problem(self, caught: Exception, progress: Progress) -> GradientError:
        """Return our error for one that aiohttp raised."""
        if self.closed:
            return closed_meanwhile()
        return _translated(caught, progress)

    def _pool_at_home(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession | None:
        """Return the pool if it belongs to *loop*, which runs, and to this process; most often it does."""
        is_home = self._loop is loop and self._pid == os.getpid()
        return self._pool if is_home and not self.closed else None

    async def _ready_pool(self) -> aiohttp.ClientSession:
        self._check_open()
        if self.given is not None:
            if self.given.closed:
                raise SessionClosedError("The aiohttp session given as client_session is closed; give an open one.")
            return self.given
        pid = os.getpid()
        await self._leave_home(pid)
        self._loop, self._pid = asyncio.get_running_loop(), pid
        self._pool = self._new_pool(self._loop)
        return self._pool

    def _check_open(self) -> None:
        if self.closed:
            raise SessionClosedError("This session is closed; open a new AsyncSession.")

    def _bare_pool(self, given: aiohttp.ClientSession) -> aiohttp.ClientSession:
        """Return a session over the connections of the *given* one that has none of its headers and cookies."""
        if self._bare is None or self._bare.connector is not given.connector:
            self._bare = aiohttp.ClientSession(
                connector=given.connector,
                connector_owner=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=given.trust_env,
            )
        return self._bare

    async def _leave_home(self, pid: int) -> None:
        """Part with the pool of a loop that has ended, or of the parent process; refuse to leave one in use."""
        if self._pool is None or self._loop is None:
            return
        if self._pid != pid:
            self._inherited = self._pool  # kept and never touched: its sockets carry the parent's conversations
            return
        if not self._loop.is_closed():
            raise SessionClosedError(
                "This session's connections belong to another event loop that is still open; "
                "use one AsyncSession in each loop."
            )
        await self._pool.close()

    def _new_pool(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        connector = WatchedConnector(
            limit=self.max_connections or 0,
            ttl_dns_cache=DNS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        pool = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=NO_LIMITS, read_bufsize=READ_BUFFER_BYTES
        )
        # Who writes without aiohttp tells so without it too, hence not `connect`.
        self._direct = DirectPosts(connector.connect_clean, pool, loop, READ_BUFFER_BYTES)
        return pool


def closed_meanwhile() -> SessionClosedError:
    """Return the error for a call that closing the session ended."""
    return SessionClosedError("The session was closed while an answer was waited for.")


def _translated(caught: Exception, progress: Progress) -> GradientError:
    """Return our error for one of aiohttp's or of the operating system's."""
    if isinstance(caught, aiohttp.ClientConnectorCertificateError):
        return APIConnectionError(
            f"The certificate of {caught.host} was not accepted; check the address and the clock."
        )
    if isinstance(caught, aiohttp.ClientConnectorError):
        reason = caught.os_error.strerror or type(caught.os_error).__name__
        return APIConnectionError(f"Could not connect to {caught.host}:{caught.port}: {reason}.")
    if isinstance(caught, aiohttp.ClientResponseError):
        return ProtocolError("The service's answer is not readable as HTTP.")
    progress.lost_before_answer = not progress.answered and not _has_begun(caught)
    when = "in the middle of" if progress.answered else "before"
    return APIConnectionError(
        f"The connection was lost {when} the answer ({type(caught).__name__}).", maybe_sent=progress.sent
    )


def _has_begun(caught: Exception) -> bool:
    """Whether the connection was lost within the head of the answer, which aiohttp then hands over."""
    return isinstance(caught, aiohttp.ServerDisconnectedError) and not isinstance(caught.message, str)
