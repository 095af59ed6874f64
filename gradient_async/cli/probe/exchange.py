"""One request of a probe and everything that came back, as it was on the wire.

Contract: the key goes to the configured host only; redirects are not followed, nothing is sent again. A failure is part
of the result.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
import attrs

from gradient_async._protocol.http.proxies import Proxy

MAX_BYTES = 2**20


@attrs.frozen(kw_only=True)
class Exchange:
    """A response, as far as it came.

    Attributes:
        status: HTTP status, None if no response came.
        headers: Names and values of the headers, as they were spelt.
        blocks: The parts of the body as they arrived, with the seconds since the request.
        seconds: Seconds until the end of the body, or until the failure.
        problem: Reason why the response is missing or not whole, None if it is whole.
        reused: Whether the request went over a connection that an earlier one had used.
    """

    status: int | None = None
    headers: tuple[tuple[str, str], ...] = ()
    blocks: tuple[tuple[float, bytes], ...] = attrs.field(default=(), repr=False)
    seconds: float = 0.0
    problem: str | None = None
    reused: bool = False

    @property
    def body(self) -> bytes:
        """The body, as far as it came."""
        return b"".join(block for _, block in self.blocks)

    @property
    def json(self) -> Any:
        """The JSON value of the body, None if it is not JSON."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            return None

    def find_header(self, name: str) -> str | None:
        """Return the value of a header, None without it."""
        return next((value for found, value in self.headers if found.lower() == name), None)


@attrs.define(eq=False)
class ProbeClient:
    """Sends the requests of a probe.

    Attributes:
        http: Keeps one connection between the requests.
        base_url: Address of the service.
        key: The key.
        timeout: Seconds for each request.
        proxy: The proxy, None to connect to the host.
    """

    http: aiohttp.ClientSession
    base_url: str
    key: str = attrs.field(repr=False)
    timeout: float
    proxy: Proxy | None = None
    reuses: list[object] = attrs.field(factory=list)
    """An entry for each request so far that went over a connection of an earlier one."""

    async def send_request(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Exchange:
        """Send one request, with another *key* than the real one if given, and return the exchange."""
        loop, blocks = asyncio.get_running_loop(), list[tuple[float, bytes]]()
        started_at, reuses = loop.time(), len(self.reuses)
        response: aiohttp.ClientResponse | None = None
        problem = None
        try:
            async with asyncio.timeout(self.timeout), self._open(method, path, body, key or self.key) as response:
                async for block in response.content.iter_any():
                    blocks.append((loop.time() - started_at, block))
                    if sum(len(each) for _, each in blocks) > MAX_BYTES:
                        problem = f"more than {MAX_BYTES} bytes"
                        break
        except TimeoutError:
            problem = f"not ended within {self.timeout:g} s"
        except (aiohttp.ClientError, OSError) as error:
            problem = type(error).__name__  # its text may hold the address and the headers of the request
        raw = () if response is None else response.raw_headers
        return Exchange(
            status=None if response is None else response.status,
            headers=tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in raw),
            blocks=tuple(blocks),
            seconds=loop.time() - started_at,
            problem=problem,
            reused=len(self.reuses) > reuses,
        )

    @asynccontextmanager
    async def _open(self, method: str, path: str, body: Any, key: str) -> AsyncIterator[aiohttp.ClientResponse]:
        async with self.http.request(
            method,
            self.base_url + path,
            json=body,
            headers={"Authorization": f"Bearer {key}", "Accept-Encoding": "identity"},
            allow_redirects=False,
            proxy=None if self.proxy is None else self.proxy.url,
        ) as response:
            yield response


@asynccontextmanager
async def open_client(
    base_url: str, key: str, timeout: float, proxy: Proxy | None, idle: float
) -> AsyncIterator[ProbeClient]:
    """Open a client that keeps its connection for longer than *idle* seconds, unless the service closes it."""
    trace = aiohttp.TraceConfig()
    reuses: list[object] = []

    async def note_reuse(_session: object, context: object, _params: object) -> None:
        reuses.append(context)

    trace.on_connection_reuseconn.append(note_reuse)
    async with aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=1, keepalive_timeout=idle + 60),
        timeout=aiohttp.ClientTimeout(total=None),
        cookie_jar=aiohttp.DummyCookieJar(),
        trace_configs=[trace],
    ) as http:
        yield ProbeClient(http, base_url, key, timeout, proxy, reuses)
