"""The results of chat completions.

Every field has a default, because the service's own examples omit fields that its schema requires; strings are open,
because the service adds values; unknown fields stay in ``raw``.

Source: chat completions of the agent and serverless reference, April to August 2026.
"""

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, TEXT, LazyModel, MaybeNone, Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class FunctionCall(Model):
    """The function that a tool call names, and its arguments as JSON text."""

    name: str = attrs.field(default="", metadata=ESSENTIAL)
    arguments: str = attrs.field(default="", metadata=TEXT)


@attrs.define(kw_only=True, eq=False, repr=False)
class ToolCall(Model):
    """A call that the model asks for. Send its result in a ``tool`` message with its ``id`` as ``tool_call_id``."""

    id: str = attrs.field(default="", metadata=TEXT)
    type: str = "function"
    function: FunctionCall = attrs.field(factory=FunctionCall, metadata=ESSENTIAL)


@attrs.define(kw_only=True, eq=False, repr=False)
class TopLogprob(Model):
    """One of the most likely tokens at a position."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class TokenLogprob(Model):
    """The token at a position, and the most likely ones there."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class Logprobs(LazyModel):
    """Log probabilities of a choice's tokens."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Message(Model):
    """An assistant's message. ``to_dict()`` can be appended to ``messages`` and sent back.

    Attributes:
        content: The text, None if there is none.
        reasoning_content: The reasoning, under Gradient's own name.
        reasoning: The reasoning, under the name that some upstream models use.
        tool_calls: The calls that the model asks for, None if there are none.
    """

    role: str = "assistant"
    content: str | None = attrs.field(default=None, metadata=TEXT)
    refusal: str | None = attrs.field(default=None, metadata=TEXT)
    reasoning_content: str | None = attrs.field(default=None, metadata=TEXT)
    reasoning: str | None = attrs.field(default=None, metadata=TEXT)
    tool_calls: list[ToolCall] | None = attrs.field(default=None, metadata=ESSENTIAL)


@attrs.define(kw_only=True, eq=False, repr=False)
class Choice(Model):
    """One of the ``n`` alternatives of a completion.

    Attributes:
        finish_reason: ``stop``, ``length``, ``tool_calls``, ``content_filter`` or a newer one; None if there is none.
    """

    index: int = attrs.field(default=0, metadata=POSITION)
    message: Message = attrs.field(factory=Message, metadata=ESSENTIAL)
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class CacheCreation(Model):
    """Numbers of prompt tokens written to each cache."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class Usage(Model):
    """Numbers of tokens that a request is billed for."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cache_created_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class RetrievedData(Model):
    """A passage that an agent retrieved from a knowledge base."""

    id: str | None = None
    index: str | None = None
    score: float | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Retrieval(Model):
    """The passages that an agent retrieved; sent with ``include_retrieval_info``."""

    retrieved_data: list[RetrievedData] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class Functions(Model):
    """The functions that an agent called; sent with ``include_functions_info``."""

    called_functions: list[str] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class TriggeredGuardrail(Model):
    """A guardrail that was triggered."""

    message: str | None = None
    rule_name: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Guardrails(Model):
    """The guardrails that were triggered; sent with ``include_guardrails_info``."""

    triggered_guardrails: list[TriggeredGuardrail] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class ChatCompletion(ResponseModel):
    """A chat completion, whole or assembled so far from a stream.

    Attributes:
        created: The time of creation, in epoch seconds.
        choices: One item for each of the ``n`` alternatives.
        usage: The numbers of tokens; a stream sends them with ``stream_options={"include_usage": True}``.
        retrieval: The passages that an agent retrieved; agents only, like ``functions`` and ``guardrails``.
    """

    id: str = ""
    object: str = "chat.completion"
    created: int = 0
    model: str = ""
    choices: list[Choice] = attrs.field(factory=list, metadata=ESSENTIAL)
    usage: Usage | MaybeNone = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    retrieval: Retrieval | MaybeNone = None
    functions: Functions | None = None
    guardrails: Guardrails | None = None

    @property
    def message(self) -> Message:
        """The message of the first choice; an empty one if there is no choice."""
        return self.choices[0].message if self.choices else Message()

    @property
    def text(self) -> str:
        """The content of the first choice, ``""`` if it has none."""
        return self.message.content or ""

    @property
    def reasoning(self) -> str:
        """The reasoning of the first choice under either of its names, ``""`` if it has none."""
        return self.message.reasoning_content or self.message.reasoning or ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The tool calls of the first choice, empty if it has none."""
        return self.message.tool_calls or []

    @property
    def finish_reason(self) -> str | None:
        """The finish reason of the first choice, None if it has none."""
        return self.choices[0].finish_reason if self.choices else None
