"""Checks and conversions of the parameters that callers pass, before anything is sent.

Contract: every refusal is a `ConfigurationError` that names the parameter and describes its type, never its value,
which may be a prompt.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from gradient_async._protocol.codec.request_json import to_request_json
from gradient_async.errors import ConfigurationError
from gradient_async.models._base import Model

ROLES = ("system", "developer", "user", "assistant", "tool")
"""The values of `gradient_async.params.Role`, whose module most programs do not load."""
_MAX_ROLE_CHARS = 20
_LISTS = {"stop": "a text or a list of texts", "tools": "a list of functions or of their descriptions"}


def find_keys(documented: Any) -> frozenset[str]:
    """Return the keys of a TypedDict."""
    keys: frozenset[str] = documented.__required_keys__ | documented.__optional_keys__
    return keys


def without_unset(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return *params* without those of *known* that are None; an unknown parameter stays, even as None."""
    return {name: value for name, value in params.items() if value is not None or name not in known}


def require_function(name: str, value: object) -> None:
    """Raise a `ConfigurationError` if the argument *name* is neither None nor a function."""
    if value is not None and not callable(value):
        raise ConfigurationError(f"{name}= must be a function; got {describe_type(value)}.")


def require_text(params: Mapping[str, Any], name: str, example: str) -> None:
    """Raise a `ConfigurationError` unless the parameter *name* is a text that is not empty."""
    value = params.get(name)
    if not isinstance(value, str) or not value:
        got = describe_type(value)
        raise ConfigurationError(f"{name} must be a text that is not empty, as {example!r}; got {got}.")


def require_model(model: object) -> None:
    """Raise a `ConfigurationError` unless *model* is the name of a model."""
    if not isinstance(model, str) or not model:
        raise ConfigurationError(
            "model must name a model, as 'llama3.3-70b-instruct'; session.models.list() gives all."
        )


def require_mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Return *value* if it is a mapping; raise a `ConfigurationError` otherwise."""
    if isinstance(value, Mapping):
        return value
    raise ConfigurationError(f"{name} must be a dict of names and values; got {describe_type(value)}.")


def require_params(name: str, request: object) -> Mapping[str, Any]:
    """Return the parameters of one of many requests: a mapping, or the fields of an object.

    Raises:
        ConfigurationError: *request* is neither.
    """
    if type(request) is dict:  # Hot: each item of a map; asking an abstract class takes ten times as long
        return request
    params = request if isinstance(request, Mapping) else to_request_json(name, request)
    if isinstance(params, Mapping):
        return params
    raise ConfigurationError(f"{name} must be a dict of parameters; got {describe_type(request)}.")


def require_iterable(name: str, value: object, expected: str) -> list[Any]:
    """Return the items of *value*; raise a `ConfigurationError` that states *expected* if it is not iterable."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Model):
        return list(value)
    raise ConfigurationError(f"{name} must be {expected}; got {describe_type(value)}.")


def require_texts(name: str, value: object) -> list[str]:
    """Return the items of *value*, at least one; raise a `ConfigurationError` unless all of them are texts."""
    items = require_iterable(name, value, "a list")
    if not items:
        raise ConfigurationError(f"{name} is empty; give at least one text.")
    for position, item in enumerate(items):
        if not isinstance(item, str):
            raise ConfigurationError(f"{name}[{position}] must be a text; got {describe_type(item)}.")
    return items


def describe_type(value: object) -> str:
    """Return the type of *value* for an error message."""
    return "nothing" if value is None else "an empty one" if value == "" else type(value).__name__


def describe_role(fields: Mapping[str, Any]) -> str:
    """Return the role of a message for an error message, unless it may be the content."""
    role = fields.get("role")
    if role is None:
        return "no role"
    if isinstance(role, str) and len(role) <= _MAX_ROLE_CHARS and role.isprintable() and " " not in role:
        return f"the role {role!r}"
    size = f"{len(role)} characters" if isinstance(role, str) else f"type {type(role).__name__}"
    swapped = "; its role and its content may be swapped" if fields.get("content") in ROLES else ""
    return f"a role of {size}{swapped}"


def to_json_value(name: str, value: Any, *, keep_nulls: bool) -> Any:
    """Return the parameter as JSON has it: objects become dicts, iterables lists, functions among tools descriptions.

    Args:
        name: The name of the parameter.
        value: Its value.
        keep_nulls: Keep the nulls inside, for a parameter that is not documented.

    Raises:
        ConfigurationError: The value has no JSON form.
    """
    if name in _LISTS and not isinstance(value, str):
        value = require_iterable(name, value, _LISTS[name])
    if name == "tools" and any(map(callable, value)):
        from gradient_async._protocol.schema.function_tool import describe_tools  # many programs have no tools

        value = describe_tools(value)
    if name == "response_format" and isinstance(value, type):
        raise ConfigurationError(
            f"response_format is the class {value.__name__}; chat.completions.parse takes classes."
        )
    return to_request_json(name, value, keep_nulls=keep_nulls)
