"""Python functions as tools: what a model is told of one, and its arguments as the function's types.

Contract: pure; a function is described once, and one that was made for a single call is kept alive by nothing here:
what it refers to may be large. The names and types of the parameters are the schema, which allows no other; a parameter
without an annotation, ``*args`` and what JSON cannot say are a `ConfigurationError` that names it.
Source: ``tools`` of the chat completions; names have 1 to 64 letters, digits, ``_`` and ``-``.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_type_hints
from weakref import WeakKeyDictionary

import attrs

from gradient_async._protocol.codec.json_text import decode_json
from gradient_async._protocol.schema.annotations import MISSING, Field, unresolved
from gradient_async._protocol.schema.convert import fit_fields
from gradient_async._protocol.schema.docstrings import argument_descriptions, first_paragraph
from gradient_async._protocol.schema.json_schema import Schema, fields_schema
from gradient_async.errors import ConfigurationError, ResponseDecodeError

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@attrs.frozen
class FunctionTool:
    """A function as a tool.

    Attributes:
        name: What the model calls it.
        definition: What the model is told.
        parameters: The function's parameters.
    """

    name: str
    definition: Schema
    parameters: tuple[Field, ...]

    def arguments(self, text: str) -> dict[str, Any]:
        """Return the keyword arguments in the JSON *text* of a call; of one that was not given, none.

        Raises:
            ResponseDecodeError: They are not JSON, or do not fit.
        """
        return fit_fields(_decoded(text), self.parameters, what=f"An argument does not fit {self.name}")


_described: WeakKeyDictionary[Callable[..., Any], FunctionTool] = WeakKeyDictionary()


def described_tools(tools: Iterable[Any]) -> list[Any]:
    """Return *tools* with every function among them as the API has it.

    Raises:
        ConfigurationError: A function cannot be a tool.
    """
    return [
        tool if isinstance(tool, Mapping) or not callable(tool) else function_tool(tool).definition for tool in tools
    ]


def function_tool(function: Callable[..., Any]) -> FunctionTool:
    """Return *function* as a tool.

    Raises:
        ConfigurationError: It cannot be one; the error names the parameter.
    """
    name = _checked_name(function)
    if not inspect.isfunction(function):
        return _made_tool(function, name)  # a method is a new object each time it is asked for
    tool = _described.get(function)
    if tool is None or tool.name != name:
        tool = _described[function] = _made_tool(function, name)
    return tool


def _made_tool(function: Callable[..., Any], name: str) -> FunctionTool:
    doc = inspect.getdoc(function)
    parameters = _parameters(function, name, argument_descriptions(doc))
    told: Schema = {"name": name, "parameters": fields_schema(name, parameters)}
    if summary := first_paragraph(doc):
        told = {"name": name, "description": summary, "parameters": told["parameters"]}
    return FunctionTool(name, {"type": "function", "function": told}, parameters)


def _decoded(arguments: str) -> Any:
    """Return the JSON of a call's *arguments*; none at all are what some models send when there are no parameters."""
    try:
        value = decode_json(arguments) if arguments.strip() else {}
    except ResponseDecodeError as error:
        raise ResponseDecodeError("The arguments are not valid JSON.", body=error.body) from None
    return {} if value is None else value


def _checked_name(function: Callable[..., Any]) -> str:
    if not inspect.isroutine(function):
        raise ConfigurationError(f"{function!r} cannot be a tool; give a function, made with def or async def.")
    name = function.__name__
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name} cannot be a tool's name; use 1 to 64 of A-Z, a-z, 0-9, _ and -.")
    return name


def _parameters(function: Callable[..., Any], name: str, said: Mapping[str, str]) -> tuple[Field, ...]:
    """Return the parameters of *function*."""
    try:
        signature, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
    except NameError as error:
        raise unresolved(name, error) from None
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} has no signature; wrap it in a function with annotations.") from None
    return tuple(
        _field(parameter, hints, f"{name}.{parameter.name}", said.get(parameter.name, ""))
        for parameter in signature.parameters.values()
    )


def _field(parameter: inspect.Parameter, hints: Mapping[str, Any], where: str, description: str) -> Field:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ConfigurationError(
            f"{where} takes any number of arguments; a tool's parameters need names: spell them out."
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigurationError(f"{where} is positional-only; a model gives arguments by name: remove the '/'.")
    if parameter.name == "self":
        raise ConfigurationError(f"{where} has no value; give the method of an object, as tools=[thing.method].")
    is_required = parameter.default is parameter.empty
    return Field(
        name=parameter.name,
        kind=hints.get(parameter.name),
        is_required=is_required,
        default=MISSING if is_required else parameter.default,
        description=description,
    )
