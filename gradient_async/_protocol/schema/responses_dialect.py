"""Tools and structured output of responses.

Source: ``tools``, ``text.format`` and the items ``function_call`` and ``function_call_output`` of the responses API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async._protocol.schema.dialect import Answer, ClassRequest, get_field
from gradient_async._protocol.schema.foreign_schema import Schema
from gradient_async._protocol.schema.function_tool import FunctionTool
from gradient_async.models.chat import FunctionCall, ToolCall
from gradient_async.models.parsed import with_parsed
from gradient_async.models.parsed_response import ParsedResponse
from gradient_async.models.responses import OutputItem, ResponseReply
from gradient_async.models.tool_run import ToolStep

_CALL = "function_call"
_CUT_OFF = "The response was cut off by the token limit; raise max_output_tokens."
_INCOMPLETE = {
    "max_output_tokens": _CUT_OFF,
    "max_tokens": _CUT_OFF,
    "content_filter": "The response was stopped by the content filter and is incomplete.",
}
_OTHERWISE_INCOMPLETE = "The response is incomplete; the service does not say why."


class ResponsesDialect:
    """How responses write tools, their results and structured output."""

    conversation = "input"

    def define_tool(self, tool: FunctionTool) -> Schema:
        """Return the entry of ``tools`` for a function."""
        return {"type": "function", **tool.definition["function"]}

    def is_function(self, tool: Mapping[str, Any]) -> bool:
        """Whether *tool* describes a function, which the service does not run."""
        return bool(tool.get("type", "function") == "function")

    def relax_choice(self, choice: Any) -> Any:
        """Return *choice* without its force."""
        return choice if choice in (None, "auto", "none") else "auto"

    def list_calls(self, reply: ResponseReply) -> list[ToolCall]:
        """Return the function calls of the output."""
        return [
            ToolCall(id=item.call_id or "", function=FunctionCall(name=item.name or "", arguments=item.arguments or ""))
            for item in reply.function_calls
        ]

    def list_ids(self, entry: Any) -> list[str]:
        """Return the id of the call that an item of any form is."""
        id_ = get_field(entry, "call_id") if get_field(entry, "type") == _CALL else None
        return [id_] if isinstance(id_, str) else []

    def write_round(self, reply: ResponseReply, calls: Sequence[ToolCall], steps: Sequence[ToolStep]) -> list[Any]:
        """Return the items of the output, then one item for the result of each of *steps*."""
        return [
            *_replace_ids(reply.output, [call.id for call in calls]),
            *(
                {"type": "function_call_output", "call_id": step.call.id, "output": step.content}
                for step in steps
            ),
        ]  # fmt: skip

    def write_class_request(self, params: Mapping[str, Any], name: str, schema: Schema) -> ClassRequest:
        """Return the request with *schema* as the format of its text; other settings of the text stay."""
        form = {"type": "json_schema", "name": name, "schema": schema, "strict": True}
        settings = to_request_json("text", params.get("text")) or {}
        return ClassRequest({**params, "text": {**settings, "format": form}})

    def read_answer(self, reply: ResponseReply) -> Answer:
        """Return text, calls and refusal of the output."""
        return Answer(
            text=reply.text,
            calls=self.list_calls(reply),
            calls_path="$.output",
            refusal=_find_refusal(reply.output),
            refusal_path="$.output",
            problem=_find_problem(reply),
        )

    def attach_parsed(self, reply: ResponseReply, parsed: Any) -> ParsedResponse[Any]:
        """Return *reply* as a `ParsedResponse`."""
        return with_parsed(reply, ParsedResponse, parsed)


def _replace_ids(items: Iterable[OutputItem], ids: Iterable[str]) -> Iterable[OutputItem]:
    remaining = iter(ids)
    for item in items:
        id_ = next(remaining) if item.type == _CALL else item.call_id
        yield item if id_ == item.call_id else attrs.evolve(item, call_id=id_)


def _find_refusal(items: Iterable[OutputItem]) -> str | None:
    parts = (part for item in items if item.type == "message" for part in item.content or ())
    return next((part.refusal for part in parts if part.type == "refusal" and part.refusal), None)


def _find_problem(reply: ResponseReply) -> str | None:
    if reply.status != "incomplete":
        return None
    reason = reply.incomplete_details.reason if reply.incomplete_details else None
    return _INCOMPLETE.get(reason or "", _OTHERWISE_INCOMPLETE)


RESPONSES_DIALECT = ResponsesDialect()
