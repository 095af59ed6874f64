"""The parameters of messages.

Source: ``POST /v1/messages`` of the serverless reference, which is in the shape of Anthropic's API.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict

from gradient_async.params import ExtraParams
from gradient_async.params.chat import ReasoningEffort

if TYPE_CHECKING:
    from gradient_async.models.messages import MessageReply
    from gradient_async.params.objects import ObjectParam


class TurnParam(TypedDict):
    """One turn of a conversation with the messages API.

    Attributes:
        role: Author of the turn.
        content: Text, or content blocks: text, images, tool calls and tool results.
    """

    role: Literal["user", "assistant"]
    content: str | Iterable[Mapping[str, Any] | ObjectParam]


class MessagesToolParam(TypedDict, total=False):
    """A tool of the messages API.

    Attributes:
        name: Name of the tool.
        input_schema: JSON Schema of the input.
        description: Purpose; the model selects by it.
    """

    name: Required[str]
    input_schema: Required[Mapping[str, Any]]
    description: str


class OptionalMessagesParams(ExtraParams, total=False):
    """The optional parameters of every call of the messages API. None means unset.

    Attributes:
        metadata: ``{"user_id": ...}`` with your identifier of the end user.
        reasoning_effort: Amount of reasoning.
        speed: ``"fast"`` for a faster response at a higher price.
        stop_sequences: Strings that end the generation.
        system: Instructions, as text or text blocks.
        temperature: Sampling temperature, from 0 to 1.
        thinking: Settings of extended thinking, as ``{"type": "enabled", "budget_tokens": 1024}``.
        top_k: Number of the most likely tokens to sample from.
        top_p: Cumulative probability, from 0 to 1, of the most likely tokens to sample from.
    """

    metadata: Mapping[str, Any] | None
    reasoning_effort: ReasoningEffort | None
    speed: Literal["standard", "fast"] | None
    stop_sequences: Iterable[str] | None
    system: str | Iterable[Mapping[str, Any]] | None
    temperature: float | None
    thinking: Mapping[str, Any] | None
    top_k: int | None
    top_p: float | None


class MessagesToolsParams(TypedDict, total=False):
    """The tools of a call.

    Attributes:
        tools: Annotated functions, or tools in the form of the API.
    """

    tools: Iterable[Callable[..., Any] | MessagesToolParam | Mapping[str, Any]] | None


class MessagesToolChoiceParams(TypedDict, total=False):
    """The choice among the tools of a call.

    Attributes:
        tool_choice: ``"auto"``, ``"any"``, or ``{"type": "tool", "name": ...}``.
    """

    tool_choice: str | Mapping[str, Any] | None


class ConversationParams(OptionalMessagesParams):
    """The parameters of every call with one conversation.

    Attributes:
        model: Slug of the model.
        max_tokens: Maximum number of generated tokens.
        messages: Conversation, latest turn last; at least one. Turns are dicts, `MessageReply` objects, or
            other objects with their fields.
    """

    model: Required[str]
    max_tokens: Required[int]
    messages: Required[Iterable[TurnParam | MessageReply | ObjectParam | Mapping[str, Any]]]


class MessagesParams(ConversationParams, MessagesToolsParams, MessagesToolChoiceParams):
    """The parameters of a message. None means unset."""


class MessagesParseParams(ConversationParams, MessagesToolsParams):
    """The parameters of ``parse``, except the class; it chooses the tool itself."""


class MessagesRunToolsParams(ConversationParams, MessagesToolChoiceParams):
    """The parameters of ``run_tools``, except the tools."""


class MessagesMapParams(OptionalMessagesParams, MessagesToolsParams, MessagesToolChoiceParams):
    """The parameters that the requests of a ``map`` share; each may have its own.

    Attributes:
        model: Slug of the model.
        max_tokens: Maximum number of generated tokens.
    """

    model: str
    max_tokens: int
