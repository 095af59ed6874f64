"""What became of a conversation in which the model's tools were run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from gradient_async.models.chat import ChatCompletion, Message, ToolCall, Usage
from gradient_async.params import MessageParam


@attrs.frozen(kw_only=True)
class ToolStep:
    """One call that the model asked for.

    Attributes:
        round: Which of the model's answers asked for it, from 1.
        call: The call as the model made it.
        arguments: What the function was called with, None if it was not called.
        result: What the function returned.
        error: Why there is no result: no such tool, arguments that do not fit, or what the function raised.
        content: What the model was told.
    """

    round: int
    call: ToolCall
    arguments: Mapping[str, Any] | None = None
    result: Any = None
    error: Exception | None = None
    content: str = ""

    @property
    def ok(self) -> bool:
        """Whether there is a result."""
        return self.error is None


@attrs.frozen(kw_only=True)
class ToolRun:
    """The end of a conversation in which the model's tools were run.

    Attributes:
        completion: The last answer, which asks for no tool.
        messages: The whole conversation, that answer included; add a message and go on.
        steps: Every call that was asked for, in order.
        usage: The tokens of all answers together; None if no answer told its own.
    """

    completion: ChatCompletion
    messages: list[MessageParam | Message]
    steps: list[ToolStep]
    usage: Usage | None

    @property
    def text(self) -> str:
        """The last answer's content, ``""`` if there is none."""
        return self.completion.text
