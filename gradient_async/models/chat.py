"""What chat completions return.

Every field has a default, because the service's own examples leave out fields its schema requires; strings
are open, because it adds values; unknown fields stay in ``raw``.

Source: chat completions of the agent and serverless reference, April to August 2026.
"""

import attrs

from gradient_async.models._base import Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class FunctionCall(Model):
    """The function a tool call names, and its arguments as JSON text."""

    name: str = ""
    arguments: str = ""


@attrs.define(kw_only=True, eq=False, repr=False)
class ToolCall(Model):
    """A call the model wants made; answer it with a ``tool`` message that carries its ``id``."""

    id: str = ""
    type: str = "function"
    function: FunctionCall = attrs.field(factory=FunctionCall)


@attrs.define(kw_only=True, eq=False, repr=False)
class TopLogprob(Model):
    """One of the likely tokens at a position."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class TokenLogprob(Model):
    """The token at a position, and the likeliest ones there."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class Logprobs(Model):
    """Log probabilities of a choice's tokens."""

    content: list[TokenLogprob] | None = None
    refusal: list[TokenLogprob] | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Message(Model):
    """An assistant's message. ``to_dict()`` can be appended to ``messages`` and sent back.

    Attributes:
        reasoning_content: A reasoning model's thoughts, as Gradient names them.
        reasoning: The same under the name some upstream models use.
    """

    role: str = "assistant"
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    tool_calls: list[ToolCall] | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Choice(Model):
    """One of the ``n`` answers.

    Attributes:
        finish_reason: ``stop``, ``length``, ``tool_calls``, ``content_filter`` or a newer one; None if unknown.
    """

    index: int = 0
    message: Message = attrs.field(factory=Message)
    finish_reason: str | None = None
    logprobs: Logprobs | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class CacheCreation(Model):
    """Prompt tokens written to each cache."""

    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


@attrs.define(kw_only=True, eq=False, repr=False)
class Usage(Model):
    """Tokens counted and billed for a request."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    total_tokens: int = 0
    cache_created_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: CacheCreation | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class RetrievedData(Model):
    """A passage of a knowledge base that an agent consulted."""

    id: str | None = None
    index: str | None = None
    score: float | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Retrieval(Model):
    """What an agent retrieved; sent when ``include_retrieval_info`` was set."""

    retrieved_data: list[RetrievedData] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class Functions(Model):
    """The functions an agent called; sent when ``include_functions_info`` was set."""

    called_functions: list[str] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class TriggeredGuardrail(Model):
    """A guardrail that stepped in."""

    message: str | None = None
    rule_name: str | None = None


@attrs.define(kw_only=True, eq=False, repr=False)
class Guardrails(Model):
    """The guardrails that stepped in; sent when ``include_guardrails_info`` was set."""

    triggered_guardrails: list[TriggeredGuardrail] = attrs.field(factory=list)


@attrs.define(kw_only=True, eq=False, repr=False)
class ChatCompletion(ResponseModel):
    """A whole answer, or what has been assembled of one.

    Attributes:
        created: Unix time in seconds.
        retrieval: Agents only, as are ``functions`` and ``guardrails``.
    """

    id: str = ""
    object: str = "chat.completion"
    created: int = 0
    model: str = ""
    choices: list[Choice] = attrs.field(factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    retrieval: Retrieval | None = None
    functions: Functions | None = None
    guardrails: Guardrails | None = None

    @property
    def message(self) -> Message:
        """The first choice's message; an empty one if there is no choice."""
        return self.choices[0].message if self.choices else Message()

    @property
    def text(self) -> str:
        """The first choice's content, ``""`` if there is none."""
        return self.message.content or ""

    @property
    def reasoning(self) -> str:
        """The first choice's reasoning under either of its names, ``""`` if there is none."""
        return self.message.reasoning_content or self.message.reasoning or ""

    @property
    def tool_calls(self) -> list[ToolCall]:
        """The first choice's tool calls."""
        return self.message.tool_calls or []

    @property
    def finish_reason(self) -> str | None:
        """Why the first choice ended."""
        return self.choices[0].finish_reason if self.choices else None
