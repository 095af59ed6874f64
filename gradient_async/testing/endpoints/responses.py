"""Responses: the endpoint that speaks the Responses API.

Contract: pure. The same request is answered the same way, streamed or not.
Source: ``POST /v1/responses`` of the Inference API reference. Of its two accounts of a stream the typed events are
sent, as its example has them: the last event's ``output`` is empty and its time is ``created_at``, where a whole answer
has ``created``. The other account, chat-like chunks, can be scripted with ``reply(chunks=...)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.chat import Model
from gradient_async.testing.endpoints.checks import malformed, unknown_model
from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.model.prompt import Message, Prompt, Tool, Turn, joined, tokens, turned
from gradient_async.testing.model.token_counter import Meter, text_of
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import SSE, Answer, Reply, event, json_answer

_ARGUMENTS_PIECE = 8
_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
_FLAG = Rule(kind="boolean", nullable=True)
_TEXT = Rule(kind="string", nullable=True)
_PART = Rule(kind="object", fields={"type": Rule(kind="string"), "text": Rule(kind="string")})
_ITEM = Rule(
    kind="object",
    fields={
        "role": Rule(kind="string", choices=("user", "assistant", "system", "tool", "developer")),
        "content": Rule(nullable=True, either=(Rule(kind="string"), Rule(kind="array", members=_PART))),
    },
)
_REQUEST = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "input": Rule(required=True, either=(Rule(kind="string"), Rule(kind="array", low=1, members=_ITEM))),
        "instructions": _TEXT,
        "max_output_tokens": Rule(kind="integer", nullable=True, low=1),
        "max_tokens": Rule(kind="integer", nullable=True),
        "temperature": Rule(kind="number", nullable=True, low=0, high=2),
        "top_p": Rule(kind="number", nullable=True, low=0, high=1),
        "stream": _FLAG,
        "stream_options": Rule(kind="object", nullable=True, fields={"include_usage": Rule(kind="boolean")}),
        "tools": Rule(
            kind="array",
            nullable=True,
            members=Rule(
                kind="object",
                fields={
                    "type": Rule(kind="string", required=True),
                    "name": Rule(kind="string"),
                    "description": Rule(kind="string"),
                    "parameters": Rule(kind="object"),
                },
            ),
        ),
        "tool_choice": Rule(
            either=(
                Rule(kind="string", choices=("none", "auto", "required")),
                Rule(kind="object", fields={"type": Rule(kind="string", required=True)}),
            )
        ),
        "stop": Rule(
            nullable=True,
            either=(Rule(kind="string"), Rule(kind="array", low=1, high=4, members=Rule(kind="string"))),
        ),
        "metadata": Rule(kind="object", nullable=True, members=Rule(kind="string")),
        "user": _TEXT,
        "store": _FLAG,
        "parallel_tool_calls": _FLAG,
        "reasoning": Rule(kind="object", nullable=True),
    },
)


@attrs.frozen(kw_only=True)
class Responses:
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
        return malformed(request, fault(request.json, _REQUEST)) or unknown_model(request, self.known)

    def answer(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer a request."""
        number = request.request_id.replace("-", "")[:24]
        turn = turned(reply, lambda: self.model.turn(_prompt(request.fields)))
        usage = self._usage(request.fields, turn) | dict((reply and reply.usage) or {})
        head = {"id": f"resp_{number}", "object": "response", "model": request.fields["model"]}
        ending = _ending(turn)
        if request.streams:
            begun = {**head, "created_at": int(request.time)}
            values = _events(begun, list(_items(turn, number)), {**ending, "usage": usage})
            pieces = tuple(event(value, value["type"]) for value in values)
            answer = Answer(pieces=pieces, content_type=SSE, headers={"cache-control": "no-cache"})
        else:
            items = [item for item, _ in _items(turn, number)]
            answer = json_answer({**head, "created": int(request.time), "output": items, **ending, "usage": usage})
        return reply.style(answer) if reply else answer

    def _usage(self, fields: Mapping[str, Any], turn: Turn) -> dict[str, Any]:
        counted = self._meter.usage(_conversation(fields), [turn])
        return {
            "input_tokens": counted["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": counted["cache_read_input_tokens"]},
            "output_tokens": counted["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": len(turn.reasoning), "tool_output_tokens": 0},
            "total_tokens": counted["total_tokens"],
        }


