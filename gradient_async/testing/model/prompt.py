"""What a model is asked and what it says, in no endpoint's shape.

Contract: values only. Endpoints translate their body into a `Prompt` and a `Turn` into their body.
Source: the request and response fields of chat completions, which are a superset of the others'.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.replies import Reply


@attrs.frozen(kw_only=True)
class Message:
    """One message of a conversation; *text* is all of its text parts."""

    role: str
    text: str


@attrs.frozen(kw_only=True)
class Tool:
    """A function that may be called; *parameters* is a JSON Schema."""

    name: str
    description: str = ""
    parameters: Mapping[str, Any] = attrs.field(factory=dict)


@attrs.frozen(kw_only=True)
class Prompt:
    """A request to a model.

    Attributes:
        model: The model's slug.
        messages: The conversation.
        tools: The functions that may be called.
        tool_choice: ``none``, ``auto``, ``required`` or the name of a tool.
        schema: The JSON Schema the answer must fit; empty for any JSON object, None for text.
        effort: How much reasoning is shown; None for none.
        temperature: 0 for the likeliest words, more for others.
        top_p: The share of the probability mass that is considered.
        frequency_penalty: Subtracted from a token's logit for each time it was used.
        presence_penalty: Subtracted once it was used.
        max_tokens: The most tokens to generate, reasoning included.
        stop: Texts that end the answer.
        seed: Another seed gives another answer.
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
    def last(self) -> Message:
        """The message to answer."""
        return self.messages[-1] if self.messages else Message(role="user", text="")

    @property
    def question(self) -> str:
        """The text of the last message of the user."""
        return next((message.text for message in reversed(self.messages) if message.role == "user"), "")


@attrs.frozen
class Token:
    """A piece of text with its log probability, and the likeliest pieces at its place."""

    text: str
    logprob: float = -0.01
    top: tuple[tuple[str, float], ...] = ()


@attrs.frozen(kw_only=True)
class Call:
    """A tool call; *arguments* is JSON text."""

    id: str
    name: str
    arguments: str


@attrs.frozen(kw_only=True)
class Turn:
    """What a model says."""

    tokens: Sequence[Token] = ()
    reasoning: Sequence[Token] = ()
    calls: Sequence[Call] = ()
    finish_reason: str = "stop"

    @property
    def content(self) -> str | None:
        """The text; None if there are only tool calls."""
        return joined(self.tokens) if self.tokens or not self.calls else None

    @property
    def size(self) -> int:
        """The number of tokens."""
        in_calls = sum(len(tokens(call.name + call.arguments)) for call in self.calls)
        return len(self.tokens) + len(self.reasoning) + in_calls


def tokens(text: str) -> list[Token]:
    """Cut *text* into words and marks, each with the space before it; joined again it is the same text."""
    return [Token(piece) for piece in re.findall(r"\s*(?:\w+|[^\w\s])|\s+", text)]


def joined(pieces: Sequence[Token]) -> str:
    """Return the text of *pieces*."""
    return "".join(piece.text for piece in pieces)


def scripted(reply: Reply) -> Turn | None:
    """Return the turn that *reply* spells out; None if it leaves the content open."""
    calls = [_call(index, call) for index, call in enumerate(reply.tool_calls or ())]
    if reply.text is None and not calls:
        return None
    return Turn(
        tokens=tokens(reply.text or ""),
        reasoning=tokens(reply.reasoning or ""),
        calls=calls,
        finish_reason=reply.finish_reason or ("tool_calls" if calls else "stop"),
    )


def restyled(turn: Turn, reply: Reply) -> Turn:
    """Put what *reply* says besides the content over *turn*."""
    reasoning = tokens(reply.reasoning) if reply.reasoning else turn.reasoning
    return attrs.evolve(turn, reasoning=reasoning, finish_reason=reply.finish_reason or turn.finish_reason)


def turned(reply: Reply | None, invented: Callable[[], Turn]) -> Turn:
    """Return the turn that *reply* spells out, else the *invented* one, with what *reply* says besides."""
    if reply is None:
        return invented()
    return scripted(reply) or restyled(invented(), reply)


def _call(index: int, call: Mapping[str, Any]) -> Call:
    function = call.get("function", call)
    arguments = function.get("arguments", {})
    return Call(
        id=call.get("id") or f"call_{index:08d}",
        name=function["name"],
        arguments=arguments if isinstance(arguments, str) else json.dumps(arguments),
    )
