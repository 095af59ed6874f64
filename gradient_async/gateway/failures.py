"""Error responses of the gateway, in a form that the SDKs of OpenAI and Anthropic both read.

Contract: pure. An error response of the service passes with its status and body. `error.maybe_sent` reaches the SDKs as
``x-should-retry: false``: both would otherwise send again what may have been processed, and billed.
"""

from __future__ import annotations

import json
import math

import attrs

from gradient_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConfigurationError,
    GradientError,
    ProtocolError,
    SessionClosedError,
)
from gradient_async.gateway.forwarded_request import Refusal
from gradient_async.gateway.headers import list_response_headers

TOO_MANY_REQUESTS = 429
_RETRY_AFTER = "Retry-After"
_NO_RETRY = ("x-should-retry", "false")
_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
}
_DEFAULT_TYPE = "api_error"
_STATUSES: tuple[tuple[type[GradientError], int], ...] = (
    (ConfigurationError, 400),
    (SessionClosedError, 503),
    (APITimeoutError, 504),
    (APIConnectionError, 502),
    (ProtocolError, 502),
)
_BAD_GATEWAY = 502


@attrs.frozen(repr=False)
class Failure:
    """An error response to a caller."""

    status: int
    body: bytes
    headers: list[tuple[str, str]] = attrs.field(factory=list)


def build_failure(status: int, message: str, headers: list[tuple[str, str]] | None = None) -> Failure:
    """Build an error response of the gateway itself."""
    error = {"type": _TYPES.get(status, _DEFAULT_TYPE), "message": message, "code": None, "param": None}
    body = json.dumps({"type": "error", "error": error}, ensure_ascii=False).encode(errors="replace")
    return Failure(status, body, [("Content-Type", "application/json"), *(headers or [])])


def translate_failure(error: GradientError, refusal: Refusal | None, wait: float) -> Failure:
    """Return the response for a call that failed.

    Args:
        error: How it failed.
        refusal: The service's error response, if *error* stands for one.
        wait: Seconds until the limiter could send another request to that model.
    """
    retry = [_NO_RETRY] if error.maybe_sent else []
    if refusal is not None and isinstance(error, APIStatusError):
        return _pass_refusal(error, refusal, wait, retry)
    if isinstance(error, APITimeoutError) and error.phase == "limiter":
        return build_failure(TOO_MANY_REQUESTS, str(error), [(_RETRY_AFTER, _format_wait(wait))])
    status = next((status for kind, status in _STATUSES if isinstance(error, kind)), _BAD_GATEWAY)
    return build_failure(status, str(error), retry)


def _pass_refusal(error: APIStatusError, refusal: Refusal, wait: float, retry: list[tuple[str, str]]) -> Failure:
    """Return the service's own response; after a 429 with the time when the gateway can serve the next request."""
    own = dict(retry)
    if error.status == TOO_MANY_REQUESTS:
        own[_RETRY_AFTER] = _format_wait(max(wait, error.retry_after or 0.0))
    replaced = {name.lower() for name in own}
    passed = [pair for pair in list_response_headers(refusal.raw_headers) if pair[0].lower() not in replaced]
    return Failure(refusal.status, refusal.body, [*passed, *own.items()])


def _format_wait(seconds: float) -> str:
    return str(max(1, math.ceil(seconds)))
