"""The errors that all endpoints share: a malformed body, an unknown model.

Contract: pure.
Source: the errors of the Inference API reference.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Response, error_response


def check_stream_options(body: Mapping[str, Any]) -> str | None:
    """Return the problem of ``stream_options`` in the request for a whole response; None without one."""
    if body.get("stream_options") is not None and not body.get("stream"):
        return "stream_options is only allowed when stream is true."
    return None


def reject_malformed(request: RecordedRequest, problem: str | None) -> Response | None:
    """Build the 400 of a request with a *problem* in its body; None without one."""
    if problem is None:
        return None
    if request.json is None:
        problem = "The body is not valid JSON."
    return error_response(400, request_id=request.request_id, message=problem)


def reject_request(request: RecordedRequest, problem: str | None, known: Sequence[str] | None) -> Response | None:
    """Build the 400 of a malformed request, or the 404 of one for a model that is not in *known*; None for others.

    Args:
        request: The request.
        problem: The problem of its body; None for a well-formed one.
        known: The slugs of the existing models; None if every model exists.
    """
    if problem is not None:
        return reject_malformed(request, problem)
    if known is None or request.json["model"] in known:
        return None
    message = f"The model {request.json['model']!r} does not exist."
    return error_response(404, request_id=request.request_id, message=message)
