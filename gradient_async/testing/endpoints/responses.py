"""Responses: the endpoint with OpenAI's Responses API.

Contract: pure, but for the token counter. The content of a stream equals that of the unstreamed response.
Source: ``POST /v1/responses`` of the Inference API reference. The reference describes two kinds of stream. This
endpoint sends the typed events, as in its example: the last event has an empty ``output`` and ``created_at``, where an
unstreamed response has ``created``. The other kind, chunks like those of chat, can be scripted with
``reply(chunks=...)``.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import check_stream_options, reject_request
from gradient_async.testing.endpoints.text_generation import (
    TextGenerationEndpoint,
    override_usage,
    pick_fields,
    read_schema,
    read_stop,
    read_token_limit,
    read_tool,
    typed_event_stream,
)
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.model.prompt import Completion, Message, Prompt, join_tokens, split_tokens
from gradient_async.testing.model.token_counter import content_text
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

_INCOMPLETE_REASONS = {"length": "max_output_tokens", "content_filter": "content_filter"}
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
_FORMAT = Rule(
    kind="object",
    fields={
        "type": Rule(kind="string", required=True, choices=("text", "json_object", "json_schema")),
        "name": Rule(kind="string"),
        "schema": Rule(kind="object"),
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
        "text": Rule(kind="object", nullable=True, fields={"format": _FORMAT}),
    },
)


@attrs.frozen(kw_only=True)
class ResponsesEndpoint(TextGenerationEndpoint):
    """The responses endpoint."""

    def check_response(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        problem = find_problem(request.json, _REQUEST) or check_stream_options(request.fields)
        return reject_request(request, problem, self.known)

    def create_response(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with a response object, or with the events of its stream."""
        completion = self._generate_completion(reply, lambda: _read_prompt(request.fields))
        created = int(request.time)
        head = {"id": f"resp_{request.short_id}", "object": "response", "model": request.fields["model"]}
        reason = _INCOMPLETE_REASONS.get(completion.finish_reason)
        tail = {
            "status": "incomplete" if reason else "completed",
            "incomplete_details": {"reason": reason} if reason else None,
            "error": None,
            "usage": override_usage(self._count_usage(request.fields, completion), reply),
        }
        items = list(build_output_items(completion, request.short_id))
        if request.streams:
            events = build_response_events({**head, "created_at": created}, items, tail)
            return apply_reply(reply, typed_event_stream(events))
        output = [item for item, _ in items]
        return apply_reply(reply, json_response({**head, "created": created, "output": output, **tail}))

    def _count_usage(self, fields: Mapping[str, Any], completion: Completion) -> dict[str, Any]:
        counted = self._token_counter.count_usage(_read_conversation(fields), [completion])
        return {
            "input_tokens": counted["prompt_tokens"],
            "input_tokens_details": {"cached_tokens": counted["cache_read_input_tokens"]},
            "output_tokens": counted["completion_tokens"],
            "output_tokens_details": {"reasoning_tokens": len(completion.reasoning), "tool_output_tokens": 0},
            "total_tokens": counted["total_tokens"],
        }


def _read_conversation(fields: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the input as messages, with the instructions as the first one."""
    given = fields["input"]
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    system = [{"role": "system", "content": fields["instructions"]}] if fields.get("instructions") else []
    return [*system, *(_read_item(item) for item in items)]


def _read_item(item: Mapping[str, Any]) -> dict[str, Any]:
    """Return an item of the input as a message; the output of a function as a message of a tool."""
    if item.get("type") == "function_call_output":
        return {"role": "tool", "content": item.get("output")}
    return {"role": item.get("role") or "assistant", "content": item.get("content") or ""}


def _read_prompt(fields: Mapping[str, Any]) -> Prompt:
    text_format = (fields.get("text") or {}).get("format") or {}
    functions = (tool for tool in fields.get("tools") or () if tool["type"] == "function" and "name" in tool)
    return Prompt(
        model=fields["model"],
        messages=[
            Message(role=message["role"], text=content_text(message["content"]))
            for message in _read_conversation(fields)
        ],
        tools=[read_tool(function) for function in functions],
        tool_choice=_read_tool_choice(fields.get("tool_choice", "auto")),
        schema=read_schema(text_format, text_format),
        effort=(fields.get("reasoning") or {}).get("effort"),
        max_tokens=read_token_limit(fields, "max_output_tokens", "max_tokens"),
        stop=read_stop(fields),
        **pick_fields(fields, "temperature", "top_p"),
    )


def _read_tool_choice(choice: str | Mapping[str, Any]) -> str:
    if isinstance(choice, str):
        return choice
    return str(choice.get("function", choice).get("name", "auto"))


def build_output_items(completion: Completion, number: str) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Yield each item of the output, with the pieces of its text or arguments.

    Args:
        completion: The content.
        number: The part that the ids of all items share.
    """
    if completion.reasoning:
        thought = {"type": "reasoning_text", "text": join_tokens(completion.reasoning)}
        item = {"type": "reasoning", "id": f"rs_{number}", "status": "completed", "content": [thought]}
        yield item, [token.text for token in completion.reasoning]
    if completion.content is not None:
        text = {"type": "output_text", "text": completion.content, "annotations": []}
        item = {"type": "message", "id": f"msg_{number}", "status": "completed", "role": "assistant", "content": [text]}
        yield item, [token.text for token in completion.tokens]
    for position, call in enumerate(completion.calls):
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
            [token.text for token in split_tokens(call.arguments)],
        )


def build_response_events(
    head: Mapping[str, Any], items: Sequence[tuple[dict[str, Any], list[str]]], tail: Mapping[str, Any]
) -> Iterator[dict[str, Any]]:
    """Yield the numbered events of a stream.

    Args:
        head: The fields of the response object that are known at the start.
        items: The items of the output, with their pieces.
        tail: The fields of the response object that are known at the end.
    """
    started = {**head, "status": "in_progress", "output": []}
    events = (
        {"type": "response.created", "response": started},
        {"type": "response.in_progress", "response": started},
        *(event for index, (item, pieces) in enumerate(items) for event in _item_events(index, item, pieces)),
        {"type": f"response.{tail['status']}", "response": {**head, "output": [], **tail}},
    )
    for number, event in zip(itertools.count(), events, strict=False):
        yield {**event, "sequence_number": number}


def _item_events(index: int, item: Mapping[str, Any], pieces: Sequence[str]) -> Iterator[dict[str, Any]]:
    position: dict[str, Any] = {"output_index": index}
    empty = {"arguments": ""} if item["type"] == "function_call" else {}
    started = {**item, "status": "in_progress", "content": [], **empty}
    yield {"type": "response.output_item.added", **position, "item": started}
    inside = position | {"item_id": item["id"]}
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
    yield {"type": "response.output_item.done", **position, "item": item}
