"""The parameters of chat completions.

Source: chat completions of the serverless reference, April to August 2026, and the how-to guides, for content parts,
``reasoning``, ``prompt_cache_retention`` and ``response_format``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

from gradient_async.models.chat import Message
from gradient_async.params import ExtraParams

if TYPE_CHECKING:
    from gradient_async.params.objects import ObjectParam

Role = Literal["system", "developer", "user", "assistant", "tool"]
ReasoningEffort = Literal["none", "minimal", "low", "medium", "high", "xhigh", "max"]


class FunctionCallParam(TypedDict):
    """The function of a `ToolCallParam`, with its arguments as JSON text."""

    name: str
    arguments: str


class ToolCallParam(TypedDict):
    """A tool call in an assistant message of the conversation."""

    id: str
    type: Literal["function"]
    function: FunctionCallParam


class MessageParam(TypedDict, total=False):
    """One message of the conversation.

    Attributes:
        role: Author of the message.
        content: Text, or content parts as ``{"type": "text", ...}``, ``{"type": "image_url", ...}`` or
            ``{"type": "video_url", ...}``.
        refusal: Refusal of an assistant, in place of content.
        reasoning_content: Reasoning of an assistant.
        tool_calls: Tool calls of an assistant.
        tool_call_id: Id of the tool call whose result a message of role ``"tool"`` has.
    """

    role: Required[Role]
    content: str | Iterable[Mapping[str, Any] | ObjectParam] | None
    refusal: str | None
    reasoning_content: str | None
    tool_calls: Iterable[ToolCallParam | ObjectParam]
    tool_call_id: str


class FunctionParam(TypedDict, total=False):
    """A function that the model may call.

    Attributes:
        name: Name: at most 64 letters, digits, ``_`` and ``-``.
        description: Purpose; the model selects by it.
        parameters: JSON Schema of the arguments.
    """

    name: Required[str]
    description: str
    parameters: Mapping[str, Any]


class FunctionToolParam(TypedDict):
    """A tool that is a function."""

    type: Literal["function"]
    function: FunctionParam


ToolParam = Callable[..., Any] | FunctionToolParam | Mapping[str, Any]
"""A tool: an annotated function, or a dict in the form of the API."""


class NamedFunctionParam(TypedDict):
    """The name of one function."""

    name: str


class NamedToolChoiceParam(TypedDict):
    """A tool choice that forces the model to call one function."""

    type: Literal["function"]
    function: NamedFunctionParam


class StreamOptionsParam(TypedDict, total=False):
    """Options of a stream.

    Attributes:
        include_usage: Whether the last chunk has the token usage.
    """

    include_usage: bool


class OptionalChatParams(ExtraParams, total=False):
    """The optional parameters of every chat call. None means unset.

    Attributes:
        frequency_penalty: From -2 to 2: penalty for tokens by how often they have occurred.
        logit_bias: Bias from -100 to 100 by token id.
        logprobs: Whether the response has the log probabilities of its tokens.
        max_completion_tokens: Maximum number of generated tokens, reasoning included.
        max_tokens: Older name of ``max_completion_tokens``.
        metadata: Up to 16 strings of up to 512 characters, stored with the request.
        n: Number of choices, from 1 to 128.
        presence_penalty: From -2 to 2: penalty for tokens that have occurred at all.
        prompt_cache_retention: How long OpenAI's models cache the prompt.
        reasoning: Amount of reasoning, as ``{"effort": "low"}`` or ``{"max_tokens": 500}``.
        reasoning_effort: Amount of reasoning.
        seed: Makes sampling repeatable, as far as the model supports it.
        stop: Up to four strings that end the generation.
        stream_options: Options of a stream; not sent with a request for a whole completion.
        temperature: Sampling temperature, from 0 to 2.
        tool_choice: Whether the model may call tools, must call one, or must call a given one.
        top_logprobs: With ``logprobs``, number of alternatives per token, from 0 to 20.
        top_p: Cumulative probability, from 0 to 1, of the most likely tokens to sample from.
        user: Your identifier of the end user; never a name or an address.
    """

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


class CommonChatParams(OptionalChatParams):
    """The parameters of every chat call.

    Attributes:
        messages: Conversation, latest message last; at least one. Messages are dicts, `Message` objects, or other
            objects with their fields: attrs classes, dataclasses, Pydantic models, msgspec Structs.
    """

    messages: Required[Iterable[MessageParam | Message | ObjectParam | Mapping[str, Any]]]


class ToolsParams(TypedDict, total=False):
    """The tools of a call.

    Attributes:
        tools: Annotated functions, or tools in the form of the API: functions, ``knowledge_base_retrieval``, ``mcp``
            and ``web_search``.
    """

    tools: Iterable[ToolParam] | None


class ResponseFormatParams(TypedDict, total=False):
    """The form of the content.

    Attributes:
        response_format: ``{"type": "json_object"}``, or ``{"type": "json_schema", ...}`` with a schema.
    """

    response_format: Mapping[str, Any] | None


class ModelParams(TypedDict):
    """The model of a serverless call.

    Attributes:
        model: Slug of the model, as ``"llama3.3-70b-instruct"``, or ``"router:<name>"``.
    """

    model: Required[str]


class SharedChatParams(CommonChatParams, ToolsParams, ResponseFormatParams):
    """The parameters of every chat completion."""


class ChatParams(SharedChatParams, ModelParams):
    """The parameters of a serverless chat completion."""


class ParseParams(CommonChatParams, ToolsParams, ModelParams):
    """The parameters of a serverless ``parse``, except the class."""


class RunToolsParams(CommonChatParams, ResponseFormatParams, ModelParams):
    """The parameters of a serverless ``run_tools``, except the tools."""
