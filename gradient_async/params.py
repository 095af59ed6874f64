"""What callers send: the documented parameters as TypedDicts, for completion and checking in the editor.

At run time they are plain dicts; an unset parameter is left out of the body, never sent as null. Fields that
the schema does not have but the service's guides do (content parts, ``response_format``) are included.

Source: chat completions, messages and responses of the agent and serverless reference, April to August 2026, and its
how-to guides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

from gradient_async.models.chat import Message

if TYPE_CHECKING:  # a chat completion does not load them
    from gradient_async.models.messages import MessageReply
    from gradient_async.models.responses import OutputItem

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
    """One message of the conversation."""

    role: Required[Role]
    content: str | Iterable[Mapping[str, Any]] | None
    refusal: str | None
    reasoning_content: str | None
    tool_calls: Iterable[ToolCallParam]
    tool_call_id: str


class FunctionParam(TypedDict, total=False):
    """A function the model may call; ``parameters`` is a JSON Schema."""

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
    """Options of a stream; ``include_usage`` adds a last chunk with the usage."""

    include_usage: bool


class KnowledgeBaseFilterParam(TypedDict, total=False):
    """Limits an agent's retrieval to a part of a knowledge base."""

    index: Required[str]
    path: str


class CommonChatParams(TypedDict, total=False):
    """The parameters that every call of a model knows. None means unset.

    ``extra_body`` is merged into the body as it is; ``extra_headers`` are added to the request.
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
    """The tools of a call: annotated functions, or what the API takes."""

    tools: Iterable[ToolParam] | None


class ResponseFormatParams(TypedDict, total=False):
    """The form of an answer, as the API takes it."""

    response_format: Mapping[str, Any] | None


class ModelParams(TypedDict):
    """The model of a serverless call."""

    model: Required[str]


class OwnAgentParams(TypedDict, total=False):
    """What only agents understand, and the model, which they choose themselves."""

    model: str | None
    filter_kb_content_by_query_metadata: bool | None
    include_functions_info: bool | None
    include_guardrails_info: bool | None
    include_retrieval_info: bool | None
    instruction_override: str | None
    k: int | None
    kb_filters: Iterable[KnowledgeBaseFilterParam] | None
    provide_citations: bool | None
    retrieval_method: Literal["rewrite", "step_back", "sub_queries", "none"] | None


class SharedChatParams(CommonChatParams, ToolsParams, ResponseFormatParams):
    """The parameters that every chat completion knows."""


class ChatParams(SharedChatParams, ModelParams):
    """The parameters of a serverless chat completion."""


class AgentParams(SharedChatParams, OwnAgentParams):
    """The parameters of an agent's chat completion: those of any other, and what only agents understand."""


class ParseParams(CommonChatParams, ToolsParams, ModelParams):
    """The parameters of a serverless ``parse``, beside the class."""


class AgentParseParams(CommonChatParams, ToolsParams, OwnAgentParams):
    """The parameters of an agent's ``parse``, beside the class."""


class RunToolsParams(CommonChatParams, ResponseFormatParams, ModelParams):
    """The parameters of a serverless ``run_tools``, beside the tools."""


class AgentRunToolsParams(CommonChatParams, ResponseFormatParams, OwnAgentParams):
    """The parameters of an agent's ``run_tools``, beside the tools."""


class EmbeddingParams(TypedDict, total=False):
    """The parameters of embeddings. The service refuses any other."""

    input: Required[str | Iterable[str]]
    model: Required[str]
    encoding_format: Literal["float", "base64"] | None
    user: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class ImageParams(TypedDict, total=False):
    """The parameters of images. ``n`` is 1 unless given, ``output_compression`` is from 0 to 100."""

    model: Required[str]
    prompt: Required[str]
    background: Literal["transparent", "opaque", "auto"] | None
    moderation: Literal["low", "auto"] | None
    n: int | None
    output_compression: int | None
    output_format: Literal["png", "webp", "jpeg"] | None
    quality: Literal["auto", "high", "medium", "low"] | None
    size: str | None
    user: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class InvocationInputParam(TypedDict, total=False):
    """What an invoked model takes: a ``prompt`` for images and audio, a ``text`` for speech; some have fields more."""

    prompt: str
    text: str
    output_format: str | None
    num_inference_steps: int | None
    guidance_scale: float | None
    num_images: int | None
    enable_safety_checker: bool | None
    seconds_total: int | None


class TagParam(TypedDict):
    """A tag of an invocation."""

    key: str
    value: str


class InvocationParams(TypedDict, total=False):
    """The parameters of an asynchronous invocation."""

    model_id: Required[str]
    input: Required[InvocationInputParam | Mapping[str, Any]]
    tags: Iterable[TagParam] | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class TurnParam(TypedDict):
    """One turn of a conversation with the messages API; ``content`` is text or blocks."""

    role: Literal["user", "assistant"]
    content: str | Iterable[Mapping[str, Any]]


class MessagesToolParam(TypedDict, total=False):
    """A tool of the messages API; ``input_schema`` is a JSON Schema."""

    name: Required[str]
    input_schema: Required[Mapping[str, Any]]
    description: str


class MessagesParams(TypedDict, total=False):
    """The parameters of a message. None means unset.

    ``extra_body`` is merged into the body as it is; ``extra_headers`` are added to the request.
    """

    model: Required[str]
    max_tokens: Required[int]
    messages: Required[Iterable[TurnParam | MessageReply]]
    metadata: Mapping[str, Any] | None
    reasoning_effort: ReasoningEffort | None
    speed: Literal["standard", "fast"] | None
    stop_sequences: Iterable[str] | None
    system: str | Iterable[Mapping[str, Any]] | None
    temperature: float | None
    thinking: Mapping[str, Any] | None
    tool_choice: str | Mapping[str, Any] | None
    tools: Iterable[Callable[..., Any] | MessagesToolParam | Mapping[str, Any]] | None
    top_k: int | None
    top_p: float | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


class ResponsesFunctionParam(TypedDict, total=False):
    """A function of the responses API, which is flat; ``parameters`` is a JSON Schema."""

    type: Required[Literal["function"]]
    name: Required[str]
    description: str
    parameters: Mapping[str, Any]


class ResponsesParams(TypedDict, total=False):
    """The parameters of a response. None means unset.

    ``input`` is text, or messages and other items, those of an earlier ``output`` among them. ``extra_body`` is merged
    into the body as it is; ``extra_headers`` are added to the request.
    """

    model: Required[str]
    input: Required[str | Iterable[Mapping[str, Any] | OutputItem]]
    instructions: str | None
    max_output_tokens: int | None
    max_tokens: int | None
    metadata: Mapping[str, str] | None
    modalities: Iterable[str] | None
    parallel_tool_calls: bool | None
    prompt_cache_retention: Literal["in_memory", "24h"] | None
    reasoning: Mapping[str, Any] | None
    stop: str | Iterable[str] | None
    store: bool | None
    stream_options: StreamOptionsParam | None
    temperature: float | None
    tool_choice: Literal["none", "auto", "required"] | Mapping[str, Any] | None
    tools: Iterable[Callable[..., Any] | ResponsesFunctionParam | Mapping[str, Any]] | None
    top_p: float | None
    user: str | None
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
