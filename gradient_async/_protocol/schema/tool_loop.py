"""The bounded tool loop as data: the tools, the parameters of each round, and the result of each call.

Contract: pure. Every failure of a call has a one-sentence message for the model, without a traceback. A `Dialect` reads
the calls of a reply and writes the conversation.
Source: ``tools``, ``tool_calls`` and the role ``tool`` of the chat completions.
"""

# A model cannot run a function. It returns `tool_calls` instead of text, and expects the conversation back with one
# `tool` message for each call. `run_tools` repeats that until the model returns text, in at most max_rounds
# requests (rounds). With chat, tools=[weather] and max_rounds=3:
#
#   round 1   send      [user "Is it warm in Lisbon?"]              tool_choice as the caller gave it
#             receive   tool_calls=[weather({"city": "Lisbon"})]
#             run       weather(city="Lisbon") -> {"celsius": 31}   one `ToolStep`, round=1
#   round 2   send      [user, assistant with tool_calls, tool '{"celsius":31}']
#             receive   "Yes, 31 degrees."                          no tool_calls: the loop ends
#
# - Termination: the calls of round max_rounds are not run, because no round is left to send their results in; the loop
#   raises `ToolRoundsError` instead. A forced `tool_choice` would force a call in every round, so it becomes "auto"
#   from round 2 on.
# - Failure: an unknown tool, arguments that do not fit and an exception of the function become the content of the
#   `tool` message ("Error: ..."), so that the model can correct itself. A failed request ends the loop and is raised.
# - Order: the calls of one round run concurrently, a bounded number at once; their messages keep the order of the
#   calls.
# - Ids: a `tool` message names its call by id. A call without one, or with one that the conversation has already, gets
#   an id of our own, in the assistant's message and in the result.

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from itertools import count
from typing import Any, TypeVar

import attrs

from gradient_async._protocol.codec.json_text import encode_jsonable, shorten_text
from gradient_async._protocol.codec.request_json import to_result_json
from gradient_async._protocol.schema.dialect import Dialect
from gradient_async._protocol.schema.function_tool import FunctionTool, function_tool
from gradient_async.errors import ConfigurationError, ResponseDecodeError, ToolRoundsError, is_count, quote_argument
from gradient_async.models._base import Model
from gradient_async.models.chat import ToolCall
from gradient_async.models.tool_run import ToolStep

Conversation = list[Any]
"""Messages, turns or items, as dicts or objects."""
M = TypeVar("M", bound=Model)
_BOUNDED = {"max_rounds": "requests to the model", "concurrency": "functions that run at once"}


@attrs.frozen
class Toolbox:
    """The tools of one conversation.

    Attributes:
        functions: Python functions with their descriptions, by tool name.
        definitions: The ``tools`` parameter: definitions of the functions, and tools that the service runs itself.
    """

    functions: Mapping[str, tuple[Callable[..., Any], FunctionTool]]
    definitions: list[Any]

    def get_function(self, name: str) -> tuple[Callable[..., Any], FunctionTool]:
        """Return the function called *name* and its description.

        Raises:
            LookupError: There is no such function; the error lists the names.
        """
        if name not in self.functions:
            raise LookupError(f"There is no tool {name!r}; the tools are {', '.join(self.functions)}.")
        return self.functions[name]


def build_toolbox(dialect: Dialect[Any], tools: Iterable[Any]) -> Toolbox:
    """Describe *tools* for the API of *dialect* and index the functions by name.

    Raises:
        ConfigurationError: There is no function, two have the same name, or a tool cannot run here.
    """
    functions: dict[str, tuple[Callable[..., Any], FunctionTool]] = {}
    definitions: list[Any] = []
    for tool in tools:
        if isinstance(tool, Mapping):
            if dialect.is_function(tool):
                raise ConfigurationError(
                    "run_tools runs Python functions; give the function instead of its description."
                )
            definitions.append(tool)  # the service runs it
            continue
        described = function_tool(tool)
        if described.name in functions:
            raise ConfigurationError(f"Two tools are called {described.name}; give each its own name.")
        functions[described.name] = tool, described
        definitions.append(dialect.define_tool(described))
    if not functions:
        raise ConfigurationError("run_tools needs functions to run; give tools=[function], or use create.")
    return Toolbox(functions, definitions)


