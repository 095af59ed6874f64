"""Requests whose body is the call's parameters and nothing else: embeddings, images, invocations.

Contract: a parameter that is None is left out, except inside ``extra_body`` and among keywords the schema does not
know, which go into the body untouched. Models and iterables of the caller become plain JSON.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

from gradient_async._protocol.jsontext import encode_tree
from gradient_async._protocol.request import Request, checked_headers
from gradient_async._protocol.timeouts import Timeouts
from gradient_async.errors import ConfigurationError
from gradient_async.models._base import plain


def given(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return what is set of *params*, of which the schema knows *known*."""
    return {name: value for name, value in params.items() if value is not None or name not in known}


def post(path: str, body: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Return the request that posts *body*, with its ``extra_body`` and its ``extra_headers`` where they belong.

    Raises:
        ConfigurationError: Something has no JSON form, or a header cannot be set.
    """
    fields = dict(body)
    extra_body, headers = fields.pop("extra_body", None), fields.pop("extra_headers", None)
    tree = {name: _checked(name, value) for name, value in fields.items()} | plain(dict(extra_body or {}))
    return Request(
        method="POST", path=path, body=encode_tree(tree), headers=checked_headers(headers or {}), timeouts=timeouts
    )


def required_text(body: Mapping[str, Any], name: str, example: str) -> None:
    """Check that *body* has some text under *name*.

    Raises:
        ConfigurationError: It has none.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a text that is not empty, as {example!r}; got {shown(value)}.")


def listed(name: str, value: object) -> list[Any]:
    """Return the items of *value*, the parameter *name*.

    Raises:
        ConfigurationError: It is nothing to iterate over.
    """
    if isinstance(value, Iterable) and not isinstance(value, str | bytes | Mapping):
        return list(value)
    raise ConfigurationError(f"{name} must be a list; got {shown(value)}.")


def shown(value: object) -> str:
    """Return what *value* is, for an error: never the value, which may be a prompt."""
    return "nothing" if value is None else "an empty one" if value == "" else type(value).__name__


def _checked(name: str, value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        raise ConfigurationError(f"{name} is {value}, which JSON cannot carry; give a finite number.")
    return plain(value)
