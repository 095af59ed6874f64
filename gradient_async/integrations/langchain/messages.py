"""Conversion of messages between LangChain and the chat API.

Contract: pure. The message chunks of a stream add up to the message of the same completion. The chat API has no field
for the names of messages and for reasoning blocks of other models; those are left out. Fields that LangChain does not
know, as thought signatures and reasoning details, are kept in ``additional_kwargs`` and sent back; so is a reasoning
that is an empty text.
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
    ToolMessage,
    convert_to_openai_messages,
)
from langchain_core.messages.ai import UsageMetadata
from langchain_core.messages.tool import ToolCallChunk, tool_call_chunk
from langchain_core.output_parsers.openai_tools import make_invalid_tool_call, parse_tool_call

from gradient_async._protocol.stream.tool_call_assembler import ToolCallDeltaRouter
from gradient_async.integrations._extra_fields import add_call_fields, collect_call_fields, collect_message_fields
from gradient_async.integrations._provider import PROVIDER
from gradient_async.integrations._usage import token_details
from gradient_async.integrations.langchain.cut_off import build_ending
from gradient_async.models import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    Delta,
    Message,
    Usage,
)
from gradient_async.models._base import to_jsonable

EXTRA, CALL_EXTRA = "extra", "tool_call_extra"
"""Names in ``additional_kwargs`` of the unknown fields of the message, and of those of its tool calls by id."""
_COMPLETION_FIELDS = ("system_fingerprint", "service_tier", "retrieval", "functions", "guardrails")


def to_api_messages(messages: Sequence[BaseMessage]) -> list[dict[str, Any]]:
    """Convert LangChain messages to the API's form."""
    answered_calls = {message.tool_call_id for message in messages if isinstance(message, ToolMessage)}
    return [converted for message in messages for converted in _to_api_form(message, answered_calls)]


def _to_api_form(message: BaseMessage, answered_calls: set[str]) -> Iterable[dict[str, Any]]:
    if isinstance(message, AIMessage):
        return [_to_assistant_message(message, answered_calls)]
    converted = convert_to_openai_messages([message])
    return [_add_cache_control({k: v for k, v in fields.items() if k != "name"}, message) for fields in converted]


def _to_assistant_message(message: AIMessage, answered_calls: set[str]) -> dict[str, Any]:
    """Convert a model's message; an invalid tool call is kept only if a later message has its result."""
    text_message = message.model_copy(update={"content": str(message.text)})
    (converted,) = convert_to_openai_messages([text_message])
    invalid_calls = [
        {
            "type": "function",
            "id": call["id"],
            "function": {"name": call["name"] or "", "arguments": call["args"] or ""},
        }
        for call in message.invalid_tool_calls
        if call["id"] in answered_calls
    ]
    call_extra = message.additional_kwargs.get(CALL_EXTRA) or {}
    calls = [
        add_call_fields(call, call_extra.get(call["id"], {}))
        for call in converted.get("tool_calls", []) + invalid_calls
    ]
    reasoning = message.additional_kwargs.get("reasoning_content")
    content = converted["content"] or (None if calls else "")
    optional = {"refusal": converted.get("refusal"), "reasoning_content": reasoning, "tool_calls": calls}
    known = {"role": "assistant", "content": content} | {name: value for name, value in optional.items() if value}
    if reasoning == "":  # of a message that another integration converted
        known["reasoning_content"] = ""
    return (message.additional_kwargs.get(EXTRA) or {}) | known


def _add_cache_control(converted: dict[str, Any], message: BaseMessage) -> dict[str, Any]:
    """Add the ``cache_control`` of text blocks, which LangChain's conversion drops."""
    blocks = [block for block in message.content if isinstance(block, Mapping) and block.get("type") == "text"]
    cache_controls = {block["text"]: block["cache_control"] for block in blocks if "cache_control" in block}
    if not cache_controls:
        return converted
    (in_blocks,) = convert_to_openai_messages([message], text_format="block")
    parts = []
    for part in in_blocks["content"]:
        cache_control = cache_controls.get(part.get("text"))
        parts.append(part if cache_control is None else part | {"cache_control": cache_control})
    return converted | {"content": parts}