def _ending(turn: Turn) -> dict[str, Any]:
    reason = _REASONS.get(turn.finish_reason)
    return {
        "status": "incomplete" if reason else "completed",
        "incomplete_details": {"reason": reason} if reason else None,
        "error": None,
    }


def _conversation(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the input as messages; what a function returned is one of a tool."""
    given = fields["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    system = [{"role": "system", "content": fields["instructions"]}] if fields.get("instructions") else []
    return [*system, *(_message(item) for item in items)]


def _message(item: Mapping[str, Any]) -> dict[str, Any]:
    if item.get("type") == "function_call_output":
        return {"role": "tool", "content": item.get("output")}
    return {"role": item.get("role") or "assistant", "content": item.get("content") or ""}


def _prompt(fields: Mapping[str, Any]) -> Prompt:
    given = {name: fields[name] for name in ("temperature", "top_p") if fields.get(name) is not None}
    stop = fields.get("stop") or ()
    limits = [fields[name] for name in ("max_output_tokens", "max_tokens") if fields.get(name) is not None]
    return Prompt(
        model=fields["model"],
        messages=[Message(role=m["role"], text=text_of(m["content"])) for m in _conversation(fields)],
        tools=[
            Tool(name=tool["name"], description=tool.get("description", ""), parameters=tool.get("parameters", {}))
            for tool in fields.get("tools") or ()
            if tool["type"] == "function" and "name" in tool
        ],
        tool_choice=_tool_choice(fields.get("tool_choice", "auto")),
        effort=(fields.get("reasoning") or {}).get("effort"),
        max_tokens=min(limits, default=None),
        stop=[stop] if isinstance(stop, str) else stop,
        **given,
    )


def _tool_choice(choice: str | Mapping[str, Any]) -> str:
    if isinstance(choice, str):
        return choice
    return str(choice.get("function", choice).get("name", "auto"))


def _items(turn: Turn, number: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield each item of the output with the pieces its text or its arguments come in."""
    if turn.reasoning:
        thought = {"type": "reasoning_text", "text": joined(turn.reasoning)}
        item = {"type": "reasoning", "id": f"rs_{number}", "status": "completed", "content": [thought]}
        yield item, [token.text for token in turn.reasoning]
    if turn.content is not None:
        text = {"type": "output_text", "text": turn.content, "annotations": []}
        item = {"type": "message", "id": f"msg_{number}", "status": "completed", "role": "assistant", "content": [text]}
        yield item, [token.text for token in turn.tokens]
    for position, call in enumerate(turn.calls):
        yield (
            {
                "type": "function_call",
                "id": f"fc_{number}_{position}",
                "status": "completed",
                "call_id": call.id,
                "name": call.name,
                "arguments": call.arguments,
                "content": [],
            },
            [token.text for token in tokens(call.arguments)],
        )


def _events(
    head: Mapping[str, Any], items: Sequence[tuple[dict[str, Any], list[str]]], ending: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the events of a stream, numbered."""
    begun = {**head, "status": "in_progress", "output": []}
    last = {"type": f"response.{ending['status']}", "response": {**head, "output": [], **ending}}
    values = (
        {"type": "response.created", "response": begun},
        {"type": "response.in_progress", "response": begun},
        *(value for index, (item, pieces) in enumerate(items) for value in _item_events(index, item, pieces)),
        last,
    )
    for number, value in zip(itertools.count(), values, strict=False):
        yield {**value, "sequence_number": number}


def _item_events(index: int, item: Mapping[str, Any], pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    place: dict[str, Any] = {"output_index": index}
    empty = {"arguments": ""} if item["type"] == "function_call" else {}
    begun = {**item, "status": "in_progress", "content": [], **empty}
    yield {"type": "response.output_item.added", **place, "item": begun}
    inside = place | {"item_id": item["id"]}
    if item["type"] == "function_call":
        kind, ending = "response.function_call_arguments", {"arguments": item["arguments"]}
    else:
        part, inside = item["content"][0], inside | {"content_index": 0}
        kind, ending = f"response.{part['type']}", {"text": part["text"]}
        yield {"type": "response.content_part.added", **inside, "part": {**part, "text": ""}}
    for piece in pieces:
        yield {"type": f"{kind}.delta", **inside, "delta": piece}
    yield {"type": f"{kind}.done", **inside, **ending}
    if item["type"] != "function_call":
        yield {"type": "response.content_part.done", **inside, "part": item["content"][0]}
    yield {"type": "response.output_item.done", **place, "item": item}
