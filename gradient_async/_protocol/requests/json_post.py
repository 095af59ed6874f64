"""Builds the POST request of a call from its parameters.

Contract: pure. Every refusal is a `ConfigurationError` before anything is sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.codec.json_text import encode_jsonable
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.parameters import describe_type, require_finite, require_mapping
from gradient_async._protocol.requests.request import NO_HEADERS, Request
from gradient_async.errors import ConfigurationError
from gradient_async.models._base import to_jsonable

_HEADER_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_OUR_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding"})


def build_post(path: str, body: dict[str, Any], *, stream: bool = False, timeouts: Timeouts) -> Request:
    """Build the POST of *body*, a dict of JSON values, and pop its ``extra_body`` and ``extra_headers``.

    ``extra_body`` goes into the body untouched, and overrides the parameters.

    Raises:
        ConfigurationError: A value has no JSON form, or a header cannot be set.
    """
    extra_body, headers = body.pop("extra_body", None), body.pop("extra_headers", None)
    if stream:
        body["stream"] = True
    if extra_body:
        extra = to_jsonable(dict(require_mapping("extra_body", extra_body)))
        for name, value in extra.items():
            require_finite(name, value)
        body |= extra
    return Request(
        method="POST",
        path=path,
        body=encode_jsonable(body),
        headers=validate_headers(require_mapping("extra_headers", headers)) if headers else NO_HEADERS,
        timeouts=timeouts,
        stream=stream,
    )


def build_json_post(path: str, body: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the POST of *body*, converting its values to their JSON form.

    Raises:
        ConfigurationError: A value has no JSON form, or a header cannot be set.
    """
    for name, value in body.items():
        require_finite(name, value)
    return build_post(path, {name: to_jsonable(value) for name, value in body.items()}, timeouts=timeouts)


def validate_headers(headers: Mapping[Any, Any]) -> Mapping[str, str]:
    """Return the caller's own *headers* unchanged.

    Raises:
        ConfigurationError: A name or value is invalid, or the session sets the header itself.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise ConfigurationError(f"extra_headers has {name!r}, which cannot be the name of a header.")
        if name.lower() in _OUR_HEADERS:
            raise ConfigurationError(f"extra_headers cannot set {name}; the session sets it for each request.")
        if not isinstance(value, str):
            raise ConfigurationError(f"extra_headers: the value of {name} must be text; got {describe_type(value)}.")
        if not value.isprintable():
            raise ConfigurationError(f"extra_headers has a control character in {name!r}.")
    return headers
