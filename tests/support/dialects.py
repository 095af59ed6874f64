"""Structured output, tools and maps of the three APIs, called in the same way."""

from __future__ import annotations

import json
from typing import Any

import attrs
import pytest

from gradient_async import AsyncSession

QUESTION: Any = [{"role": "user", "content": "How many people live in New York?"}]


@attrs.frozen
class API:
    """One of the APIs.

    Attributes:
        name: Name of its property of a session.
        path: Path of its endpoint.
        params: The parameters that every call needs, without the conversation.
        conversation: The parameter that holds the conversation.
    """

    name: str
    path: str
    params: dict[str, Any]
    conversation: str = "messages"

    def find_resource(self, session: AsyncSession) -> Any:
        return session.chat.completions if self.name == "chat" else getattr(session, self.name)

    def add_question(self, **params: Any) -> dict[str, Any]:
        return {**self.params, self.conversation: QUESTION, **params}

    def list_tools(self, body: dict[str, Any]) -> list[dict[str, Any]]:
        """Return name and schema of each function in a request."""
        tools = [tool.get("function", tool) for tool in body.get("tools", ())]
        return [{"name": tool["name"], "schema": tool.get("parameters") or tool.get("input_schema")} for tool in tools]

    def list_calls(self, body: dict[str, Any]) -> list[tuple[str, str, Any]]:
        """Return id, name and arguments of each call in the conversation of a request."""
        entries = body[self.conversation]
        if self.name == "chat":
            calls = [call for entry in entries for call in entry.get("tool_calls") or ()]
            return [(c["id"], c["function"]["name"], json.loads(c["function"]["arguments"])) for c in calls]
        if self.name == "messages":
            blocks = [block for entry in entries if isinstance(entry["content"], list) for block in entry["content"]]
            return [(b["id"], b["name"], b["input"]) for b in blocks if b["type"] == "tool_use"]
        items = [entry for entry in entries if entry.get("type") == "function_call"]
        return [(item["call_id"], item["name"], json.loads(item["arguments"])) for item in items]

    def list_results(self, body: dict[str, Any]) -> list[tuple[str, str]]:
        """Return id and content of each result in the conversation of a request."""
        entries = body[self.conversation]
        if self.name == "chat":
            return [(entry["tool_call_id"], entry["content"]) for entry in entries if entry["role"] == "tool"]
        if self.name == "messages":
            blocks = [block for entry in entries if isinstance(entry["content"], list) for block in entry["content"]]
            return [(b["tool_use_id"], b["content"]) for b in blocks if b["type"] == "tool_result"]
        return [(e["call_id"], e["output"]) for e in entries if e.get("type") == "function_call_output"]


CHAT = API("chat", "/v1/chat/completions", {"model": "m"})
MESSAGES = API("messages", "/v1/messages", {"model": "m", "max_tokens": 500})
RESPONSES = API("responses", "/v1/responses", {"model": "m"}, "input")

every_api = pytest.mark.parametrize("api", [CHAT, MESSAGES, RESPONSES], ids=lambda api: api.name)
both_apis = pytest.mark.parametrize("api", [MESSAGES, RESPONSES], ids=lambda api: api.name)
