"""A chat model for LangChain and LangGraph over a session of this library.

Contract: calls use the session's rate limiter, retries, time limits and errors. The session belongs to the caller and
is never closed here: concurrent chains share it, because rate limits hold for the account. Synchronous calls run on the
event loop of the session, see `_portal`.
Source: ``BaseChatModel`` of langchain-core 1.x.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator, Mapping, Sequence
from hashlib import blake2b
from math import ceil
from typing import TYPE_CHECKING, Any, Literal, Self, TypeVar, overload

import attrs

try:
    from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
    from langchain_core.language_models import LangSmithParams, LanguageModelInput
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
    from langchain_core.messages.utils import count_tokens_approximately
    from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
    from langchain_core.runnables import Runnable, RunnableConfig
    from langchain_core.tools import BaseTool
    from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, SecretStr, model_validator
except ImportError as missing:
    raise ImportError("ChatGradient needs langchain-core: pip install 'gradient-async[langchain]'.") from missing

from gradient_async._io.stream.chat_stream import ChatStream
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async.integrations._portal import (
    BlockingStream,
    BridgedStream,
    bridge_stream,
    require_blocking,
    run_blocking,
    run_bridged,
)
from gradient_async.integrations._provider import PROVIDER
from gradient_async.integrations.langchain.batches import BatchingChatModel
from gradient_async.integrations.langchain.messages import (
    ChunkConverter,
    to_api_messages,
    to_langchain_message,
)
from gradient_async.integrations.langchain.sessions import find_api_key, get_session
from gradient_async.integrations.langchain.tools import convert_tool, convert_tool_choice
from gradient_async.models import ChatCompletion, ChatCompletionChunk, Choice
from gradient_async.resources.chat.agent import Agent, AgentChatCompletions
from gradient_async.resources.chat.completions import ChatCompletions
from gradient_async.session import AsyncSession

T = TypeVar("T")
_PARAMETERS = ("model", "temperature", "max_tokens", "stop", "timeout")
_PROFILE: Any = {"text_inputs": True, "text_outputs": True, "tool_calling": True, "tool_choice": True}
"""What holds for every chat model of the service."""
_CHARS_PER_TOKEN = 4
_USAGE = {"include_usage": True}


class ChatGradient(BatchingChatModel):
    """A model of Gradient AI inference as a LangChain chat model: ``ainvoke``, ``astream``, ``abatch`` and the rest.

    Synchronous methods (``invoke``, ``stream``, ``batch``) run on the event loop of the session, from any other thread;
    without such a loop, in a thread of this library.

    The session waits for the rate limits and retries, so ``rate_limiter`` and ``with_retry`` are not needed.

    Attributes:
        session: Open `AsyncSession`, or an agent of one (``session.agent(...)``). Default: one for *api_key*, which all
            models of this process share.
        api_key: Key for models without *session*; default: the variables that `AsyncSession` reads.
        model: Slug of the model. An agent has its own; a name here identifies the agent in traces and caches.
        temperature: Randomness of the completions.
        max_tokens: Maximum number of tokens to generate.
        stop: Texts that end the completion; ``stop`` of a call overrides them.
        timeout: Seconds for each call, or a `Timeouts` for each part of it; default: the session's.
        max_retries: Retries after the first attempt; default: the session's. Not for an agent.
        streaming: Whether ``invoke`` and ``ainvoke`` stream; False also turns ``stream`` into one chunk.
        model_kwargs: Other parameters of ``chat.completions.create``.

    Example:
        ``message = await ChatGradient(session=session, model="llama3.3-70b-instruct").ainvoke("Hello")``
    """

    # Refuse misspelt parameters. Validation errors hide values: one may be a key in the wrong place.
    model_config = ConfigDict(arbitrary_types_allowed=True, extra="forbid", hide_input_in_errors=True)

    session: AsyncSession | Agent | None = Field(default=None, exclude=True, repr=False)
    api_key: SecretStr | str | None = Field(default=None, exclude=True, repr=False, union_mode="left_to_right")
    model: str | None = None
    temperature: float | None = None
    max_tokens: int | None = None
    stop: str | list[str] | None = None
    timeout: float | Timeouts | None = None
    max_retries: int | None = Field(default=None, ge=0)
    streaming: bool = False
    model_kwargs: dict[str, Any] = Field(default_factory=dict)
    _caller: AsyncSession | Agent = PrivateAttr()

    @model_validator(mode="after")
    def _choose_session(self) -> Self:
        """Set the session that calls use."""
        if self.session is not None and self.api_key is not None:
            raise ValueError("Give a session or an api_key; a session has its own key.")
        if self.session is not None:
            self._caller = _limit_retries(self.session, self.max_retries)
            return self
        key = find_api_key(self.api_key or None)
        if key is None:
            raise ValueError("Give session=, an open AsyncSession, or api_key=; or set MODEL_ACCESS_KEY.")
        self.api_key = SecretStr(key)
        self._caller = _limit_retries(get_session(key), self.max_retries)
        return self

    if TYPE_CHECKING:  # narrower than LangChain's annotations: the class of the output, and that streams can be closed

        @overload
        def with_structured_output(
            self, schema: type[T], *, include_raw: Literal[False] = False, **kwargs: Any
        ) -> Runnable[LanguageModelInput, T]: ...
        @overload
        def with_structured_output(
            self, schema: dict[str, Any] | type, *, include_raw: bool = False, **kwargs: Any
        ) -> Runnable[LanguageModelInput, dict[str, Any] | BaseModel]: ...
        def with_structured_output(  # noqa: D102 - described by LangChain
            self, schema: Any, *, include_raw: bool = False, **kwargs: Any
        ) -> Any: ...

        def astream(  # noqa: D102 - described by LangChain
            self,
            input: LanguageModelInput,
            config: RunnableConfig | None = None,
            *,
            stop: list[str] | None = None,
            **kwargs: Any,
        ) -> AsyncGenerator[AIMessageChunk, None]: ...

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
            tools: LangChain tools, functions, classes or dicts in the API's form.
            tool_choice: ``"auto"``, ``"none"``, ``"required"`` (also ``"any"`` or True), or the name of one tool.
            strict: Whether the model must follow the schema of the arguments, if it supports that.
            **kwargs: Further parameters of each call.
        """
        if tool_choice:
            kwargs["tool_choice"] = convert_tool_choice(tool_choice)
        return self.bind(tools=[convert_tool(tool, strict=strict) for tool in tools], **kwargs)

    @property
    def _llm_type(self) -> str:
        return "gradient-chat"

    @property
    def _identifying_params(self) -> dict[str, Any]:
        own = {name: getattr(self, name) for name in _PARAMETERS}
        return {name: value for name, value in own.items() if value not in (None, [])} | self.model_kwargs

    def _get_llm_string(self, stop: list[str] | None = None, **kwargs: Any) -> str:
        """Return the key of a cached answer: LangChain's, and a digest of the address, for an agent has no model."""
        address = self._completions._target().base_url
        return f"{super()._get_llm_string(stop, **kwargs)}@{blake2b(address.encode(), digest_size=8).hexdigest()}"

    def _get_ls_params(self, stop: list[str] | None = None, **kwargs: Any) -> LangSmithParams:
        params = super()._get_ls_params(stop, **kwargs)
        params["ls_provider"] = PROVIDER
        return params

    def _resolve_model_profile(self) -> Any:
        return dict(_PROFILE)

    def get_num_tokens(self, text: str) -> int:
        """Return an estimate of the tokens of *text*: one for four characters."""
        return ceil(len(text) / _CHARS_PER_TOKEN)

    def get_num_tokens_from_messages(self, messages: list[BaseMessage], tools: Sequence[Any] | None = None) -> int:
        """Return LangChain's estimate of the tokens of *messages* and *tools*: the service has no call that counts."""
        return count_tokens_approximately(messages, tools=list(tools) if tools else None)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain passes it
        **kwargs: Any,
    ) -> ChatResult:
        self._require_blocking()
        params = self._build_params(messages, stop, kwargs)
        return _build_result(run_blocking(self._caller._pipeline, lambda: self._completions.create(**params)))

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain passes it
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        self._require_blocking()
        params = {"stream_options": _USAGE} | self._build_params(messages, stop, kwargs)
        converter = ChunkConverter()
        with BlockingStream(self._caller._pipeline, lambda: self._completions.stream(**params)) as stream:
            for chunk in stream:
                if message := converter.convert_chunk(chunk):
                    yield ChatGenerationChunk(message=message)
            yield ChatGenerationChunk(message=converter.final_chunk(stream.snapshot))

    def _require_blocking(self) -> None:
        """Refuse to block the loop of a session; that of a key runs in a thread of its own."""
        if self.api_key is None:
            require_blocking()

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain passes it
        **kwargs: Any,
    ) -> ChatResult:
        params = self._build_params(messages, stop, kwargs)
        return _build_result(await run_bridged(self._caller._pipeline, lambda: self._completions.create(**params)))

    def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,  # noqa: ARG002 - LangChain passes it
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        params = {"stream_options": _USAGE} | self._build_params(messages, stop, kwargs)
        return _ChunkIterator(bridge_stream(self._caller._pipeline, self._completions.stream(**params)))

    @property
    def _completions(self) -> ChatCompletions | AgentChatCompletions:
        return self._caller.chat.completions

    def _build_params(
        self, messages: list[BaseMessage], stop: list[str] | None, kwargs: Mapping[str, Any]
    ) -> dict[str, Any]:
        """Return the parameters of a call, without ``stream``: LangChain uses it to choose between two methods."""
        stop_params = {"stop": stop} if stop else {}
        params = self._identifying_params | stop_params | dict(kwargs) | {"messages": to_api_messages(messages)}
        return {name: value for name, value in params.items() if name != "stream"}


