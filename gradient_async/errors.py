"""Everything this library raises on purpose.

    GradientError
    ├── ConfigurationError (ValueError)
    ├── SessionClosedError (RuntimeError)
    ├── APIConnectionError                no response arrived: refused, reset, DNS, TLS
    │   └── APITimeoutError (TimeoutError)
    ├── APIStatusError                    the service answered with an error
    │   ├── BadRequestError 400 · AuthenticationError 401 · PaymentRequiredError 402
    │   ├── PermissionDeniedError 403 · NotFoundError 404 · ConflictError 409
    │   ├── PreconditionFailedError 412 · UnprocessableEntityError 422 · RateLimitError 429
    │   └── InternalServerError 5xx
    ├── StreamBusyError (RuntimeError)
    ├── ToolRoundsError                   the model did not stop asking for tools
    ├── ProtocolError                     the service broke its contract
    │   ├── ResponseDecodeError
    │   └── StreamTruncatedError
    ├── InvocationFailedError
    └── BatchError
        ├── BatchValidationError · BatchFailedError
        └── BatchNotReadyError · UploadError

Contract: every error pickles, and holds no request, no key and no exception of the HTTP library; the only prompts are
those in ``messages`` of a broken-off ``run_tools``. ``str()`` says what happened and what to do. A field that does not
apply is None.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal

if TYPE_CHECKING:
    from gradient_async.models import ChatCompletion, Message, RateLimitInfo
    from gradient_async.models.batch import Batch
    from gradient_async.models.invocation import AsyncInvocation
    from gradient_async.models.messages import MessageReply
    from gradient_async.models.responses import ResponseReply
    from gradient_async.params import MessageParam

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "BadRequestError",
    "BatchError",
    "BatchFailedError",
    "BatchNotReadyError",
    "BatchValidationError",
    "ConfigurationError",
    "ConflictError",
    "GradientError",
    "InternalServerError",
    "InvocationFailedError",
    "NotFoundError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "ProtocolError",
    "RateLimitError",
    "ResponseDecodeError",
    "SessionClosedError",
    "StreamBusyError",
    "StreamTruncatedError",
    "TimeoutPhase",
    "ToolRoundsError",
    "UnprocessableEntityError",
    "UploadError",
    "status_error_class",
]

TimeoutPhase = Literal["limiter", "pool", "connect", "first_byte", "idle", "total"]


def _rebuild(cls: type[GradientError], args: tuple[object, ...], state: dict[str, Any]) -> GradientError:
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class GradientError(Exception):
    """The base of everything this library raises on purpose.

    Attributes:
        message: What happened and what to do.
        request_id: The service's id of the request, to quote in a support ticket.
        attempts: How many times the request was tried, 0 if it never got that far.
        snapshot: The answer assembled before a stream failed, the completion that did not fit its class, or the last
            one of a broken-off ``run_tools``.
        messages: The conversation until a ``run_tools`` broke off, to go on from. It is not part of ``str()``.
    """

    message: str
    request_id: str | None = None
    attempts: int = 0
    snapshot: ChatCompletion | MessageReply | ResponseReply | None = None
    messages: list[MessageParam | Message] | None = None

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args, self.__dict__.copy())


class ConfigurationError(GradientError, ValueError):
    """A setting or an argument is missing or cannot work; nothing was sent."""


class SessionClosedError(GradientError, RuntimeError):
    """The session is closed, was closed while an answer was waited for, or belongs to another event loop."""


class StreamBusyError(GradientError, RuntimeError):
    """A second task tried to read a stream; the first one's reading is not disturbed."""


class ToolRoundsError(GradientError):
    """The model asked for tools in every answer that it was allowed; ``snapshot`` and ``messages`` have them."""


class APIConnectionError(GradientError):
    """No response arrived.

    Attributes:
        maybe_sent: Whether the service may have seen, processed and billed the request.
    """

    maybe_sent: bool

    def __init__(self, message: str, *, maybe_sent: bool = False) -> None:
        super().__init__(message)
        self.maybe_sent = maybe_sent


class APITimeoutError(APIConnectionError, TimeoutError):
    """A time limit ran out.

    Attributes:
        phase: What was being waited for: the limiter, a place in the pool, the connection, the first
            byte of the answer, the next byte of a stream, or the whole call.
    """

    phase: TimeoutPhase

    def __init__(self, message: str, *, phase: TimeoutPhase, maybe_sent: bool = False) -> None:
        super().__init__(message, maybe_sent=maybe_sent)
        self.phase = phase


