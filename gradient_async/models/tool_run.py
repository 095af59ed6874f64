"""The result of a conversation in which the model's tools were run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.models.chat import ChatCompletion, Message, ToolCall, Usage
from gradient_async.params import MessageParam


@attrs.frozen(kw_only=True)
class ToolStep:
    """One tool call of the conversation, and its result.

    Attributes:
        round: The number of the completion that asked for it, from 1.
        call: The call as the model sent it, with an id of our own if it had none or one that was used before.
        arguments: The decoded arguments of the function, None if it was not called.
        result: The return value of the function.
        error: The reason of a missing result: an unknown tool, invalid arguments, or the exception of the function.
        content: The content of the ``tool`` message that was sent to the model.
    """

    round: int
    call: ToolCall
    arguments: Mapping[str, Any] | None = None
    result: Any = None
    error: Exception | None = None
    content: str = ""

    @property
    def ok(self) -> bool:
        """Whether the function returned."""
        return self.error is None


@attrs.frozen(kw_only=True)
class ToolRun:
    """The result of a conversation in which the model's tools were run.

    Attributes:
        completion: The last completion, which asks for no tool.
        messages: The whole conversation, the last completion's message included; append a message to continue it.
        steps: Every tool call, in order.
        usage: The tokens of all completions, summed; None if none of them has a usage.
    """

    completion: ChatCompletion
    messages: list[MessageParam | Message]
    steps: list[ToolStep]
    usage: Usage | None

    @property
    def text(self) -> str:
        """The content of the last completion, ``""`` if there is none."""
        return self.completion.text
