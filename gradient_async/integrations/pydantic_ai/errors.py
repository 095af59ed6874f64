"""Our errors as Pydantic AI's, by which its fallbacks and retries decide.

Contract: what the service refused is a `ModelHTTPError` of its category; what never arrived, or broke off, is a
`ModelConnectionError`, a `ModelTimeoutError` where a time limit ran out; an answer that is none is a `ModelAPIError`.
The ``__cause__`` is ours, with ``snapshot`` and ``request_id``. None of them holds a key or a prompt. What the program
did wrong (`ConfigurationError`, `SessionClosedError`) stays as it is: no other model would help.

Source: ``pydantic_ai.exceptions``.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pydantic_ai.exceptions import (
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelServerError,
    ModelTimeoutError,
    ModelUnavailableError,
    TransportPhase,
)

from gradient_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ProtocolError,
    StreamTruncatedError,
)

_CATEGORIES: dict[int, Any] = {  # Any: the framework has no public name for what for_category takes
    400: ModelRequestRejectedError,
    401: ModelAuthenticationError,
    402: ModelQuotaExceededError,
    403: ModelAuthenticationError,
    404: ModelNotFoundError,
    422: ModelRequestRejectedError,
    429: ModelRateLimitError,
    503: ModelUnavailableError,
}


@contextmanager
def translated(model: str, *, in_stream: bool = False) -> Iterator[None]:
    """Raise what goes wrong inside as Pydantic AI's errors, from ours."""
    try:
        yield
    except APIStatusError as error:
        raise _refusal(model, error, in_stream=in_stream) from error
    except (APIConnectionError, StreamTruncatedError) as error:
        kind = ModelTimeoutError if isinstance(error, APITimeoutError) else ModelConnectionError
        raise kind(model, str(error), phase=_phase(error), in_stream=in_stream) from error
    except ProtocolError as error:
        raise ModelAPIError(model, str(error), in_stream=in_stream) from error


def _refusal(model: str, error: APIStatusError, *, in_stream: bool) -> ModelHTTPError:
    category = _CATEGORIES.get(error.status, ModelServerError if error.status >= 500 else None)
    return ModelHTTPError.for_category(
        category,
        status_code=error.status,
        model_name=model,
        body={"id": error.code, "message": error.message, "request_id": error.request_id},
        provider_error_code=error.code,
        retry_after=error.retry_after,
        in_stream=in_stream,
    )


def _phase(error: APIConnectionError | StreamTruncatedError) -> TransportPhase:
    """Return where it went wrong; before ``read``, nothing was processed."""
    if isinstance(error, APITimeoutError) and error.phase in {"limiter", "pool"}:
        return "pool"
    return "connect" if isinstance(error, APIConnectionError) and not error.maybe_sent else "read"
