"""The parts of a session that its views share: addresses, keys, limiters and the connection pool.

Contract: creating them does no I/O and needs no running loop. What only a call needs is made by the first call.
"""

from __future__ import annotations

import asyncio
import ssl
from functools import cached_property
from typing import TYPE_CHECKING, Any

import aiohttp

from gradient_async._io.http.hooks import combine_wait_hooks, observes_calls, observes_tools, observes_waits
from gradient_async._io.http.target import Target
from gradient_async._io.rate_limit.permit import Limiter
from gradient_async._protocol.http import credentials
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import ConfigurationError, is_count, quote_argument

if TYPE_CHECKING:
    from gradient_async._io.http.pipeline import Pipeline
    from gradient_async._io.http.proxies import ProxyFinder
    from gradient_async._io.http.transport import Transport
    from gradient_async._io.rate_limit.agent_limiters import AgentLimiters
    from gradient_async._protocol.http.connection_reuse import ConnectionReuse
    from gradient_async._protocol.http.proxies import Proxy
    from gradient_async._protocol.http.retry import RetryBudget
    from gradient_async._session_arguments import ViewOptions

_LIMITER = ("acquire", "apply_response", "new_for_key")
"""Methods of `Limiter` that calls need."""


class Network:
    """How the hosts are reached.

    Attributes:
        max_connections: Maximum number of open connections; None for any number.
        client_session: The caller's aiohttp session; None to create a pool.
        proxy: The proxy of every request; None for none, or the environment's.
        trust_env: Whether the environment names proxies.
        ssl_context: The context of every TLS connection; None for the default.
    """

    def __init__(
        self,
        *,
        max_connections: int | None,
        client_session: aiohttp.ClientSession | None,
        proxy: Proxy | None,
        trust_env: bool,
        ssl_context: ssl.SSLContext | None,
    ) -> None:
        self.max_connections = max_connections
        self.client_session = client_session
        self.proxy = proxy
        self.trust_env = trust_env
        self.ssl_context = ssl_context
        if self.max_connections is not None and not is_count(self.max_connections):
            got = quote_argument(self.max_connections)
            raise ConfigurationError(f"max_connections={got}: give at least 1, or None for any number.")
        if self.client_session is not None and not isinstance(self.client_session, aiohttp.ClientSession):
            got = quote_argument(self.client_session)
            raise ConfigurationError(f"client_session must be an aiohttp.ClientSession; got {got}.")
        if self.client_session is not None and getattr(self.client_session, "auth", None) is not None:
            raise ConfigurationError(
                "client_session was opened with auth=, which would be sent in place of the key; open it without."
            )
        if self.ssl_context is not None and not isinstance(self.ssl_context, ssl.SSLContext):
            raise ConfigurationError(
                "ssl must be an ssl.SSLContext, as ssl.create_default_context(cafile='ca.pem') makes; got "
                f"{quote_argument(self.ssl_context)}."
            )

    def build_transport(self, home_loop: asyncio.AbstractEventLoop | None) -> Transport:
        """Return a new transport; *home_loop* has entered its session."""
        from gradient_async._io.http.transport import Transport

        return Transport(
            self.max_connections,
            self.client_session,
            proxies=self._build_proxy_finder(),
            ssl_context=self.ssl_context,
            home_loop=home_loop,
        )

    def _build_proxy_finder(self) -> ProxyFinder | None:
        """Return the finder of proxies, None if there is surely none."""
        trusts_env = self.trust_env or (self.client_session is not None and self.client_session.trust_env)
        if self.proxy is None and not trusts_env:
            return None
        from gradient_async._io.http.proxies import ProxyFinder

        return ProxyFinder(self.proxy, trusts_env)


