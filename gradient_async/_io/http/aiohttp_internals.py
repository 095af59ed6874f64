"""The private parts of aiohttp that the fast path calls, and whether the installed aiohttp has them unchanged.

A new aiohttp may rename or reorder them. Its requests then take the public session, about 65 us of CPU slower each;
one log record says so, and ``gradient-async doctor`` does.
"""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Mapping
from types import FunctionType

import aiohttp
from aiohttp import ClientResponse, ClientSession
from aiohttp.client_proto import ResponseHandler
from aiohttp.http import StreamWriter

_log = logging.getLogger("gradient_async")

Signatures = Mapping[tuple[type, str], tuple[str, ...]]
KNOWN_SIGNATURES: Signatures = {
    (ClientResponse, "__init__"): (
        *("self", "method", "url", "writer", "continue100", "timer", "request_info"),
        *("traces", "loop", "session", "stream_writer"),
    ),
    (ClientResponse, "start"): ("self", "connection"),
    (ResponseHandler, "set_response_params"): (
        *("self", "timer", "skip_payload", "read_until_eof", "auto_decompress", "read_timeout", "read_bufsize"),
        *("timeout_ceil_threshold", "max_line_size", "max_field_size", "max_headers"),
    ),
    (aiohttp.BaseConnector, "connect"): ("self", "req", "traces", "timeout"),
    (StreamWriter, "write_headers"): ("self", "status_line", "headers"),
    (StreamWriter, "send_headers"): ("self",),
}
"""Class, method and parameter names of aiohttp's internals that the fast path calls."""


def find_changed_method(signatures: Signatures = KNOWN_SIGNATURES) -> str | None:
    """Return ``Class.method`` of the first of *signatures* that the installed aiohttp lacks, None if it has all."""
    changed = (key for key, names in signatures.items() if not _has_parameters(*key, names))
    return next((f"{owner.__name__}.{name}" for owner, name in changed), None)


def find_request_method(signatures: Signatures = KNOWN_SIGNATURES) -> object:
    """Return `ClientSession._request` if it and aiohttp's *signatures* are unchanged, else None.

    Libraries that mock or trace aiohttp replace this method, maybe before this module is imported.
    """
    method = vars(ClientSession).get("_request")
    is_original = type(method) is FunctionType and method.__globals__ is vars(aiohttp.client)
    return method if is_original and find_changed_method(signatures) is None else None


def describe_fast_path(signatures: Signatures = KNOWN_SIGNATURES) -> str | None:
    """Return why requests cannot take the fast path with the installed aiohttp, None if they can."""
    if changed := find_changed_method(signatures):
        return f"aiohttp {aiohttp.__version__} is not known to this version ({changed} differs)"
    if find_request_method(signatures) is None:
        return "another library replaces aiohttp's method for requests"
    return None


@functools.cache
def report_changed_method(method: str) -> None:
    """Log once in a process that *method* of the installed aiohttp differs."""
    _log.info(
        "aiohttp %s is not known to this version of gradient_async (%s differs): each request takes its slower public "
        "path, with the same result. A newer gradient_async may know it.",
        aiohttp.__version__,
        method,
    )


def _has_parameters(owner: type, name: str, names: tuple[str, ...]) -> bool:
    """Whether *owner* has a method *name* with these parameters; False if it is compiled, so that they are unknown.

    Reads the code: `inspect.signature` takes ten times as long, at the start of each program.
    """
    method = getattr(owner, name, None)
    code = None if method is None else getattr(inspect.unwrap(method), "__code__", None)
    return code is not None and code.co_varnames[: code.co_argcount + code.co_kwonlyargcount] == names