def _limit_retries(session: AsyncSession | Agent, retries: int | None) -> AsyncSession | Agent:
    """Return *session*, or a view of it with that many retries."""
    if retries is None:
        return session
    if isinstance(session, Agent):
        raise ValueError(  # noqa: TRY004 - pydantic reports no TypeError
            "max_retries: an agent has those of its session; use session.with_options(retry=...).agent()."
        )
    return session.with_options(retry=attrs.evolve(session._options.retry, attempts=retries + 1))


def _build_result(completion: ChatCompletion) -> ChatResult:
    choices = completion.choices or [Choice()]
    return ChatResult(
        generations=[ChatGeneration(message=to_langchain_message(completion, choice)) for choice in choices]
    )


class _ChunkIterator:
    """The chunks of a stream in LangChain's form; the last one carries usage and metadata.

    A class instead of an async generator: dropping the iterator frees the connection at once.
    """

    __slots__ = ("_chunks", "_converter", "_is_finished", "_stream")

    def __init__(self, stream: ChatStream | BridgedStream) -> None:
        self._stream = stream
        self._chunks: AsyncIterator[ChatCompletionChunk] = aiter(stream)
        self._converter = ChunkConverter()
        self._is_finished = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> ChatGenerationChunk:
        if self._is_finished:
            raise StopAsyncIteration
        async for chunk in self._chunks:
            if message := self._converter.convert_chunk(chunk):
                return ChatGenerationChunk(message=message)
        self._is_finished = True
        return ChatGenerationChunk(message=self._converter.final_chunk(self._stream.snapshot))
