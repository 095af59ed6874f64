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
from gradient_async._io.http.attempt_timer import AttemptTimer
from gradient_async._io.http.connector import TimingConnector, current_attempt
from gradient_async._io.http.exchange import Exchange
from gradient_async._io.http.fast_post import NO_LIMITS, FastPostSender
from gradient_async._protocol.requests.request import Request, build_headers
from gradient_async.errors import APIConnectionError, GradientError, ProtocolError, SessionClosedError

READ_BUFFER_BYTES = 65_536
FILE_BUFFER_BYTES = 1_048_576
MAX_BYTES_AT_ONCE = 1_048_576
"""aiohttp warns of bodies beyond that, unless it may read them piece by piece."""
KEEP_ALIVE_SECONDS = 60.0
DNS_CACHE_SECONDS = 300


@attrs.define(eq=False, repr=False)
class Transport:
    """Owns the pool.

    Args:
        max_connections: How many connections may be open at once; None for any number.
        client_session: A session of the caller's, used as it is and never closed.
    """

    max_connections: int | None = None
    client_session: aiohttp.ClientSession | None = attrs.field(default=None, repr=False)
    closed: bool = attrs.field(default=False, init=False)
    _pool: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)
    _open: set[Exchange] = attrs.field(factory=set, init=False, repr=False)
    _active_calls: set[OpenBlock] = attrs.field(factory=set, init=False, repr=False)
    _deadline_timer: DeadlineTimer | None = attrs.field(default=None, init=False, repr=False)
    _bare_session: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)
    _inherited: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)
    _loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False, repr=False)
    _pid: int = attrs.field(default=0, init=False, repr=False)
    _fast_posts: FastPostSender | None = attrs.field(default=None, init=False, repr=False)

    def get_deadline_timer(self, loop: asyncio.AbstractEventLoop) -> DeadlineTimer:
        """Return what watches the time limits of requests on *loop*."""
        if self._deadline_timer is None or self._deadline_timer.loop is not loop:
            self._deadline_timer = DeadlineTimer(loop)
        return self._deadline_timer

    def cancel_on_close(self) -> GroupedBlock:
        """Return a block that `aclose` ends; what follows it raises `build_closed_error`.

        Raises:
            SessionClosedError: The session is closed.
        """
        self._require_open()
        return GroupedBlock(self._active_calls)

    def forget_exchange(self, exchange: Exchange) -> None:
        """Note that *exchange* has been read or given up."""
        self._open.discard(exchange)

    def start_exchange(
        self, request: Request, *, base_url: str, key: str, timer: AttemptTimer
    ) -> Coroutine[Any, Any, Exchange]:
        """Send *request* once and return when its status line has arrived.

        Once there is a pool, most requests go straight over its connections, past aiohttp's session.

        Raises:
            APIConnectionError: No answer came.
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        url, direct = base_url + request.path, self._fast_posts
        if direct is not None and self._usable_pool(timer.deadline_timer.loop) is not None and direct.can_send(request):
            return self._await_exchange(direct.send(request, url, key, timer), timer)
        return self._await_exchange(self._send_with_session(request, url, key, timer), timer)

    async def fetch_presigned(
        self, method: str, url: str, *, headers: Mapping[str, str], data: Any = None, timer: AttemptTimer
    ) -> Exchange:
        """Send a request to a presigned *url*, byte for byte as it is, without key, cookies or default headers.

        Raises:
            APIConnectionError: No answer came.
            SessionClosedError: The session is closed, or belongs to another event loop.
        """
        with self.cancel_on_close():
            return await self._await_exchange(self._send_presigned(method, url, headers, data, timer), timer)
        raise build_closed_error()

    async def _await_exchange(self, asked: Awaitable[aiohttp.ClientResponse], timer: AttemptTimer) -> Exchange:
        """Return what comes of *asked* when its status line has arrived."""
        current_attempt.set(timer)
        try:
            response = await asked
        except (aiohttp.ClientError, OSError) as caught:
            error = self.translate_error(caught, timer)
        else:
            timer.response_started = True
            exchange = Exchange(timer, response, self)
            self._open.add(exchange)
            return exchange
        raise error

    async def _send_with_session(
        self, request: Request, url: str, key: str, timer: AttemptTimer
    ) -> aiohttp.ClientResponse:
        """Send *request* as aiohttp does."""
        pool, body = await self._get_pool(timer), request.body
        return await pool.request(
            request.method,
            URL(url, encoded=True),
            data=body if body is None or len(body) <= MAX_BYTES_AT_ONCE else BytesIO(body),
            headers=build_headers(request, key),
            allow_redirects=False,
            timeout=NO_LIMITS,
        )

    async def _send_presigned(
        self, method: str, url: str, headers: Mapping[str, str], data: Any, timer: AttemptTimer
    ) -> aiohttp.ClientResponse:
        """Send a request with nothing of a session's own."""
        pool = await self._get_pool(timer)
        bare = self._presigned_session(pool) if pool is self.client_session else pool
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

    async def _get_pool(self, timer: AttemptTimer) -> aiohttp.ClientSession:
        """Return the pool, made if need be."""
        pool = self._usable_pool(timer.deadline_timer.loop) or await self._open_pool()
        if pool is self.client_session:  # nothing tells how far a pool of the caller's has come
            timer.sent = True
            timer.enter_phase("first_byte", timer.deadline_timer.time(), timer.timeouts.first_byte)
        return pool

    async def aclose(self) -> None:
        """Close every connection of the pool; whoever waits for one, or on one, is woken."""
        self.closed = True
        for call in list(self._active_calls):  # aiohttp would leave those who connect, and cancel those who queue
            call.request_stop()
        for exchange in list(self._open):
            exchange.close()
        if self._deadline_timer is not None:
            self._deadline_timer.disarm()
        if self._bare_session is not None:
            await self._bare_session.close()
        pool, self._pool = self._pool, None
        loop = self._loop
        if pool is None or loop is None:
            return
        if loop is asyncio.get_running_loop() or loop.is_closed():
            await pool.close()
        else:
            asyncio.run_coroutine_threadsafe(pool.close(), loop)

    def translate_error(self, caught: Exception, timer: AttemptTimer) -> GradientError:
        """Return our error for one that aiohttp raised."""
        if self.closed:
            return build_closed_error()
        return _translate_exception(caught, timer)

    def _usable_pool(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession | None:
        """Return the pool if it belongs to *loop*, which runs, and to this process; most often it does."""
        is_home = self._loop is loop and self._pid == os.getpid()
        return self._pool if is_home and not self.closed else None

    async def _open_pool(self) -> aiohttp.ClientSession:
        self._require_open()
        if self.client_session is not None:
            if self.client_session.closed:
                raise SessionClosedError("The aiohttp session given as client_session is closed; give an open one.")
            return self.client_session
        pid = os.getpid()
        await self._abandon_pool(pid)
        self._loop, self._pid = asyncio.get_running_loop(), pid
        self._pool = self._build_pool(self._loop)
        return self._pool

    def _require_open(self) -> None:
        if self.closed:
            raise SessionClosedError("This session is closed; open a new AsyncSession.")

    def _presigned_session(self, client_session: aiohttp.ClientSession) -> aiohttp.ClientSession:
        """Return a session over *client_session*'s connections, without its headers and cookies."""
        if self._bare_session is None or self._bare_session.connector is not client_session.connector:
            self._bare_session = aiohttp.ClientSession(
                connector=client_session.connector,
                connector_owner=False,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=client_session.trust_env,
            )
        return self._bare_session

    async def _abandon_pool(self, pid: int) -> None:
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

    def _build_pool(self, loop: asyncio.AbstractEventLoop) -> aiohttp.ClientSession:
        connector = TimingConnector(
            limit=self.max_connections or 0,
            ttl_dns_cache=DNS_CACHE_SECONDS,
            keepalive_timeout=KEEP_ALIVE_SECONDS,
        )
        pool = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), timeout=NO_LIMITS, read_bufsize=READ_BUFFER_BYTES
        )
        # Who writes without aiohttp tells so without it too, hence not `connect`.
        self._fast_posts = FastPostSender(connector.acquire_connection, pool, loop, READ_BUFFER_BYTES)
        return pool


def build_closed_error() -> SessionClosedError:
    """Return the error for a call that closing the session ended."""
    return SessionClosedError("The session was closed while an answer was waited for.")


def _translate_exception(caught: Exception, timer: AttemptTimer) -> GradientError:
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
    timer.lost_before_response = not timer.response_started and not _received_partial_head(caught)
    when = "in the middle of" if timer.response_started else "before"
    return APIConnectionError(
        f"The connection was lost {when} the answer ({type(caught).__name__}).", maybe_sent=timer.sent
    )


def _received_partial_head(caught: Exception) -> bool:
    """Whether the connection was lost within the head of the answer, which aiohttp then hands over."""
    return isinstance(caught, aiohttp.ServerDisconnectedError) and not isinstance(caught.message, str)
