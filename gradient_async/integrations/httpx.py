"""`LimitedTransport`: clients of HTTPX, and of the SDKs built on it, with a rate limiter in front of each request.

Contract: every request takes a permit, and refunds it if nothing was sent; every response updates the limiter.
Requests to another host are refused. The library of a client, HTTPX or HTTPX2, is that of its requests; neither is
imported here. Closing the client closes its connections, never the limiter.

Source: custom transports, and the ``timeout`` and ``trace`` extensions of requests, in the documentation of HTTPX.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from gradient_async._io.rate_limit.permit import Limiter, Permit
from gradient_async._protocol.codec.json_text import decode_json
from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async.errors import APIConnectionError, APITimeoutError, ConfigurationError, ResponseDecodeError

if TYPE_CHECKING:
    import httpx
    import httpx2

    _Request = httpx.Request | httpx2.Request

    class _Transport(httpx.AsyncBaseTransport, httpx2.AsyncBaseTransport):
        async def handle_async_request(self, request: _Request) -> Any: ...
else:  # clients take any object with the methods of a transport
    _Transport = object

__all__ = ["LimitedTransport"]

_Trace = Callable[[str, dict[str, Any]], Awaitable[None]]
_LIBRARIES = ("httpx", "httpx2")
_MAX_CONNECTIONS, _MAX_IDLE_CONNECTIONS = 1000, 100
"""As in the clients of OpenAI and Anthropic; HTTPX's own default is 100."""


class LimitedTransport(_Transport):
    """Transport of an ``AsyncClient`` of HTTPX or HTTPX2, with a rate limiter in front of each request.

    Args:
        limiter: ``session.limits``, ``session.agent().limits`` or another limiter; None for no limit.
        base_url: Address of the only allowed scheme, host and port.
        priority: ``"bulk"`` lets interactive requests of the same limiter go first.
        **options: Options of the library's ``AsyncHTTPTransport``, as ``proxy`` and ``verify``; ``limits`` defaults
            to 1,000 connections.

    Example:
        ``httpx.AsyncClient(transport=LimitedTransport(session.limits, base_url="https://inference.do-ai.run"))``
    """

    def __init__(
        self, limiter: Limiter | None, *, base_url: str, priority: Priority = "interactive", **options: Any
    ) -> None:
        self._options = options
        self._limiter = limiter
        self._priority = priority
        self._base_url = base_url
        self._transport: Any = None
        """The library's own transport; None before the first request, which tells the library."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections."""
        transport, self._transport = self._transport, None
        if transport is not None:
            await transport.aclose()

    async def handle_async_request(self, request: _Request) -> Any:
        """Send *request* once the limiter admits it.

        Raises:
            ConfigurationError: The request is for another host; nothing was sent.
            httpx.PoolTimeout: The limiter did not admit it within the pool timeout; nothing was sent.
            httpx.TransportError: No response came.
        """
        library = _find_library(request)
        allowed = library.URL(self._base_url)
        if _url_origin(request.url) != _url_origin(allowed):
            raise ConfigurationError(
                f"A request to {request.url.host} would send the key and the prompt there: this client is only for "
                f"{allowed.host}."
            )
        if self._limiter is None:
            return await self._send(library, request)
        model = _find_model(library, request)
        permit = await self._acquire_permit(library, self._limiter, request, model)
        try:
            response = await self._send(library, _mark_permit_when_sent(library, request, permit))
        finally:
            if permit.held:
                permit.refund()
        info = parse_rate_limits(response.headers, now=time.time())
        self._limiter.apply_response(info, status=response.status_code, sent_at=permit.sent_at, model=model)
        return response

    async def _send(self, library: Any, request: _Request) -> Any:
        if self._transport is None:
            limits = library.Limits(max_connections=_MAX_CONNECTIONS, max_keepalive_connections=_MAX_IDLE_CONNECTIONS)
            self._transport = library.AsyncHTTPTransport(**{"limits": limits, **self._options})
        return await self._transport.handle_async_request(request)

    async def _acquire_permit(self, library: Any, limiter: Limiter, request: _Request, model: str | None) -> Permit:
        """Wait for a permit; raise the errors of the *library*, which SDKs handle."""
        timeout: float | None = request.extensions.get("timeout", {}).get("pool")
        try:
            return await limiter.acquire(self._priority, timeout=timeout, hold=True, model=model)
        except APIConnectionError as error:
            error_class = library.PoolTimeout if isinstance(error, APITimeoutError) else library.ConnectError
            raise error_class(error.message, request=request) from error


def _find_library(request: _Request) -> Any:
    """Return the module of the library that *request* is from.

    Raises:
        ConfigurationError: It is neither HTTPX nor HTTPX2.
    """
    roots = [cls.__module__.partition(".")[0] for cls in type(request).__mro__]
    name = next((root for root in roots if root in _LIBRARIES), None)
    if name is None:
        raise ConfigurationError(f"LimitedTransport serves clients of httpx and httpx2; got a request of {roots[0]}.")
    return sys.modules[name]


def _find_model(library: Any, request: _Request) -> str | None:
    """Return the model that a JSON body names, None if there is none."""
    try:
        body = decode_json(request.content)
    except (ResponseDecodeError, library.RequestNotRead):  # a form, or a stream
        return None
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None


def _url_origin(url: httpx.URL | httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _mark_permit_when_sent(library: Any, request: _Request, permit: Permit) -> _Request:
    """Return a copy of *request* that marks *permit* as sent once the headers are written.

    A copy, because HTTPX passes the extensions of a request on to the requests that follow its redirects.
    """
    original_trace: _Trace | None = request.extensions.get("trace")

    async def mark_sent(event: str, details: dict[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            permit.sent()
        if original_trace is not None:
            await original_trace(event, details)

    marked: _Request = library.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "trace": mark_sent},
    )
    return marked
