"""The differences between chat, messages and responses in tools and structured output: the interface, and chat.

Contract: pure. `structured_output` and `tool_loop` have the rules, and ask a dialect how its API writes them.
Source: the references of chat completions, messages and responses.
"""

# The same step of a tool loop in the three dialects:
#
#               the model calls                       its result is sent as
#   chat        tool_calls of the message             a message of the role `tool`, with `tool_call_id`
#   messages    blocks of the type `tool_use`         a turn of the user with blocks `tool_result`, with `tool_use_id`
#   responses   output items `function_call`          an item `function_call_output`, with `call_id`
#
# Structured output is requested by `response_format` in chat and by `text.format` in responses. The messages API has
# no working parameter for it (the service accepts `output_config` and ignores it), so the schema is a tool there, and
# `tool_choice` forces the model to call it.

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import attrs

from gradient_async._protocol.schema.foreign_schema import Schema
from gradient_async._protocol.schema.function_tool import FunctionTool
from gradient_async.models.chat import ChatCompletion, ToolCall
from gradient_async.models.parsed import ParsedCompletion, with_parsed
from gradient_async.models.response_meta import ResponseMeta
from gradient_async.models.tool_run import ToolStep

_INCOMPLETE = {
    "length": "The completion was cut off by the token limit; raise max_completion_tokens.",
    "content_filter": "The completion was stopped by the content filter and is incomplete.",
}

R_contra = TypeVar("R_contra", bound="Reply", contravariant=True)


class Reply(Protocol):
    """A result of one of the APIs."""

    @property
    def meta(self) -> ResponseMeta:
        """Request id, rate limits, attempts and timings of the call."""

    @property
    def text(self) -> str:
        """The text of the result."""


@attrs.frozen(kw_only=True)
class Answer:
    """The parts of a reply that structured output reads.

    Attributes:
        text: Its text.
        calls: Its tool calls.
        calls_path: Their place in the reply.
        refusal: The reason of the model for refusing, None if it did not.
        refusal_path: Place of that reason.
        problem: Reason why the reply is incomplete, None if it is complete.
    """

    text: str
    calls: Sequence[ToolCall]
    calls_path: str
    refusal: str | None = None
    refusal_path: str = "$"
    problem: str | None = None


@attrs.frozen
class ClassRequest:
    """A request for structured output.

    Attributes:
        params: The parameters.
        tool: Name of the tool whose arguments are the answer, None if the text is.
    """

    params: Mapping[str, Any]
    tool: str | None = None


class Dialect(Protocol[R_contra]):
    """How one API writes tools, their results and structured output."""

    conversation: str
    """The parameter that holds the conversation."""

    def define_tool(self, tool: FunctionTool) -> Schema:
        """Return the entry of ``tools`` for a function."""

    def is_function(self, tool: Mapping[str, Any]) -> bool:
        """Whether *tool* describes a function, which the service does not run."""

    def relax_choice(self, choice: Any) -> Any:
        """Return *choice*, a ``tool_choice``, without its force: the model may answer."""

    def list_calls(self, reply: R_contra) -> list[ToolCall]:
        """Return the calls that *reply* asks for. The arguments of one that was cut off are not valid JSON."""

    def list_ids(self, entry: Any) -> list[str]:
        """Return the ids of the calls in one entry of a conversation, of any form."""

    def write_round(self, reply: R_contra, calls: Sequence[ToolCall], steps: Sequence[ToolStep]) -> list[Any]:
        """Return the entries that a round adds: *reply*, its calls with the ids of *calls*, and the results."""

    def write_class_request(self, params: Mapping[str, Any], name: str, schema: Schema) -> ClassRequest:
        """Return the request for an answer in the form of *schema*.

        Raises:
            ConfigurationError: A parameter contradicts it.
        """

    def read_answer(self, reply: R_contra) -> Answer:
        """Return the parts of *reply* that structured output reads."""

    def attach_parsed(self, reply: R_contra, parsed: Any) -> Any:
        """Return *reply* with the attribute ``parsed``."""


class ChatDialect:
    """How chat completions write tools, their results and structured output."""

    conversation = "messages"

    def define_tool(self, tool: FunctionTool) -> Schema:
        """Return the entry of ``tools`` for a function."""
        return tool.definition

    def is_function(self, tool: Mapping[str, Any]) -> bool:
        """Whether *tool* describes a function, which the service does not run."""
        return bool(tool.get("type", "function") == "function")

    def relax_choice(self, choice: Any) -> Any:
        """Return *choice* without its force."""
        return choice if choice in (None, "auto", "none") else "auto"

    def list_calls(self, reply: ChatCompletion) -> list[ToolCall]:
        """Return the tool calls of the first choice."""
        return reply.tool_calls

    def list_ids(self, entry: Any) -> list[str]:
        """Return the ids of the tool calls in a message of any form."""
        calls = get_field(entry, "tool_calls")
        ids = [get_field(call, "id") for call in calls] if isinstance(calls, list | tuple) else []
        return [id_ for id_ in ids if isinstance(id_, str)]

    def write_round(self, reply: ChatCompletion, calls: Sequence[ToolCall], steps: Sequence[ToolStep]) -> list[Any]:
        """Return the model's message, then one ``tool`` message for each of *steps*."""
        message = reply.message
        if calls != (message.tool_calls or []):
            message = attrs.evolve(message, tool_calls=list(calls))
        return [
            message,
            *({"role": "tool", "tool_call_id": step.call.id, "content": step.content} for step in steps),
        ]

    def write_class_request(self, params: Mapping[str, Any], name: str, schema: Schema) -> ClassRequest:
        """Return the request with *schema* as its ``response_format``."""
        named = {"name": name, "schema": schema, "strict": True}
        return ClassRequest({**params, "response_format": {"type": "json_schema", "json_schema": named}})

    def read_answer(self, reply: ChatCompletion) -> Answer:
        """Return content, calls and refusal of the first choice."""
        return Answer(
            text=reply.text,
            calls=reply.tool_calls,
            calls_path="$.choices[0].message.tool_calls",
            refusal=reply.message.refusal,
            refusal_path="$.choices[0].message.refusal",
            problem=_INCOMPLETE.get(reply.finish_reason or ""),
        )

    def attach_parsed(self, reply: ChatCompletion, parsed: Any) -> ParsedCompletion[Any]:
        """Return *reply* as a `ParsedCompletion`."""
        return with_parsed(reply, ParsedCompletion, parsed)


def get_field(value: Any, name: str) -> Any:
    """Return a field of a dict or of an object, None if it has no such field."""
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)


CHAT_DIALECT = ChatDialect()
