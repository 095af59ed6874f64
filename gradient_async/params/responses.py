"""The parameters of responses.

Source: ``POST /v1/responses`` of the serverless reference, which is in the shape of OpenAI's API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

from gradient_async.params.chat import StreamOptionsParam

if TYPE_CHECKING:
    from gradient_async.models.responses import OutputItem


class ResponsesFunctionParam(TypedDict, total=False):
    """A function of the responses API, which is flat.

    Attributes:
        type: ``"function"``.
        name: Its name.
        description: What it does; models choose by it.
        parameters: The JSON Schema of its arguments.
    """

    type: Required[Literal["function"]]
    name: Required[str]
    description: str
    parameters: Mapping[str, Any]


class ResponsesParams(TypedDict, total=False):
    """The parameters of a response. None means unset.

    Attributes:
        model: The model's slug.
        input: Text, or messages and other items, those of an earlier ``output`` among them.
        instructions: What goes before the input.
        max_output_tokens: The most tokens to generate, thoughts included.
        max_tokens: The same by another name.
        metadata: Texts to keep with the request.
        modalities: What the answer may consist of.
        parallel_tool_calls: Whether several tools may be called at once.
        prompt_cache_retention: How long the service keeps the prompt, with OpenAI's models.
        reasoning: How much to think, as ``{"effort": "low"}``.
        stop: Texts that end the answer.
        store: Whether the service keeps the response.
        stream_options: Options of a stream.
        temperature: From 0 to 2: how varied the answers are.
        tool_choice: Whether tools may be called, must be, or which one must be.
        tools: Annotated functions, or what the API takes.
        top_p: From 0 to 1: only the likeliest tokens that make up this share are considered.
        user: Who asks, in your terms: never a name or an address.
        extra_body: Merged into the body as it is.
        extra_headers: Added to the request; the session's own cannot be set.
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
