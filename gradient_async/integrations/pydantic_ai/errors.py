"""Conversion of errors to Pydantic AI's, whose fallbacks and retries depend on them.

Contract: an error response becomes a `ModelHTTPError` of its category; a response that never came or broke off becomes
a `ModelConnectionError`, or a `ModelTimeoutError` if a time limit ran out; an invalid response becomes a
`ModelAPIError`. The ``__cause__`` is the original error, with ``snapshot`` and ``request_id``. No error contains a key
or a prompt. Errors of the program (`ConfigurationError`, `SessionClosedError`) pass unchanged: another model would fail
too.

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

_CATEGORIES: dict[int, Any] = {  # Any: the type of for_category's argument is not public
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
def translate_errors(model: str, *, in_stream: bool = False) -> Iterator[None]:
    """Convert errors raised inside the block to Pydantic AI's."""
    try:
        yield
    except APIStatusError as error:
        raise _http_error(model, error, in_stream=in_stream) from error
    except (APIConnectionError, StreamTruncatedError) as error:
        error_class = ModelTimeoutError if isinstance(error, APITimeoutError) else ModelConnectionError
        raise error_class(model, str(error), phase=_transport_phase(error), in_stream=in_stream) from error
    except ProtocolError as error:
        raise ModelAPIError(model, str(error), in_stream=in_stream) from error


def _http_error(model: str, error: APIStatusError, *, in_stream: bool) -> ModelHTTPError:
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


def _transport_phase(error: APIConnectionError | StreamTruncatedError) -> TransportPhase:
    """Return the phase that failed; before ``read``, the service processed nothing."""
    if isinstance(error, APITimeoutError) and error.phase in {"limiter", "pool"}:
        return "pool"
    return "connect" if isinstance(error, APIConnectionError) and not error.maybe_sent else "read"