class SharedParts:
    """Keys, addresses, limiters and the connection pool: one of each for a session and its views.

    Attributes:
        api_key: The key of the inference service.
        agent_key: The key of the session's agent.
        base_url: The address of the inference service.
        agent_url: The address of the session's agent.
        knowledge_base_token: The token for knowledge bases.
        knowledge_base_url: The address of the knowledge bases.
        limits: Rate limits for new limiters, a limiter of the caller, or None.
        network: How the hosts are reached.
    """

    def __init__(
        self,
        *,
        api_key: credentials.Setting,
        agent_key: credentials.Setting,
        base_url: credentials.Setting,
        agent_url: credentials.Setting,
        knowledge_base_token: credentials.Setting,
        knowledge_base_url: credentials.Setting,
        limits: RateLimits | Limiter | None,
        network: Network,
    ) -> None:
        self.api_key = api_key
        self.agent_key = agent_key
        self.base_url = base_url
        self.agent_url = agent_url
        self.knowledge_base_token = knowledge_base_token
        self.knowledge_base_url = knowledge_base_url
        self.limits = limits
        self.network = network
        self._agent_limiters: AgentLimiters | None = None
        self._home_loop: asyncio.AbstractEventLoop | None = None
        self._retry_budgets: dict[int, RetryBudget] = {}
        if not (limits is None or isinstance(limits, RateLimits) or all(hasattr(limits, name) for name in _LIMITER)):
            raise ConfigurationError(
                f"limits must be RateLimits, None or a limiter with the methods {', '.join(_LIMITER)}; "
                f"got {quote_argument(limits)}."
            )

    @cached_property
    def transport(self) -> Transport:
        """The connection pool."""
        transport: Transport = vars(self).setdefault("transport", self.network.build_transport(self._home_loop))
        return transport

    @cached_property
    def limiter(self) -> Limiter | None:
        """The limiter of the inference key: a new one, or the limiter object passed as ``limits``."""
        if not isinstance(self.limits, RateLimits):
            return self.limits
        from gradient_async._io.rate_limit.limiter import RateLimiter

        # A thread that shows the limits may ask at the same time. From CPython 3.12 on, the decorator holds no lock.
        limiter: Limiter = vars(self).setdefault("limiter", RateLimiter(self.limits))
        return limiter

    @cached_property
    def connection_reuse(self) -> ConnectionReuse:
        """The losses of pooled connections, by host."""
        from gradient_async._protocol.http.connection_reuse import ConnectionReuse

        return ConnectionReuse()

    def enter_loop(self, loop: asyncio.AbstractEventLoop) -> None:
        """Note the *loop* that calls from other threads belong to."""
        self._home_loop = loop
        if "transport" in vars(self):
            self.transport.home_loop = loop

    def build_inference_target(self, options: ViewOptions) -> Target:
        """Return the inference service as the destination of calls.

        Raises:
            ConfigurationError: There is no key.
        """
        key = self.api_key.require_value("Inference needs a model access key or a full-access token.")
        address = self.base_url.require_value("Inference needs an address.")
        return Target(address, key, self.limiter, options.headers, options.priority)

    def build_agent_target(self, options: ViewOptions, url: credentials.Setting, key: credentials.Setting) -> Target:
        """Return an agent as the destination of calls: the session's, unless *url* or *key* has a value.

        Raises:
            ConfigurationError: There is no address or no key.
        """
        address = (url if url.value else self.agent_url).require_value("An agent has an address of its own.")
        secret = (key if key.value else self.agent_key).require_value("An agent has an endpoint access key of its own.")
        return Target(address, secret, self._get_agent_limiter(address, secret), options.headers, options.priority)

    def build_knowledge_base_target(self, options: ViewOptions) -> Target:
        """Return the knowledge bases as the destination of calls.

        They have a limiter of their own, unless host and key are those of the inference service.

        Raises:
            ConfigurationError: There is no token.
        """
        url = credentials.choose_knowledge_base_address(self.knowledge_base_url, self.base_url)
        token = credentials.choose_knowledge_base_token(self.knowledge_base_token, url, self.api_key, self.base_url)
        address = url.require_value("Knowledge bases need an address.")
        secret = token.require_value("Knowledge bases need a personal access token with the scope GenAI:read.")
        is_inference = address == self.base_url.value and secret == self.api_key.value
        limiter = self.limiter if is_inference else self._get_agent_limiter(address, secret)
        return Target(address, secret, limiter, options.headers, options.priority)

    def build_pipeline(self, options: ViewOptions) -> Pipeline:
        """Return the pipeline of a view."""
        from gradient_async._io.http.pipeline import Pipeline

        call_hooks = [hook for hook in options.hooks if observes_calls(hook)]
        parts: dict[str, Any] = {
            "transport": self.transport,
            "retry": options.retry,
            "hooks": tuple(filter(callable, options.hooks)),
            "on_wait": combine_wait_hooks([hook for hook in options.hooks if observes_waits(hook)]),
            "tool_hooks": [hook for hook in options.hooks if observes_tools(hook)],
            "budget": self._get_retry_budget(options.retry.budget),
            "connection_reuse": self.connection_reuse,
        }
        if not call_hooks:
            return Pipeline(**parts)
        from gradient_async._io.http.observed_pipeline import ObservedPipeline  # not loaded without call hooks

        return ObservedPipeline(call_hooks=call_hooks, **parts)

    async def aclose(self) -> None:
        """Close every connection and the limiters that are the session's own, on the loop that they belong to."""
        await self.transport.run_on_own_loop(self._close_parts)

    async def _close_parts(self) -> None:
        await self.transport.aclose()
        is_own = isinstance(self.limits, RateLimits)  # a limiter object of the caller may serve other sessions
        for limiter in (self._agent_limiters, self.limiter if is_own else None):
            if limiter is not None:
                await limiter.aclose()

    def _get_agent_limiter(self, address: str, secret: str) -> Limiter | None:
        """Return the limiter of another key, which has the form of the inference key's, and its own budget."""
        if self.limiter is None:
            return None
        if self._agent_limiters is None:
            from gradient_async._io.rate_limit.agent_limiters import AgentLimiters

            self._agent_limiters = AgentLimiters(self.limiter)
        return self._agent_limiters.get_limiter(address, secret)

    def _get_retry_budget(self, size: int) -> RetryBudget:
        """Return the retry budget of that size: views with the same one share it."""
        from gradient_async._protocol.http.retry import RetryBudget

        return self._retry_budgets.setdefault(size, RetryBudget(size))
