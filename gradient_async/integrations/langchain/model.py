"""A chat model for LangChain and LangGraph, over a session of this library.

Contract: asynchronous only. The session's budget of requests, its retries, time limits and errors are those of every
other call of it. The session belongs to the caller and is never closed here: what runs in parallel shares it, since
the limits are of the account, not of a model.
Source: ``BaseChatModel`` of langchain-core 1.x.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, Literal, NoReturn, Self

from gradient_async.errors import ConfigurationError

try:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
    from langchain_core.language_models import BaseChatModel, LangSmithParams, LanguageModelInput
    from langchain_core.messages import AIMessage, BaseMessage
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable
    from langchain_core.tools import BaseTool
    from langchain_core.utils.function_calling import convert_to_openai_tool
    from pydantic import ConfigDict, Field
except ImportError as missing:
    raise ImportError("ChatGradient needs langchain-core: pip install 'gradient-async[langchain]'.") from missing

from gradient_async._io.stream.chat_stream import ChatStream
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.integrations.langchain.messages import PROVIDER, Pieces, received, sent
from gradient_async.models import Choice
from gradient_async.resources.chat.agent import Agent, AgentChatCompletions
from gradient_async.resources.chat.completions import ChatCompletions
from gradient_async.session import AsyncSession

_PARAMETERS = ("model", "temperature", "max_tokens", "stop", "timeout")
_USAGE = {"include_usage": True}
_DESCRIPTIONS = ("function", "object", "custom")
"""The types of tools that are described in a dict, by the API, JSON Schema and others."""


class ChatGradient(BaseChatModel):
    """A model of Gradient AI inference as a LangChain chat model: ``ainvoke``, ``astream``, ``abatch`` and the rest.

    Its `session` waits for the rate limits and tries again, so that neither ``rate_limiter`` nor ``with_retry`` is
    needed.

    Attributes:
        session: An open `AsyncSession`, or an agent of one (``session.agent(...)``).
        model: The model's slug. An agent has its own; a name here tells two agents apart in traces and caches.
        temperature: How varied the answers are.
        max_tokens: The most tokens to generate.
        stop: Texts that end the answer; those of a call take their place.
        timeout: Seconds for each call, or a `Timeouts` for every part of it; default: those of the session.
        model_kwargs: Any other parameter of ``chat.completions.create``.
    """

    # A misspelt parameter is an error; an error of validation shows no value, which may be a key in the wrong place.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True)

    session: AsyncSession | Agent = Field(exclude=True, repr=False)
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    timeout: float | Timeouts | None = None
    model_kwargs: dict[str, Any] = Field(default_factory=dict)

    def bind_tools(
        self,
        tools: Sequence[dict[str, Any] | type | Callable[..., Any] | BaseTool],
        *,
        tool_choice: str | Mapping[str, Any] | bool | None = None,
        strict: bool | None = None,
        **kwargs: Any,
    ) -> Runnable[LanguageModelInput, AIMessage]:
        """Return this model with *tools* that it may call.

        Args:
            tools: Tools of LangChain, functions, classes or what the API takes.
            tool_choice: ``"auto"``, ``"none"``, ``"required"`` (also ``"any"`` or True), or the name of one tool.
            strict: Whether arguments must keep to the schema, where the model can be told so.
            **kwargs: Further parameters of each call.
        """
        if tool_choice:
            kwargs["tool_choice"] = _choice(tool_choice)
        return self.bind(tools=[_tool(tool, strict=strict) for tool in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "gradient-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _PARAMETERS}
        return {name: value for name, value in own.items() if value is not None} | self.model_kwargs

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop, **kwargs)
        params["ls_provider"] = PROVIDER
        return params

    def _generate(self, *_: Any, **__: Any) -> NoReturn:
        raise ConfigurationError(
            "ChatGradient is asynchronous; await ainvoke() or abatch(), or iterate over astream(), "
            "in the event loop of its session."
        )

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain hands it over
        **kwargs: Any,
    ) -> ChatResult:
        completion = await self._completions.create(**self._params(messages, stop, kwargs))
        choices = completion.choices or [Choice()]
        return ChatResult(generations=[ChatGeneration(message=received(completion, choice)) for choice in choices])

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain hands it over
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        params = {"stream_options": _USAGE} | self._params(messages, stop, kwargs)
        return _Generations(self._completions.stream(**params))

    @property
    def _completions(self) -> ChatCompletions | AgentChatCompletions:
        return self.session.chat.completions

    def _params(self, messages: list[BaseMessage], stop: list[str] | None, given: Mapping[str, Any]) -> dict[str, Any]:
        """Return the parameters of a call; ``stream`` is LangChain's way of choosing which call."""
        stopping = {"stop": stop} if stop else {}
        params = self._identifying_params | stopping | dict(given) | {"messages": sent(messages)}
        return {name: value for name, value in params.items() if name != "stream"}


def _tool(tool: Any, *, strict: bool | None) -> Mapping[str, Any]:
    """Return a tool as the API has it, which one that the service itself runs is already."""
    if isinstance(tool, Mapping) and tool.get("type", "object") not in _DESCRIPTIONS:
        return tool
    return convert_to_openai_tool(tool, strict=strict)


def _choice(wanted: str | Mapping[str, Any] | Literal[True]) -> str | Mapping[str, Any]:
    """Return a tool choice as the API has it."""
    if wanted is True or wanted == "any":
        return "required"
    if not isinstance(wanted, str) or wanted in ("auto", "none", "required"):
        return wanted
    return {"type": "function", "function": {"name": wanted}}


class _Generations:
    """The chunks of a stream as LangChain's, the last of them with usage and metadata.

    A class and no async generator: when LangChain lets go of it, the connection is free at once.
    """

    __slots__ = ("_chunks", "_ended", "_pieces", "_stream")

    def __init__(self, stream: ChatStream) -> None:
        self._stream = stream
        self._chunks = aiter(stream)
        self._pieces = Pieces()
        self._ended = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatGenerationChunk:
        if self._ended:
            raise StopAsyncIteration
        async for chunk in self._chunks:
            if piece := self._pieces.piece(chunk):
                return ChatGenerationChunk(message=piece)
        self._ended = True
        return ChatGenerationChunk(message=self._pieces.last(self._stream.snapshot))
