"""The result of a conversation in which the model's tools were run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic

import attrs

from gradient_async.models._base import Displayed, MaybeNone
from gradient_async.models._texts import shorten_repr
from gradient_async.models.chat import ChatCompletion, Message, ToolCall, Usage
from gradient_async.params import MessageParam

if TYPE_CHECKING:
    from typing_extensions import TypeVar

    R = TypeVar("R", default=ChatCompletion)
    E = TypeVar("E", default=MessageParam | Message)
    U = TypeVar("U", default=Usage)
else:
    from typing import TypeVar

    R, E, U = TypeVar("R"), TypeVar("E"), TypeVar("U")


@attrs.frozen(kw_only=True)
class ToolStep:
    """One tool call of the conversation, and its result.

    Attributes:
        round: The number of the completion that asked for it, from 1.
        call: The call as the model sent it, with an id of our own if it had none or one that was used before.
        arguments: The decoded arguments of the function, None if it was not called.
        result: The return value of the function.
        error: The reason of a missing result: an unknown tool, invalid arguments, or the exception of the function.
        content: The result that was sent to the model.
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


@attrs.frozen(kw_only=True, repr=False)
class ToolRun(Displayed, Generic[R, E, U]):
    """The result of a conversation in which the model's tools were run.

    Attributes:
        completion: The last completion, which asks for no tool; a `MessageReply` or `ResponseReply` of these APIs.
        messages: The whole conversation, the last completion's message included; append a message to continue it. It is
            the next ``messages``, of responses the next ``input``.
        steps: Every tool call, in order.
        usage: The tokens of all completions, summed; None if none of them has a usage.
    """

    completion: R
    messages: list[E]
    steps: list[ToolStep]
    usage: U | MaybeNone

    @property
    def text(self) -> str:
        """The text of the last completion, ``""`` if there is none."""
        text: str = getattr(self.completion, "text", "")
        return text

    def __repr__(self) -> str:
        """Return the numbers of the conversation and the beginning of its last text."""
        return f"ToolRun({shorten_repr(self.text)}, {len(self.steps)} steps, {len(self.messages)} messages)"
