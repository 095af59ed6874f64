"""Error bodies: from any JSON or text that stands for an error to an `APIStatusError` of the right class.

Contract: pure; any input yields an error with a bounded message, and never another exception. The shapes are
    the service's own ``{"id", "message", "request_id"}``, as a body or as an event of a stream;
    ``{"error": {"message", "type", "code"}}`` of OpenAI-like upstreams, and Anthropic's without ``code``;
    ``{"detail": ...}`` of agents, which is FastAPI's;
    HTML, plain text or nothing from load balancers.

Source: section "HTTP Statuses" of the inference overview.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from gradient_async._protocol.codec.json_text import bound_json, decode_json, shorten_text
from gradient_async._protocol.http.rate_limit_headers import get_request_id, parse_rate_limits
from gradient_async.errors import (
    APIStatusError,
    ProtocolError,
    ResponseDecodeError,
    may_be_processed,
    status_error_class,
)
from gradient_async.models import RateLimitInfo

_MESSAGE_CHARS = 1_000
_EXCERPT_CHARS = 200
_EXCERPT_BYTES = 200
_HTML_BYTES = 10_000
_BODY_CHARS = 8_000
_DETAIL_CHARS = 2_000
_MAX_DETAILS = 50
_NO_DETAILS = ("message", "error")
_STATUS_BY_CODE = {
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
_DEFAULT_STATUS = 500
_FOREIGN_ADVICE = "Check base_url and the gateways and proxies on the way; the service itself explains its errors."


class _ErrorFields(NamedTuple):
    """The fields of an error object; None for a field that it does not have."""

    code: str | None = None
    message: str | None = None
    request_id: str | None = None


def build_status_error(status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> APIStatusError:
    """Build the error for a response with an error *status*; *now* is in epoch seconds."""
    try:
        value = decode_json(body)
    except ResponseDecodeError:
        value = body.decode(errors="replace")
    fields = _parse_fields(value)
    limits = parse_rate_limits(headers, now=now, status=status)
    error = status_error_class(status)(
        fields.message or _describe_foreign_body(status, body, value),
        status=status,
        code=fields.code,
        request_id=fields.request_id or get_request_id(headers),
        retry_after=_find_retry_after(status, limits, now),
        rate_limit=limits,
        maybe_sent=may_be_processed(status) and not (status == 503 and _is_own_error(value)),
        body=bound_json(value, _BODY_CHARS),
        details=find_details(value),
    )
    if fields.message is None and error.advice:  # which speaks of what the service refuses
        error.advice = _FOREIGN_ADVICE
    return error


def find_error(value: dict[str, Any]) -> APIStatusError | None:
    """Return the error in the JSON object of a response with a success status, None if it is not an error."""
    is_error = value.get("error") or ("choices" not in value and ("message" in value or "detail" in value))
    return parse_error_object(value) if is_error else None


def parse_error_event(data: bytes) -> APIStatusError:
    """Build the error for the *data* of a server-sent event named ``error``."""
    try:
        value = decode_json(data)
    except ResponseDecodeError:
        value = None
    return parse_error_object(value)


def parse_error_object(value: Any) -> APIStatusError:
    """Build the error for an error object of any shape; its status is stated in it or follows from its code."""
    fields = _parse_fields(value)
    status = _find_status(value) or _STATUS_BY_CODE.get(fields.code or "", _DEFAULT_STATUS)
    message = fields.message or "The service reported an error inside the response, without a message."
    return status_error_class(status)(
        message,
        status=status,
        code=fields.code,
        request_id=fields.request_id,
        maybe_sent=True,  # a response had begun
        body=bound_json(value, _BODY_CHARS),
        details=find_details(value),
    )


def find_details(value: Any) -> dict[str, Any]:
    """Return what an error object of any shape says beside its message; long or deeply nested values are shortened."""
    if not isinstance(value, dict):
        return {}
    error = value.get("error")
    fields = {**value, **error} if isinstance(error, dict) else value
    names = [name for name in fields if name not in _NO_DETAILS and fields[name] is not None][:_MAX_DETAILS]
    return {name: bound_json(fields[name], _DETAIL_CHARS) for name in names}


def require_json(body: bytes, content_type: str) -> None:
    """Check that a response that is not an event stream is at least JSON.

    Raises:
        ProtocolError: The content type is not JSON; the message quotes the beginning of *body*.
    """
    if "json" not in content_type:
        text = " ".join(body[:_EXCERPT_BYTES].decode(errors="replace").split())
        raise ProtocolError(f"The service sent {content_type} instead of an event stream: {text!r}.")


def _parse_fields(value: Any) -> _ErrorFields:
    """Return the fields of an error object of any shape."""
    if not isinstance(value, dict):
        return _ErrorFields()
    error = value.get("error")
    inner = error if isinstance(error, dict) else value
    code = _nonempty_text(inner.get("code")) or _nonempty_text(inner.get("type")) or _nonempty_text(value.get("id"))
    message = _nonempty_text(inner.get("message")) or _nonempty_text(error) or _format_detail(value.get("detail"))
    request_id = _nonempty_text(value.get("request_id"))
    return _ErrorFields(code, message and shorten_text(message, _MESSAGE_CHARS), request_id)


def _find_status(value: Any) -> int | None:
    """Return the HTTP status that an error object states as a number."""
    error = value.get("error") if isinstance(value, dict) else None
    holder = error if isinstance(error, dict) else value if isinstance(value, dict) else {}
    for name in ("status_code", "status", "code"):
        number = holder.get(name)
        if type(number) is int and 400 <= number <= 599:
            return number
    return None


def _nonempty_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _format_detail(value: Any) -> str | None:
    """Return FastAPI's ``detail`` as text: a string, or a list of faults with the path of each."""
    if not isinstance(value, list):
        return _nonempty_text(value)
    return "; ".join(_format_fault(item) for item in value if isinstance(item, dict)) or None


def _format_fault(item: dict[str, Any]) -> str:
    path = item.get("loc")
    where = ".".join(str(part) for part in path) if isinstance(path, list) else "request"
    return f"{where}: {item.get('msg', 'not accepted')}"


def _is_own_error(value: Any) -> bool:
    """Whether *value* is an error object of the service itself, which no gateway writes."""
    return isinstance(value, dict) and bool(_nonempty_text(value.get("id")) and _nonempty_text(value.get("message")))


def _find_retry_after(status: int, limits: RateLimitInfo, now: float) -> float | None:
    """Return the seconds that the service asked to wait; for a 429 without ``Retry-After``, until the soonest reset."""
    if limits.retry_after is not None or status != 429:
        return limits.retry_after
    now = now if limits.date is None else limits.date
    resets = limits.reset, limits.reset_requests, limits.reset_tokens_per_minute, limits.reset_tokens_per_day
    return min((reset - now for reset in resets if reset is not None and reset > now), default=None)


def _describe_foreign_body(status: int, body: bytes, value: Any) -> str:
    """Describe a body that is not an error object by its text without HTML tags; a text that is no JSON is a gateway's.

    Args:
        status: The HTTP status.
        body: The body.
        value: The decoded body; its text if it is not JSON.
    """
    text = " ".join(re.sub(r"<[^>]*>", " ", body[:_HTML_BYTES].decode(errors="replace")).split())
    if not text or value is None:
        return f"The service responded with status {status} and no explanation."
    excerpt = shorten_text(text, _EXCERPT_CHARS)
    if isinstance(value, str):
        return f"Something on the way to the service, such as a gateway, responded with status {status}: {excerpt!r}."
    return f"The service responded with status {status} and this text: {excerpt!r}."
