"""What every endpoint refuses alike: a malformed body, a model that does not exist.

Contract: pure.
Source: the errors of the Inference API reference.
"""

from __future__ import annotations

from collections.abc import Sequence

from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, error_answer


def malformed(request: RecordedRequest, fault: str | None) -> Answer | None:
    """Answer a request whose body has a *fault*; None if it has none."""
    if fault is None:
        return None
    if request.json is None:
        fault = "The body is not valid JSON."
    return error_answer(400, request_id=request.request_id, message=fault)


def unknown_model(request: RecordedRequest, known: Sequence[str] | None) -> Answer | None:
    """Answer a request for a model that is not *known*; None if it is, or if all are."""
    if known is None or request.json["model"] in known:
        return None
    message = f"The model {request.json['model']!r} does not exist."
    return error_answer(404, request_id=request.request_id, message=message)
