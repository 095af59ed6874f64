"""Messages: the endpoint with Anthropic's API.

Contract: pure, but for the token counter. The content of a stream equals that of the unstreamed response. Each event is
named by its type; there is no ``[DONE]``.
Source: ``POST /v1/messages`` of the Inference API reference and its example of a stream. Anthropic's documents for the
order of blocks (thinking, text, tool use) and the ping after the first block's start. A malformed body is a 400 in
Anthropic's error shape, as the reference declares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

import attrs

from gradient_async.testing.endpoints.text_generation import (
    TextGenerationEndpoint,
    override_usage,
    pick_fields,
    read_tool,
    typed_event_stream,
)
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.model.prompt import Completion, Message, Prompt, join_tokens
from gradient_async.testing.model.token_counter import content_text
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

_STOP_REASONS = {"length": "max_tokens", "tool_calls": "tool_use", "stop": "end_turn"}
_TOOL_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
_SIGNATURE = "c2lnbmF0dXJl"
_TEXT_OR_BLOCKS = (
    Rule(kind="string"),
    Rule(
        kind="array",
        members=Rule(kind="object", fields={"type": Rule(kind="string", required=True), "text": Rule(kind="string")}),
    ),
)
_REQUEST = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "max_tokens": Rule(kind="integer", required=True, low=1),
        "messages": Rule(
            kind="array",
            required=True,
            low=1,
            members=Rule(
                kind="object",
                fields={
                    "role": Rule(kind="string", required=True, choices=("user", "assistant")),
                    "content": Rule(required=True, either=_TEXT_OR_BLOCKS),
                },
            ),
        ),
        "system": Rule(either=_TEXT_OR_BLOCKS),
        "stop_sequences": Rule(kind="array", members=Rule(kind="string")),
        "stream": Rule(kind="boolean"),
        "temperature": Rule(kind="number", nullable=True, low=0, high=1),
        "top_p": Rule(kind="number", nullable=True),
        "top_k": Rule(kind="integer", nullable=True, low=0),
        "tools": Rule(
            kind="array",
            members=Rule(
                kind="object",
                fields={
                    "name": Rule(kind="string", required=True),
                    "description": Rule(kind="string"),
                    "type": Rule(kind="string", nullable=True),
                    "input_schema": Rule(kind="object"),
                },
            ),
        ),
        "tool_choice": Rule(
            either=(Rule(kind="string"), Rule(kind="object", fields={"type": Rule(kind="string", required=True)}))
        ),
        "metadata": Rule(kind="object", fields={"user_id": Rule(kind="string", nullable=True)}),
        "reasoning_effort": Rule(kind="string", nullable=True),
        "speed": Rule(kind="string", nullable=True, choices=("standard", "fast")),
        "thinking": Rule(kind="object", nullable=True, fields={"type": Rule(kind="string", required=True)}),
    },
)


@attrs.frozen(kw_only=True)
class MessagesEndpoint(TextGenerationEndpoint):
    """The messages endpoint."""

    def check_message(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        if request.json is None:
            return _error_response(400, "invalid_request_error", "The body is not valid JSON.")
        if problem := find_problem(request.json, _REQUEST) or _check_tools(request.json):
            return _error_response(400, "invalid_request_error", problem)
        if self.known is None or request.json["model"] in self.known:
            return None
        return _error_response(404, "not_found_error", f"The model {request.json['model']!r} does not exist.")

    def create_message(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with a message, or with the events of its stream."""
        completion = self._generate_completion(reply, lambda: _read_prompt(request.fields))
        message = {
            "id": f"msg_{request.short_id}",
            "type": "message",
            "role": "assistant",
            "model": request.fields["model"],
            "content": list(_content_blocks(completion)),
            "stop_reason": _read_stop_reason(completion),
            "stop_sequence": completion.stop,
            "usage": override_usage(self._count_usage(request.fields, completion), reply),
        }
        if request.streams:
            return apply_reply(reply, typed_event_stream(build_message_events(message, completion)))
        return apply_reply(reply, json_response(message))

    def _count_usage(self, fields: Mapping[str, Any], completion: Completion) -> dict[str, Any]:
        counted = self._token_counter.count_usage(_read_conversation(fields), [completion])
        return {
            "input_tokens": counted["prompt_tokens"],
            "output_tokens": counted["completion_tokens"],
            "cache_creation_input_tokens": counted["cache_created_input_tokens"],
            "cache_read_input_tokens": counted["cache_read_input_tokens"],
        }


