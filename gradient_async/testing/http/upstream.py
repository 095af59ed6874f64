"""The client of an upstream server: forwards requests and passes responses through as they arrive.

Contract: works with any server with OpenAI-compatible paths. The bytes of a stream are split into events, so that
faults can count them, and are otherwise unchanged. An upstream that fails gives a 502, or a reset if its response has
begun.
Source: RFC 9110 section 7.6 for the headers that a gateway must not forward.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import JSON, SSE, Response, error_response, split_events

_FORWARDED_HEADERS = ("Authorization", "Content-Type", "Accept")
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=10)


@attrs.define
class Upstream:
    """An upstream server; *url* is its address without a path."""

    url: str
    _session: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)

    async def forward_request(self, request: RecordedRequest, path: str) -> Response:
        """Send *request* to *path*; return the response as soon as its headers have arrived."""
        try:
            response = await self._send_request(request, path)
            content_type = response.headers.get("Content-Type", JSON)
            if content_type.startswith(SSE):
                pieces = _read_events(response)
                return Response(status=response.status, pieces=pieces, content_type=content_type, close=response.close)
            async with response:
                return Response(status=response.status, pieces=(await response.read(),), content_type=content_type)
        except aiohttp.ClientError as error:
            message = f"The upstream at {self.url} failed: {type(error).__name__}."
            return error_response(502, request_id=request.request_id, message=message)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send_request(self, request: RecordedRequest, path: str) -> aiohttp.ClientResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(timeout=_TIMEOUT, connector=connector)
        headers = {name: request.headers[name] for name in _FORWARDED_HEADERS if name in request.headers}
        return await self._session.request(
            request.method, self.url.rstrip("/") + path, data=request.body or None, headers=headers
        )


async def _read_events(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    buffer = b""
    async with response:
        async for data in response.content.iter_any():
            pieces = list(split_events(buffer + data))
            buffer = b"" if pieces[-1].endswith((b"\n\n", b"\r\n\r\n")) else pieces.pop()
            for piece in pieces:
                yield piece
    if buffer:
        yield buffer
