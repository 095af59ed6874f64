"""Chat completions of agents, each with its own host, key and rate limit.

Source: ``POST /api/v1/chat/completions?agent=true``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.chat import AGENT_CHAT_PATH, AGENT_MODEL, build_agent_path
from gradient_async._protocol.requests.request import Request
from gradient_async.models.agent_health import AgentHealth
from gradient_async.models.chat import ChatCompletion
from gradient_async.resources.base import StreamingResource
from gradient_async.resources.chat.base import BaseChatCompletions

if TYPE_CHECKING:
    from gradient_async._io.rate_limit.permit import Limiter
    from gradient_async._io.stream.chat_stream import ChatStream
    from gradient_async._io.stream.raw_stream import RawStream
    from gradient_async.models.parsed import ParsedCompletion
    from gradient_async.models.raw_reply import RawReply
    from gradient_async.models.tool_run import ToolRun
    from gradient_async.params import AgentParams, AgentParseParams, AgentRunToolsParams, ToolParam
    from gradient_async.params.raw import RawRequestParams

T = TypeVar("T")

_read_health = ResponseReader(AgentHealth, "status")


class AgentChatCompletions(BaseChatCompletions["AgentParams"]):
    """``session.agent(...).chat.completions``: completions of an agent, which chooses its own model."""

    _default_model = AGENT_MODEL

    def __init__(
        self,
        pipeline: Pipeline,
        target: Callable[[], Target],
        timeouts: Timeouts,
        *,
        max_event_bytes: int,
        path: str = AGENT_CHAT_PATH,
    ) -> None:
        super().__init__(pipeline, target, timeouts, max_event_bytes=max_event_bytes)
        self._path = build_agent_path(path)

    @overload
    async def create(
        self, *, stream: Literal[True], timeout: float | Timeouts | None = None, **params: Unpack[AgentParams]
    ) -> ChatStream: ...
    @overload
    async def create(
        self,
        *,
        stream: Literal[False] | None = None,
        timeout: float | Timeouts | None = None,
        **params: Unpack[AgentParams],
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self, *, stream: bool, timeout: float | Timeouts | None = None, **params: Unpack[AgentParams]
    ) -> ChatCompletion | ChatStream: ...

    async def create(
        self,
        *,
        stream: bool | None = None,
        timeout: float | Timeouts | None = None,
        **params: Unpack[AgentParams],
    ) -> ChatCompletion | ChatStream:
        """Send one request to the agent and return the completion, or with ``stream=True`` the opened stream.

        Example:
            ``completion = await session.agent().chat.completions.create(messages=messages)``

        Args:
            stream: Whether to return a `ChatStream` instead of the whole completion.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `ChatCompletion`; with ``stream=True`` a `ChatStream` whose response has begun.

        Raises:
            ConfigurationError: The agent has no endpoint or no key, or the call cannot work; nothing was sent.
            APIStatusError: The agent refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not a completion.
        """
        if not stream:
            return await self._send(params, timeout)
        opened = self._build_stream(params, timeout)
        await opened.open()
        return opened

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[AgentParams]) -> ChatStream:
        """Return the completion as a stream; the request is sent when the stream is entered or first read.

        Args:
            timeout: Seconds for the whole stream, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            An async iterator of `ChatCompletionChunk`; ``text()`` iterates over the text alone.

        Raises:
            ConfigurationError: The agent has no endpoint or no key, or the call cannot work; nothing was sent.
        """
        return self._build_stream(params, timeout)

    async def parse(
        self, *, response_format: type[T], timeout: float | Timeouts | None = None, **params: Unpack[AgentParseParams]
    ) -> ParsedCompletion[T]:
        """Request the agent's completion in the form of a class; its ``parsed`` is an instance of that class.

        Args:
            response_format: An attrs class, a dataclass, a TypedDict, a Pydantic model or a msgspec Struct; fields may
                be such classes too.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The completion, with its content converted in ``parsed``.

        Raises:
            ConfigurationError: The class has no JSON Schema, the agent has no endpoint or no key, or the call
                cannot work; nothing was sent.
            ResponseDecodeError: The content does not fit, was refused or cut off; ``snapshot`` has the completion.
            GradientError: As for `create`.
        """
        parsed: ParsedCompletion[T] = await self._send_parsed(params, response_format, timeout)
        return parsed

    async def run_tools(
        self,
        *,
        tools: Iterable[ToolParam],
        max_rounds: int = 8,
        concurrency: int = 8,
        in_threads: bool = False,
        timeout: float | Timeouts | None = None,
        **params: Unpack[AgentRunToolsParams],
    ) -> ToolRun:
        """Call the agent, run the functions it calls and send their results, until a completion has no tool calls.

        The functions of one round run concurrently. An unknown name, arguments that do not fit and an error of a
        function are reported to the model. A ``tool_choice`` that forces a tool holds for the first round.

        Args:
            tools: Annotated functions, plain or async, and tools that the service runs itself.
            max_rounds: Maximum number of requests to the model.
            concurrency: Maximum number of functions of one round that run at once; 1 runs one after the other.
            in_threads: Whether plain functions run in threads; otherwise one that blocks stops the event loop.
            timeout: Seconds for each request, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The last completion, the whole conversation and the steps taken.

        Raises:
            ConfigurationError: A function has no JSON Schema, the agent has no endpoint or no key, or the call cannot
                work.
            ToolRoundsError: The model called tools in every round.
            GradientError: As for `create`; ``messages`` has the conversation so far.
        """
        run: ToolRun = await self._run_tool_rounds(
            params, tools, timeout, max_rounds=max_rounds, concurrency=concurrency, in_threads=in_threads
        )
        return run


@attrs.frozen(eq=False, repr=False)
class AgentChat:
    """``session.agent(...).chat``."""

    completions: AgentChatCompletions


class Agent(StreamingResource):
    """``session.agent(...)``: an agent with its own endpoint and key, over the session's connection pool."""

    def __init__(
        self,
        pipeline: Pipeline,
        target: Callable[[], Target],
        timeouts: Timeouts,
        *,
        max_event_bytes: int,
        chat: AgentChat,
    ) -> None:
        super().__init__(pipeline, target, timeouts, max_event_bytes=max_event_bytes)
        self.chat = chat

    @property
    def limits(self) -> Limiter | Any:  # Any, as that of a session
        """The rate limiter of the agent's key; None if limits are switched off.

        Raises:
            ConfigurationError: The agent has no endpoint or no key.
        """
        return self._target().limiter

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
        """Send a request to any path of the agent's host, as ``session.request`` does for the inference service.

        Example:
            ``health = await session.agent().request("GET", "/health", cast_to=dict)``
        """
        from gradient_async.resources.raw import send_raw  # few programs need it

        return await send_raw(self, method, path, cast_to=cast_to, stream=stream, timeout=timeout, **params)

    async def health(self, *, timeout: float | Timeouts | None = None) -> AgentHealth:
        """Return whether the agent serves requests. The call does not count for the rate limit.

        Example:
            ``print((await session.agent().health(timeout=5)).status)``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.

        Raises:
            ConfigurationError: The agent has no endpoint or no key; nothing was sent.
            APIStatusError: The agent is not healthy; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no status.
        """
        timeouts = self._timeouts.override_with(timeout)
        request = Request(method="GET", path="/health", timeouts=timeouts, idempotent=True)
        target = self._target().with_limiter(None)
        return await self._pipeline.send_and_decode(request, target, _read_health)


def new_agent(
    pipeline: Pipeline, target: Callable[[], Target], *, timeouts: Timeouts, max_event_bytes: int, path: str
) -> Agent:
    """Create ``session.agent(...)`` with its chat completions at *path*."""
    completions = AgentChatCompletions(pipeline, target, timeouts=timeouts, max_event_bytes=max_event_bytes, path=path)
    chat = AgentChat(completions)
    return Agent(pipeline, target, timeouts=timeouts, max_event_bytes=max_event_bytes, chat=chat)
