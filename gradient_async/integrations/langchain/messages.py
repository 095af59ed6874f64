"""LangChain's messages in the API's form, and the API's answers as LangChain's messages.

Contract: pure. The messages of a stream add up to the message of the same answer when it is awaited. What the chat API
has no word for is left out: names of messages, and what other models thought in blocks of their own.
Source: ``messages`` of chat completions; langchain-core 1.x.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs
from langchain_core.exceptions import OutputParserException
from langchain_core.messages import (
    AIMessage,
    AIMessageChunk,
    BaseMessage,
    ToolCallChunk,
    ToolMessage,
    convert_to_openai_messages,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import tool_call_chunk
from langchain_core.output_parsers.openai_tools import make_invalid_tool_call, parse_tool_call

from gradient_async._protocol.stream.tool_call_assembler import RoutedDelta, ToolCallDeltaRouter
from gradient_async.integrations._usage import token_details
from gradient_async.models import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    Delta,
    Message,
    Usage,
)
from gradient_async.models._base import to_jsonable

PROVIDER = "gradient"
_HEAD = ("system_fingerprint", "service_tier", "retrieval", "functions", "guardrails")


def sent(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Return *messages* as the API takes them."""
    answered = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [wire for message in messages for wire in _sent(message, answered)]


def _sent(message: BaseMessage, answered: set[str]) -> Iterable[dict[str, Any]]:
    if isinstance(message, AIMessage):
        return [_sent_answer(message, answered)]
    translated = convert_to_openai_messages([message])
    return [_with_cache_marks({k: v for k, v in wire.items() if k != "name"}, message) for wire in translated]


def _sent_answer(message: AIMessage, answered: set[str]) -> dict[str, Any]:
    """Return an answer of a model as it is sent back; of the calls that could not be read, those with a result."""
    said = message.model_copy(update={"content": str(message.text)})
    (wire,) = convert_to_openai_messages([said])
    unread = [call for call in message.invalid_tool_calls if call["id"] in answered]
    calls = wire.get("tool_calls", []) + [_sent_call(call["id"], call["name"], call["args"]) for call in unread]
    thoughts = message.additional_kwargs.get("reasoning_content")
    content = wire["content"] or (None if calls else "")
    fields = {"refusal": wire.get("refusal"), "reasoning_content": thoughts, "tool_calls": calls}
    return {"role": "assistant", "content": content} | {name: value for name, value in fields.items() if value}


def _sent_call(identity: str | None, name: str | None, arguments: str | None) -> dict[str, Any]:
    return {"type": "function", "id": identity, "function": {"name": name or "", "arguments": arguments or ""}}


def _with_cache_marks(wire: dict[str, Any], message: BaseMessage) -> dict[str, Any]:
    """Return *wire* with the ``cache_control`` of its texts, which LangChain's translation leaves out."""
    blocks = [block for block in message.content if isinstance(block, Mapping) and block.get("type") == "text"]
    marks = {block["text"]: block["cache_control"] for block in blocks if "cache_control" in block}
    if not marks:
        return wire
    (again,) = convert_to_openai_messages([message], text_format="block")
    parts = [part | _mark(marks.get(part.get("text"))) for part in again["content"]]
    return wire | {"content": parts}


def _mark(control: object) -> dict[str, Any]:
    return {} if control is None else {"cache_control": control}


def received(completion: ChatCompletion, choice: Choice) -> AIMessage:
    """Return one *choice* of a whole answer."""
    message = choice.message
    calls = [call.to_dict() | {"id": call.id or None} for call in message.tool_calls or ()]
    parsed = [_parsed(call) for call in calls]
    return AIMessage(
        content=message.content or "",
        id=completion.id or None,
        additional_kwargs=_besides(message),
        tool_calls=[call for call in parsed if call["type"] == "tool_call"],
        invalid_tool_calls=[call for call in parsed if call["type"] != "tool_call"],
        usage_metadata=_usage(completion.usage),
        response_metadata=_metadata(completion, choice),
    )


def _parsed(call: dict[str, Any]) -> Any:
    """Return a tool call; an invalid one if its arguments are no JSON object."""
    try:
        parsed = parse_tool_call(call)
    except OutputParserException:
        parsed = None
    if parsed is None or not isinstance(parsed["args"], dict):
        return make_invalid_tool_call(call, None)
    return parsed


def _besides(said: Message | Delta) -> dict[str, Any]:
    fields = {"reasoning_content": said.reasoning_content or said.reasoning, "refusal": said.refusal}
    return {name: text for name, text in fields.items() if text}


def _metadata(completion: ChatCompletion, choice: Choice) -> dict[str, Any]:
    facts = {
        "model_provider": PROVIDER,
        "model_name": completion.model,
        "finish_reason": choice.finish_reason,
        "request_id": completion.meta.request_id,
        "logprobs": choice.logprobs,
        **{name: getattr(completion, name) for name in _HEAD},
    }
    return {name: to_jsonable(value) for name, value in facts.items() if value}


def _usage(usage: Usage | None) -> UsageMetadata | None:
    """Return the tokens as LangChain counts them."""
    if usage is None:
        return None
    details = token_details(usage)
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_token_details=_known(cache_read=details.cache_read, cache_creation=details.cache_created),
        output_token_details=_known(reasoning=details.reasoning),
    )


def _known(**counts: int | None) -> Any:
    return {name: count for name, count in counts.items() if count is not None}


@attrs.define
class Pieces:
    """Turns the chunks of one stream into messages; it remembers which tool calls there are."""

    _calls: ToolCallDeltaRouter = attrs.field(factory=ToolCallDeltaRouter, init=False)

    def piece(self, chunk: ChatCompletionChunk) -> AIMessageChunk | None:
        """Return what *chunk* adds to the first choice; None for nothing."""
        delta = chunk.delta
        besides = _besides(delta)
        if not (delta.content or besides or delta.tool_calls):
            return None
        return AIMessageChunk(
            content=delta.content or "",
            id=chunk.id or None,
            additional_kwargs=besides,
            tool_call_chunks=[_call_chunk(piece) for piece in self._calls.route_deltas(delta.tool_calls or [])],
        )

    def last(self, completion: ChatCompletion) -> AIMessageChunk:
        """Return what is known of *completion*, the whole answer, at its end alone."""
        choice = completion.choices[0] if completion.choices else Choice()
        return AIMessageChunk(
            content="",
            id=completion.id or None,
            usage_metadata=_usage(completion.usage),
            response_metadata=_metadata(completion, choice),
            chunk_position="last",
        )


def _call_chunk(piece: RoutedDelta) -> ToolCallChunk:
    return tool_call_chunk(name=piece.name, args=piece.arguments, id=piece.id, index=piece.position)
