"""The OpenAI SDK within the budget of a session: `openai_client`, and the `LimitedTransport` that it is made with.

Contract: every request, the SDK's own retries included, takes a permit and gives it back when surely nothing was sent;
every answer teaches the limiter. Requests go to the one host that they are meant for. Closing the SDK's client closes
its connections, never the session and never the limiter.

Source: custom transports, and the ``timeout`` and ``trace`` extensions of requests, in the documents of HTTPX. The SDK
is made with HTTPX2 since its version 3, with HTTPX before; both have these.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from gradient_async._io.rate_limit.permit import Limiter, Permit
from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async.errors import APIConnectionError, APITimeoutError, ConfigurationError
from gradient_async.session import AsyncSession

try:
    import openai
except ImportError as missing:
    raise ImportError(
        "gradient_async.integrations.openai needs an extra: pip install 'gradient-async[openai]'", name="openai"
    ) from missing

if TYPE_CHECKING:
    import httpx2 as httpx
else:  # the SDK takes a client of the library that it is made with
    httpx = import_module(openai.DefaultAsyncHttpxClient.__base__.__module__)

__all__ = ["LimitedTransport", "OpenAIOptions", "openai_client"]

_Trace = Callable[[str, dict[str, Any]], Awaitable[None]]


class OpenAIOptions(TypedDict, total=False):
    """What `openai_client` passes on to ``AsyncOpenAI``.

    Attributes:
        timeout: Seconds, or an ``openai.Timeout``; its ``pool`` is also how long to wait for the limiter.
        max_retries: Tries after the first; default: those of the session's `RetryPolicy`.
        default_headers: Headers of every request.
        default_query: Query parameters of every request.
    """

    timeout: float | httpx.Timeout | None
    max_retries: int
    default_headers: Mapping[str, str]
    default_query: Mapping[str, object]


def openai_client(
    session: AsyncSession, *, priority: Priority = "interactive", **options: Unpack[OpenAIOptions]
) -> openai.AsyncOpenAI:
    """Return a client of the OpenAI SDK with the key, the address and the budget of *session*.

    It has connections of its own: close it, best with ``async with``. The session stays open. Its key is the session's,
    whatever the variables that are meant for OpenAI's own service say.

    Args:
        session: Whose requests these shall be.
        priority: ``"bulk"`` lets the session's own calls go first.
        **options: Other settings of ``AsyncOpenAI``.

    Raises:
        ConfigurationError: The session has no key.
    """
    target = session._get_target()
    transport = LimitedTransport(target.limiter, base_url=target.base_url, priority=priority)
    settings: OpenAIOptions = {"max_retries": session._retry.attempts - 1, **options}
    # Stated as a header, the key also goes before OPENAI_CUSTOM_HEADERS and OPENAI_ADMIN_KEY.
    settings["default_headers"] = {**options.get("default_headers", {}), "Authorization": f"Bearer {target.key}"}
    return openai.AsyncOpenAI(
        api_key=target.key,
        base_url=f"{target.base_url}/v1/",
        organization="",  # None would be OPENAI_ORG_ID
        project="",
        http_client=openai.DefaultAsyncHttpxClient(transport=transport, follow_redirects=False),
        **settings,
    )


class LimitedTransport(httpx.AsyncHTTPTransport):
    """The transport of an HTTPX client whose requests keep to the budget of a limiter.

    Args:
        limiter: The budget: ``session.limits``, or a limiter of its own; None for no limit.
        base_url: Where requests may go: only to this scheme, host and port.
        priority: ``"bulk"`` lets interactive requests of the same limiter go first.
        **options: Those of HTTPX's ``AsyncHTTPTransport``; ``limits`` are the SDK's by default.
    """

    def __init__(
        self, limiter: Limiter | None, *, base_url: str, priority: Priority = "interactive", **options: Any
    ) -> None:
        super().__init__(**{"limits": openai.DEFAULT_CONNECTION_LIMITS, **options})
        self._limiter = limiter
        self._priority = priority
        self._origin = _origin(httpx.URL(base_url))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* once the budget has room for it.

        Raises:
            ConfigurationError: It would go to another host; nothing was sent.
            httpx.PoolTimeout: There is no room within the time for a place in the pool; nothing was sent.
            httpx.TransportError: No answer came.
        """
        if _origin(request.url) != self._origin:
            raise ConfigurationError(
                f"A request to {request.url.host} would take its key and its prompt there: this client is for "
                f"{self._origin[1]} alone."
            )
        if self._limiter is None:
            return await super().handle_async_request(request)
        permit = await self._acquire(self._limiter, request)
        try:
            response = await super().handle_async_request(_telling(request, permit))
        finally:
            if permit.held:
                permit.refund()
        info = parse_rate_limits(response.headers, now=time.time())
        self._limiter.apply_response(info, status=response.status_code, sent_at=permit.sent_at)
        return response

    async def _acquire(self, limiter: Limiter, request: httpx.Request) -> Permit:
        """Return a permit, or raise what the SDK expects of a transport."""
        seconds: float | None = request.extensions.get("timeout", {}).get("pool")
        try:
            return await limiter.acquire(self._priority, timeout=seconds, hold=True)
        except APIConnectionError as error:
            kind = httpx.PoolTimeout if isinstance(error, APITimeoutError) else httpx.ConnectError
            raise kind(error.message, request=request) from error


def _origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _telling(request: httpx.Request, permit: Permit) -> httpx.Request:
    """Return *request* as one that tells *permit* when it is written.

    A copy, because HTTPX hands the extensions of a request on to those that follow its redirects.
    """
    other: _Trace | None = request.extensions.get("trace")

    async def trace(event: str, details: dict[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            permit.sent()
        if other is not None:
            await other(event, details)

    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "trace": trace},
    )
