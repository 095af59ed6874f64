"""Rounds of tool calls as data: which functions there are, what a call asks for, what the model is told.

Contract: pure; everything that can go wrong with one call has a sentence for the model, which never holds a traceback.
Source: ``tools``, ``tool_calls`` and the role ``tool`` of the chat completions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import attrs

from gradient_async._protocol.codec.json_text import encode_json, shorten_text
from gradient_async._protocol.schema.function_tool import FunctionTool, function_tool
from gradient_async.errors import ConfigurationError, ResponseDecodeError, ToolRoundsError
from gradient_async.models.chat import CacheCreation, ChatCompletion, Message, Usage
from gradient_async.models.tool_run import ToolStep
from gradient_async.params import MessageParam

Conversation = list[MessageParam | Message]


@attrs.frozen
class Toolbox:
    """The functions that can be run, by name, and everything that the model is told of."""

    functions: Mapping[str, tuple[Callable[..., Any], FunctionTool]]
    definitions: list[Any]

    def found(self, name: str) -> tuple[Callable[..., Any], FunctionTool]:
        """Return the function called *name*.

        Raises:
            LookupError: There is none; it says which there are.
        """
        if name not in self.functions:
            raise LookupError(f"There is no tool {name!r}; there is {', '.join(self.functions)}.")
        return self.functions[name]


def toolbox(tools: Iterable[Any]) -> Toolbox:
    """Return *tools* for running them.

    Raises:
        ConfigurationError: There is none, two have one name, or one cannot be run here.
    """
    functions: dict[str, tuple[Callable[..., Any], FunctionTool]] = {}
    definitions: list[Any] = []
    for tool in tools:
        if isinstance(tool, Mapping):
            definitions.append(_service_tool(tool))
            continue
        described = function_tool(tool)
        if described.name in functions:
            raise ConfigurationError(f"Two tools are called {described.name}; give each a name of its own.")
        functions[described.name] = tool, described
        definitions.append(described.definition)
    if not functions:
        raise ConfigurationError("run_tools needs functions to run; give tools=[function], or use create.")
    return Toolbox(functions, definitions)


def checked_rounds(max_rounds: int) -> int:
    """Return *max_rounds*.

    Raises:
        ConfigurationError: It leaves no call.
    """
    if max_rounds < 1:
        raise ConfigurationError(f"max_rounds={max_rounds}: give at least 1, the number of answers of the model.")
    return max_rounds


def round_params(params: Mapping[str, Any], messages: Conversation, tools: list[Any], number: int) -> dict[str, Any]:
    """Return the parameters of round *number*; a tool that was forced is forced in the first alone."""
    choice = params.get("tool_choice")
    is_forced = choice not in (None, "auto", "none")
    return {
        **params,
        "messages": messages,
        "tools": tools,
        "tool_choice": "auto" if is_forced and number > 1 else choice,
    }


def answered(step: ToolStep, result: Any) -> ToolStep:
    """Return *step* with its *result*: text as it is, anything else as JSON."""
    try:
        content = result if isinstance(result, str) else encode_json(result).decode()
    except ConfigurationError as error:
        return failed(step, TypeError(f"{step.call.function.name} returned what has no JSON form: {error}"))
    return attrs.evolve(step, result=result, content=content)


def failed(step: ToolStep, error: Exception) -> ToolStep:
    """Return *step* with the *error* that ended it, told to the model in a sentence."""
    is_ours = isinstance(error, ResponseDecodeError) or (step.arguments is None and isinstance(error, LookupError))
    said = error.args[0] if is_ours else f"{type(error).__name__}: {error}"
    return attrs.evolve(step, error=error, content=shorten_text(f"Error: {said}"))


def tool_message(step: ToolStep) -> MessageParam:
    """Return the message that tells the model what became of its call."""
    return {"role": "tool", "tool_call_id": step.call.id, "content": step.content}


def with_answer(messages: Conversation, completion: ChatCompletion, steps: Iterable[ToolStep] = ()) -> Conversation:
    """Return the conversation with the model's answer, and what became of the calls it asked for."""
    return [*messages, completion.message, *map(tool_message, steps)]


def too_many_rounds(max_rounds: int, last: ChatCompletion) -> ToolRoundsError:
    """Return the error of a model that still asks for tools in its *last* answer."""
    names = ", ".join(dict.fromkeys(call.function.name for call in last.tool_calls))
    error = ToolRoundsError(
        f"The model still asks for {names} in the last of max_rounds={max_rounds} answers, and those were not run; "
        "allow more rounds, or go on from error.messages."
    )
    error.snapshot, error.request_id, error.attempts = last, last.meta.request_id, last.meta.attempts
    return error


def total_usage(completions: Iterable[ChatCompletion]) -> Usage | None:
    """Return the tokens of all *completions* together, None if none told its own."""
    told = [completion.usage for completion in completions if completion.usage is not None]
    if not told:
        return None
    return Usage(
        prompt_tokens=sum(usage.prompt_tokens for usage in told),
        completion_tokens=sum(usage.completion_tokens for usage in told),
        total_tokens=sum(usage.total_tokens for usage in told),
        cache_created_input_tokens=_sum(usage.cache_created_input_tokens for usage in told),
        cache_read_input_tokens=_sum(usage.cache_read_input_tokens for usage in told),
        cache_creation=_total_creation([usage.cache_creation for usage in told if usage.cache_creation is not None]),
    )


def _total_creation(told: list[CacheCreation]) -> CacheCreation | None:
    if not told:
        return None
    return CacheCreation(
        ephemeral_5m_input_tokens=sum(creation.ephemeral_5m_input_tokens for creation in told),
        ephemeral_1h_input_tokens=sum(creation.ephemeral_1h_input_tokens for creation in told),
    )


def _sum(counts: Iterable[int | None]) -> int | None:
    told = [count for count in counts if count is not None]
    return sum(told) if told else None


def _service_tool(tool: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a tool that the service runs itself."""
    if tool.get("type", "function") == "function":
        raise ConfigurationError("run_tools runs Python functions; give the function and not its description.")
    return tool
