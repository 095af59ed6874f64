"""Short posts over the connections of an aiohttp session, past what the session does anew for each.

Of all requests for one address with one key, head and connection are the same but for the length of the body. aiohttp
makes them again for each, and before Python 3.14 writes the body in a task of its own: 60 to 100 of the 180 to 300 µs
that a request takes on Python 3.11. Here the head is made once, by aiohttp, and leaves together with the body; pool,
sockets, parser and response are aiohttp's.

Contract: what is sent is, byte for byte, what the session would send. `FastPostSender.can_send` leaves to the session
what is long or not a post, and everything when somebody wraps, mocks or traces aiohttp, or when it is an aiohttp whose
signatures are not those known here.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Mapping
from types import FunctionType, SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import aiohttp
import attrs
from aiohttp import ClientRequest, ClientResponse, ClientSession, hdrs
from aiohttp.client_proto import ResponseHandler
from aiohttp.helpers import TimerNoop
from aiohttp.http import StreamWriter
from yarl import URL

from gradient_async._protocol.requests.request import Request, build_headers

if TYPE_CHECKING:
    from aiohttp.connector import Connection

    from gradient_async._io.http.attempt_timer import AttemptTimer

MAX_BODY_BYTES = 32 * 1024
"""A connection takes twice as many without pausing its writer, so that writing never waits."""

_MAX_HEADS = 64
_LENGTH, _END = b"\r\nContent-Length: ", b"\r\n"
_NO_LENGTH = _LENGTH + b"0" + _END
_NO_TIMER = TimerNoop()
_NO_TRACES: list[Any] = []
_NO_WRITER: Any = SimpleNamespace(output_size=0)
"""A response asks the writer of its request how much it wrote, to tell those who ask for that: here nobody does."""
NO_LIMITS: Final = aiohttp.ClientTimeout(total=None, connect=None, sock_connect=None, sock_read=None)

Signatures = Mapping[tuple[type, str], tuple[str, ...]]
KNOWN_SIGNATURES: Signatures = {
    (ClientResponse, "__init__"): (
        *("self", "method", "url", "writer", "continue100", "timer", "request_info"),
        *("traces", "loop", "session", "stream_writer"),
    ),
    (ClientResponse, "start"): ("self", "connection"),
    (ResponseHandler, "set_response_params"): (
        *("self", "timer", "skip_payload", "read_until_eof", "auto_decompress", "read_timeout", "read_bufsize"),
        *("timeout_ceil_threshold", "max_line_size", "max_field_size", "max_headers"),
    ),
    (aiohttp.BaseConnector, "connect"): ("self", "req", "traces", "timeout"),
    (StreamWriter, "write_headers"): ("self", "status_line", "headers"),
    (StreamWriter, "send_headers"): ("self",),
}
"""What is called here of aiohttp's own signatures, and the parameters that it takes."""


def find_request_method(signatures: Signatures = KNOWN_SIGNATURES) -> object:
    """Return the method by which an aiohttp session asks, if it is aiohttp's own, whose *signatures* are as they were.

    Else None. Tools that mock or trace aiohttp replace that method, maybe before this is imported.
    """
    ask = vars(ClientSession).get("_request")
    is_own = type(ask) is FunctionType and ask.__globals__ is vars(aiohttp.client)
    return ask if is_own and all(_has_parameters(*part, names) for part, names in signatures.items()) else None


def _has_parameters(owner: type, name: str, names: tuple[str, ...]) -> bool:
    part = getattr(owner, name, None)
    try:
        return part is not None and tuple(inspect.signature(part).parameters) == names
    except (TypeError, ValueError):  # it is compiled, so who knows what it takes
        return False


_SESSION_REQUEST = find_request_method()


@attrs.frozen(eq=False, repr=False)
class _RequestHead:
    """What all posts to an address with a key have in common.

    Attributes:
        request: Tells aiohttp's pool which connection is wanted.
        before: Status line and headers up to the length of the body.
        after: What follows that length.
    """

    request: ClientRequest
    info: aiohttp.RequestInfo
    before: bytes
    after: bytes


@attrs.define(eq=False, repr=False)
class FastPostSender:
    """Sends short posts over the connections of *pool*, which has no time limits of aiohttp's own.

    Attributes:
        connect: Takes a connection out of the pool, or makes one.
    """

    connect: Callable[[ClientRequest, list[Any], aiohttp.ClientTimeout], Awaitable[Connection]]
    pool: ClientSession
    loop: asyncio.AbstractEventLoop
    read_bufsize: int
    _heads: dict[tuple[str, str, bool], _RequestHead] = attrs.field(factory=dict, init=False)
    _traces: list[aiohttp.TraceConfig] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._traces = self.pool.trace_configs  # the list itself: who is added to it later is seen, too

    def can_send(self, request: Request) -> bool:
        """Whether *request* can be sent from here."""
        body = request.body
        is_short_post = body is not None and len(body) <= MAX_BODY_BYTES and request.method == hdrs.METH_POST
        return (
            is_short_post
            and _SESSION_REQUEST is not None
            and type(self.pool)._request is _SESSION_REQUEST
            and not self._traces
        )

    async def send(self, request: Request, url: str, key: str, timer: AttemptTimer) -> ClientResponse:
        """Return the answer to *request*, its body unread; *timer* is told when it is written.

        Raises:
            aiohttp.ClientError, OSError: As the session would.
        """
        head = None if request.headers else self._heads.get((url, key, request.stream))
        if head is None:
            head = await self._render_head(request, url, key)
        connection = await self.connect(head.request, _NO_TRACES, NO_LIMITS)
        protocol = connection.protocol
        transport = None if protocol is None else protocol.transport
        if protocol is None or transport is None or transport.is_closing():
            connection.close()
            raise aiohttp.ClientConnectionResetError("The connection is being closed.")
        body = request.body or b""
        response = None
        try:
            transport.write(b"%b%d%b%b" % (head.before, len(body), head.after, body))  # nobody keeps it while waiting
            # The server has it already, so what is made from here on takes no time: 45 µs of 290 to the first token.
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
        """Return the response to the request that *info* describes."""
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

    async def _render_head(self, request: Request, url: str, key: str) -> _RequestHead:
        """Return the head that aiohttp writes for *request*, and keep it if others are likely to have the same."""
        asked = ClientRequest(
            request.method,
            URL(url, encoded=True),
            headers=build_headers(request, key),
            data=b"",
            loop=self.loop,
            session=self.pool,
        )
        written: list[bytes] = []
        wire: Any = SimpleNamespace(transport=SimpleNamespace(write=written.append, is_closing=lambda: False))
        writer = StreamWriter(wire, self.loop)
        await writer.write_headers(f"{asked.method} {asked.url.raw_path_qs} HTTP/1.1", asked.headers)
        writer.send_headers()
        before, after = b"".join(written).split(_NO_LENGTH)
        head = _RequestHead(asked, asked.request_info, before + _LENGTH, _END + after)
        if not request.headers:
            if len(self._heads) >= _MAX_HEADS:
                self._heads.clear()
            self._heads[url, key, request.stream] = head
        return head
