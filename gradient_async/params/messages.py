"""The parameters of messages.

Source: ``POST /v1/messages`` of the serverless reference, which is in the shape of Anthropic's API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

from gradient_async.params.chat import ReasoningEffort

if TYPE_CHECKING:
    from gradient_async.models.messages import MessageReply


class TurnParam(TypedDict):
    """One turn of a conversation with the messages API.

    Attributes:
        role: Who speaks.
        content: Text, or blocks: text, images, calls of tools and their results.
    """

    role: Literal["user", "assistant"]
    content: str | Iterable[Mapping[str, Any]]


class MessagesToolParam(TypedDict, total=False):
    """A tool of the messages API.

    Attributes:
        name: Its name.
        input_schema: The JSON Schema of its input.
        description: What it does; models choose by it.
    """

    name: Required[str]
    input_schema: Required[Mapping[str, Any]]
    description: str


class MessagesParams(TypedDict, total=False):
    """The parameters of a message. None means unset.

    Attributes:
        model: The model's slug.
        max_tokens: The most tokens to generate.
        messages: The conversation, the latest turn last: at least one. `MessageReply` objects may be among them.
        metadata: ``{"user_id": ...}``: who asks, in your terms.
        reasoning_effort: How much to think.
        speed: Whether to be fast at a higher price.
        stop_sequences: Texts that end the answer.
        system: Instructions: text, or blocks of text.
        temperature: From 0 to 1: how varied the answers are.
        thinking: Whether to think, and how, as ``{"type": "enabled", "budget_tokens": 1024}``.
        tool_choice: ``"auto"``, ``"any"``, or ``{"type": "tool", "name": ...}``.
        tools: Annotated functions, or what the API takes.
        top_k: How many of the likeliest tokens are considered.
        top_p: From 0 to 1: only the likeliest tokens that make up this share are considered.
        extra_body: Merged into the body as it is.
        extra_headers: Added to the request; the session's own cannot be set.
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
