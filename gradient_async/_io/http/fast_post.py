"""Fast path for short POST requests, past `aiohttp.ClientSession`, over the connections of its pool.

What it saves: about 65 us of CPU per request (60 to 100 of 180 to 300 us on CPython 3.11). For each request aiohttp
builds URL, headers and request object anew, and before CPython 3.14 writes the body in a task of its own. Yet all
posts to one address with one key differ only in the body and its ``Content-Length``.

How it stays byte for byte what aiohttp sends: aiohttp itself renders the head, once per address, key and kind of
response, with its own `ClientRequest` and `StreamWriter` and an empty body. The head is split around that length:

    before   POST /v1/chat/completions HTTP/1.1, Host, Authorization, ..., "Content-Length: "
             0
    after    end of the line, later headers if there are any, empty line

Each request writes ``before + length + after + body`` in one call. Pool, sockets, parser and response are aiohttp's
own, and so are tunnels through a proxy: the head tells the pool which proxy is meant. A property test compares the
bytes with those of the session.

When it falls back to the session: `FastPostSender.can_send` declines long bodies and other methods, and every request
while a library mocks, wraps or traces aiohttp, or when its private signatures are not those of `aiohttp_internals`.

Contract: sends the same bytes and raises the same exceptions as the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import aiohttp
from aiohttp import ClientRequest, ClientResponse, ClientSession, hdrs
from aiohttp.helpers import TimerNoop
from aiohttp.http import StreamWriter
from yarl import URL

from gradient_async._io.http.aiohttp_internals import find_changed_method, find_request_method, report_changed_method
from gradient_async._io.http.target import Headers, Target
from gradient_async._protocol.requests.request import Request, build_headers

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from gradient_async._io.http.attempt_timer import AttemptTimer
    from gradient_async._io.http.proxies import ProxyFinder

MAX_BODY_BYTES = 32 * 1024
"""Half of what a connection buffers before it pauses its writer, so that a write never has to wait."""
NO_LIMITS: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

_MAX_HEADS = 64
_LENGTH_NAME, _LINE_END = b"\r\nContent-Length: ", b"\r\n"
_ZERO_LENGTH = _LENGTH_NAME + b"0" + _LINE_END
_NO_TIMER = TimerNoop()
_NO_TRACES: list[Any] = []
_NO_WRITER: Any = SimpleNamespace(output_size=0)
"""Stands for the writer of a request, from which a response takes the number of bytes sent, for tracing."""

_CHANGED_METHOD = find_changed_method()
_SESSION_REQUEST = None if _CHANGED_METHOD else find_request_method({})  # no signature is looked at twice


class _RequestHead:
    """The head that all posts to one address with one key share.

    Attributes:
        request: Tells aiohttp's pool which connection is needed.
        info: Describes the request in aiohttp's response and exceptions.
        before: Request line and headers, up to the length of the body.
        after: Headers after that length, and the empty line.
    """

    def __init__(self, request: ClientRequest, info: aiohttp.RequestInfo, before: bytes, after: bytes) -> None:
        self.request = request
        self.info = info
        self.before = before
        self.after = after


class FastPostSender:
    """Sends short posts over the connections of an aiohttp session.

    Attributes:
        connect: Takes a connection out of the pool, or opens one.
        pool: The session; it has no time limits of its own.
        loop: The loop of the session.
        read_bufsize: Bytes of a response that are buffered before reading from the socket pauses.
        proxies: Finds the proxy of an address, once; None without one.
    """

    def __init__(
        self,
        connect: Callable[[ClientRequest, list[Any], aiohttp.ClientTimeout], Awaitable[Connection]],
        pool: ClientSession,
        loop: asyncio.AbstractEventLoop,
        read_bufsize: int,
        proxies: ProxyFinder | None = None,
    ) -> None:
        self.connect = connect
        self.pool = pool
        self.loop = loop
        self.read_bufsize = read_bufsize
        self.proxies = proxies
        self._heads: dict[tuple[str, str, str, Headers], _RequestHead] = {}
        self._traces = self.pool.trace_configs  # the list itself, so that later additions are seen
        if _CHANGED_METHOD is not None:
            report_changed_method(_CHANGED_METHOD)

    def can_send(self, request: Request) -> bool:
        """Whether *request* may take the fast path."""
        body = request.body
        is_short_post = body is not None and len(body) <= MAX_BODY_BYTES and request.method == hdrs.METH_POST
        is_plain_aiohttp = _SESSION_REQUEST is not None and type(self.pool)._request is _SESSION_REQUEST
        return is_short_post and is_plain_aiohttp and not self._traces

    async def send(self, request: Request, target: Target, timer: AttemptTimer) -> ClientResponse:
        """Send *request* and return the response, its body unread; tell *timer* when the request is written.

        Raises:
            aiohttp.ClientError, OSError: As the session would.
        """
        head = None
        if not request.headers:
            accept = request.accept if request.stream else ""
            head = self._heads.get((target.base_url + request.path, target.key, accept, target.headers))
        if head is None:
            head = await self._render_head(request, target)
        connection = await self.connect(head.request, _NO_TRACES, NO_LIMITS)
        protocol = connection.protocol
        transport = None if protocol is None else protocol.transport
        if protocol is None or transport is None or transport.is_closing():
            connection.close()
            raise aiohttp.ClientConnectionResetError("The connection is being closed.")
        body = request.body or b""
        response = None
        try:
            transport.write(b"%b%d%b%b" % (head.before, len(body), head.after, body))  # not kept while waiting
            if transport.is_closing():  # the connection proved closed: nothing of the request was taken
                raise aiohttp.ClientConnectionResetError  # noqa: TRY301 - closed below, like every failure
            # The server is at work from here on, so that building the response (45 us) does not delay its first byte.
            timer.mark_sent(timer.deadline_timer.time())
            protocol.set_response_params(timer=_NO_TIMER, read_until_eof=True, read_bufsize=self.read_bufsize)
            response = self._build_response(head.info)
            return await response.start(connection)
        except BaseException:
            if response is not None:
                response.close()
            connection.close()
            raise

    def _build_response(self, info: aiohttp.RequestInfo) -> ClientResponse:
        return ClientResponse(
            info.method,
            info.url,
            writer=None,
            continue100=None,
            timer=_NO_TIMER,
            request_info=info,
            traces=_NO_TRACES,
            loop=self.loop,
            session=self.pool,
            stream_writer=_NO_WRITER,
        )

    async def _render_head(self, request: Request, target: Target) -> _RequestHead:
        """Let aiohttp write the head of *request*; cache it unless the request has headers of its own."""
        url = target.base_url + request.path
        proxy = None if self.proxies is None else await self.proxies.find(url)
        rendered = ClientRequest(
            request.method,
            URL(url, encoded=True),
            headers=build_headers(request, target.key, target.headers),
            data=b"",
            loop=self.loop,
            session=self.pool,
            proxy=None if proxy is None else URL(proxy.url),
        )
        path = rendered.url.raw_path_qs
        if proxy is not None and not rendered.is_ssl():  # without a tunnel, each request is for the proxy
            path = str(rendered.url)
            if proxy.authorization is not None:
                rendered.headers[hdrs.PROXY_AUTHORIZATION] = proxy.authorization
        written: list[bytes] = []
        sink: Any = SimpleNamespace(transport=SimpleNamespace(write=written.append, is_closing=lambda: False))
        writer = StreamWriter(sink, self.loop)
        await writer.write_headers(f"{rendered.method} {path} HTTP/1.1", rendered.headers)
        writer.send_headers()
        before, after = b"".join(written).split(_ZERO_LENGTH)
        head = _RequestHead(rendered, rendered.request_info, before + _LENGTH_NAME, _LINE_END + after)
        if not request.headers:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[url, target.key, request.accept if request.stream else "", target.headers] = head
        return head
