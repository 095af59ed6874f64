"""Conversion of a Pydantic AI request's settings, tools and output to the parameters of a chat completion.

Contract: pure. Unset settings are not sent. An explicit ``tool_choice`` is sent unchanged; one implied by the output
type is ``auto`` for a model whose profile says that it does not support forced tool choice.

Source: ``pydantic_ai.settings``; the request schema of ``POST /v1/chat/completions``.
"""

from __future__ import annotations

from typing import Any

from pydantic_ai.exceptions import UserError
from pydantic_ai.models import ModelRequestParameters
from pydantic_ai.profiles import ModelProfile
from pydantic_ai.settings import ModelSettings, ToolOrOutput
from pydantic_ai.tools import ToolDefinition

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.schema.structured_output import sanitize_schema_name

_PARAM_NAMES = {
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
    """Return the parameters of a chat completion, without model and messages.

    Raises:
        UserError: A setting has an unsupported type.
    """
    values: dict[str, Any] = {**settings}
    params = {param: values[setting] for setting, param in _PARAM_NAMES.items() if setting in values}
    return params | {
        "timeout": _check_timeout(values.get("timeout")),
        "reasoning_effort": _reasoning_effort(parameters.thinking),
        "response_format": _response_format(parameters, profile),
        **_tool_params(values, parameters, profile),
    }


def _check_timeout(timeout: object) -> float | Timeouts | None:
    if timeout is None or isinstance(timeout, int | float | Timeouts):
        return timeout
    raise UserError(f"timeout must be seconds or a gradient_async.Timeouts; got a {type(timeout).__name__}.")


def _reasoning_effort(thinking: bool | str | None) -> str | None:  # noqa: FBT001 - the setting's own type
    if isinstance(thinking, bool) or thinking is None:
        return "none" if thinking is False else None
    return thinking


def _response_format(parameters: ModelRequestParameters, profile: ModelProfile) -> dict[str, Any] | None:
    output = parameters.output_object
    if parameters.output_mode == "native" and output is not None:
        optional = {"description": output.description, "strict": output.strict}
        known = {name: value for name, value in optional.items() if value is not None}
        schema = {"name": sanitize_schema_name(output.name or "output"), "schema": output.json_schema, **known}
        return {"type": "json_schema", "json_schema": schema}
    if parameters.output_mode == "prompted" and profile.get("supports_json_object_output", False):
        return {"type": "json_object"}
    return None


def _tool_params(settings: dict[str, Any], parameters: ModelRequestParameters, profile: ModelProfile) -> dict[str, Any]:
    """Return the parameters ``tools`` and ``tool_choice``; none of them if there are no tools."""
    choice, names = _select_tools(settings.get("tool_choice"), parameters, profile)
    declared = parameters.declared_tool_defs
    if choice == "required" and names is not None and len(names) == 1 and names <= declared.keys():
        choice, names = {"type": "function", "function": {"name": next(iter(names))}}, None
    tools = [_tool_definition(tool) for tool in declared.values() if names is None or tool.name in names]
    if not tools:
        return {}
    parallel = settings.get("parallel_tool_calls")  # undocumented for chat completions: sent only if it is set
    optional = {} if parallel is None else {"parallel_tool_calls": parallel}
    return {"tools": tools, "tool_choice": choice, **optional}


def _select_tools(
    tool_choice: Any, parameters: ModelRequestParameters, profile: ModelProfile
) -> tuple[str | dict[str, Any], set[str] | None]:
    """Return the ``tool_choice`` to send, and the names of the allowed tools (None: all)."""
    may_answer = parameters.allow_text_output or parameters.allow_image_output
    can_force = profile.get("supports_forced_tool_choice", True)
    implied = "auto" if may_answer or not can_force else "required"
    output_names = {tool.name for tool in parameters.output_tools}
    if tool_choice is None or tool_choice == "auto":
        return implied, None
    if isinstance(tool_choice, ToolOrOutput):
        return implied, output_names.union(tool_choice.function_tools)
    if tool_choice == "none" or not tool_choice:
        return (implied, output_names) if output_names else ("none", None)
    return "required", None if tool_choice == "required" else set(tool_choice)


def _tool_definition(tool: ToolDefinition) -> dict[str, Any]:
    function = {
        "name": tool.name,
        "description": tool.description or "",
        "parameters": tool.parameters_json_schema,
    }
    return {"type": "function", "function": function | ({"strict": True} if tool.strict else {})}
