"""Tools of LangChain as the API's.

Source: ``convert_to_openai_tool`` of langchain-core 1.x.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Literal

from langchain_core.utils.function_calling import convert_to_openai_tool

_CONVERTIBLE_TYPES = ("function", "object", "custom")
"""Values of ``type`` in tool descriptions that LangChain can convert."""


def convert_tool(tool: Any, *, strict: bool | None) -> Mapping[str, Any]:
    """Convert a tool to the API's form; the dict of a tool that the service runs itself stays unchanged."""
    if isinstance(tool, Mapping) and tool.get("type", "object") not in _CONVERTIBLE_TYPES:
        return tool
    if not strict:
        return convert_to_openai_tool(tool, strict=strict)
    loose = deepcopy(convert_to_openai_tool(tool))  # before LangChain changes the dict of a caller
    converted = convert_to_openai_tool(tool, strict=True)
    _restore_values(converted, loose)
    return converted


def _restore_values(strict: Any, loose: Any) -> None:
    """Give the dicts of a *strict* schema the type of their values again, which they have in the *loose* one.

    LangChain closes every object: a ``dict[str, int]`` could only be empty.
    """
    if isinstance(strict, list) and isinstance(loose, list):
        for pair in zip(strict, loose, strict=False):
            _restore_values(*pair)
    if not isinstance(strict, dict) or not isinstance(loose, dict):
        return
    if "properties" not in loose and "additionalProperties" in loose:
        strict["additionalProperties"] = loose["additionalProperties"]
    for name in strict.keys() & loose.keys() - {"additionalProperties"}:
        _restore_values(strict[name], loose[name])


def convert_tool_choice(choice: str | Mapping[str, Any] | Literal[True]) -> str | Mapping[str, Any]:
    """Convert a tool choice to the API's form: ``"any"`` and True force a tool, another text is the name of one."""
    if choice is True or choice == "any":
        return "required"
    if not isinstance(choice, str) or choice in ("auto", "none", "required"):
        return choice
    return {"type": "function", "function": {"name": choice}}
