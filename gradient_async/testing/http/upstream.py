"""Another server behind the emulator: requests are passed on, answers passed through as they arrive.

Contract: speaks to any server with OpenAI-compatible paths; events of a stream are cut out of the bytes, so
that faults can count them, and are otherwise untouched. An upstream that fails is a 502, or a reset once its
answer has begun.
Source: RFC 9110 section 7.6 for what a gateway must not pass on.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

import aiohttp
import attrs

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import JSON, SSE, Answer, error_answer, events

_PASSED_ON = ("Authorization", "Content-Type", "Accept")
_NO_LIMIT = aiohttp.ClientTimeout(total=None, sock_connect=10)


@attrs.define
class Upstream:
    """A server to ask; its address is without a path."""

    url: str
    _session: aiohttp.ClientSession | None = attrs.field(default=None, init=False, repr=False)

    async def answer(self, request: RecordedRequest, path: str) -> Answer:
        """Return the upstream's answer as soon as its status line is there."""
        try:
            return await _passed_on(await self._send(request, path))
        except aiohttp.ClientError as error:
            message = f"The upstream at {self.url} failed: {type(error).__name__}."
            return error_answer(502, request_id=request.request_id, message=message)

    async def aclose(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def _send(self, request: RecordedRequest, path: str) -> aiohttp.ClientResponse:
        if self._session is None:
            connector = aiohttp.TCPConnector(limit=0)
            self._session = aiohttp.ClientSession(timeout=_NO_LIMIT, connector=connector)
        headers = {name: request.headers[name] for name in _PASSED_ON if name in request.headers}
        return await self._session.request(
            request.method, self.url.rstrip("/") + path, data=request.body or None, headers=headers
        )


async def _passed_on(response: aiohttp.ClientResponse) -> Answer:
    content_type = response.headers.get("Content-Type", JSON)
    if content_type.startswith(SSE):
        pieces = _events(response)
        return Answer(status=response.status, pieces=pieces, content_type=content_type, close=response.close)
    async with response:
        return Answer(status=response.status, pieces=(await response.read(),), content_type=content_type)


async def _events(response: aiohttp.ClientResponse) -> AsyncGenerator[bytes, None]:
    held = b""
    async with response:
        async for data in response.content.iter_any():
            pieces = list(events(held + data))
            held = b"" if _ends(pieces[-1]) else pieces.pop()
            for piece in pieces:
                yield piece
    if held:
        yield held


def _ends(data: bytes) -> bool:
    return data.endswith((b"\n\n", b"\r\n\r\n"))
