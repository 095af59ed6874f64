"""The session: configuration, lifecycle, and the wiring of everything below.

Contract: creating a session does no I/O and needs no running loop. Keys and endpoints are looked up once, here, and
each key goes to its own host only.

Each resource imports its modules on first access (about 50 ms for `chat`), so that a program pays only for the
resources that it uses. Touch a resource at start-up, as in ``session.chat``, to move that out of the first request.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from inspect import iscoroutinefunction
from types import TracebackType
from typing import TYPE_CHECKING, Self

import aiohttp  # imported here, so that its 150 ms are spent at start-up and not in the first call

from gradient_async._io.http.hooks import CallHook, Hook, WaitHook, combine_wait_hooks, observes_calls, observes_waits
from gradient_async._io.http.target import Target
from gradient_async._io.rate_limit.permit import Limiter
from gradient_async._protocol.http import credentials
from gradient_async._protocol.http.retry import RetryPolicy
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.stream.sse import MAX_EVENT_BYTES
from gradient_async.errors import ConfigurationError, quote_argument

if TYPE_CHECKING:
    from gradient_async._io.http.pipeline import Pipeline
    from gradient_async._io.http.transport import Transport
    from gradient_async._io.rate_limit.agent_limiters import AgentLimiters
    from gradient_async.resources.async_invoke import AsyncInvoke
    from gradient_async.resources.audio import Audio
    from gradient_async.resources.batch.batches import Batches
    from gradient_async.resources.chat.agent import Agent
    from gradient_async.resources.chat.completions import Chat
    from gradient_async.resources.embeddings import Embeddings
    from gradient_async.resources.images import Images
    from gradient_async.resources.messages import Messages
    from gradient_async.resources.models import Models
    from gradient_async.resources.rerank import Rerank
    from gradient_async.resources.responses import Responses
    from gradient_async.resources.systemone import SystemOne


_LIMITER = ("acquire", "apply_response", "new_for_key")
"""Methods of `Limiter` that calls need."""


class AsyncSession:
    """A client for Gradient AI inference: one connection pool and one rate limiter, shared by all its resources.

    Use it as an async context manager, or call `aclose` at the end. One session serves any number of tasks of one event
    loop.

    Args:
        api_key: Model access key or full-access token. Default: the first variable that is set of
            MODEL_ACCESS_KEY, GRADIENT_MODEL_ACCESS_KEY, DIGITALOCEAN_INFERENCE_KEY, DIGITALOCEAN_TOKEN and
            DIGITALOCEAN_ACCESS_TOKEN.
        agent_access_key: Endpoint access key of an agent. Default: AGENT_ACCESS_KEY or GRADIENT_AGENT_ACCESS_KEY.
        agent_endpoint: Address of the agent, with or without scheme, ``/v1`` or ``/api/v1``. Default:
            AGENT_ENDPOINT, AGENT_URL or GRADIENT_AGENT_ENDPOINT.
        base_url: Address of the inference service. Default: GRADIENT_INFERENCE_ENDPOINT, else
            ``https://inference.do-ai.run``.
        limits: Rate limits of the account; default: 250 requests per minute and 5,000 per hour. A limiter object shares
            the budget of the inference key with other sessions; each agent has a budget of the same form for its own
            key. None switches the limiters off.
        retry: How often and after which delays a failed call is sent again; default: up to 4 attempts, and only what
            was surely not processed.
        timeouts: Time limits of each phase of a call, in seconds; default: connect 10, idle 120, total 600. Only the
            total limits the wait for the first byte.
        max_connections: Maximum number of open connections; default: None, any number.
        hooks: Callables that receive the `AttemptDetails` of each attempt, and objects whose ``begin_call`` observes
            calls (`CallHook`) or whose ``begin_wait`` observes long waits at the limiter (`WaitHook`); default: none.
        client_session: Your own aiohttp session, whose connections and settings every request uses; it is never closed
            here. It must not have ``auth``; its ``raise_for_status``, its time limits, credentials in ``~/.netrc`` and
            retries of aiohttp do not apply. Default: None, the session creates its own.
        allow_insecure: Whether ``http://`` to other machines is allowed; default: False.
        max_event_bytes: Maximum size of one event of a stream, in bytes; default: 16 MiB.

    Raises:
        ConfigurationError: A setting is invalid. A missing key is reported by the first call that needs it.

    Example:
        ::

            async with AsyncSession(timeouts=Timeouts(total=120.0)) as session:
                completion = await session.chat.completions.create(
                    model="llama3.3-70b-instruct",
                    messages=[{"role": "user", "content": "What is the capital of Portugal?"}],
                )
                print(completion.text)
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        agent_access_key: str | None = None,
        agent_endpoint: str | None = None,
        base_url: str | None = None,
        limits: RateLimits | Limiter | None = RateLimits(),  # noqa: B008 - frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        max_connections: int | None = None,
        hooks: Iterable[Hook | CallHook | WaitHook] = (),
        client_session: aiohttp.ClientSession | None = None,
        allow_insecure: bool = False,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        environ = os.environ
        _check_settings(limits, retry, timeouts, max_connections)
        _check_client_session(client_session)
        self._api_key = credentials.find_key("api_key", api_key, credentials.INFERENCE_KEYS, environ)
        self._agent_key = credentials.find_key("agent_access_key", agent_access_key, credentials.AGENT_KEYS, environ)
        self._allow_insecure = allow_insecure
        self._base_url = self._resolve_address("base_url", base_url, credentials.INFERENCE_ENDPOINTS, environ)
        self._agent_url = self._resolve_address("agent_endpoint", agent_endpoint, credentials.AGENT_ENDPOINTS, environ)
        self._limits = limits
        self._retry = retry
        self._timeouts = timeouts
        self._max_connections = max_connections
        self._hooks = tuple(hooks)
        if not all(callable(hook) or observes_calls(hook) or observes_waits(hook) for hook in self._hooks):
            raise ConfigurationError(
                "hooks: each must be callable, to observe attempts, or have begin_call or begin_wait, to observe calls "
                "or waits."
            )
        if any(map(iscoroutinefunction, self._hooks)):
            raise ConfigurationError(
                "hooks: one is an async function. Hooks are called and not awaited; write def instead of async def."
            )
        self._client_session = client_session
        self._max_event_bytes = max_event_bytes
        self._agent_limiters: AgentLimiters | None = None

    @cached_property
    def chat(self) -> Chat:
        """Chat completions of the serverless models."""
        from gradient_async.resources.chat.completions import new_chat

        return new_chat(
            self._pipeline, self._get_target, timeouts=self._timeouts, max_event_bytes=self._max_event_bytes
        )

    @cached_property
    def messages(self) -> Messages:
        """Messages, in the shape of Anthropic's API."""
        from gradient_async.resources.messages import Messages

        return Messages(
            pipeline=self._pipeline,
            target=self._get_target,
            timeouts=self._timeouts,
            max_event_bytes=self._max_event_bytes,
        )

    @cached_property
    def responses(self) -> Responses:
        """Responses, in the shape of OpenAI's API."""
        from gradient_async.resources.responses import Responses

        return Responses(
            pipeline=self._pipeline,
            target=self._get_target,
            timeouts=self._timeouts,
            max_event_bytes=self._max_event_bytes,
        )

    @cached_property
    def models(self) -> Models:
        """The models that the key may use."""
        from gradient_async.resources.models import Models

        return Models(self._pipeline, self._get_target, self._timeouts)

    @cached_property
    def embeddings(self) -> Embeddings:
        """Vectors of texts."""
        from gradient_async.resources.embeddings import Embeddings

        return Embeddings(self._pipeline, self._get_target, self._timeouts)

    @cached_property
    def rerank(self) -> Rerank:
        """The relevance of documents to a query."""
        from gradient_async.resources.rerank import Rerank

        return Rerank(self._pipeline, self._get_target, self._timeouts)

    @cached_property
    def systemone(self) -> SystemOne:
        """Typed answers to questions about a text."""
        from gradient_async.resources.systemone import SystemOne

        return SystemOne(self._pipeline, self._get_target, self._timeouts)

    @cached_property
    def images(self) -> Images:
        """Images from prompts."""
        from gradient_async.resources.images import Images

        return Images(self._pipeline, self._get_target, self._timeouts)

    @cached_property
    def audio(self) -> Audio:
        """Speech from text."""
        from gradient_async.resources.audio import Audio, Speech

        return Audio(Speech(self._pipeline, self._get_target, self._timeouts))

    @cached_property
    def async_invoke(self) -> AsyncInvoke:
        """Asynchronous invocations: images, audio and speech from slow models."""
        from gradient_async.resources.async_invoke import AsyncInvoke

        return AsyncInvoke(self._pipeline, self._get_target, self._timeouts)

    @cached_property
    def batches(self) -> Batches:
        """Batches: thousands of requests as one job."""
        from gradient_async.resources.batch.batches import new_batches

        return new_batches(self._pipeline, self._get_target, self._timeouts, allow_insecure=self._allow_insecure)

    @property
    def limits(self) -> Limiter | None:
        """The rate limiter of the inference key; None if it is switched off."""
        return self._limiter

    def agent(self, endpoint: str | None = None, access_key: str | None = None) -> Agent:
        """Return an agent with its own key and rate limiter, over the connection pool of the session.

        Args:
            endpoint: Address of the agent; default: the session's ``agent_endpoint``.
            access_key: Endpoint access key of the agent; default: the session's ``agent_access_key``.

        Raises:
            ConfigurationError: The address or the key is invalid. A missing one is reported by the first call.

        Example:
            ``await session.agent("https://x.agents.do-ai.run").chat.completions.create(messages=messages)``
        """
        from gradient_async.resources.chat.agent import new_agent

        key = credentials.find_key("access_key", access_key, credentials.AGENT_KEYS, {})
        url = self._resolve_address("endpoint", endpoint, credentials.AGENT_ENDPOINTS, {})
        target = partial(
            self._get_agent_target, url if url.value else self._agent_url, key if key.value else self._agent_key
        )
        return new_agent(self._pipeline, target, timeouts=self._timeouts, max_event_bytes=self._max_event_bytes)

    async def aclose(self) -> None:
        """Close every connection. Calls and streams that are still running fail with `SessionClosedError`."""
        await self._transport.aclose()
        is_own = isinstance(self._limits, RateLimits)  # a limiter object of the caller may serve other sessions
        for limiter in (self._agent_limiters, self._limiter if is_own else None):
            if limiter is not None:
                await limiter.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        state = "closed" if self._transport.closed else "open"
        return f"<AsyncSession {self._base_url.value}, {state}, limits={self._limiter!r}>"

    def _resolve_address(
        self, argument: str, given: str | None, variables: tuple[str, ...], environ: Mapping[str, str]
    ) -> credentials.Setting:
        setting = credentials.find_setting(argument, given, variables, environ)
        if setting.value is None and argument == "base_url":
            setting = credentials.Setting(argument, variables, credentials.DEFAULT_BASE_URL, "the default")
        return credentials.normalize_address(setting, allow_insecure=self._allow_insecure)

    @cached_property
    def _transport(self) -> Transport:
        from gradient_async._io.http.transport import Transport

        return Transport(self._max_connections, self._client_session)

    @cached_property
    def _pipeline(self) -> Pipeline:
        from gradient_async._io.http.pipeline import Pipeline

        hooks = tuple(filter(callable, self._hooks))
        call_hooks = [hook for hook in self._hooks if observes_calls(hook)]
        on_wait = combine_wait_hooks([hook for hook in self._hooks if observes_waits(hook)])
        if not call_hooks:
            return Pipeline(self._transport, self._retry, hooks, on_wait)
        from gradient_async._io.http.observed_pipeline import ObservedPipeline  # not loaded without call hooks

        return ObservedPipeline(
            transport=self._transport, retry=self._retry, hooks=hooks, on_wait=on_wait, call_hooks=call_hooks
        )

    @cached_property
    def _limiter(self) -> Limiter | None:
        """The limiter of the inference key: a new one, or the limiter object passed as ``limits``."""
        if not isinstance(self._limits, RateLimits):
            return self._limits
        from gradient_async._io.rate_limit.limiter import RateLimiter

        return RateLimiter(self._limits)

    def _get_target(self) -> Target:
        return self._inference

    @cached_property
    def _inference(self) -> Target:
        key = self._api_key.require_value("Inference needs a model access key or a full-access token.")
        return Target(self._base_url.require_value("Inference needs an address."), key, self._limiter)

    def _get_agent_target(self, url: credentials.Setting, key: credentials.Setting) -> Target:
        address = url.require_value("An agent has an address of its own.")
        secret = key.require_value("An agent has an endpoint access key of its own.")
        return Target(address, secret, self._get_agent_limiter(address, secret))

    def _get_agent_limiter(self, address: str, secret: str) -> Limiter | None:
        """Return the limiter of one agent, which has the form of the inference key's, and its own budget."""
        if self._limiter is None:
            return None
        if self._agent_limiters is None:
            from gradient_async._io.rate_limit.agent_limiters import AgentLimiters

            self._agent_limiters = AgentLimiters(self._limiter)
        return self._agent_limiters.get_limiter(address, secret)


