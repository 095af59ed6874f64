"""The results of the responses API.

Source: ``POST /v1/responses`` of the serverless reference; fields seen only in captured responses are included.
"""

from typing import ClassVar

import attrs

from gradient_async.models._base import ESSENTIAL, TEXT, MaybeNone, Model
from gradient_async.models._conversation import ConversationItem
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class OutputPart(ConversationItem):
    """A part of an output item: ``output_text``, ``reasoning_text``, ``summary_text``, ``refusal`` or a newer one."""

    _documented_types: ClassVar[frozenset[str]] = frozenset(
        {"output_text", "reasoning_text", "summary_text", "refusal"}
    )

    type: str = "output_text"
    text: str | None = attrs.field(default=None, metadata=TEXT)
    refusal: str | None = attrs.field(default=None, metadata=TEXT)


@attrs.define(kw_only=True, eq=False, repr=False)
class OutputItem(ConversationItem):
    """One item of the output: a ``message``, a ``reasoning``, a ``function_call`` or a newer one.

    The fields of other items are in ``raw``; ``to_dict()`` returns every item as it arrived, to be sent back.

    Attributes:
        content: The parts of a message, or of the text of a reasoning.
        summary: The parts of the summary of a reasoning.
        arguments: The arguments of a call, as JSON text.
    """

    _documented_types: ClassVar[frozenset[str]] = frozenset(
        {"message", "reasoning", "function_call", "mcp_call", "mcp_approval_request"}
    )

    type: str = attrs.field(default="message", metadata=ESSENTIAL)
    id: str | None = attrs.field(default=None, metadata=TEXT)
    status: str | None = None
    role: str | None = None
    content: list[OutputPart] | None = None
    summary: list[OutputPart] | None = None
    call_id: str | None = attrs.field(default=None, metadata=TEXT)
    name: str | None = attrs.field(default=None, metadata=TEXT)
    arguments: str | None = attrs.field(default=None, metadata=TEXT)

    @property
    def text(self) -> str:
        """The output text of the item, joined; ``""`` if there is none."""
        if self.content is not None:
            return "".join(part.text or "" for part in self.content if part.type == "output_text")
        whole = self._unheld.get("content")
        return whole if self.type == "message" and isinstance(whole, str) else ""

    @property
    def reasoning(self) -> str:
        """The text of a reasoning, else its summary, joined; ``""`` if there is none."""
        if self.type != "reasoning":
            return ""
        return _join_text(self.content) or _join_text(self.summary)


def _join_text(parts: list[OutputPart] | None) -> str:
    return "".join(part.text or "" for part in parts or ())


@attrs.define(kw_only=True, eq=False, repr=False)
class InputTokensDetails(Model):
    """The input tokens that came from a cache."""

    cached_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class OutputTokensDetails(Model):
    """The output tokens that are not text."""

    reasoning_tokens: int = 0
    tool_output_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseUsage(Model):
    """Numbers of tokens that a response is billed for."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails | None = None
    total_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class IncompleteDetails(Model):
    """The reason of an incomplete response: ``max_output_tokens``, ``content_filter`` or a newer reason."""

    reason: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseReply(ResponseModel):
    """A response of the responses API, whole or assembled so far from a stream.

    Attributes:
        created: The time of creation in epoch seconds, under the name of the reference.
        created_at: The time of creation in epoch seconds, under the name that some models use.
        output: The items that the model generated.
        status: ``completed``, ``incomplete``, ``in_progress`` or a newer one.
    """

    id: str = ""
    object: str = "response"
    created: int | None = None
    created_at: float | None = None
    model: str = ""
    output: list[OutputItem] = attrs.field(factory=list, metadata=ESSENTIAL)
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    usage: ResponseUsage | MaybeNone = None

    @property
    def text(self) -> str:
        """The output text of every message, joined; ``""`` if there is none."""
        return "".join(item.text for item in self.output)

    @property
    def reasoning(self) -> str:
        """The text of every reasoning item, or the summary of one without text, joined; ``""`` if there is none."""
        return "".join(item.reasoning for item in self.output)

    @property
    def function_calls(self) -> list[OutputItem]:
        """The function calls that the model asks for."""
        return [item for item in self.output if item.type == "function_call"]