class APIStatusError(GradientError):
    """The service answered with an error, as a status or inside a stream.

    Attributes:
        status: The HTTP status; for an error inside a stream, the status its code stands for.
        code: The service's short identifier, the body's ``id``: ``"too_many_requests"``.
        retry_after: Seconds the service asked to wait, None if it did not.
        rate_limit: What the rate-limit headers said.
    """

    default_status: ClassVar[int] = 500
    advice: ClassVar[str] = ""
    status: int
    code: str | None
    retry_after: float | None
    rate_limit: RateLimitInfo | None

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        rate_limit: RateLimitInfo | None = None,
    ) -> None:
        super().__init__(message)
        self.status = self.default_status if status is None else status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.rate_limit = rate_limit

    def __str__(self) -> str:
        facts = [str(self.status)]
        if self.code:
            facts.append(self.code)
        if self.request_id:
            facts.append(f"request {self.request_id}")
        return f"{self.message} ({', '.join(facts)}) {self.advice}".rstrip()


class BadRequestError(APIStatusError):
    """400: the request is malformed; the message names the field."""

    default_status = 400
    advice = "Correct the request; the same one will fail again."


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong, or of the wrong kind for this host."""

    default_status = 401
    advice = "Check the key: a model access key or full-access token for inference, the agent's own key for an agent."


class PaymentRequiredError(APIStatusError):
    """402: the account has no billing or no balance."""

    default_status = 402
    advice = "Add billing or balance to the account."


class PermissionDeniedError(APIStatusError):
    """403: the key may not do this, or the model is not in the account's tier."""

    default_status = 403
    advice = "Use a key that may do this, or a model of your tier."


class NotFoundError(APIStatusError):
    """404: no such model, batch or path."""

    default_status = 404
    advice = "Check the name or the id; session.models.list() gives every model."


class ConflictError(APIStatusError):
    """409: the resource is in a state that does not allow this."""

    default_status = 409
    advice = "Read its status first, then decide."


class PreconditionFailedError(APIStatusError):
    """412: something else must happen first."""

    default_status = 412


class UnprocessableEntityError(APIStatusError):
    """422: the request is well-formed but its values do not fit."""

    default_status = 422
    advice = "Correct the request; the same one will fail again."


class RateLimitError(APIStatusError):
    """429: the account's budget is spent; ``retry_after`` says for how long, if the service did."""

    default_status = 429
    advice = "Wait retry_after seconds, or send less."


class InternalServerError(APIStatusError):
    """5xx: the service failed; the same request may work later."""

    advice = "The same request may work later; it may have been processed already."


class ProtocolError(GradientError):
    """The service broke its contract: not the content type, framing or redirect it documents."""


class ResponseDecodeError(ProtocolError):
    """A response is not the JSON it should be.

    Attributes:
        path: Where, as ``$.choices[0].index``; ``$`` for the whole body.
        body: The beginning of what arrived. It is not part of ``str()``: it may hold an answer's text.
    """

    path: str
    body: str

    def __init__(self, message: str, *, path: str = "$", body: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.body = body


class StreamTruncatedError(ProtocolError):
    """A stream ended before it was complete; ``snapshot`` holds what arrived."""


class InvocationFailedError(GradientError):
    """An asynchronous invocation ended without its result.

    Attributes:
        invocation: The invocation as the service last described it.
    """

    invocation: AsyncInvocation | None

    def __init__(self, message: str, *, invocation: AsyncInvocation | None = None) -> None:
        super().__init__(message)
        self.invocation = invocation


class BatchError(GradientError):
    """A batch job could not do what was asked."""


class BatchValidationError(BatchError):
    """The input of a batch has faults; nothing was uploaded.

    Attributes:
        faults: The first faults, each as ``Line 42: missing required field 'custom_id'.``
        total: How many there are in all.
    """

    faults: tuple[str, ...]
    total: int

    def __init__(self, message: str, *, faults: Sequence[str] = (), total: int | None = None) -> None:
        super().__init__(message)
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total


class BatchFailedError(BatchError):
    """A batch ended as failed, expired or cancelled.

    Attributes:
        batch: The job as the service last described it.
    """

    batch: Batch | None

    def __init__(self, message: str, *, batch: Batch | None = None) -> None:
        super().__init__(message)
        self.batch = batch


class BatchNotReadyError(BatchError):
    """The results of a batch are not available yet; wait for a terminal status and ask again."""


class UploadError(BatchError):
    """The storage host refused an upload or a download.

    Attributes:
        status: The HTTP status of the storage host.
        code: The storage host's error code: ``"SignatureDoesNotMatch"``.
        retry_after: Seconds the host asked to wait, None if it did not.
    """

    status: int | None
    code: str | None
    retry_after: float | None = None

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


_BY_STATUS: dict[int, type[APIStatusError]] = {
    cls.default_status: cls
    for cls in (
        BadRequestError,
        AuthenticationError,
        PaymentRequiredError,
        PermissionDeniedError,
        NotFoundError,
        ConflictError,
        PreconditionFailedError,
        UnprocessableEntityError,
        RateLimitError,
    )
}


def status_error_class(status: int) -> type[APIStatusError]:
    """Return the class for an HTTP *status*; a 4xx without one of its own is an `APIStatusError`."""
    if status >= 500:
        return InternalServerError
    return _BY_STATUS.get(status, APIStatusError)
