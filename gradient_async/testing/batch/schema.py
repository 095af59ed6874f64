"""What the bodies and queries of batch calls must look like.

Contract: pure. Bodies that are no JSON are a 400, bodies with wrong fields a 422, wrong queries a 400.
Source: the request bodies of the Batch Inference reference; which of its errors means what is read from its
examples ("error parsing request body", "request payload validation failed").
"""

from __future__ import annotations

from typing import Any

from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, error_answer

_FILE = Rule(kind="object", fields={"file_name": Rule(kind="string", required=True, low=7, pattern=r"(?is).*\.jsonl")})
_ENDPOINTS = {
    "openai": ("/v1/chat/completions", "/v1/embeddings"),
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


def check_file(request: RecordedRequest) -> Answer | None:
    """Answer a malformed file intent; None if it is well-formed."""
    return _problem(request, fault(request.json, _FILE))


def check_create(request: RecordedRequest, *, anthropic_endpoint: str) -> Answer | None:
    """Answer a malformed job; None if it is well-formed.

    Args:
        request: The call.
        anthropic_endpoint: ``"required"`` or ``"forbidden"``: what ``endpoint`` is for that provider.
    """
    problem = fault(request.json, _CREATE) or _endpoint_fault(request.json, anthropic_endpoint)
    return _problem(request, problem)


def check_list(request: RecordedRequest) -> Answer | None:
    """Answer a limit that is none; None if it is one."""
    limit = request.query.get("limit", "20")
    if limit.isascii() and limit.isdecimal() and 1 <= int(limit) <= 100:
        return None
    message = f"limit must be between 1 and 100, got {limit!r}."
    return error_answer(400, request_id=request.request_id, message=message)


def _endpoint_fault(body: Any, anthropic_endpoint: str) -> str | None:
    provider = body["provider"]
    if provider == "anthropic" and anthropic_endpoint == "forbidden":
        return "endpoint must be omitted when provider is anthropic." if "endpoint" in body else None
    rule = Rule(kind="string", required=True, choices=_ENDPOINTS[provider])
    return fault(body, Rule(kind="object", fields={"endpoint": rule}))


def _problem(request: RecordedRequest, problem: str | None) -> Answer | None:
    if problem is None:
        return None
    if request.json is None:
        return error_answer(400, request_id=request.request_id, message="error parsing request body")
    message = f"request payload validation failed: {problem}"
    return error_answer(422, request_id=request.request_id, message=message)
