"""The OpenAI SDK with a session's rate limiter: `openai_client`, and the `LimitedTransport` that it uses.

Contract: every request, including the SDK's own retries, takes a permit, and refunds it if nothing was sent; every
response updates the limiter. Requests to another host are refused. Closing the SDK's client closes its connections,
never the session and never the limiter.

Source: custom transports, and the ``timeout`` and ``trace`` extensions of requests, in the documentation of HTTPX. The
SDK uses HTTPX2 since its version 3, HTTPX before; both support them.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.request import getproxies_environment

from gradient_async._io.rate_limit.permit import Limiter, Permit
from gradient_async._protocol.codec.json_text import decode_json
from gradient_async._protocol.http.proxies import choose_proxy
from gradient_async._protocol.http.rate_limit_headers import parse_rate_limits
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async.errors import APIConnectionError, APITimeoutError, ConfigurationError, ResponseDecodeError
from gradient_async.session import AsyncSession

try:
    import openai
except ImportError as missing:
    raise ImportError(
        "gradient_async.integrations.openai needs an extra: pip install 'gradient-async[openai]'", name="openai"
    ) from missing

if TYPE_CHECKING:
    import httpx2 as httpx
else:  # the SDK takes a client of the HTTP library that it uses
    httpx = import_module(openai.DefaultAsyncHttpxClient.__base__.__module__)

__all__ = ["LimitedTransport", "OpenAIOptions", "openai_client"]

_Trace = Callable[[str, dict[str, Any]], Awaitable[None]]


class OpenAIOptions(TypedDict, total=False):
    """Options that `openai_client` passes on to ``AsyncOpenAI``.

    Attributes:
        timeout: Seconds, or an ``openai.Timeout``; its ``pool`` also limits the wait for the limiter.
        max_retries: Retries after the first attempt; default: as in the session's `RetryPolicy`.
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
    """Create an OpenAI SDK client with the key, the address and the rate limiter of *session*.

    The client has its own connections, with the proxy, the TLS context and the headers of the session: close it, best
    with ``async with``. The session stays open. Environment variables for OpenAI's own service are ignored.

    Args:
        session: Session whose key, address and limiter the client uses.
        priority: ``"bulk"`` lets the session's own calls go first.
        **options: Other settings of ``AsyncOpenAI``.

    Returns:
        An ``AsyncOpenAI`` client.

    Raises:
        ConfigurationError: The session has no key.
    """
    target = session._get_target()
    transport = LimitedTransport(
        target.limiter,
        base_url=target.base_url,
        priority=priority if target.priority == "interactive" else target.priority,
        **_list_network_options(session, target.base_url),
    )
    settings: OpenAIOptions = {"max_retries": session._options.retry.attempts - 1, **options}
    # As a header, the key also overrides OPENAI_CUSTOM_HEADERS and OPENAI_ADMIN_KEY.
    own_headers = {**dict(target.headers), **options.get("default_headers", {})}
    settings["default_headers"] = {**own_headers, "Authorization": f"Bearer {target.key}"}
    return openai.AsyncOpenAI(
        api_key=target.key,
        base_url=f"{target.base_url}/v1/",
        organization="",  # None would mean OPENAI_ORG_ID
        project="",
        http_client=openai.DefaultAsyncHttpxClient(transport=transport, follow_redirects=False),
        **settings,
    )


def _list_network_options(session: AsyncSession, base_url: str) -> dict[str, Any]:
    """Return the options of HTTPX's transport for the proxy and the TLS context of *session*."""
    network = session._parts.network
    proxy = network.proxy
    if proxy is None and network.trust_env:
        proxy = choose_proxy(base_url, getproxies_environment())
    options = {"proxy": None if proxy is None else proxy.url, "verify": network.ssl_context}
    return {name: value for name, value in options.items() if value is not None}


class LimitedTransport(httpx.AsyncHTTPTransport):
    """HTTPX transport with a rate limiter in front of each request.

    Args:
        limiter: ``session.limits`` or another limiter; None for no limit.
        base_url: Address of the only allowed scheme, host and port.
        priority: ``"bulk"`` lets interactive requests of the same limiter go first.
        **options: Options of HTTPX's ``AsyncHTTPTransport``; ``limits`` defaults to the SDK's.
    """

    def __init__(
        self, limiter: Limiter | None, *, base_url: str, priority: Priority = "interactive", **options: Any
    ) -> None:
        super().__init__(**{"limits": openai.DEFAULT_CONNECTION_LIMITS, **options})
        self._limiter = limiter
        self._priority = priority
        self._origin = _url_origin(httpx.URL(base_url))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send *request* once the limiter admits it.

        Raises:
            ConfigurationError: The request is for another host; nothing was sent.
            httpx.PoolTimeout: The limiter did not admit it within the pool timeout; nothing was sent.
            httpx.TransportError: No response came.
        """
        if _url_origin(request.url) != self._origin:
            raise ConfigurationError(
                f"A request to {request.url.host} would send the key and the prompt there: this client is only for "
                f"{self._origin[1]}."
            )
        if self._limiter is None:
            return await super().handle_async_request(request)
        model = _find_model(request)
        permit = await self._acquire_permit(self._limiter, request, model)
        try:
            response = await super().handle_async_request(_mark_permit_when_sent(request, permit))
        finally:
            if permit.held:
                permit.refund()
        info = parse_rate_limits(response.headers, now=time.time())
        self._limiter.apply_response(info, status=response.status_code, sent_at=permit.sent_at, model=model)
        return response

    async def _acquire_permit(self, limiter: Limiter, request: httpx.Request, model: str | None) -> Permit:
        """Wait for a permit; raise the HTTPX errors that the SDK handles."""
        timeout: float | None = request.extensions.get("timeout", {}).get("pool")
        try:
            return await limiter.acquire(self._priority, timeout=timeout, hold=True, model=model)
        except APIConnectionError as error:
            error_class = httpx.PoolTimeout if isinstance(error, APITimeoutError) else httpx.ConnectError
            raise error_class(error.message, request=request) from error


def _find_model(request: httpx.Request) -> str | None:
    """Return the model that a JSON body names, None if there is none."""
    try:
        body = decode_json(request.content)
    except (ResponseDecodeError, httpx.RequestNotRead):  # a form, or a stream
        return None
    model = body.get("model") if isinstance(body, dict) else None
    return model if isinstance(model, str) else None


def _url_origin(url: httpx.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port


def _mark_permit_when_sent(request: httpx.Request, permit: Permit) -> httpx.Request:
    """Return a copy of *request* that marks *permit* as sent once the headers are written.

    A copy, because HTTPX passes the extensions of a request on to the requests that follow its redirects.
    """
    original_trace: _Trace | None = request.extensions.get("trace")

    async def mark_sent(event: str, details: dict[str, Any]) -> None:
        if event.endswith(".send_request_headers.started"):
            permit.sent()
        if original_trace is not None:
            await original_trace(event, details)

    return httpx.Request(
        request.method,
        request.url,
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "trace": mark_sent},
    )
