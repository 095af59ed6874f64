"""Agents: chat completions with a host, a key and a budget of their own.

Source: ``POST /api/v1/chat/completions?agent=true``.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Literal, TypeVar, Unpack, overload

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import AGENT_CHAT_PATH, AGENT_MODEL
from gradient_async.models.chat import ChatCompletion
from gradient_async.params import AgentParams, AgentParseParams, AgentRunToolsParams, ToolParam
from gradient_async.resources.chat.caller import Caller

if TYPE_CHECKING:
    from gradient_async._io.stream.chat_stream import ChatStream
    from gradient_async.models.parsed import ParsedCompletion
    from gradient_async.models.tool_run import ToolRun
    from gradient_async.resources.chat.map import MapResults

T = TypeVar("T")


class AgentChatCompletions:
    """``session.agent(...).chat.completions``: the answers of an agent, which chooses its own model."""

    def __init__(
        self, pipeline: Pipeline, target: Callable[[], Target], *, timeouts: Timeouts, max_event_bytes: int
    ) -> None:
        self._caller = Caller(pipeline, target, AGENT_CHAT_PATH, timeouts, max_event_bytes, model=AGENT_MODEL)

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
        """Ask the agent and return its answer, or with ``stream=True`` the opened stream of it.

        Args:
            stream: Whether to return a `ChatStream` instead.
            timeout: Seconds for the whole call, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The agent has no endpoint or no key, or the call cannot work; nothing was sent.
            APIStatusError: The agent refused; the class says how.
            APIConnectionError: No answer came.
            ProtocolError: The answer is not a completion.
        """
        if not stream:
            return await self._caller.create(params, timeout)
        opened = self._caller.stream(params, timeout)
        await opened.open()
        return opened

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[AgentParams]) -> ChatStream:
        """Return the answer as a stream; the request is sent when it is entered or first read.

        Args:
            timeout: Seconds for the whole stream, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The agent has no endpoint or no key, or the call cannot work; nothing was sent.
        """
        return self._caller.stream(params, timeout)

    async def parse(
        self, *, response_format: type[T], timeout: float | Timeouts | None = None, **params: Unpack[AgentParseParams]
    ) -> ParsedCompletion[T]:
        """Ask the agent for an answer in the form of a class, and return it with its ``parsed``.

        Args:
            response_format: An attrs class, a dataclass or a TypedDict; its fields may be such classes too.
            timeout: Seconds for the whole call, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The agent has no endpoint or no key, or the class has no JSON Schema; nothing was sent.
            ResponseDecodeError: The answer does not fit, was refused or cut off; ``snapshot`` has it.
            GradientError: As `create` does.
        """
        from gradient_async.resources.chat.parse import parse  # many programs want text

        return await parse(partial(self._caller.create, timeout=timeout), params, response_format)

    async def run_tools(
        self,
        *,
        tools: Iterable[ToolParam],
        max_rounds: int = 8,
        in_threads: bool = False,
        timeout: float | Timeouts | None = None,
        **params: Unpack[AgentRunToolsParams],
    ) -> ToolRun:
        """Ask the agent, run the functions it asks for and tell it, until it answers without.

        The functions of one answer run at the same time. One that fails, arguments that do not fit and a name that
        there is not are told to the model; a ``tool_choice`` that forces a tool holds for the first answer.

        Args:
            tools: Functions with annotations, plain or async; tools that the service itself runs may be among them.
            max_rounds: The most answers to ask for.
            in_threads: Whether plain functions are called in threads; without, one that waits stops the event loop.
            timeout: Seconds for each answer, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is.

        Raises:
            ConfigurationError: The agent has no endpoint or no key, or a function has no JSON Schema.
            ToolRoundsError: Every answer asked for tools.
            GradientError: As `create` does; ``messages`` has the conversation until then.
        """
        from gradient_async.resources.chat.run_tools import run_tools  # many programs have no tools

        ask = partial(self._caller.create, timeout=timeout)
        return await run_tools(ask, params, tools, max_rounds=max_rounds, in_threads=in_threads)

    def map(
        self,
        requests: Iterable[AgentParams | Mapping[str, Any]] | AsyncIterable[AgentParams | Mapping[str, Any]],
        *,
        concurrency: int = 64,
        ordered: bool = False,
        timeout: float | Timeouts | None = None,
    ) -> MapResults:
        """Ask for many answers at once: ``async with ....map(requests) as results: async for result in results``.

        What `ChatCompletions.map` says holds for agents too.

        Args:
            requests: The parameters of each answer, as `create` takes them.
            concurrency: The most requests under way at once.
            ordered: Whether results come in the order of the requests, or as they are there.
            timeout: Seconds for each call once it may be sent, or a `Timeouts` for every part of it.

        Raises:
            ConfigurationError: There is nothing to iterate over, or no concurrency.
            SessionClosedError: While the results are read: the session was closed.
        """
        from gradient_async.resources.chat.map import map_results  # with anyio; many programs ask one by one

        return map_results(
            requests, partial(self._caller.create_in_bulk, timeout), concurrency=concurrency, ordered=ordered
        )


@attrs.frozen(eq=False, repr=False)
class AgentChat:
    """``session.agent(...).chat``."""

    completions: AgentChatCompletions


@attrs.frozen(eq=False, repr=False)
class Agent:
    """``session.agent(...)``: an agent with its own endpoint and key, over the session's pool."""

    chat: AgentChat


def new_agent(pipeline: Pipeline, target: Callable[[], Target], *, timeouts: Timeouts, max_event_bytes: int) -> Agent:
    """Return ``session.agent(...)``."""
    completions = AgentChatCompletions(pipeline, target, timeouts=timeouts, max_event_bytes=max_event_bytes)
    return Agent(AgentChat(completions))
