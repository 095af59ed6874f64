"""Checks and conversions of the parameters that callers pass, before anything is sent.

Contract: every refusal is a `ConfigurationError` that names the parameter and describes its type, never its value,
which may be a prompt.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from gradient_async.errors import ConfigurationError
from gradient_async.models._base import Model, to_jsonable

_LISTS = {"stop": "a text or a list of texts", "tools": "a list of functions or of their descriptions"}


def without_unset(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return *params* without those of *known* that are None; an unknown parameter stays, even as None."""
    return {name: value for name, value in params.items() if value is not None or name not in known}


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


def require_finite(name: str, value: object) -> None:
    """Raise a `ConfigurationError` if *value* is NaN or infinite, which JSON does not have."""
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{name} is {value}, which JSON cannot carry; give a finite number.")


def require_mapping(name: str, value: object) -> Mapping[Any, Any]:
    """Return *value* if it is a mapping; raise a `ConfigurationError` otherwise."""
    if isinstance(value, Mapping):
        return value
    raise ConfigurationError(f"{name} must be a dict of names and values; got {describe_type(value)}.")


def require_iterable(name: str, value: object, expected: str) -> list[Any]:
    """Return the items of *value*; raise a `ConfigurationError` that states *expected* if it is not iterable."""
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping | Model):
        return list(value)
    raise ConfigurationError(f"{name} must be {expected}; got {describe_type(value)}.")


def describe_type(value: object) -> str:
    """Return the type of *value* for an error message."""
    return "nothing" if value is None else "an empty one" if value == "" else type(value).__name__


def to_json_value(name: str, value: Any) -> Any:
    """Return the parameter as JSON has it: models become dicts, iterables lists, functions among tools descriptions.

    Raises:
        ConfigurationError: The value has no JSON form.
    """
    require_finite(name, value)
    if name in _LISTS and not isinstance(value, str):
        value = require_iterable(name, value, _LISTS[name])
    if name == "tools" and any(map(callable, value)):
        from gradient_async._protocol.schema.function_tool import describe_tools  # many programs have no tools

        value = describe_tools(value)
    if name == "response_format" and isinstance(value, type):
        raise ConfigurationError(
            f"response_format is the class {value.__name__}; chat.completions.parse takes classes."
        )
    return to_jsonable(value)
