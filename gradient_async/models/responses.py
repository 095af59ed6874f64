"""What a call of the responses API returns.

Source: ``POST /v1/responses`` of the serverless reference; fields that only captured answers have are included.
"""

import attrs

from gradient_async.models._base import Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class OutputPart(Model):
    """A piece of an output item: ``output_text``, ``reasoning_text``, ``summary_text`` or ``refusal``."""

    type: str = "output_text"
    text: str | None = None
    refusal: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class OutputItem(Model):
    """One thing the model produced: a ``message``, a ``reasoning``, a ``function_call`` or a newer one."""

    type: str = "message"
    id: str | None = None
    status: str | None = None
    role: str | None = None
    content: list[OutputPart] | None = None
    summary: list[OutputPart] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None

    @property
    def text(self) -> str:
        """Its output text, joined; ``""`` if there is none."""
        return "".join(part.text or "" for part in self.content or () if part.type == "output_text")


@attrs.define(kw_only=True, eq=False, repr=False)
class InputTokensDetails(Model):
    """Of the tokens read, those that came from a cache."""

    cached_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class OutputTokensDetails(Model):
    """Of the tokens written, those that are no text."""

    reasoning_tokens: int = 0
    tool_output_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseUsage(Model):
    """Tokens counted and billed for a response."""

    input_tokens: int = 0
    input_tokens_details: InputTokensDetails | None = None
    output_tokens: int = 0
    output_tokens_details: OutputTokensDetails | None = None
    total_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class IncompleteDetails(Model):
    """Why a response ended early: ``max_output_tokens``, ``content_filter`` or a newer reason."""

    reason: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class ResponseReply(ResponseModel):
    """A whole answer of the responses API.

    Attributes:
        created: When it was made, in epoch seconds, as the reference has it.
        created_at: The same, as the service sends it for some models.
        status: ``completed``, ``incomplete``, ``in_progress`` or a newer one.
    """

    id: str = ""
    object: str = "response"
    created: int | None = None
    created_at: float | None = None
    model: str = ""
    output: list[OutputItem] = attrs.field(factory=list)
    status: str | None = None
    incomplete_details: IncompleteDetails | None = None
    usage: ResponseUsage | None = None

    @property
    def text(self) -> str:
        """The output text of every message, joined; ``""`` if there is none."""
        return "".join(item.text for item in self.output)

    @property
    def reasoning(self) -> str:
        """The text of every reasoning item, joined; ``""`` if there is none."""
        parts = (part for item in self.output if item.type == "reasoning" for part in item.content or ())
        return "".join(part.text or "" for part in parts)

    @property
    def function_calls(self) -> list[OutputItem]:
        """The calls of functions the model wants made."""
        return [item for item in self.output if item.type == "function_call"]
