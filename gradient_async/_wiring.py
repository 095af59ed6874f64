"""The parts of a session that its views share, and the settings that each view has of its own.

Contract: creating either does no I/O and needs no running loop. What only a call needs is made by the first call.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Iterable, Mapping
from functools import cached_property, wraps
from inspect import Parameter, Signature, iscoroutinefunction
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypeVar, cast

import aiohttp
import attrs

from gradient_async._io.http.hooks import (
    CallHook,
    Hook,
    ToolHook,
    WaitHook,
    combine_wait_hooks,
    observes_calls,
    observes_tools,
    observes_waits,
)
from gradient_async._io.http.target import Headers, Target
from gradient_async._io.rate_limit.permit import Limiter
from gradient_async._protocol.http import credentials
from gradient_async._protocol.http.retry import RetryPolicy
from gradient_async._protocol.http.timeouts import Timeouts
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
    from gradient_async._protocol.rate_limit.priority_queue import Priority
    from gradient_async.resources.signatures import ParameterSignature

F = TypeVar("F", bound=Callable[..., Any])

AnyHook = Hook | CallHook | WaitHook | ToolHook
_LIMITER = ("acquire", "apply_response", "new_for_key")
"""Methods of `Limiter` that calls need."""
_PRIORITIES = ("interactive", "bulk")


@attrs.frozen(eq=False, repr=False, kw_only=True)
class ViewOptions:
    """The settings of one view of a session.

    Attributes:
        retry: What is sent again.
        timeouts: The time limits of a call.
        hooks: Observers of attempts, calls, waits and tools.
        headers: Headers of every request.
        priority: Place of the requests at the limiter.
    """

    retry: RetryPolicy
    timeouts: Timeouts
    hooks: tuple[AnyHook, ...] = ()
    headers: Headers = ()
    priority: Priority = "interactive"

    def __attrs_post_init__(self) -> None:
        if not isinstance(self.retry, RetryPolicy):
            raise ConfigurationError(
                f"retry must be a RetryPolicy, as RetryPolicy(attempts=3); got {quote_argument(self.retry)}."
            )
        if not isinstance(self.timeouts, Timeouts):
            raise ConfigurationError(
                f"timeouts must be Timeouts, as Timeouts(total=30); got {quote_argument(self.timeouts)}."
            )
        if self.priority not in _PRIORITIES:
            raise ConfigurationError(f"priority must be 'interactive' or 'bulk'; got {quote_argument(self.priority)}.")
        _check_hooks(self.hooks)

    def override_with(
        self,
        *,
        retry: RetryPolicy | None,
        timeouts: Timeouts | None,
        hooks: Iterable[AnyHook],
        headers: Mapping[str, str] | None,
        priority: Priority | None,
    ) -> ViewOptions:
        """Return these options with those that are given in their place; hooks and headers are added."""
        return ViewOptions(
            retry=self.retry if retry is None else retry,
            timeouts=self.timeouts if timeouts is None else timeouts,
            hooks=(*self.hooks, *collect_hooks(hooks)),
            headers=merge_headers(self.headers, headers),
            priority=self.priority if priority is None else priority,
        )


@attrs.frozen(eq=False, repr=False, kw_only=True)
class Network:
    """How the hosts are reached.

    Attributes:
        max_connections: Maximum number of open connections; None for any number.
        client_session: The caller's aiohttp session; None to create a pool.
        proxy: The proxy of every request; None for none, or the environment's.
        trust_env: Whether the environment names proxies.
        ssl_context: The context of every TLS connection; None for the default.
    """

    max_connections: int | None
    client_session: aiohttp.ClientSession | None
    proxy: Proxy | None
    trust_env: bool
    ssl_context: ssl.SSLContext | None

    def __attrs_post_init__(self) -> None:
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


@attrs.define(eq=False, repr=False, kw_only=True, slots=False)  # cached properties need a dict
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

    api_key: credentials.Setting
    agent_key: credentials.Setting
    base_url: credentials.Setting
    agent_url: credentials.Setting
    knowledge_base_token: credentials.Setting
    knowledge_base_url: credentials.Setting
    limits: RateLimits | Limiter | None
    network: Network
    _agent_limiters: AgentLimiters | None = attrs.field(default=None, init=False)
    _home_loop: asyncio.AbstractEventLoop | None = attrs.field(default=None, init=False)
    _retry_budgets: dict[int, RetryBudget] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        limits = self.limits
        if not (limits is None or isinstance(limits, RateLimits) or all(hasattr(limits, name) for name in _LIMITER)):
            raise ConfigurationError(
                f"limits must be RateLimits, None or a limiter with the methods {', '.join(_LIMITER)}; "
                f"got {quote_argument(limits)}."
            )

    @cached_property
    def transport(self) -> Transport:
        """The connection pool."""
        return self.network.build_transport(self._home_loop)

    @cached_property
    def limiter(self) -> Limiter | None:
        """The limiter of the inference key: a new one, or the limiter object passed as ``limits``."""
        if not isinstance(self.limits, RateLimits):
            return self.limits
        from gradient_async._io.rate_limit.limiter import RateLimiter

        return RateLimiter(self.limits)

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


def name_right_settings(function: F) -> F:
    """Decorate a function that takes settings: an unknown one is a TypeError with the right name."""
    code = function.__code__
    known = code.co_varnames[1 : code.co_argcount + code.co_kwonlyargcount]

    @wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if unknown := kwargs.keys() - known:
            from gradient_async._setting_names import suggest_setting  # most programs are right

            name = min(unknown)
            where = function.__qualname__.removesuffix(".__init__")
            raise TypeError(f"{where} has no argument {name!r}; {suggest_setting(name, known)}.")
        return function(*args, **kwargs)

    return cast("F", call)


class LateSignature(Signature):
    """A `ParameterSignature` that is read on demand: its modules are not loaded with a session."""

    __slots__ = ("_function",)

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(return_annotation=function.__annotations__.get("return", Signature.empty))
        self._function = function

    @property
    def parameters(self) -> MappingProxyType[str, Parameter]:
        """All parameters: those that are required first, then any other keyword."""
        return self._read().parameters

    def replace(self, **changes: Any) -> Signature:  # type: ignore[override]  # as that of a `ParameterSignature`
        """Return a plain signature with *changes*, as that of a bound method is made."""
        return self._read().replace(**changes)

    def _read(self) -> ParameterSignature:
        from gradient_async.resources.signatures import ParameterSignature

        return ParameterSignature(self._function)


def show_parameters_late(function: F) -> F:
    """Decorate a method that takes a TypedDict: its signature has the keys."""
    function.__signature__ = LateSignature(function)  # type: ignore[attr-defined]  # of any function
    return function


def resolve_address(
    argument: str,
    given: object,
    variables: tuple[str, ...],
    environ: Mapping[str, str],
    *,
    allow_insecure: bool,
) -> credentials.Setting:
    """Look an address up and normalize it; that of the inference service has a default.

    Raises:
        ConfigurationError: It is not an address, or an insecure one.
    """
    setting = credentials.find_setting(argument, given, variables, environ)
    if setting.value is None and argument == "base_url":
        setting = credentials.Setting(argument, variables, credentials.DEFAULT_BASE_URL, "the default")
    return credentials.normalize_address(setting, allow_insecure=allow_insecure)


def merge_headers(base: Headers, added: Mapping[str, str] | None) -> Headers:
    """Return the headers of a session with *added* ones; checks are loaded only if there are any.

    Raises:
        ConfigurationError: One of *added* cannot be set.
    """
    if not added:
        return base
    from gradient_async._protocol.http import headers

    return headers.merge_headers(base, added)


def find_proxy(address: object) -> Proxy | None:
    """Return the proxy at *address*, None without one.

    Raises:
        ConfigurationError: It is not the address of an HTTP proxy.
    """
    if address is None:
        return None
    from gradient_async._protocol.http.proxies import parse_proxy

    return parse_proxy(address)


def collect_hooks(hooks: Iterable[AnyHook]) -> tuple[AnyHook, ...]:
    """Return *hooks* as a tuple; raise `ConfigurationError` for a single one."""
    if isinstance(hooks, Iterable):
        return tuple(hooks)
    raise ConfigurationError(f"hooks must be a list, as hooks=[print]; got {quote_argument(hooks)}.")


def require_event_size(size: int) -> int:
    """Return the largest *size* of an event in bytes; raise `ConfigurationError` unless it is a number above 0."""
    if is_count(size):
        return size
    raise ConfigurationError(f"max_event_bytes={quote_argument(size)}: give at least 1 byte.")


def _check_hooks(hooks: tuple[Any, ...]) -> None:
    if not all(map(_observes_anything, hooks)):
        raise ConfigurationError(
            "hooks: each must be callable, to observe attempts, or have begin_call, begin_wait, or begin_tool_run and "
            "begin_tool_call, to observe calls, waits or tools."
        )
    functions: tuple[Callable[..., Any], ...] = tuple(filter(callable, hooks))
    if any(map(iscoroutinefunction, functions)):
        raise ConfigurationError(
            "hooks: one is an async function. Hooks are called and not awaited; write def instead of async def."
        )


def _observes_anything(hook: object) -> bool:
    return callable(hook) or observes_calls(hook) or observes_waits(hook) or observes_tools(hook)