def check_bounds(**bounds: int) -> None:
    """Check the bounds of a loop.

    Raises:
        ConfigurationError: One of them is less than 1.
    """
    for name, bound in bounds.items():
        if not is_count(bound):
            got = quote_argument(bound)
            raise ConfigurationError(f"{name}={got}: give at least 1, the number of {_BOUNDED[name]}.")


def build_round_params(
    dialect: Dialect[Any], params: Mapping[str, Any], messages: Conversation, tools: list[Any], number: int
) -> dict[str, Any]:
    """Return the parameters of round *number* (from 1); a forced ``tool_choice`` holds for the first round only."""
    choice = params.get("tool_choice")
    return {
        **params,
        dialect.conversation: messages,
        "tools": tools,
        "tool_choice": choice if number == 1 else dialect.relax_choice(choice),
    }


def with_result(step: ToolStep, result: Any) -> ToolStep:
    """Return *step* with its *result*; the content for the model is text unchanged, any other value as JSON."""
    try:
        content = result if isinstance(result, str) else encode_jsonable(to_result_json("result", result)).decode()
    except ConfigurationError as error:
        return with_error(step, TypeError(f"{step.call.function.name} returned a value without a JSON form: {error}"))
    return attrs.evolve(step, result=result, content=content)


def with_error(step: ToolStep, error: Exception) -> ToolStep:
    """Return *step* with the *error* that ended it; the content for the model is one sentence."""
    is_own_error = isinstance(error, ResponseDecodeError) or (step.arguments is None and isinstance(error, LookupError))
    message = error.args[0] if is_own_error else f"{type(error).__name__}: {error}"
    return attrs.evolve(step, error=error, content=shorten_text(f"Error: {message}"))


def identify_calls(dialect: Dialect[Any], calls: Iterable[ToolCall], conversation: Conversation) -> list[ToolCall]:
    """Return *calls* with an id for each that no other in the *conversation* has."""
    known = {id_ for earlier in conversation for id_ in dialect.list_ids(earlier)}
    return [_identify_call(call, known) for call in calls]


def _identify_call(call: ToolCall, known: set[str]) -> ToolCall:
    """Return *call* with an id that is not *known*, and add that to *known*.

    An id of our own has nine letters and digits: every upstream accepts it, and Mistral no other.
    """
    id_ = call.id
    if not id_ or id_ in known:
        id_ = next(new for number in count(1) if (new := f"call{number:05}") not in known)
    known.add(id_)
    return call if id_ == call.id else attrs.evolve(call, id=id_)


def too_many_rounds_error(max_rounds: int, last: Any, calls: Iterable[ToolCall]) -> ToolRoundsError:
    """Return the error for a model whose *last* reply still has *calls* of tools."""
    names = ", ".join(dict.fromkeys(call.function.name for call in calls))
    error = ToolRoundsError(
        f"The model still calls {names} in the last of max_rounds={max_rounds} rounds, and those calls were not run; "
        "allow more rounds, or continue from error.messages."
    )
    error.snapshot, error.request_id, error.attempts = last, last.meta.request_id, last.meta.attempts
    return error


def sum_usage(usages: Iterable[M | None]) -> M | None:
    """Return the sum of every count in *usages*, None if none of them is known."""
    known = [usage for usage in usages if usage is not None]
    if not known:
        return None
    names = known[0].wire_fields
    return type(known[0])(**{name: _sum_counts([getattr(usage, name) for usage in known]) for name in names})


def _sum_counts(values: list[Any]) -> Any:
    """Return the sum of numbers, or of the counts inside objects; None if none of *values* is known."""
    known = [value for value in values if value is not None]
    if known and isinstance(known[0], Model):
        return sum_usage(known)
    return sum(known) if known else None
