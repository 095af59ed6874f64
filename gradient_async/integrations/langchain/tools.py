"""Tools of LangChain as the API's.

Source: ``convert_to_openai_tool`` of langchain-core 1.x.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from langchain_core.utils.function_calling import convert_to_openai_tool

_CONVERTIBLE_TYPES = ("function", "object", "custom")
"""Values of ``type`` in tool descriptions that LangChain can convert."""


def convert_tool(tool: Any, *, strict: bool | None) -> Mapping[str, Any]:
    """Convert a tool to the API's form; the dict of a tool that the service runs itself stays unchanged."""
    if isinstance(tool, Mapping) and tool.get("type", "object") not in _CONVERTIBLE_TYPES:
        return tool
    return convert_to_openai_tool(tool, strict=strict)


def convert_tool_choice(choice: str | Mapping[str, Any] | Literal[True]) -> str | Mapping[str, Any]:
    """Convert a tool choice to the API's form: ``"any"`` and True force a tool, another text is the name of one."""
    if choice is True or choice == "any":
        return "required"
    if not isinstance(choice, str) or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}
