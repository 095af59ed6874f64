"""Chat completions of the serverless models.

Source: ``POST /v1/chat/completions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal, TypeVar, Unpack, overload

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.chat import CHAT_PATH
from gradient_async.models.chat import ChatCompletion
from gradient_async.resources.chat.base import BaseChatCompletions

if TYPE_CHECKING:
    from gradient_async._io.stream.chat_stream import ChatStream
    from gradient_async.models.parsed import ParsedCompletion
    from gradient_async.models.tool_run import ToolRun
    from gradient_async.params import ChatParams, ParseParams, RunToolsParams, ToolParam

T = TypeVar("T")


class ChatCompletions(BaseChatCompletions["ChatParams"]):
    """``session.chat.completions``: completions of a serverless model, whole or as a stream."""

    _path = CHAT_PATH

    @overload
    async def create(
        self, *, stream: Literal[True], timeout: float | Timeouts | None = None, **params: Unpack[ChatParams]
    ) -> ChatStream: ...
    @overload
    async def create(
        self,
        *,
        stream: Literal[False] | None = None,
        timeout: float | Timeouts | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion: ...
    @overload
    async def create(
        self, *, stream: bool, timeout: float | Timeouts | None = None, **params: Unpack[ChatParams]
    ) -> ChatCompletion | ChatStream: ...

    async def create(
        self,
        *,
        stream: bool | None = None,
        timeout: float | Timeouts | None = None,
        **params: Unpack[ChatParams],
    ) -> ChatCompletion | ChatStream:
        """Send one request and return the completion, or with ``stream=True`` the opened stream.

        Example:
            ``completion = await session.chat.completions.create(model="llama3.3-70b-instruct", messages=messages)``

        Args:
            stream: Whether to return a `ChatStream` instead of the whole completion.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `ChatCompletion`; with ``stream=True`` a `ChatStream` whose response has begun.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response is not a completion.
        """
        if not stream:
            return await self._send(params, timeout)
        opened = self._build_stream(params, timeout)
        await opened.open()
        return opened

    def stream(self, *, timeout: float | Timeouts | None = None, **params: Unpack[ChatParams]) -> ChatStream:
        """Return the completion as a stream; the request is sent when the stream is entered or first read.

        Args:
            timeout: Seconds for the whole stream, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            An async iterator of `ChatCompletionChunk`; ``text()`` iterates over the text alone.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
        """
        return self._build_stream(params, timeout)

    async def parse(
        self, *, response_format: type[T], timeout: float | Timeouts | None = None, **params: Unpack[ParseParams]
    ) -> ParsedCompletion[T]:
        """Request a completion in the form of a class; its ``parsed`` is an instance of that class.

        Args:
            response_format: An attrs class, a dataclass, a TypedDict, a Pydantic model or a msgspec Struct; fields may
                be such classes too.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The completion, with its content converted in ``parsed``.

        Raises:
            ConfigurationError: The class has no JSON Schema, or the call cannot work; nothing was sent.
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
        **params: Unpack[RunToolsParams],
    ) -> ToolRun:
        """Call the model, run the functions it calls and send their results, until a completion has no tool calls.

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
            ConfigurationError: A function has no JSON Schema, or the call cannot work.
            ToolRoundsError: The model called tools in every round.
            GradientError: As for `create`; ``messages`` has the conversation so far.
        """
        run: ToolRun = await self._run_tool_rounds(
            params, tools, timeout, max_rounds=max_rounds, concurrency=concurrency, in_threads=in_threads
        )
        return run


class Chat:
    """``session.chat``."""

    def __init__(self, completions: ChatCompletions) -> None:
        self.completions = completions


def new_chat(pipeline: Pipeline, target: Callable[[], Target], *, timeouts: Timeouts, max_event_bytes: int) -> Chat:
    """Create ``session.chat``."""
    return Chat(ChatCompletions(pipeline, target, timeouts=timeouts, max_event_bytes=max_event_bytes))