def _read_stop_reason(completion: Completion) -> str:
    if completion.stop is not None:
        return "stop_sequence"
    return _STOP_REASONS.get(completion.finish_reason, completion.finish_reason)


def _error_response(status: int, kind: str, message: str) -> Response:
    return json_response({"type": "error", "error": {"type": kind, "message": message}}, status=status)


def _check_tools(body: Mapping[str, Any]) -> str | None:
    for index, tool in enumerate(body.get("tools") or ()):
        if _is_function(tool) and "input_schema" not in tool:
            return f"tools[{index}].input_schema is required."
    return None


def _is_function(tool: Mapping[str, Any]) -> bool:
    """Whether *tool* is the caller's; the service runs those of other types itself."""
    return (tool.get("type") or "custom") == "custom"


def _read_conversation(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the messages with the system prompt as the first one."""
    system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
    return [*system, *fields["messages"]]


def _read_prompt(fields: Mapping[str, Any]) -> Prompt:
    thinks = (fields.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    effort = fields.get("reasoning_effort") or ("medium" if thinks else "none")
    return Prompt(
        model=fields["model"],
        messages=[_read_message(message) for message in _read_conversation(fields)],
        tools=[read_tool(tool, "input_schema") for tool in fields.get("tools") or () if _is_function(tool)],
        tool_choice=_read_tool_choice(fields.get("tool_choice", "auto")),
        effort=None if effort == "none" else effort,
        max_tokens=fields["max_tokens"],
        stop=fields.get("stop_sequences") or (),
        **pick_fields(fields, "temperature", "top_p"),
    )


def _read_message(message: Mapping[str, Any]) -> Message:
    """Return a turn as a message: one with results of tools is theirs, not the user's."""
    blocks = message["content"] if isinstance(message["content"], list) else []
    results = [content_text(block.get("content")) for block in blocks if block["type"] == "tool_result"]
    if results:
        return Message(role="tool", text="\n".join(results))
    return Message(role=message["role"], text=content_text(message["content"]))


def _read_tool_choice(choice: str | Mapping[str, Any]) -> str:
    kind = choice if isinstance(choice, str) else choice["type"]
    if kind == "tool" and isinstance(choice, Mapping):
        return str(choice.get("name", ""))
    return _TOOL_CHOICES.get(kind, "auto")


def _content_blocks(completion: Completion) -> Iterator[dict[str, Any]]:
    if completion.reasoning:
        yield {"type": "thinking", "thinking": join_tokens(completion.reasoning), "signature": _SIGNATURE}
    if completion.content is not None:
        yield {"type": "text", "text": completion.content}
    for call in completion.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}


def build_message_events(message: Mapping[str, Any], completion: Completion) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream of *message*, with the pieces of *completion*."""
    initial: dict[str, Any] = {
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**message["usage"], "output_tokens": 1},
    }
    yield {"type": "message_start", "message": {**message, **initial}}
    for index, (block, deltas) in enumerate(_initial_blocks(completion)):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {name: message[name] for name in ("stop_reason", "stop_sequence")}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _initial_blocks(completion: Completion) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield each block as it starts, with its deltas."""
    if completion.reasoning:
        thoughts = [{"type": "thinking_delta", "thinking": token.text} for token in completion.reasoning]
        signature = {"type": "signature_delta", "signature": _SIGNATURE}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signature]
    if completion.content is not None:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": token.text} for token in completion.tokens]
    for call in completion.calls:
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in call.argument_pieces]
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, deltas
