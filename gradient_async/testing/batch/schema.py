"""The schemas of the bodies and queries of batch calls.

Contract: pure. A body that is not JSON gives a 400, an invalid field a 422, an invalid query a 400.
Source: the request bodies of the Batch Inference reference; the statuses follow from its example messages ("error
parsing request body", "request payload validation failed").
"""

from __future__ import annotations

from typing import Any

from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Response, error_response

_FILE = Rule(kind="object", fields={"file_name": Rule(kind="string", required=True, low=7, pattern=r"(?is).*\.jsonl")})
_ENDPOINTS = {
    "openai": ("/v1/chat/completions", "/v1/responses", "/v1/embeddings"),
    "anthropic": ("/v1/messages",),
}
_CREATE = Rule(
    kind="object",
    fields={
        "file_id": Rule(kind="string", required=True, low=1),
        "provider": Rule(kind="string", required=True, choices=tuple(_ENDPOINTS)),
        "completion_window": Rule(kind="string", choices=("24h",)),
        "request_id": Rule(kind="string", required=True, low=1),
        "metadata": Rule(kind="object", nullable=True, members=Rule(kind="string")),
    },
)


def check_file_request(request: RecordedRequest) -> Response | None:
    """Build the error response to a malformed file intent; None for a well-formed one."""
    return _reject_body(request, find_problem(request.json, _FILE))


def check_job_request(request: RecordedRequest, *, anthropic_endpoint: str) -> Response | None:
    """Build the error response to a malformed job; None for a well-formed one.

    Args:
        request: The call.
        anthropic_endpoint: Whether ``endpoint`` is ``"required"`` or ``"forbidden"`` for Anthropic.
    """
    problem = find_problem(request.json, _CREATE) or _check_endpoint(request.json, anthropic_endpoint)
    return _reject_body(request, problem)


def check_list_query(request: RecordedRequest) -> Response | None:
    """Build the error response to an invalid ``limit``; None for a valid one."""
    limit = request.query.get("limit", "20")
    if limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= 100:
        return None
    message = f"limit must be between 1 and 100, got {limit!r}."
    return error_response(400, request_id=request.request_id, message=message)


def _check_endpoint(body: Any, anthropic_endpoint: str) -> str | None:
    provider = body["provider"]
    if provider == "anthropic" and anthropic_endpoint == "forbidden":
        return "endpoint must be omitted when provider is anthropic." if "endpoint" in body else None
    rule = Rule(kind="string", required=True, choices=_ENDPOINTS[provider])
    return find_problem(body, Rule(kind="object", fields={"endpoint": rule}))


def _reject_body(request: RecordedRequest, problem: str | None) -> Response | None:
    if problem is None:
        return None
    if request.json is None:
        return error_response(400, request_id=request.request_id, message="error parsing request body")
    message = f"request payload validation failed: {problem}"
    return error_response(422, request_id=request.request_id, message=message)