def to_langchain_message(completion: ChatCompletion, choice: Choice) -> AIMessage:
    """Convert one *choice* of a whole completion."""
    message = choice.message
    calls = [_parse_call(call.to_dict() | {"id": call.id or None}) for call in message.tool_calls or ()]
    return AIMessage(
        content=message.content or "",
        id=completion.id or None,
        additional_kwargs=_additional_kwargs(message) | _extra_kwargs(message),
        tool_calls=[call for call in calls if call["type"] == "tool_call"],
        invalid_tool_calls=[call for call in calls if call["type"] != "tool_call"],
        usage_metadata=_usage_metadata(completion.usage),
        response_metadata=_response_metadata(completion, choice),
    )


def _parse_call(call: dict[str, Any]) -> Any:
    """Return a tool call, or an invalid tool call if the arguments are not a JSON object."""
    try:
        parsed = parse_tool_call(call)
    except OutputParserException:
        parsed = None
    if parsed is None or not isinstance(parsed["args"], dict):
        return make_invalid_tool_call(call, None)
    return parsed


def _additional_kwargs(message: Message | Delta) -> dict[str, Any]:
    fields = {"reasoning_content": message.reasoning_content or message.reasoning, "refusal": message.refusal}
    return {name: text for name, text in fields.items() if text}


def _extra_kwargs(message: Message) -> dict[str, Any]:
    fields = {EXTRA: collect_message_fields(message), CALL_EXTRA: collect_call_fields(message.tool_calls or ())}
    return {name: value for name, value in fields.items() if value}


def _response_metadata(completion: ChatCompletion, choice: Choice) -> dict[str, Any]:
    metadata = {
        "model_provider": PROVIDER,
        "model_name": completion.model,
        "finish_reason": choice.finish_reason,
        "request_id": completion.meta.request_id,
        "logprobs": choice.logprobs,
        **{name: getattr(completion, name) for name in _COMPLETION_FIELDS},
    }
    return {name: to_jsonable(value) for name, value in metadata.items() if value}


def _usage_metadata(usage: Usage | None) -> UsageMetadata | None:
    """Convert token counts to LangChain's form."""
    if usage is None:
        return None
    details = token_details(usage)
    return UsageMetadata(
        input_tokens=usage.prompt_tokens,
        output_tokens=usage.completion_tokens,
        total_tokens=usage.total_tokens,
        input_token_details=_without_none(cache_read=details.cache_read, cache_creation=details.cache_created),
        output_token_details=_without_none(reasoning=details.reasoning),
    )


def _without_none(**counts: int | None) -> Any:
    return {name: count for name, count in counts.items() if count is not None}


@attrs.define
class ChunkConverter:
    """Converts the chunks of one stream; it keeps track of the tool calls that the chunks continue."""

    _router: ToolCallDeltaRouter = attrs.field(factory=ToolCallDeltaRouter, init=False)

    def convert_chunk(self, chunk: ChatCompletionChunk) -> AIMessageChunk | None:
        """Convert the delta of the first choice, None if it is empty."""
        delta = chunk.delta
        kwargs = _additional_kwargs(delta)
        if not (delta.content or kwargs or delta.tool_calls):
            return None
        return AIMessageChunk(
            content=delta.content or "",
            id=chunk.id or None,
            additional_kwargs=kwargs,
            tool_call_chunks=[
                tool_call_chunk(name=call.name, args=call.arguments, id=call.id, index=call.position)
                for call in self._router.route_deltas(delta.tool_calls or [])
            ],
        )

    def final_chunk(self, completion: ChatCompletion) -> AIMessageChunk:
        """Return the last chunk, with usage, metadata and unknown fields of the assembled *completion*.

        Calls that were cut off get an ending, so that they become invalid tool calls.
        """
        choice = completion.choices[0] if completion.choices else Choice()
        return AIMessageChunk(
            content="",
            id=completion.id or None,
            additional_kwargs=_extra_kwargs(choice.message),
            tool_call_chunks=self._end_calls(),
            usage_metadata=_usage_metadata(completion.usage),
            response_metadata=_response_metadata(completion, choice),
            chunk_position="last",
        )

    def _end_calls(self) -> list[ToolCallChunk]:
        """Return the last pieces of the tool calls: arguments that were held back, and the endings of cut-off ones."""
        held = self._router.take_held()
        endings = {position: build_ending(text) for position, text in self._router.list_arguments()}
        pieces = {position: text for position, text in (endings | held).items() if text}
        return [tool_call_chunk(args=text, index=position) for position, text in pieces.items()]
