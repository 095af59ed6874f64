"""The schema of a chat completion request.

Contract: a table of rules, and checks between fields. Unknown fields, tool types and content parts are accepted.
Source: the request body of the Agent Inference and Inference API references. A field that they do not mark as nullable
rejects an explicit null. Content parts, and tools other than functions, follow the how-to pages.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async.testing.endpoints.checks import check_stream_options
from gradient_async.testing.endpoints.validator import CrossFieldCheck, Rule, find_problem

_TEXT = Rule(kind="string", nullable=True)
_NAME = Rule(kind="string", required=True, low=1, high=64, pattern="[A-Za-z0-9_-]+")
_PENALTY = Rule(kind="number", nullable=True, low=-2, high=2)
_COUNT = Rule(kind="integer", nullable=True, low=0)
_FLAG = Rule(kind="boolean", nullable=True)
_REQUIRED_TEXT = Rule(kind="string", required=True)

_PART = Rule(
    kind="object",
    fields={
        "type": _REQUIRED_TEXT,
        "text": Rule(kind="string"),
        "cache_control": Rule(kind="object", nullable=True, fields={"ttl": Rule(kind="string")}),
    },
)
_CALL = Rule(
    kind="object",
    fields={
        "id": _REQUIRED_TEXT,
        "type": Rule(kind="string", required=True, choices=("function",)),
        "function": Rule(kind="object", required=True, fields={"name": _REQUIRED_TEXT, "arguments": _REQUIRED_TEXT}),
    },
)
_MESSAGE = Rule(
    kind="object",
    fields={
        "role": Rule(kind="string", required=True, choices=("system", "developer", "user", "assistant", "tool")),
        "content": Rule(nullable=True, either=(Rule(kind="string"), Rule(kind="array", members=_PART))),
        "refusal": _TEXT,
        "reasoning_content": _TEXT,
        "tool_calls": Rule(kind="array", members=_CALL),
        "tool_call_id": Rule(kind="string"),
    },
)
_TOOL = Rule(
    kind="object",
    fields={
        "type": _REQUIRED_TEXT,
        "function": Rule(
            kind="object",
            fields={
                "name": _NAME,
                "description": Rule(kind="string"),
                "parameters": Rule(kind="object"),
            },
        ),
    },
)
_NAMED_TOOL = Rule(
    kind="object",
    fields={"type": _REQUIRED_TEXT, "function": Rule(kind="object", required=True, fields={"name": _NAME})},
)

_FIELDS: Mapping[str, Rule] = {
    "messages": Rule(kind="array", required=True, low=1, members=_MESSAGE),
    "max_tokens": _COUNT,
    "max_completion_tokens": _COUNT,
    "temperature": Rule(kind="number", nullable=True, low=0, high=2),
    "top_p": Rule(kind="number", nullable=True, low=0, high=1),
    "frequency_penalty": _PENALTY,
    "presence_penalty": _PENALTY,
    "logprobs": _FLAG,
    "top_logprobs": Rule(kind="integer", nullable=True, low=0, high=20),
    "logit_bias": Rule(kind="object", nullable=True, members=Rule(kind="number", low=-100, high=100)),
    "n": Rule(kind="integer", nullable=True, low=1, high=128),
    "stop": Rule(either=(Rule(kind="string"), Rule(kind="array", low=1, high=4, members=Rule(kind="string")))),
    "stream": _FLAG,
    "stream_options": Rule(kind="object", nullable=True, fields={"include_usage": Rule(kind="boolean")}),
    "reasoning_effort": _TEXT,
    "seed": Rule(kind="integer", nullable=True),
    "metadata": Rule(
        kind="object",
        nullable=True,
        high=16,
        keys=Rule(kind="string", high=64),
        members=Rule(kind="string", high=512),
    ),
    "tools": Rule(kind="array", members=_TOOL),
    "tool_choice": Rule(either=(Rule(kind="string", choices=("none", "auto", "required")), _NAMED_TOOL)),
    "user": Rule(kind="string"),
    "response_format": Rule(
        kind="object",
        nullable=True,
        fields={
            "type": Rule(kind="string", required=True, choices=("text", "json_object", "json_schema")),
            "json_schema": Rule(kind="object", fields={"schema": Rule(kind="object")}),
        },
    ),
}
CHAT = Rule(kind="object", fields={**_FIELDS, "model": Rule(kind="string", required=True, low=1)})
AGENT = Rule(kind="object", fields={**_FIELDS, "model": Rule(kind="string")})
_MESSAGES_ONLY = Rule(kind="object", fields={"messages": _FIELDS["messages"]})


def find_chat_problem(body: Any, rule: Rule) -> str | None:
    """Return the first problem of *body* as a request by *rule*, `CHAT` or `AGENT`; None for a well-formed one."""
    checks: tuple[CrossFieldCheck, ...] = (
        _check_functions,
        _check_logprobs,
        _check_tool_choice,
        check_stream_options,
    )
    return find_problem(body, rule) or next((problem for check in checks if (problem := check(body))), None)


def find_messages_problem(body: Any) -> str | None:
    """Return the first problem of the messages of *body*, None for well-formed ones; no other field is looked at."""
    return find_problem(body, _MESSAGES_ONLY)


def keep_valid_fields(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return *fields* without those of another type than the schema has, and without the model."""
    malformed = {name for name, rule in _FIELDS.items() if name in fields and find_problem(fields[name], rule, name)}
    return {name: value for name, value in fields.items() if name not in {"model", *malformed}}


def _check_functions(body: Mapping[str, Any]) -> str | None:
    for index, tool in enumerate(body.get("tools") or ()):
        if tool["type"] == "function" and "function" not in tool:
            return f"tools[{index}].function is required."
    return None


def _check_logprobs(body: Mapping[str, Any]) -> str | None:
    if body.get("top_logprobs") and not body.get("logprobs"):
        return "top_logprobs needs logprobs to be true."
    return None


def _check_tool_choice(body: Mapping[str, Any]) -> str | None:
    choice = body.get("tool_choice")
    names = [tool["function"]["name"] for tool in body.get("tools") or () if "function" in tool]
    if choice == "required" and not names:
        return "tool_choice is 'required', but there are no tools."
    if isinstance(choice, dict) and choice["function"]["name"] not in names:
        return f"tool_choice names {choice['function']['name']!r}, which is not among the tools."
    return None
