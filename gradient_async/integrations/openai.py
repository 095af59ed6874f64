"""The OpenAI SDK with the rate limiter of a session or of an agent: `openai_client`.

Contract: every request, including the SDK's own retries, passes through a `LimitedTransport`. Closing the SDK's client
closes its connections, never the session and never the limiter.

Source: the SDK uses HTTPX2 since its version 3, HTTPX before; `LimitedTransport` serves both.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict, Unpack
from urllib.parse import parse_qsl
from urllib.request import getproxies_environment

from gradient_async._io.http.transport import Transport
from gradient_async._protocol.http.proxies import choose_proxy
from gradient_async._protocol.rate_limit.priority_queue import Priority
from gradient_async.errors import ConfigurationError
from gradient_async.integrations.httpx import LimitedTransport
from gradient_async.resources.chat.agent import Agent
from gradient_async.session import AsyncSession

try:
    import openai
except ImportError as missing:
    raise ImportError(
        "gradient_async.integrations.openai needs an extra: pip install 'gradient-async[openai]'", name="openai"
    ) from missing

if TYPE_CHECKING:
    import httpx2 as httpx

__all__ = ["LimitedTransport", "OpenAIOptions", "openai_client"]

_CHAT_PATH = "/v1/chat/completions"
_CREATE_PATH = "/chat/completions"
"""Path of chat completions below the SDK's ``base_url``."""


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
    session: AsyncSession | Agent, *, priority: Priority = "interactive", **options: Unpack[OpenAIOptions]
) -> openai.AsyncOpenAI:
    """Create an OpenAI SDK client with the key, the address and the rate limiter of *session*.

    The client has its own connections, with the proxy, the TLS context and the headers of the session: close it, best
    with ``async with``. The session stays open. Environment variables for OpenAI's own service are ignored.

    Args:
        session: Session whose key, address and limiter the client uses, or an agent of one (``session.agent(...)``),
            which has only chat completions.
        priority: ``"bulk"`` lets the session's own calls go first.
        **options: Other settings of ``AsyncOpenAI``.

    Returns:
        An ``AsyncOpenAI`` client.

    Raises:
        ConfigurationError: The session has no key; or the path of the agent's chat completions has another ending than
            ``/chat/completions``.

    Example:
        ``async with openai_client(session.agent()) as client: ...``
    """
    if isinstance(session, Agent):
        target, path = session._target(), session.chat.completions._path
    else:
        target, path = session._get_target(), _CHAT_PATH
    prefix, query = _split_path(path)
    transport = LimitedTransport(
        target.limiter,
        base_url=target.base_url,
        priority=priority if target.priority == "interactive" else target.priority,
        **_list_network_options(session._pipeline.transport, target.base_url),
    )
    settings: OpenAIOptions = {"max_retries": session._pipeline.retry.attempts - 1, **options}
    settings["default_query"] = {**query, **options.get("default_query", {})}
    # As a header, the key also overrides OPENAI_CUSTOM_HEADERS and OPENAI_ADMIN_KEY.
    own_headers = {**dict(target.headers), **options.get("default_headers", {})}
    settings["default_headers"] = {**own_headers, "Authorization": f"Bearer {target.key}"}
    return openai.AsyncOpenAI(
        api_key=target.key,
        base_url=f"{target.base_url}{prefix}/",
        organization="",  # None would mean OPENAI_ORG_ID
        project="",
        http_client=openai.DefaultAsyncHttpxClient(transport=transport, follow_redirects=False),
        **settings,
    )


def _split_path(path: str) -> tuple[str, dict[str, str]]:
    """Split the *path* of chat completions into the prefix that the SDK extends, and the query.

    Raises:
        ConfigurationError: The SDK cannot send to that path.
    """
    path, _, query = path.partition("?")
    if not path.endswith(_CREATE_PATH):
        raise ConfigurationError(
            f"The OpenAI SDK sends chat completions to a path that ends with {_CREATE_PATH}; this agent has them at "
            f"{path}: call the agent itself."
        )
    return path.removesuffix(_CREATE_PATH), dict(parse_qsl(query, keep_blank_values=True))


def _list_network_options(transport: Transport, base_url: str) -> dict[str, Any]:
    """Return the options of HTTPX's transport for the proxy and the TLS context of a session's *transport*."""
    finder = transport.proxies
    proxy = None if finder is None else finder.proxy
    if finder is not None and proxy is None and finder.trust_env:
        proxy = choose_proxy(base_url, getproxies_environment())
    options = {"proxy": None if proxy is None else proxy.url, "verify": transport.ssl_context}
    return {name: value for name, value in options.items() if value is not None}
