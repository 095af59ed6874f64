"""Messages: the endpoint that speaks Anthropic's API.

Contract: pure. The same request is answered the same way, streamed or not. Every event is named by its type; none is
``[DONE]``.
Source: ``POST /v1/messages`` of the Inference API reference and its example of a stream. The order of blocks (thought,
text, calls) and the ping after the first block's start are Anthropic's. A malformed body is a 400 in Anthropic's
envelope, as the reference declares.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.chat import Model
from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.model.prompt import Message, Prompt, Tool, Turn, joined, turned
from gradient_async.testing.model.token_counter import Meter, text_of
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import SSE, Answer, Reply, event, json_answer

_ARGUMENTS_PIECE = 8
_REASONS = {"length": "max_tokens", "tool_calls": "tool_use", "stop": "end_turn"}
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}
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
                    "input_schema": Rule(kind="object", required=True),
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
class Messages:
    """The endpoint's decisions.

    Attributes:
        model: What answers where nothing is scripted.
        known: The slugs of the models that exist; None if all do.
    """

    model: Model
    known: Sequence[str] | None = None
    _meter: Meter = attrs.field(factory=Meter, init=False)

    def check(self, request: RecordedRequest) -> Answer | None:
        """Answer a malformed request; None if it is well-formed."""
        if request.json is None:
            return _refusal(400, "invalid_request_error", "The body is not valid JSON.")
        if problem := fault(request.json, _REQUEST):
            return _refusal(400, "invalid_request_error", problem)
        if self.known is None or request.json["model"] in self.known:
            return None
        return _refusal(404, "not_found_error", f"The model {request.json['model']!r} does not exist.")

    def answer(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer a request."""
        turn = turned(reply, lambda: self.model.turn(_prompt(request.fields)))
        usage = self._usage(request.fields, turn) | dict((reply and reply.usage) or {})
        message = {
            "id": f"msg_{request.request_id.replace('-', '')[:24]}",
            "type": "message",
            "role": "assistant",
            "model": request.fields["model"],
            "content": list(_blocks(turn)),
            "stop_reason": _REASONS.get(turn.finish_reason, turn.finish_reason),
            "stop_sequence": None,
            "usage": usage,
        }
        if request.streams:
            pieces = tuple(event(value, value["type"]) for value in _events(message, turn))
            answer = Answer(pieces=pieces, content_type=SSE, headers={"cache-control": "no-cache"})
        else:
            answer = json_answer(message)
        return reply.style(answer) if reply else answer

    def _usage(self, fields: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
        counted = self._meter.usage(_conversation(fields), [turn])
        return {
            "input_tokens": counted["prompt_tokens"],
            "output_tokens": counted["completion_tokens"],
            "cache_creation_input_tokens": counted["cache_created_input_tokens"],
            "cache_read_input_tokens": counted["cache_read_input_tokens"],
        }


def _refusal(status: int, kind: str, message: str) -> Answer:
    return json_answer({"type": "error", "error": {"type": kind, "message": message}}, status=status)


def _conversation(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    system = [{"role": "system", "content": fields["system"]}] if fields.get("system") else []
    return [*system, *fields["messages"]]


def _prompt(fields: Mapping[str, Any]) -> Prompt:
    given = {name: fields[name] for name in ("temperature", "top_p") if fields.get(name) is not None}
    thinks = (fields.get("thinking") or {}).get("type") in ("enabled", "adaptive")
    effort = fields.get("reasoning_effort") or ("medium" if thinks else "none")
    return Prompt(
        model=fields["model"],
        messages=[Message(role=m["role"], text=text_of(m["content"])) for m in _conversation(fields)],
        tools=[
            Tool(name=tool["name"], description=tool.get("description", ""), parameters=tool["input_schema"])
            for tool in fields.get("tools") or ()
        ],
        tool_choice=_tool_choice(fields.get("tool_choice", "auto")),
        effort=None if effort == "none" else effort,
        max_tokens=fields["max_tokens"],
        stop=fields.get("stop_sequences") or (),
        **given,
    )


def _tool_choice(choice: str | Mapping[str, Any]) -> str:
    kind = choice if isinstance(choice, str) else choice["type"]
    if kind == "tool" and isinstance(choice, Mapping):
        return str(choice.get("name", ""))
    return _CHOICES.get(kind, "auto")


def _blocks(turn: Turn) -> Iterator[dict[str, Any]]:
    if turn.reasoning:
        yield {"type": "thinking", "thinking": joined(turn.reasoning), "signature": "c2lnbmF0dXJl"}
    if turn.content is not None:
        yield {"type": "text", "text": turn.content}
    for call in turn.calls:
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}


def _events(message: Mapping[str, Any], turn: Turn) -> Iterator[dict[str, Any]]:
    begun: dict[str, Any] = {"content": [], "stop_reason": None, "usage": {**message["usage"], "output_tokens": 1}}
    yield {"type": "message_start", "message": {**message, **begun}}
    for index, (block, deltas) in enumerate(_streamed(turn)):
        yield {"type": "content_block_start", "index": index, "content_block": block}
        if index == 0:
            yield {"type": "ping"}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    ending = {"stop_reason": message["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": message["usage"]["output_tokens"]}}
    yield {"type": "message_stop"}


def _streamed(turn: Turn) -> Iterator[tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Yield each block as it begins, and what is added to it."""
    if turn.reasoning:
        thoughts = [{"type": "thinking_delta", "thinking": token.text} for token in turn.reasoning]
        signature = {"type": "signature_delta", "signature": "c2lnbmF0dXJl"}
        yield {"type": "thinking", "thinking": "", "signature": ""}, [*thoughts, signature]
    if turn.content is not None:
        yield {"type": "text", "text": ""}, [{"type": "text_delta", "text": token.text} for token in turn.tokens]
    for call in turn.calls:
        pieces = [call.arguments[at : at + _ARGUMENTS_PIECE] for at in range(0, len(call.arguments), _ARGUMENTS_PIECE)]
        deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in pieces]
        yield {"type": "tool_use", "id": call.id, "name": call.name, "input": {}}, deltas
