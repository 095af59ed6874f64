"""Tools and structured output of messages.

Source: ``tools``, ``tool_choice`` and the blocks ``tool_use`` and ``tool_result`` of the messages API.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async._protocol.schema.dialect import Answer, ClassRequest, get_field
from gradient_async._protocol.schema.foreign_schema import Schema
from gradient_async._protocol.schema.function_tool import FunctionTool
from gradient_async.errors import ConfigurationError
from gradient_async.models.chat import FunctionCall, ToolCall
from gradient_async.models.messages import ContentBlock, MessageReply
from gradient_async.models.parsed import with_parsed
from gradient_async.models.parsed_message import ParsedMessage
from gradient_async.models.tool_run import ToolStep

_CALL = "tool_use"
_CUT_OFF = ("max_tokens", "model_context_window_exceeded")
_INCOMPLETE = dict.fromkeys(_CUT_OFF, "The message was cut off by the token limit; raise max_tokens.")
_PURPOSE = "Give your answer by calling this tool."


class MessagesDialect:
    """How messages write tools, their results and structured output."""

    conversation = "messages"

    def define_tool(self, tool: FunctionTool) -> Schema:
        """Return the entry of ``tools`` for a function."""
        function = tool.definition["function"]
        rest = {name: value for name, value in function.items() if name != "parameters"}
        return {**rest, "input_schema": function["parameters"]}

    def is_function(self, tool: Mapping[str, Any]) -> bool:
        """Whether *tool* describes a function, which the service does not run."""
        return (tool.get("type") or "custom") == "custom"

    def relax_choice(self, choice: Any) -> Any:
        """Return *choice* without its force; other settings of it stay."""
        kind = choice.get("type") if isinstance(choice, Mapping) else choice
        if kind not in ("any", "tool"):
            return choice
        rest = choice if isinstance(choice, Mapping) else {}
        return {**{name: value for name, value in rest.items() if name != "name"}, "type": "auto"}

    def list_calls(self, reply: MessageReply) -> list[ToolCall]:
        """Return the blocks that call tools of the caller; the last one may have been cut off."""
        is_cut = reply.stop_reason in _CUT_OFF
        return [
            _read_call(block, is_cut=is_cut and block is reply.content[-1])
            for block in reply.content
            if block.type == _CALL
        ]

    def list_ids(self, entry: Any) -> list[str]:
        """Return the ids of the tool calls in a turn of any form."""
        blocks = get_field(entry, "content")
        ids = [get_field(block, "id") for block in blocks] if isinstance(blocks, list | tuple) else []
        return [id_ for id_ in ids if isinstance(id_, str)]

    def write_round(self, reply: MessageReply, calls: Sequence[ToolCall], steps: Sequence[ToolStep]) -> list[Any]:
        """Return the model's turn, then one turn with the results of *steps*."""
        ids = [call.id for call in calls]
        if ids != [block.id for block in reply.content if block.type == _CALL]:
            reply = attrs.evolve(reply, content=list(_replace_ids(reply.content, ids)))
        return [reply, *([{"role": "user", "content": [_write_result(step) for step in steps]}] if steps else ())]

    def write_class_request(self, params: Mapping[str, Any], name: str, schema: Schema) -> ClassRequest:
        """Return the request with *schema* as a tool that the model must call.

        A model that thinks cannot be forced; it is told.
        """
        if params.get("tool_choice") is not None:
            raise ConfigurationError("parse chooses the tool that it reads; leave tool_choice out.")
        tools = list(params.get("tools") or ())
        while any(_name_tool(tool) == name for tool in tools):
            name += "_"
        description = schema.get("description")
        tool = {
            "name": name,
            "description": f"{description} {_PURPOSE}" if description else _PURPOSE,
            "input_schema": {key: value for key, value in schema.items() if key != "description"},
        }
        thinks = get_field(params.get("thinking"), "type") in ("enabled", "adaptive")
        choice = {"type": "auto"} if thinks else {"type": "tool", "name": name}
        return ClassRequest({**params, "tools": [*tools, tool], "tool_choice": choice}, name)

    def read_answer(self, reply: MessageReply) -> Answer:
        """Return text and calls of the blocks."""
        return Answer(
            text=reply.text,
            calls=self.list_calls(reply),
            calls_path="$.content",
            refusal=reply.text or "refusal" if reply.stop_reason == "refusal" else None,
            refusal_path="$.stop_reason",
            problem=_INCOMPLETE.get(reply.stop_reason or ""),
        )

    def attach_parsed(self, reply: MessageReply, parsed: Any) -> ParsedMessage[Any]:
        """Return *reply* as a `ParsedMessage`."""
        return with_parsed(reply, ParsedMessage, parsed)


def _read_call(block: ContentBlock, *, is_cut: bool) -> ToolCall:
    """Return the call of a block; one that was cut off lacks the bracket that ends its arguments."""
    text = json.dumps(block.input or {})
    if not block.input:
        arrived = next((part for name in ("partial_json", "input") if isinstance(part := block.raw.get(name), str)), "")
        text = arrived if arrived.strip() else text
    return ToolCall(
        id=block.id or "",
        function=FunctionCall(name=block.name or "", arguments=text.rstrip("} ") if is_cut else text),
    )


def _replace_ids(blocks: Iterable[ContentBlock], ids: Iterable[str]) -> Iterable[ContentBlock]:
    remaining = iter(ids)
    for block in blocks:
        yield attrs.evolve(block, id=next(remaining)) if block.type == _CALL else block


def _write_result(step: ToolStep) -> dict[str, Any]:
    failure = {} if step.ok else {"is_error": True}
    return {"type": "tool_result", "tool_use_id": step.call.id, "content": step.content, **failure}


def _name_tool(tool: Any) -> Any:
    return tool.get("name") if isinstance(tool, Mapping) else getattr(tool, "__name__", None)


MESSAGES_DIALECT = MessagesDialect()