def _check_client_session(client_session: aiohttp.ClientSession | None) -> None:
    """Reject a session that would send credentials of its own in place of the key."""
    if client_session is not None and getattr(client_session, "auth", None) is not None:
        raise ConfigurationError(
            "client_session was opened with auth=, which would be sent in place of the key; open it without."
        )


def _check_settings(limits: object, retry: object, timeouts: object, max_connections: int | None) -> None:
    """Reject settings of the wrong type or out of range."""
    if max_connections is not None and max_connections < 1:
        raise ConfigurationError(f"max_connections={max_connections}: give at least 1, or None for any number.")
    if not isinstance(retry, RetryPolicy):
        raise ConfigurationError(
            f"retry must be a RetryPolicy, as RetryPolicy(attempts=3); got {quote_argument(retry)}."
        )
    if not isinstance(timeouts, Timeouts):
        raise ConfigurationError(f"timeouts must be Timeouts, as Timeouts(total=30); got {quote_argument(timeouts)}.")
    if not (limits is None or isinstance(limits, RateLimits) or all(hasattr(limits, name) for name in _LIMITER)):
        raise ConfigurationError(
            f"limits must be RateLimits, None or a limiter with the methods {', '.join(_LIMITER)}; "
            f"got {quote_argument(limits)}."
        )
