"""Fields of a message that its framework has no place for: thought signatures, reasoning details.

Contract: pure. The service expects them back with the message, unchanged. Empty values are left out, but for
``reasoning_content``: models that think refuse a tool call whose message came with an empty one and returns without it.
Frameworks would show it as an empty block of reasoning. The fields of a tool call are kept by its id, which frameworks
preserve; those of its function are below ``function``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradient_async.models import Message, ToolCall

Fields = dict[str, Any]


def collect_message_fields(message: Message) -> Fields:
    """Return the unknown fields of *message* itself, and its reasoning if that is an empty text."""
    empty = {"reasoning_content": ""} if message.reasoning_content == "" and not message.reasoning else {}
    return _drop_empty(message.extra) | empty


def collect_call_fields(calls: Iterable[ToolCall]) -> dict[str, Fields]:
    """Return the unknown fields of *calls* by id, for those that have any."""
    return {call.id: fields for call in calls if call.id and (fields := list_call_fields(call))}


def list_call_fields(call: ToolCall) -> Fields:
    """Return the unknown fields of one *call*."""
    return _drop_empty(call.extra | {"function": _drop_empty(call.function.extra)})


def add_call_fields(call: Fields, fields: Mapping[str, Any]) -> Fields:
    """Return a *call* of a request with the unknown *fields* that came with it; its own values win."""
    return {**fields, **call, "function": {**fields.get("function", {}), **call["function"]}}


def _drop_empty(fields: Mapping[str, Any]) -> Fields:
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}
