"""Requests whose body is the call's parameters and nothing else: embeddings, images, invocations.

Contract: a parameter that is None is left out, except inside ``extra_body`` and among keywords the schema does not
know, which go into the body untouched. Models and iterables of the caller become plain JSON.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.request import Request, check_finite, posted, shown
from gradient_async._protocol.timeouts import Timeouts
from gradient_async.errors import ConfigurationError
from gradient_async.models._base import plain


def given(params: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any]:
    """Return what is set of *params*, of which the schema knows *known*."""
    return {name: value for name, value in params.items() if value is not None or name not in known}


def post(path: str, body: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Return the request that posts *body*, made plain.

    Raises:
        ConfigurationError: Something has no JSON form, or a header cannot be set.
    """
    for name, value in body.items():
        check_finite(name, value)
    return posted(path, {name: plain(value) for name, value in body.items()}, timeouts=timeouts)


def required_text(body: Mapping[str, Any], name: str, example: str) -> None:
    """Check that *body* has some text under *name*.

    Raises:
        ConfigurationError: It has none.
    """
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(f"{name} must be a text that is not empty, as {example!r}; got {shown(value)}.")
