"""The parameters of responses.

Source: ``POST /v1/responses`` of the serverless reference, which is in the shape of OpenAI's API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

from gradient_async.params import ExtraParams
from gradient_async.params.chat import StreamOptionsParam

if TYPE_CHECKING:
    from gradient_async.models.responses import OutputItem
    from gradient_async.params.objects import ObjectParam


class ResponsesFunctionParam(TypedDict, total=False):
    """A function in the form of the responses API, without a nested object.

    Attributes:
        type: ``"function"``.
        name: Name of the function.
        description: Purpose; the model selects by it.
        parameters: JSON Schema of the arguments.
    """

    type: Required[Literal["function"]]
    name: Required[str]
    description: str
    parameters: Mapping[str, Any]


class OptionalResponsesParams(ExtraParams, total=False):
    """The optional parameters of every call of the responses API. None means unset.

    Attributes:
        instructions: Instructions placed before the input.
        max_output_tokens: Maximum number of generated tokens, reasoning included.
        max_tokens: Other name of ``max_output_tokens``.
        metadata: Strings stored with the request.
        modalities: Kinds of content that the response may have.
        parallel_tool_calls: Whether one response may have several tool calls.
        prompt_cache_retention: How long OpenAI's models cache the prompt.
        reasoning: Amount of reasoning, as ``{"effort": "low"}``.
        stop: Strings that end the generation.
        store: Whether the service stores the response.
        stream_options: Options of a stream; not sent with a request for a whole response.
        temperature: Sampling temperature, from 0 to 2.
        text: Settings of the text: ``{"format": {"type": "json_schema", ...}}``, which ``parse`` sets itself.
        tool_choice: Whether the model may call tools, must call one, or must call a given one.
        top_p: Cumulative probability, from 0 to 1, of the most likely tokens to sample from.
        user: Your identifier of the end user; never a name or an address.
    """

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
    text: Mapping[str, Any] | None
    tool_choice: Literal["none", "auto", "required"] | Mapping[str, Any] | None
    top_p: float | None
    user: str | None


class ResponsesToolsParams(TypedDict, total=False):
    """The tools of a call.

    Attributes:
        tools: Annotated functions, or tools in the form of the API.
    """

    tools: Iterable[Callable[..., Any] | ResponsesFunctionParam | Mapping[str, Any]] | None


class ResponsesRunToolsParams(OptionalResponsesParams):
    """The parameters of ``run_tools``, except the tools.

    Attributes:
        model: Slug of the model.
        input: Text, or messages and other items; the items of an earlier ``output`` are accepted.
    """

    model: Required[str]
    input: Required[str | Iterable[Mapping[str, Any] | OutputItem | ObjectParam]]


class ResponsesParams(ResponsesRunToolsParams, ResponsesToolsParams):
    """The parameters of a response. None means unset."""


class ResponsesMapParams(OptionalResponsesParams, ResponsesToolsParams):
    """The parameters that the requests of a ``map`` share; each may have its own.

    Attributes:
        model: Slug of the model.
    """

    model: str
