"""Python functions as tools: the definition for the model, and the conversion of a call's arguments.

Contract: pure. A function is described once, in a weak cache: a function made for a single call may refer to large
objects and is not kept alive. The schema lists the parameters by name and forbids others. A parameter without an
annotation, ``*args`` and types that JSON cannot express raise a `ConfigurationError` that names the parameter.
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
from gradient_async._protocol.codec.pydantic_adapter import is_constraint
from gradient_async._protocol.schema.annotations import NO_DEFAULT, Field, unresolved_annotation_error
from gradient_async._protocol.schema.convert import convert_arguments
from gradient_async._protocol.schema.docstrings import first_paragraph, parse_argument_descriptions
from gradient_async._protocol.schema.foreign_schema import Schema
from gradient_async._protocol.schema.json_schema import fields_schema
from gradient_async.errors import ConfigurationError, ResponseDecodeError, quote_argument

_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@attrs.frozen
class FunctionTool:
    """A function as a tool.

    Attributes:
        name: Name of the function and of the tool.
        definition: Entry of ``tools`` in the request.
        parameters: Parameters of the function.
    """

    name: str
    definition: Schema
    parameters: tuple[Field, ...]

    def parse_arguments(self, text: str) -> dict[str, Any]:
        """Decode and convert the JSON arguments of a call.

        Returns:
            The keyword arguments for the function, without those that the model left out.

        Raises:
            ResponseDecodeError: The text is not JSON, or an argument does not fit.
        """
        return convert_arguments(
            _decode_arguments(text), self.parameters, subject=f"An argument does not fit {self.name}"
        )


_tools_by_function: WeakKeyDictionary[Callable[..., Any], FunctionTool] = WeakKeyDictionary()


def describe_tools(tools: Iterable[Any]) -> list[Any]:
    """Return *tools* with each function replaced by its definition; dicts stay as they are.

    Raises:
        ConfigurationError: A function cannot be a tool.
    """
    return [
        tool if isinstance(tool, Mapping) or not callable(tool) else function_tool(tool).definition for tool in tools
    ]


def function_tool(function: Callable[..., Any]) -> FunctionTool:
    """Describe *function* as a tool.

    Raises:
        ConfigurationError: The function cannot be a tool; the error names the parameter.
    """
    name = _check_tool_name(function)
    if not inspect.isfunction(function):
        return _build_tool(function, name)  # each access to a method makes a new object: caching it is useless
    tool = _tools_by_function.get(function)
    if tool is None or tool.name != name:
        tool = _tools_by_function[function] = _build_tool(function, name)
    return tool


def _build_tool(function: Callable[..., Any], name: str) -> FunctionTool:
    doc = inspect.getdoc(function)
    parameters = _read_parameters(function, name, parse_argument_descriptions(doc))
    definition: Schema = {"name": name, "parameters": fields_schema(name, parameters)}
    if summary := first_paragraph(doc):
        definition = {"name": name, "description": summary, "parameters": definition["parameters"]}
    return FunctionTool(name, {"type": "function", "function": definition}, parameters)


def _decode_arguments(text: str) -> Any:
    """Decode the JSON arguments of a call. Empty text and ``null`` count as ``{}``: some models send them."""
    try:
        value = decode_json(text) if text.strip() else {}
    except ResponseDecodeError as error:
        raise ResponseDecodeError("The arguments are not valid JSON.", body=error.body) from None
    return {} if value is None else value


def _check_tool_name(function: Callable[..., Any]) -> str:
    if not inspect.isroutine(function):
        got = quote_argument(function)
        raise ConfigurationError(f"{got} cannot be a tool; give a function, made with def or async def.")
    name = function.__name__
    if not _NAME.fullmatch(name):
        raise ConfigurationError(f"{name} cannot be a tool's name; use 1 to 64 of A-Z, a-z, 0-9, _ and -.")
    return name


def _read_parameters(function: Callable[..., Any], name: str, descriptions: Mapping[str, str]) -> tuple[Field, ...]:
    try:
        signature, hints = inspect.signature(function), get_type_hints(function, include_extras=True)
    except NameError as error:
        raise unresolved_annotation_error(name, error) from None
    except (TypeError, ValueError):
        raise ConfigurationError(f"{name} has no signature; wrap it in a function with annotations.") from None
    return tuple(
        _read_parameter(parameter, hints, f"{name}.{parameter.name}", descriptions.get(parameter.name, ""))
        for parameter in signature.parameters.values()
    )


def _read_parameter(parameter: inspect.Parameter, hints: Mapping[str, Any], where: str, description: str) -> Field:
    if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
        raise ConfigurationError(
            f"{where} takes any number of arguments; a tool's parameters need names: spell them out."
        )
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise ConfigurationError(f"{where} is positional-only; a model gives arguments by name: remove the '/'.")
    if parameter.name == "self":
        raise ConfigurationError(f"{where} has no value; give the method of an object, as tools=[thing.method].")
    if is_constraint(parameter.default):
        raise ConfigurationError(f"{where} has a description as its default; move it: Annotated[type, Field(...)].")
    is_required = parameter.default is parameter.empty
    return Field(
        name=parameter.name,
        annotation=hints.get(parameter.name),
        is_required=is_required,
        default=NO_DEFAULT if is_required else parameter.default,
        description=description,
    )
