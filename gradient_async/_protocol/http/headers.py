"""Checks of the headers that callers set: those of a session, of one request, of the command line.

Contract: pure. Every refusal is a `ConfigurationError` that shows the name of a header, never its value.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradient_async.errors import ConfigurationError, quote_argument

OUR_HEADERS = frozenset({"authorization", "host", "content-length", "transfer-encoding", "proxy-authorization"})
"""Names that nobody but the session sets."""
BODY_HEADERS = frozenset({"content-type", "content-encoding"})
"""Names that state the form of one body, so that they cannot hold for every request."""
_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")


def validate_headers(headers: Mapping[Any, Any], *, subject: str = "extra_headers") -> Mapping[str, str]:
    """Return the caller's own *headers* unchanged; *subject* names them in errors.

    Raises:
        ConfigurationError: A name or value is invalid, or the session sets the header itself.
    """
    for name, value in headers.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ConfigurationError(f"{subject} has {quote_argument(name)}, which cannot be the name of a header.")
        if name.lower() in OUR_HEADERS:
            raise ConfigurationError(f"{subject} cannot set {name}; the session sets it for each request.")
        if not isinstance(value, str):
            raise ConfigurationError(f"{subject}: the value of {name} must be text; got {type(value).__name__}.")
        if not value.isprintable():
            raise ConfigurationError(f"{subject} has a control character in {quote_argument(name)}.")
    return headers


def merge_headers(base: tuple[tuple[str, str], ...], added: Mapping[Any, Any] | None) -> tuple[tuple[str, str], ...]:
    """Return the headers of a session: *base*, and *added*, which replace those of the same name in any case.

    Raises:
        ConfigurationError: One of *added* is invalid, or can only be that of one request.
    """
    if not added:
        return base
    if not isinstance(added, Mapping):
        raise ConfigurationError(f"headers must be a dict of names and values; got {type(added).__name__}.")
    new = validate_headers(added, subject="headers")
    if body := next((name for name in new if name.lower() in BODY_HEADERS), None):
        raise ConfigurationError(f"headers cannot set {body}, which belongs to the body of one request.")
    by_name = {name.lower(): (name, value) for name, value in (*base, *new.items())}
    return tuple(by_name.values())
