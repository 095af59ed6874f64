"""The request to a language model and its completion, independent of any endpoint's shape.

Contract: values only. An endpoint translates its request body to a `Prompt`, and a `Completion` to its response body.
Source: the request and response fields of chat completions, a superset of the other endpoints' fields.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.replies import Reply


@attrs.frozen(kw_only=True)
class Message:
    """One message of a conversation; *text* joins all of its text parts."""

    role: str
    text: str


@attrs.frozen(kw_only=True)
class Tool:
    """A function that the model may call; *parameters* is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Prompt:
    """A request to a model.

    Attributes:
        model: The model's slug.
        messages: The conversation.
        tools: The functions that the model may call.
        tool_choice: ``none``, ``auto``, ``required`` or the name of a tool.
        schema: The JSON Schema of the content; empty for any JSON object, None for text.
        effort: The reasoning effort; None for no reasoning.
        temperature: The sampling temperature; 0 takes the most probable words.
        top_p: The share of the probability mass that is sampled from.
        frequency_penalty: The penalty on a token's logit for each earlier use.
        presence_penalty: The penalty on a token's logit after its first use.
        max_tokens: The maximum number of generated tokens, reasoning included.
        stop: Texts that end the content.
        seed: A number that changes the completion.
    """

    model: str = ""
    messages: Sequence[Message] = ()
    tools: Sequence[Tool] = ()
    tool_choice: str = "auto"
    schema: Mapping[str, Any] | None = None
    effort: str | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    max_tokens: int | None = None
    stop: Sequence[str] = ()
    seed: int = 0

    @property
    def last_message(self) -> Message:
        """The last message; an empty one of the user if there is none."""
        return self.messages[-1] if self.messages else Message(role="user", text="")

    @property
    def question(self) -> str:
        """The text of the user's last message."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")


@attrs.frozen
class Token:
    """A piece of text with its log probability and the most probable pieces at its place."""

    text: str
    logprob: float = -0.01
    top: tuple[tuple[str, float], ...] = ()


@attrs.frozen(kw_only=True)
class ToolCall:
    """A tool call; *arguments* is JSON text."""

    id: str
    name: str
    arguments: str

    @property
    def argument_pieces(self) -> list[str]:
        """The arguments in pieces of 8 characters, as streams send them."""
        return [self.arguments[start : start + 8] for start in range(0, len(self.arguments), 8)]


@attrs.frozen(kw_only=True)
class Completion:
    """The content, reasoning and tool calls that a model generated; *stop* is the stop text that ended it."""

    tokens: Sequence[Token] = ()
    reasoning: Sequence[Token] = ()
    calls: Sequence[ToolCall] = ()
    finish_reason: str = "stop"
    stop: str | None = None

    @property
    def content(self) -> str | None:
        """The text; None for a completion of tool calls only."""
        return join_tokens(self.tokens) if self.tokens or not self.calls else None

    @property
    def token_count(self) -> int:
        """The number of generated tokens: content, reasoning and tool calls."""
        in_calls = sum(len(split_tokens(call.name + call.arguments)) for call in self.calls)
        return len(self.tokens) + len(self.reasoning) + in_calls


def split_tokens(text: str) -> list[Token]:
    """Split *text* into words and punctuation, each with the space before it; joined, the tokens are *text* again."""
    return [Token(piece) for piece in re.findall(r"\s*(?:\w+|[^\w\s])|\s+", text)]


def join_tokens(tokens: Iterable[Token]) -> str:
    """Return the text of *tokens*."""
    return "".join(token.text for token in tokens)


def scripted_completion(reply: Reply) -> Completion | None:
    """Return the completion that *reply* scripts; None if it has neither text nor tool calls."""
    calls = [_build_call(index, call) for index, call in enumerate(reply.tool_calls or ())]
    if reply.text is None and not calls:
        return None
    return Completion(
        tokens=split_tokens(reply.text or ""),
        reasoning=split_tokens(reply.reasoning or ""),
        calls=calls,
        finish_reason=reply.finish_reason or ("tool_calls" if calls else "stop"),
    )


def override_completion(completion: Completion, reply: Reply) -> Completion:
    """Return *completion* with the reasoning and finish reason of *reply*."""
    reasoning = split_tokens(reply.reasoning) if reply.reasoning else completion.reasoning
    return attrs.evolve(completion, reasoning=reasoning, finish_reason=reply.finish_reason or completion.finish_reason)


def resolve_completion(reply: Reply | None, generate: Callable[[], Completion]) -> Completion:
    """Return the completion that *reply* scripts, else a generated one with its reasoning and finish reason."""
    if reply is None:
        return generate()
    return scripted_completion(reply) or override_completion(generate(), reply)


def _build_call(index: int, call: Mapping[str, Any]) -> ToolCall:
    function = call.get("function", call)
    arguments = function.get("arguments", {})
    return ToolCall(
        id=call.get("id") or f"call_{index:08d}",
        name=function["name"],
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
    )
