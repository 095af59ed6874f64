"""Prompts, responses and results of tools as span attributes, for programs that ask for them.

Contract: pure. The messages of all three APIs have one form; images and other media are named, not recorded.
Source: the JSON schemas of ``gen_ai.input.messages``, ``gen_ai.output.messages``, ``gen_ai.system_instructions``,
``gen_ai.tool.definitions`` and ``gen_ai.retrieval.documents``.
"""

# Each API writes the same conversation in its own way; the conventions have one form, a role and typed parts:
#
#   chat        {"role": "tool", "tool_call_id": "c1", "content": "31"}
#   messages    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "c1", "content": "31"}]}
#   responses   {"type": "function_call_output", "call_id": "c1", "output": "31"}
#   attribute   {"role": "tool", "parts": [{"type": "tool_call_response", "id": "c1", "response": "31"}]}
#
# A dict is read by its type: `_PARTS` has the reader of each. A type without one is recorded by its name alone.

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from gradient_async.models._base import to_jsonable
from gradient_async.models.retrieval import RetrievedPassage, RetrievedPassages
from gradient_async.models.tool_run import ToolStep

Part = dict[str, Any]


def request_content(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the attributes of a prompt: instructions, messages and tools."""
    instructions = params.get("system") or params.get("instructions")
    messages = params.get("messages", params.get("input"))
    content = {
        "gen_ai.system_instructions": list(_read_parts(instructions)),
        "gen_ai.input.messages": _read_messages(messages, "user"),
        "gen_ai.tool.definitions": [
            _name_tool(tool) for tool in params.get("tools") or () if isinstance(tool, Mapping)
        ],
    }
    return {name: _encode(value) for name, value in content.items() if value} | _read_query(params)


def _read_query(params: Mapping[str, Any]) -> dict[str, str]:
    """Return the attribute of what passages are looked for."""
    query = params.get("query")
    return {"gen_ai.retrieval.query.text": query} if isinstance(query, str) else {}


def response_content(result: Any) -> Iterator[tuple[str, str]]:
    """Iterate over the attributes of a response: one message for each choice, or the passages that were found."""
    if isinstance(result, RetrievedPassages):
        yield "gen_ai.retrieval.documents", _encode([_name_passage(passage) for passage in result.results])
        return
    choices, output = getattr(result, "choices", None), getattr(result, "output", None)
    if choices is not None:
        messages = [_read_message(to_jsonable(choice.message), "assistant") for choice in choices]
    else:
        parts = _read_parts(to_jsonable(getattr(result, "content", None) if output is None else output))
        messages = [{"role": "assistant", "parts": list(parts)}]
    if messages and messages[0]["parts"]:
        yield "gen_ai.output.messages", _encode(messages)


def result_content(result: Any) -> Iterator[tuple[str, str]]:
    """Iterate over the attributes of a tool's result, in the form that the model got."""
    if isinstance(result, ToolStep):
        yield "gen_ai.tool.call.result", result.content


def _name_passage(passage: RetrievedPassage) -> Part:
    """Return a passage as a document, with the id of its file as far as the service states one."""
    source = passage.metadata.get("file_id") or passage.metadata.get("item_name")
    return {**({"id": str(source)} if source else {}), "content": passage.text_content}


def _encode(value: Any) -> str:
    return json.dumps(value, separators=(",", ":"))


def _name_tool(tool: Mapping[str, Any]) -> Part:
    """Return type and name of a tool; its schema would be large."""
    function = tool.get("function")
    name = tool.get("name") or (function.get("name") if isinstance(function, Mapping) else None)
    return {"type": str(tool.get("type", "function")), "name": str(name or tool.get("type"))}


def _read_messages(messages: Any, role: str) -> list[Part]:
    """Return the messages of a conversation; a text is one message of *role*."""
    if isinstance(messages, str):
        return [{"role": role, "parts": list(_read_parts(messages))}]
    if not isinstance(messages, list):
        return []
    return [_read_message(message, role) for message in messages if isinstance(message, Mapping)]


def _read_message(message: Mapping[str, Any], role: str) -> Part:
    """Return one message, or an item of the responses API that stands beside its messages."""
    kind = message.get("type")
    if kind in _ITEM_ROLES:
        return {"role": _ITEM_ROLES[kind], "parts": list(_read_parts([message]))}
    name = message.get("role", role)
    if name == "tool":
        parts = [_tool_response(message.get("tool_call_id"), message.get("content"))]
    else:
        parts = [
            *_read_reasoning(message),
            *_read_parts(message.get("content")),
            *_read_parts(message.get("tool_calls")),
        ]
    return {"role": name, "parts": parts}


def _read_reasoning(message: Mapping[str, Any]) -> Iterator[Part]:
    text = message.get("reasoning_content") or message.get("reasoning")
    if isinstance(text, str) and text:
        yield {"type": "reasoning", "content": text}


def _read_parts(content: Any) -> Iterator[Part]:
    """Iterate over the parts of a content: a text, or a list of objects with types."""
    if isinstance(content, str) and content:
        yield {"type": "text", "content": content}
    if not isinstance(content, list):
        return
    for part in content:
        if isinstance(part, str):
            yield {"type": "text", "content": part}
        elif isinstance(part, Mapping):
            kind = str(part.get("type", "text"))
            yield from _PARTS[kind](part) if kind in _PARTS else ({"type": kind},)


def _read_text(part: Mapping[str, Any]) -> Iterator[Part]:
    yield {"type": "text", "content": str(part.get("text") or part.get("refusal") or "")}


def _read_thinking(part: Mapping[str, Any]) -> Iterator[Part]:
    yield {"type": "reasoning", "content": str(part.get("thinking") or "")}


def _read_reasoning_item(item: Mapping[str, Any]) -> Iterator[Part]:
    texts = _join_texts(item.get("content")) or _join_texts(item.get("summary"))
    yield {"type": "reasoning", "content": texts}


def _join_texts(parts: Any) -> str:
    found: Iterable[Any] = parts if isinstance(parts, list) else ()
    return "".join(str(part.get("text") or "") for part in found if isinstance(part, Mapping))


def _read_call(part: Mapping[str, Any]) -> Iterator[Part]:
    """Read the call of a tool: of chat, messages or responses."""
    function = part.get("function")
    call = function if isinstance(function, Mapping) else part
    arguments = call.get("arguments", call.get("input"))
    yield {
        "type": "tool_call",
        "id": part.get("call_id") or part.get("id"),
        "name": str(call.get("name") or ""),
        "arguments": _decode_arguments(arguments),
    }


def _decode_arguments(arguments: Any) -> Any:
    """Return arguments as an object; as the text that the model wrote if that is not JSON."""
    if not isinstance(arguments, str):
        return arguments
    try:
        return json.loads(arguments)
    except ValueError:
        return arguments


def _read_result(part: Mapping[str, Any]) -> Iterator[Part]:
    yield _tool_response(part.get("tool_use_id") or part.get("call_id"), part.get("content", part.get("output")))


def _tool_response(call_id: Any, content: Any) -> Part:
    response = content if isinstance(content, str) else list(_read_parts(content))
    return {"type": "tool_call_response", "id": call_id, "response": response}


def _read_inner_parts(item: Mapping[str, Any]) -> Iterator[Part]:
    yield from _read_parts(item.get("content"))


_PARTS: dict[str, Callable[[Mapping[str, Any]], Iterator[Part]]] = {
    "text": _read_text,
    "input_text": _read_text,
    "output_text": _read_text,
    "refusal": _read_text,
    "thinking": _read_thinking,
    "reasoning": _read_reasoning_item,
    "message": _read_inner_parts,
    "function": _read_call,
    "function_call": _read_call,
    "tool_use": _read_call,
    "tool_result": _read_result,
    "function_call_output": _read_result,
}
_ITEM_ROLES = {"function_call": "assistant", "function_call_output": "tool", "reasoning": "assistant"}
"""Role of the items of the responses API that are no messages, by their type."""
