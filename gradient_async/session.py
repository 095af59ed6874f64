"""The session: configuration, lifecycle, and the wiring of everything below.

Contract: creating a session does no I/O and needs no running loop. Keys and endpoints are looked up once, here, and
each key goes to its own host only.

Each resource imports its modules on first access (about 50 ms for `chat`), so that a program pays only for the
resources that it uses. Touch a resource at start-up, as in ``session.chat``, to move that out of the first request.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterable, Mapping
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, Unpack, overload

import aiohttp  # imported here, so that its 150 ms are spent at start-up and not in the first call

from gradient_async._io.http.hooks import CallHook, Hook, ToolHook, WaitHook
from gradient_async._io.http.target import Target
from gradient_async._io.rate_limit.permit import Limiter
from gradient_async._lazy import loaded_property
from gradient_async._protocol.http import credentials
from gradient_async._protocol.http.credentials import Address, Secret
from gradient_async._protocol.http.retry import RetryPolicy
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._session_arguments import (
    ViewOptions,
    collect_hooks,
    find_proxy,
    merge_headers,
    name_right_settings,
    require_event_size,
    resolve_address,
    show_parameters_late,
)
from gradient_async._session_parts import Network, SharedParts

if TYPE_CHECKING:
    from gradient_async._io.http.pipeline import Pipeline
    from gradient_async._io.http.transport import Transport
    from gradient_async._io.stream.raw_stream import RawStream
    from gradient_async._protocol.rate_limit.priority_queue import Priority
    from gradient_async.models.raw_reply import RawReply
    from gradient_async.params.raw import RawRequestParams
    from gradient_async.resources.async_invoke import AsyncInvoke
    from gradient_async.resources.audio import Audio
    from gradient_async.resources.base import StreamingResource
    from gradient_async.resources.batch.batches import Batches
    from gradient_async.resources.chat.agent import Agent
    from gradient_async.resources.chat.completions import Chat
    from gradient_async.resources.embeddings import Embeddings
    from gradient_async.resources.images import Images
    from gradient_async.resources.knowledge_bases import KnowledgeBases
    from gradient_async.resources.messages import Messages
    from gradient_async.resources.models import Models
    from gradient_async.resources.rerank import Rerank
    from gradient_async.resources.responses import Responses
    from gradient_async.resources.systemone import SystemOne
    from gradient_async.resources.videos import Videos

T = TypeVar("T")
S = TypeVar("S", bound="StreamingResource")


class AsyncSession:
    """A client for Gradient AI inference: one connection pool and one rate limiter, shared by all its resources.

    Use it as an async context manager, or call `aclose` at the end. One session serves any number of tasks of one event
    loop.

    Args:
        api_key: Model access key or full-access token, as text or an object such as Pydantic's ``SecretStr``; so may
            every key be, and every address a URL object. Default: the first variable that is set of MODEL_ACCESS_KEY,
            GRADIENT_MODEL_ACCESS_KEY, DIGITALOCEAN_INFERENCE_KEY, DIGITALOCEAN_TOKEN and DIGITALOCEAN_ACCESS_TOKEN.
        agent_access_key: Endpoint access key of an agent. Default: AGENT_ACCESS_KEY or GRADIENT_AGENT_ACCESS_KEY.
        agent_endpoint: Address of the agent, with or without scheme, ``/v1`` or ``/api/v1``. Default:
            AGENT_ENDPOINT, AGENT_URL or GRADIENT_AGENT_ENDPOINT.
        base_url: Address of the inference service. Default: GRADIENT_INFERENCE_ENDPOINT, else
            ``https://inference.do-ai.run``.
        knowledge_base_token: Personal access token for ``knowledge_bases``, with the scope ``GenAI:read``. Default:
            *api_key* unless it is a model access key, else DIGITALOCEAN_TOKEN or DIGITALOCEAN_ACCESS_TOKEN.
        knowledge_base_endpoint: Address of the knowledge bases. Default: GRADIENT_KNOWLEDGE_BASE_ENDPOINT, else
            ``https://kbaas.do-ai.run``, or with another *base_url* that one.
        limits: Rate limits of the account; default: 250 requests per minute and 5,000 per hour. A limiter object shares
            the budget of the inference key with other sessions; each agent has a budget of the same form for its own
            key. None switches the limiters off.
        retry: How often and after which delays a failed call is sent again; default: up to 4 attempts, and only what
            was surely not processed.
        timeouts: Time limits of each phase of a call, in seconds; default: connect 10, idle 120, total 600. Only the
            total limits the wait for the first byte.
        max_connections: Maximum number of open connections; default: None, any number.
        hooks: Callables that receive the `AttemptDetails` of each attempt, and objects whose ``begin_call`` observes
            calls (`CallHook`), whose ``begin_wait`` observes long waits at the limiter (`WaitHook`), or whose
            ``begin_tool_run`` and ``begin_tool_call`` observe ``run_tools`` (`ToolHook`); default: none.
        client_session: Your own aiohttp session, whose connections and settings every request uses; it is never closed
            here. It must not have ``auth``; its ``raise_for_status``, its time limits, credentials in ``~/.netrc`` and
            retries of aiohttp do not apply. Default: None, the session creates its own.
        proxy: Address of an HTTP proxy for every request, storage included, as ``http://user:password@host:3128``.
        trust_env: Whether ``HTTPS_PROXY``, ``HTTP_PROXY``, ``ALL_PROXY`` and ``NO_PROXY`` name the proxies where
            *proxy* does not; they are read when an address is first used. Default: False.
        ssl: TLS context of every connection, with an authority of your own or a client certificate, as
            ``ssl.create_default_context(cafile="ca.pem")``. Default: None, the authorities of the system.
        headers: Headers of every request, except those to storage; ``extra_headers`` of a call replace them. The key,
            the length and the type of a body cannot be set.
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

    @name_right_settings
    def __init__(
        self,
        api_key: Secret | None = None,
        *,
        agent_access_key: Secret | None = None,
        agent_endpoint: Address | None = None,
        base_url: Address | None = None,
        knowledge_base_token: Secret | None = None,
        knowledge_base_endpoint: Address | None = None,
        limits: RateLimits | Limiter | None = RateLimits(),  # noqa: B008 - frozen
        retry: RetryPolicy = RetryPolicy(),  # noqa: B008 - frozen
        timeouts: Timeouts = Timeouts(),  # noqa: B008 - frozen
        max_connections: int | None = None,
        hooks: Iterable[Hook | CallHook | WaitHook | ToolHook] = (),
        client_session: aiohttp.ClientSession | None = None,
        proxy: Address | None = None,
        trust_env: bool = False,
        ssl: ssl.SSLContext | None = None,
        headers: Mapping[str, str] | None = None,
        allow_insecure: bool = False,
        max_event_bytes: int = MAX_EVENT_BYTES,
    ) -> None:
        find_key = partial(credentials.find_key, environ=os.environ)
        find_address = partial(resolve_address, environ=os.environ, allow_insecure=allow_insecure)
        self._options = ViewOptions(
            retry=retry, timeouts=timeouts, hooks=collect_hooks(hooks), headers=merge_headers((), headers)
        )
        self._parts = SharedParts(
            api_key=find_key("api_key", api_key, credentials.INFERENCE_KEYS),
            agent_key=find_key("agent_access_key", agent_access_key, credentials.AGENT_KEYS),
            base_url=find_address("base_url", base_url, credentials.INFERENCE_ENDPOINTS),
            agent_url=find_address("agent_endpoint", agent_endpoint, credentials.AGENT_ENDPOINTS),
            knowledge_base_token=find_key(
                "knowledge_base_token", knowledge_base_token, credentials.KNOWLEDGE_BASE_TOKENS
            ),
            knowledge_base_url=find_address(
                "knowledge_base_endpoint", knowledge_base_endpoint, credentials.KNOWLEDGE_BASE_ENDPOINTS
            ),
            limits=limits,
            network=Network(
                max_connections=max_connections,
                client_session=client_session,
                proxy=find_proxy(proxy),
                trust_env=trust_env,
                ssl_context=ssl,
            ),
        )
        self._allow_insecure = allow_insecure
        self._max_event_bytes = require_event_size(max_event_bytes)
        self._is_view = False

    @name_right_settings
    def with_options(
        self,
        *,
        timeouts: Timeouts | None = None,
        retry: RetryPolicy | None = None,
        headers: Mapping[str, str] | None = None,
        priority: Priority | None = None,
        hooks: Iterable[Hook | CallHook | WaitHook | ToolHook] = (),
    ) -> Self:
        """Return a view of this session: the same keys, connections and rate limits, with other settings.

        A view has every method of a session, further views included. Closing it, or leaving its ``async with`` block,
        closes nothing: the connections belong to the session, and a view works until that is closed.

        Args:
            timeouts: Time limits of its calls.
            retry: What it sends again. Views with the same ``RetryPolicy.budget`` share it.
            headers: Headers of its requests beside the session's, which they replace by name.
            priority: ``"bulk"`` lets all its requests wait at the limiter behind those of the others.
            hooks: Observers beside the session's.

        Raises:
            ConfigurationError: A setting is invalid.

        Example:
            ``nightly = session.with_options(timeouts=Timeouts(total=3600.0), priority="bulk")``
        """
        view = object.__new__(type(self))
        cls = type(self)
        for name, value in vars(self).items():  # what a subclass has set too, but no resource of the other settings
            if not isinstance(getattr(cls, name, None), cached_property):
                setattr(view, name, value)
        view._options = self._options.override_with(
            retry=retry, timeouts=timeouts, hooks=hooks, headers=headers, priority=priority
        )
        view._is_view = True
        return view

    @loaded_property
    def chat(self) -> Chat:
        """Chat completions of the serverless models."""
        from gradient_async.resources.chat.completions import new_chat

        return new_chat(
            self._pipeline, self._get_target, timeouts=self._timeouts, max_event_bytes=self._max_event_bytes
        )

    @loaded_property
    def messages(self) -> Messages:
        """Messages, in the shape of Anthropic's API."""
        from gradient_async.resources.messages import Messages

        return self._build_streaming(Messages)

    @loaded_property
    def responses(self) -> Responses:
        """Responses, in the shape of OpenAI's API."""
        from gradient_async.resources.responses import Responses

        return self._build_streaming(Responses)

    @loaded_property
    def models(self) -> Models:
        """The models that the key may use."""
        from gradient_async.resources.models import Models

        return Models(self._pipeline, self._get_target, self._timeouts)

    @loaded_property
    def embeddings(self) -> Embeddings:
        """Vectors of texts."""
        from gradient_async.resources.embeddings import Embeddings

        return Embeddings(self._pipeline, self._get_target, self._timeouts)

    @loaded_property
    def rerank(self) -> Rerank:
        """The relevance of documents to a query."""
        from gradient_async.resources.rerank import Rerank

        return Rerank(self._pipeline, self._get_target, self._timeouts)

    @loaded_property
    def systemone(self) -> SystemOne:
        """Typed answers to questions about a text."""
        from gradient_async.resources.systemone import SystemOne

        return SystemOne(self._pipeline, self._get_target, self._timeouts)

    @loaded_property
    def knowledge_bases(self) -> KnowledgeBases:
        """Passages from knowledge bases."""
        from gradient_async.resources.knowledge_bases import KnowledgeBases

        target = partial(self._parts.build_knowledge_base_target, self._options)
        return KnowledgeBases(self._pipeline, target, self._timeouts)

    @loaded_property
    def images(self) -> Images:
        """Images from prompts."""
        from gradient_async.resources.images import Images

        return self._build_streaming(Images)

    @loaded_property
    def audio(self) -> Audio:
        """Speech from text."""
        from gradient_async.resources.audio import Audio, Speech

        return Audio(Speech(self._pipeline, self._get_target, self._timeouts))

    @loaded_property
    def videos(self) -> Videos:
        """Videos from prompts."""
        from gradient_async.resources.videos import Videos

        return Videos(self._pipeline, self._get_target, self._timeouts)

    @loaded_property
    def async_invoke(self) -> AsyncInvoke:
        """Asynchronous invocations: images, audio and speech from slow models."""
        from gradient_async.resources.async_invoke import AsyncInvoke

        return AsyncInvoke(self._pipeline, self._get_target, self._timeouts)

    @loaded_property
    def batches(self) -> Batches:
        """Batches: thousands of requests as one job."""
        from gradient_async.resources.batch.batches import new_batches

        return new_batches(self._pipeline, self._get_target, self._timeouts, allow_insecure=self._allow_insecure)

    @cached_property
    def _host(self) -> StreamingResource:
        from gradient_async.resources.base import StreamingResource

        return self._build_streaming(StreamingResource)

    def _build_streaming(self, cls: type[S]) -> S:
        return cls(self._pipeline, self._get_target, self._timeouts, max_event_bytes=self._max_event_bytes)

    @property
    def limits(self) -> Limiter | Any:  # Any, so that a session with limits needs no check for None
        """The rate limiter of the inference key; None if it is switched off."""
        return self._parts.limiter

    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        stream: Literal[True],
        timeout: float | Timeouts | None = None,
        **params: Unpack[RawRequestParams],
    ) -> RawStream: ...
    @overload
    async def request(
        self,
        method: str,
        path: str,
        *,
        cast_to: type[T],
        timeout: float | Timeouts | None = None,
        **params: Unpack[RawRequestParams],
    ) -> T: ...
    @overload
    async def request(
        self, method: str, path: str, *, timeout: float | Timeouts | None = None, **params: Unpack[RawRequestParams]
    ) -> RawReply: ...

    @show_parameters_late
    async def request(
        self,
        method: str,
        path: str,
        *,
        cast_to: Any = None,
        stream: bool = False,
        timeout: float | Timeouts | None = None,
        **params: Unpack[RawRequestParams],
    ) -> Any:
        """Send a request to any path of the inference service: with its key, rate limits, retries and errors.

        Example:
            ``reply = await session.request("POST", "/v1/new/endpoint", json={"model": "m"}, cast_to=dict)``

        Args:
            method: The HTTP method.
            path: A path below the address of the service, which may have a query. What a path cannot carry is
                percent-encoded; an id with a slash needs ``urllib.parse.quote(id, safe="")``.
            cast_to: The class of the result: dict, list, bytes, str, a class with fields, or a result of this library.
                Fields that the class does not have are ignored. Default: a `RawReply`, with the metadata.
            stream: Whether to return the opened stream of server-sent events. A JSON object gets ``"stream": true``
                unless it has its own ``stream``.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: ``json``, ``data``, ``params`` and ``headers``, as `RawRequestParams` describes.

        Returns:
            The response as *cast_to* says; with ``stream=True`` a `RawStream`.

        Raises:
            ConfigurationError: The call cannot work, or would leave the host; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ResponseDecodeError: The response does not fit *cast_to*.
        """
        from gradient_async.resources.raw import send_raw  # few programs need it

        return await send_raw(self._host, method, path, cast_to=cast_to, stream=stream, timeout=timeout, **params)

    def agent(
        self,
        endpoint: Address | None = None,
        access_key: Secret | None = None,
        *,
        path: str = "/api/v1/chat/completions",
    ) -> Agent:
        """Return an agent with its own key and rate limiter, over the connection pool of the session.

        Args:
            endpoint: Address of the agent; default: the session's ``agent_endpoint``.
            access_key: Endpoint access key of the agent; default: the session's ``agent_access_key``.
            path: Path of its chat completions below the address; ``?agent=true`` is added to one without a query. Some
                agents have theirs at ``"/v1/chat/completions"``.

        Raises:
            ConfigurationError: The address or the key is invalid. A missing one is reported by the first call.

        Example:
            ``await session.agent("https://x.agents.do-ai.run").chat.completions.create(messages=messages)``
        """
        from gradient_async.resources.chat.agent import new_agent

        key = credentials.find_key("access_key", access_key, credentials.AGENT_KEYS, {})
        url = resolve_address(
            "endpoint", endpoint, credentials.AGENT_ENDPOINTS, {}, allow_insecure=self._allow_insecure
        )
        target = partial(self._parts.build_agent_target, self._options, url, key)
        return new_agent(
            self._pipeline, target, timeouts=self._timeouts, max_event_bytes=self._max_event_bytes, path=path
        )

    async def aclose(self) -> None:
        """Close every connection. Calls and streams that are still running fail with `SessionClosedError`.

        Closing a view of `with_options` closes nothing.
        """
        if not self._is_view:
            await self._parts.aclose()

    async def __aenter__(self) -> Self:
        from gradient_async._io.deadline_timer import get_loop  # creating a session loads its settings alone

        self._parts.enter_loop(get_loop())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()

    if not TYPE_CHECKING:  # type checkers report it themselves

        def __enter__(self) -> None:
            raise TypeError("A session is opened with 'async with', or without a block and closed by aclose().")

        __exit__ = None

    def __repr__(self) -> str:
        state = "closed" if self._transport.closed else "open"
        name = f"view of {type(self).__name__}" if self._is_view else type(self).__name__
        return f"<{name} {self._parts.base_url.value}, {state}, limits={self.limits!r}>"

    def __reduce__(self) -> str | tuple[Any, ...]:
        return self._transport.__reduce__()

    @property
    def _timeouts(self) -> Timeouts:
        return self._options.timeouts

    @property
    def _transport(self) -> Transport:
        return self._parts.transport

    @cached_property
    def _pipeline(self) -> Pipeline:
        return self._parts.build_pipeline(self._options)

    def _get_target(self) -> Target:
        return self._inference

    @cached_property
    def _inference(self) -> Target:
        return self._parts.build_inference_target(self._options)
