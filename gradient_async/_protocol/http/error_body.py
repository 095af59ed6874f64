"""What a response says besides its result: rate limits, request id, errors.

Contract: every function takes what arrived and returns a value; whatever the body of an error is, the outcome is
an `APIStatusError` of the right class with a bounded message.

The error bodies that exist: the service's own ``{"id", "message", "request_id"}``, also inside streams; the
``{"error": {...}}`` of OpenAI-like upstreams and of Anthropic's; FastAPI's ``{"detail": ...}`` from agents; HTML or
nothing from load balancers.

Source: sections "HTTP Statuses" and "Rate Limit" of the inference overview; RFC 9110 for ``Retry-After``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.codec.json_text import decode_json, shorten_text
from gradient_async._protocol.http.rate_limit_headers import get_request_id, parse_rate_limits
from gradient_async.errors import APIStatusError, ProtocolError, ResponseDecodeError, status_error_class

_MESSAGE_CHARS = 1_000
_EXCERPT_CHARS = 200
_EXCERPT_BYTES = 200
_STATUS_OF_CODE = {
    "bad_request": 400,
    "invalid_request_error": 400,
    "unauthorized": 401,
    "authentication_error": 401,
    "billing_error": 402,
    "insufficient_quota": 429,
    "forbidden": 403,
    "permission_error": 403,
    "not_found": 404,
    "not_found_error": 404,
    "conflict": 409,
    "precondition_failed": 412,
    "unprocessable_entity": 422,
    "too_many_requests": 429,
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "overloaded_error": 529,
    "server_error": 500,
}


def build_status_error(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
    """Return the error that a response with an error status stands for."""
    code, message, request_id = _read_error_body(body)
    limits = parse_rate_limits(headers, now=now)
    return status_error_class(status)(
        message or f"The service answered with status {status} and {_describe_body(body)}.",
        status=status,
        code=code,
        request_id=request_id or get_request_id(headers),
        retry_after=limits.retry_after,
        rate_limit=limits,
    )


def find_error(value: dict[str, Any]) -> APIStatusError | None:
    """Return the error that a JSON object with a success status is, None if it is none."""
    is_error = value.get("error") or ("choices" not in value and ("message" in value or "detail" in value))
    return parse_error_object(value) if is_error else None


def parse_error_event(data: bytes) -> APIStatusError:
    """Return the error that an event named ``error`` carries."""
    try:
        value = decode_json(data)
    except ResponseDecodeError:
        value = None
    return parse_error_object(value)


def require_json(body: bytes, content_type: str) -> None:
    """Check that what came instead of an event stream is JSON at least.

    Raises:
        ProtocolError: It is not.
    """
    if "json" not in content_type:
        text = " ".join(body[:_EXCERPT_BYTES].decode(errors="replace").split())
        raise ProtocolError(f"The service sent {content_type} instead of an event stream: {text!r}.")


def parse_error_object(value: Any) -> APIStatusError:
    """Return the error that *value*, an error object of any known shape, stands for."""
    code, message, request_id = _read_error_object(value)
    status = _find_status(value) or _STATUS_OF_CODE.get(code or "", 500)
    message = message or "The service reported an error inside the answer, without saying which."
    return status_error_class(status)(message, status=status, code=code, request_id=request_id)


def _find_status(value: Any) -> int | None:
    """Return the HTTP status that an error object names as its code."""
    error = value.get("error") if isinstance(value, dict) else None
    holder = error if isinstance(error, dict) else value if isinstance(value, dict) else {}
    for name in ("status_code", "status", "code"):
        number = holder.get(name)
        if type(number) is int and 400 <= number <= 599:
            return number
    return None


def _read_error_body(body: bytes) -> tuple[str | None, str | None, str | None]:
    try:
        return _read_error_object(decode_json(body))
    except ResponseDecodeError:
        return None, None, None


def _read_error_object(value: Any) -> tuple[str | None, str | None, str | None]:
    """Return code, message and request id of an error object, whichever of the known shapes it has."""
    if not isinstance(value, dict):
        return None, None, None
    error = value.get("error")
    inner = error if isinstance(error, dict) else value
    code = _nonempty_text(inner.get("code")) or _nonempty_text(inner.get("type")) or _nonempty_text(value.get("id"))
    message = _nonempty_text(inner.get("message")) or _nonempty_text(error) or _format_detail(value.get("detail"))
    return code, message and shorten_text(message, _MESSAGE_CHARS), _nonempty_text(value.get("request_id"))


def _nonempty_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _format_detail(value: Any) -> str | None:
    """Return FastAPI's ``detail`` as text: a string, or a list of faults with their places."""
    if not isinstance(value, list):
        return _nonempty_text(value)
    return "; ".join(_format_fault(item) for item in value if isinstance(item, dict)) or None


def _format_fault(item: dict[str, Any]) -> str:
    place = item.get("loc")
    where = ".".join(str(part) for part in place) if isinstance(place, list) else "request"
    return f"{where}: {item.get('msg', 'not accepted')}"


def _describe_body(body: bytes) -> str:
    """Describe a body that is no error object."""
    text = " ".join(re.sub(r"<[^>]*>", " ", body[:10_000].decode(errors="replace")).split())
    return f"this text: {shorten_text(text, _EXCERPT_CHARS)!r}" if text else "no explanation"
