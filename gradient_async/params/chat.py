"""The parameters of chat completions.

Source: chat completions of the serverless reference, April to August 2026, and the how-to guides, for content parts,
``reasoning``, ``prompt_cache_retention`` and ``response_format``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Literal, Required, TypedDict

from gradient_async.models.chat import Message

Role = Literal["system", "developer", "user", "assistant", "tool"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class FunctionCallParam(TypedDict):
    """The function of a tool call that is sent back."""

    name: str
    arguments: str


class ToolCallParam(TypedDict):
    """A tool call that is sent back as part of an assistant message."""

    id: str
    type: Literal["function"]
    function: FunctionCallParam


class MessageParam(TypedDict, total=False):
    """One message of the conversation.

    Attributes:
        role: Who speaks.
        content: Text, or parts as ``{"type": "text", ...}``, ``{"type": "image_url", ...}`` or
            ``{"type": "video_url", ...}``.
        refusal: What an assistant said instead of an answer.
        reasoning_content: What an assistant thought.
        tool_calls: What an assistant called.
        tool_call_id: Which call a message of the role ``"tool"`` answers.
    """

    role: Required[Role]
    content: str | Iterable[Mapping[str, Any]] | None
    refusal: str | None
    reasoning_content: str | None
    tool_calls: Iterable[ToolCallParam]
    tool_call_id: str


class FunctionParam(TypedDict, total=False):
    """A function the model may call.

    Attributes:
        name: At most 64 letters, digits, ``_`` and ``-``.
        description: What it does; models choose by it.
        parameters: The JSON Schema of its arguments.
    """

    name: Required[str]
    description: str
    parameters: Mapping[str, Any]


class FunctionToolParam(TypedDict):
    """A tool that is a function."""

    type: Literal["function"]
    function: FunctionParam


ToolParam = Callable[..., Any] | FunctionToolParam | Mapping[str, Any]
"""A tool, as a function with annotations or as the API takes it."""


class NamedFunctionParam(TypedDict):
    """The name of one function."""

    name: str


class NamedToolChoiceParam(TypedDict):
    """Forces the model to call one function."""

    type: Literal["function"]
    function: NamedFunctionParam


class StreamOptionsParam(TypedDict, total=False):
    """Options of a stream.

    Attributes:
        include_usage: Whether a last chunk tells the usage.
    """

    include_usage: bool


class CommonChatParams(TypedDict, total=False):
    """The parameters that every call of a model knows. None means unset.

    Attributes:
        messages: The conversation, the latest message last: at least one. `Message` objects may be among them.
        frequency_penalty: From -2 to 2: how much words are avoided the more often they came.
        logit_bias: From -100 to 100 for a token's number: how much likelier it is.
        logprobs: Whether the answer has the log probabilities of its tokens.
        max_completion_tokens: The most tokens to generate, thoughts included.
        max_tokens: The same by its older name.
        metadata: Up to 16 texts of up to 512 characters to keep with the request.
        n: From 1 to 128: how many answers.
        presence_penalty: From -2 to 2: how much words are avoided that came at all.
        prompt_cache_retention: How long the service keeps the prompt, with OpenAI's models.
        reasoning: How much to think, as ``{"effort": "low"}`` or ``{"max_tokens": 500}``.
        reasoning_effort: How much to think.
        seed: The same number and request give the same answer, as far as the model can.
        stop: Up to four texts that end the answer.
        stream_options: Options of a stream.
        temperature: From 0 to 2: how varied the answers are.
        tool_choice: Whether tools may be called, must be, or which one must be.
        top_logprobs: From 0 to 20: how many other tokens are told at each place, with ``logprobs``.
        top_p: From 0 to 1: only the likeliest tokens that make up this share are considered.
        user: Who asks, in your terms: never a name or an address.
        extra_body: Merged into the body as it is.
        extra_headers: Added to the request; the session's own cannot be set.
    """

    messages: Required[Iterable[MessageParam | Message]]
    frequency_penalty: float | None
    logit_bias: Mapping[str, int] | None
    logprobs: bool | None
    max_completion_tokens: int | None
    max_tokens: int | None
    metadata: Mapping[str, str] | None
    n: int | None
    presence_penalty: float | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning: Mapping[str, Any] | None
    reasoning_effort: ReasoningEffort | None
    seed: int | None
    stop: str | Iterable[str] | None
    stream_options: StreamOptionsParam | None
    temperature: float | None
    tool_choice: Literal["none", "auto", "required"] | NamedToolChoiceParam | None
    top_logprobs: int | None
    top_p: float | None
    user: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class ToolsParams(TypedDict, total=False):
    """The tools of a call.

    Attributes:
        tools: Annotated functions, or what the API takes: functions, ``knowledge_base_retrieval``, ``mcp`` and
            ``web_search``.
    """

    tools: Iterable[ToolParam] | None


class ResponseFormatParams(TypedDict, total=False):
    """The form of an answer.

    Attributes:
        response_format: As the API takes it: ``{"type": "json_object"}``, or ``{"type": "json_schema", ...}``.
    """

    response_format: Mapping[str, Any] | None


class ModelParams(TypedDict):
    """The model of a serverless call.

    Attributes:
        model: The model's slug, as ``"llama3.3-70b-instruct"``, or ``"router:<name>"``.
    """

    model: Required[str]


class SharedChatParams(CommonChatParams, ToolsParams, ResponseFormatParams):
    """The parameters that every chat completion knows."""


class ChatParams(SharedChatParams, ModelParams):
    """The parameters of a serverless chat completion."""


class ParseParams(CommonChatParams, ToolsParams, ModelParams):
    """The parameters of a serverless ``parse``, beside the class."""


class RunToolsParams(CommonChatParams, ResponseFormatParams, ModelParams):
    """The parameters of a serverless ``run_tools``, beside the tools."""
