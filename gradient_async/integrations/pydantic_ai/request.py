"""The settings, tools and output of a Pydantic AI request as the parameters of a chat completion.

Contract: pure. A setting that is not given is not sent. An explicit ``tool_choice`` is sent as it is asked for; one
that follows from the output is no more than ``auto`` for a model whose profile says that it cannot be forced.

Source: ``pydantic_ai.settings``; the request schema of ``POST /v1/chat/completions``.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.output import OutputObjectDefinition
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings, ToolOrOutput
from pydantic_ai.tools import ToolDefinition

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.schema.structured_output import sanitize_schema_name

_NAMES = {
    "max_tokens": "max_tokens",
    "temperature": "temperature",
    "top_p": "top_p",
    "stop_sequences": "stop",
    "seed": "seed",
    "presence_penalty": "presence_penalty",
    "frequency_penalty": "frequency_penalty",
    "logit_bias": "logit_bias",
    "extra_body": "extra_body",
    "extra_headers": "extra_headers",
}


def chat_params(settings: ModelSettings, parameters: ModelRequestParameters, profile: ModelProfile) -> dict[str, Any]:
    """Return the parameters of a chat completion but for its model and messages.

    Raises:
        UserError: A setting cannot be meant.
    """
    given: dict[str, Any] = {**settings}
    params = {ours: given[theirs] for theirs, ours in _NAMES.items() if theirs in given}
    return params | {
        "timeout": _timeout(given.get("timeout")),
        "reasoning_effort": _effort(parameters.thinking),
        "response_format": _response_format(parameters, profile),
        **_tools(given, parameters, profile),
    }


def _timeout(timeout: object) -> float | Timeouts | None:
    if timeout is None or isinstance(timeout, int | float | Timeouts):
        return timeout
    raise UserError(f"timeout is seconds or a gradient_async.Timeouts; got a {type(timeout).__name__}.")


def _effort(thinking: bool | str | None) -> str | None:  # noqa: FBT001 - the setting's own type
    if isinstance(thinking, bool) or thinking is None:
        return "none" if thinking is False else None
    return thinking


def _response_format(parameters: ModelRequestParameters, profile: ModelProfile) -> dict[str, Any] | None:
    if parameters.output_mode == "native" and parameters.output_object is not None:
        return {"type": "json_schema", "json_schema": _schema(parameters.output_object)}
    if parameters.output_mode == "prompted" and profile.get("supports_json_object_output", False):
        return {"type": "json_object"}
    return None


def _schema(output: OutputObjectDefinition) -> dict[str, Any]:
    schema = {"name": sanitize_schema_name(output.name or "output"), "schema": output.json_schema}
    more = {"description": output.description, "strict": output.strict}
    return schema | {name: value for name, value in more.items() if value is not None}


def _tools(given: dict[str, Any], parameters: ModelRequestParameters, profile: ModelProfile) -> dict[str, Any]:
    """Return the tools and how they may be chosen; nothing if there are none."""
    choice, names = _choice(given.get("tool_choice"), parameters, profile)
    declared = parameters.declared_tool_defs
    if choice == "required" and names is not None and len(names) == 1 and names <= declared.keys():
        choice, names = {"type": "function", "function": {"name": next(iter(names))}}, None
    tools = [_tool(tool) for tool in declared.values() if names is None or tool.name in names]
    if not tools:
        return {}
    parallel = given.get("parallel_tool_calls")  # no documented parameter of chat completions: sent if given, only
    more = {} if parallel is None else {"parallel_tool_calls": parallel}
    return {"tools": tools, "tool_choice": choice, **more}


def _choice(
    wanted: Any, parameters: ModelRequestParameters, profile: ModelProfile
) -> tuple[str | dict[str, Any], set[str] | None]:
    """Return how tools are chosen, and the names of those that may be; None for all."""
    may_answer = parameters.allow_text_output or parameters.allow_image_output
    can_force = profile.get("supports_forced_tool_choice", True)
    implied = "auto" if may_answer or not can_force else "required"
    outputs = {tool.name for tool in parameters.output_tools}
    if wanted is None or wanted == "auto":
        return implied, None
    if isinstance(wanted, ToolOrOutput):
        return implied, outputs.union(wanted.function_tools)
    if wanted == "none" or not wanted:
        return (implied, outputs) if outputs else ("none", None)
    return "required", None if wanted == "required" else set(wanted)


def _tool(tool: ToolDefinition) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.parameters_json_schema,
    }
    return {"type": "function", "function": function | ({"strict": True} if tool.strict else {})}
