"""Error bodies: from any JSON or text that stands for an error to an `APIStatusError` of the right class.

Contract: pure; any input yields an error with a bounded message, and never another exception. The shapes are
    the service's own ``{"id", "message", "request_id"}``, as a body or as an event of a stream;
    ``{"error": {"message", "type", "code"}}`` of OpenAI-like upstreams, and Anthropic's without ``code``;
    ``{"detail": ...}`` of agents, which is FastAPI's;
    a list around any of them, as Google sends;
    HTML, plain text or nothing from load balancers.

Source: section "HTTP Statuses" of the inference overview.
"""

from __future__ import annotations

import re
from collections import ChainMap
from collections.abc import Mapping
from typing import Any, NamedTuple

from gradient_async._protocol.codec.json_text import bound_json, decode_json, shorten_text
from gradient_async._protocol.http.error_status import find_error_status, is_error_name
from gradient_async._protocol.http.rate_limit_headers import get_request_id, parse_rate_limits
from gradient_async._protocol.rate_limit.quota_triplets import describe_refusal, find_soonest_reset
from gradient_async.errors import (
    APIStatusError,
    ProtocolError,
    RateLimitError,
    ResponseDecodeError,
    may_be_processed,
    status_error_class,
)
from gradient_async.models import RateLimitInfo

_MESSAGE_CHARS = 1_000
_NAME_CHARS = 200
_EXCERPT_CHARS = 200
_EXCERPT_BYTES = 200
_HTML_BYTES = 10_000
_BODY_CHARS = 8_000
_DETAIL_CHARS = 2_000
_MAX_DETAILS = 50
_NO_DETAILS = ("message", "error", "errors", "choices")
_MAX_NESTED = 4
_CHUNK_FIELDS = frozenset({"choices", "object"})
"""Fields beside which ``id`` names the completion, not the error."""
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
    if isinstance(error, RateLimitError):
        error.quota = describe_refusal(limits, now if limits.date is None else limits.date)
    return error


def parse_error_event(data: bytes) -> APIStatusError:
    """Build the error for the *data* of a server-sent event named ``error``."""
    try:
        value = decode_json(data)
    except ResponseDecodeError:
        value = {"message": data.decode(errors="replace").strip()}
    return parse_error_object(value)


def parse_error_object(value: Any) -> APIStatusError:
    """Build the error for an error object of any shape; `error_status` finds its status."""
    fields = _parse_fields(value)
    status = find_error_status(*_error_objects(value))
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
    """Return the fields of an error object of any shape beside its message; long or deeply nested ones are cut."""
    fields = dict(ChainMap(*_error_objects(value)))
    names = [name for name in fields if name not in _NO_DETAILS and fields[name] is not None][:_MAX_DETAILS]
    return {name: bound_json(fields[name], _DETAIL_CHARS) for name in names}


def require_json(body: bytes, content_type: str) -> None:
    """Check that a response that is not an event stream is at least JSON, by its type or its beginning.

    Raises:
        ProtocolError: It is not; the message quotes the beginning of *body*.
    """
    if "json" not in content_type and body.lstrip()[:1] not in (b"{", b"["):
        text = " ".join(body[:_EXCERPT_BYTES].decode(errors="replace").split())
        raise ProtocolError(f"The service sent {content_type} instead of an event stream: {text!r}.")


def _error_objects(value: Any) -> list[dict[str, Any]]:
    """Return the objects of an error, the innermost first: that in its field ``error``, and the one around it."""
    objects: list[dict[str, Any]] = []
    if isinstance(value, list):
        value = next((item for item in value if isinstance(item, dict)), None)
    while isinstance(value, dict) and len(objects) < _MAX_NESTED:
        objects.insert(0, value)
        errors = value.get("errors")
        value = value.get("error") or (errors[0] if isinstance(errors, list) and errors else None)
    return objects


def _parse_fields(value: Any) -> _ErrorFields:
    """Return the fields of an error object of any shape."""
    objects = _error_objects(value)
    if not objects:
        return _ErrorFields()
    inner, outer = objects[0], objects[-1]
    own_id = outer.get("id") if inner is outer and _CHUNK_FIELDS.isdisjoint(outer) else None
    status = (
        inner.get("status") if is_error_name(inner.get("status")) else None
    )  # that of a response may be "completed"
    codes = map(_nonempty_text, (inner.get("code"), inner.get("type"), status, own_id))
    code = next((text for text in codes if text and text != "error"), None)
    messages = [inner.get("message"), inner.get("error"), outer.get("message")]
    message = next((text for text in map(_nonempty_text, messages) if text), None)
    message = message or _format_detail(inner.get("detail")) or _format_detail(inner.get("errors"))
    request_id = _nonempty_text(outer.get("request_id"))
    return _ErrorFields(
        code and shorten_text(code, _NAME_CHARS),
        message and shorten_text(message, _MESSAGE_CHARS),
        request_id and shorten_text(request_id, _NAME_CHARS),
    )


def _nonempty_text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _format_detail(value: Any) -> str | None:
    """Return FastAPI's ``detail`` as text: a string, or a list of faults with the path of each."""
    if not isinstance(value, list):
        return _nonempty_text(value)
    return "; ".join(map(_format_fault, value)) or None


def _format_fault(item: Any) -> str:
    if not isinstance(item, dict):
        return item if isinstance(item, str) else "not accepted"
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
    return find_soonest_reset(limits, now if limits.date is None else limits.date)


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
