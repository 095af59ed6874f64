"""The exceptions of this library: one tree.

    GradientError
    ├── ConfigurationError (ValueError)
    ├── SessionClosedError (RuntimeError)
    ├── APIConnectionError                no response: refused, reset, DNS, TLS
    │   └── APITimeoutError (TimeoutError)
    ├── APIStatusError                    the service responded with an error
    │   ├── BadRequestError 400 · AuthenticationError 401 · PaymentRequiredError 402
    │   ├── PermissionDeniedError 403 · NotFoundError 404 · ConflictError 409
    │   ├── PreconditionFailedError 412 · UnprocessableEntityError 422 · RateLimitError 429
    │   └── InternalServerError 5xx
    ├── StreamBusyError (RuntimeError)
    ├── ToolRoundsError                   the model did not stop calling tools
    ├── ProtocolError                     the service broke its contract
    │   ├── ResponseDecodeError
    │   └── StreamTruncatedError
    ├── InvocationFailedError · VideoFailedError
    ├── CheckpointError                   the checkpoint of a map could not be written
    └── BatchError
        ├── BatchValidationError · BatchFailedError
        └── BatchNotReadyError · UploadError

Contract: every error pickles, and holds no request, no key and no exception of the HTTP library. It holds prompts only
in ``messages`` of an interrupted ``run_tools``, and in ``body`` and ``details`` if the service quotes them. ``str()``
says what happened and what to do, on one bounded line: texts of the service are shortened and their control characters
escaped, so that they can neither forge a line of a log nor drive a terminal. An attribute that does not apply is None.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeGuard

if TYPE_CHECKING:
    from gradient_async.models import RateLimitInfo
    from gradient_async.models.batch import Batch
    from gradient_async.models.invocation import AsyncInvocation
    from gradient_async.models.video import Video

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
    "CheckpointError",
    "ConfigurationError",
    "ConflictError",
    "GradientError",
    "InternalServerError",
    "InterruptedCall",
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
    "VideoFailedError",
    "status_error_class",
]

TimeoutPhase = Literal["limiter", "pool", "connect", "first_byte", "idle", "total"]

_MAX_TEXT_CHARS = 4_000
_MAX_NAME_CHARS = 100


def escape_text(text: str, chars: int) -> str:
    """Return *text* cut to *chars* characters, with its control characters escaped as in a Python literal."""
    if len(text) > chars:
        text = f"{text[:chars]}..."
    return text if text.isprintable() else "".join(map(_escape_character, text))


def quote_argument(value: object, chars: int = 80) -> str:
    """Return ``repr(value)`` if it is short, else its type and length: it may be a prompt in the wrong place."""
    if isinstance(value, str) and len(value) > chars:
        return f"a text of {len(value)} characters"
    try:
        text = repr(value)
    except ValueError:  # an integer with more digits than Python prints
        return f"a {type(value).__name__} with very many digits"
    return text if len(text) <= chars else f"a long {type(value).__name__}"


def is_count(value: object, *, least: int = 1) -> bool:
    """Whether an argument is a whole number of at least *least*; a bool is not a number."""
    return hasattr(value, "__index__") and not isinstance(value, bool) and int(value) >= least


def is_number(value: object) -> TypeGuard[float]:
    """Whether an argument is a number; a bool is not one."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _escape_character(character: str) -> str:
    import unicodedata  # the help of the command line needs none

    is_shown = character.isprintable() or unicodedata.category(character) == "Zs"
    return character if is_shown else character.encode("unicode_escape").decode()


def _rebuild_error(cls: type[GradientError], args: tuple[object, ...], state: dict[str, Any]) -> GradientError:
    """Unpickle an error. The usual way calls ``cls(*args)``, which lacks the keyword arguments."""
    error = cls.__new__(cls, *args)
    error.args = args
    error.__dict__.update(state)
    return error


class GradientError(Exception):
    """The base of all errors of this library. Catch it to handle every failure of a call in one place.

    Attributes:
        message: What happened and what to do.
        request_id: The service's id of the request, to quote in a support ticket; None without a response.
        attempts: Number of attempts that the call made; 0 if nothing was sent.
        maybe_sent: Whether the service may have processed the request, and billed it, in any of the attempts. If not,
            sending it again costs nothing twice.
    """

    message: str
    request_id: str | None = None
    attempts: int = 0
    maybe_sent: bool = False

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

    def __str__(self) -> str:
        return escape_text(self.message, _MAX_TEXT_CHARS)

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild_error, (type(self), self.args, self.__dict__.copy())


class InterruptedCall:
    """Mixin of the errors that can end a call after a part of its result has arrived.

    Attributes:
        snapshot: The partial result: of a stream, what arrived before it failed; of a whole response, what it holds
            beside its error; of ``parse``, the completion that does not fit the class; of ``run_tools``, the last
            completion. Of the class that the call returns; None if nothing arrived.
        messages: The conversation until ``run_tools`` was interrupted: pass it to the next ``run_tools`` to continue,
            to that of responses as ``input``. None for other calls. It is not part of ``str()``.
    """

    snapshot: Any = None  # Any, because no type checker knows which call an error is of
    messages: Any = None


class ConfigurationError(GradientError, ValueError):
    """A setting or an argument is missing or invalid; nothing was sent. Correct it: the message names it."""


class SessionClosedError(GradientError, InterruptedCall, RuntimeError):
    """The session is closed, was closed while a response was awaited, or belongs to another event loop.

    Open a new `AsyncSession`, one for each event loop.
    """


class StreamBusyError(GradientError, RuntimeError):
    """A second task tried to read a stream, which does not disturb the first. Give each task a branch: ``tee()``."""


class ToolRoundsError(GradientError, InterruptedCall):
    """The model called tools in each of the ``max_rounds`` rounds of ``run_tools``.

    Allow more rounds, or continue from ``messages``. ``snapshot`` is the last completion; its tool calls were not run.
    """

    maybe_sent = True


class CheckpointError(GradientError):
    """The checkpoint of a ``map`` could not be written, because the disk is full for example.

    The results that it holds are kept. Correct the cause and run the same ``map`` again: only requests without a result
    in the checkpoint are sent.
    """

    maybe_sent = True


class APIConnectionError(GradientError, InterruptedCall):
    """No response arrived, or the connection was lost within one: refused, reset, DNS, TLS.

    Retries have been made as far as `RetryPolicy` allows. Before you send the request again, look at ``maybe_sent``.

    Attributes:
        permanent: Whether another attempt would fail in the same way, as with a certificate that is not accepted.
    """

    permanent: bool = False

    def __init__(self, message: str, *, maybe_sent: bool = False, permanent: bool = False) -> None:
        super().__init__(message)
        self.maybe_sent = maybe_sent
        self.permanent = permanent


class APITimeoutError(APIConnectionError, TimeoutError):
    """A time limit ran out. The message names the limit of `Timeouts` to raise, or another remedy.

    Attributes:
        phase: What took too long: ``"limiter"``, ``"pool"`` (waiting for a free connection), ``"connect"``,
            ``"first_byte"`` of the response, ``"idle"`` (the next byte of the body) or ``"total"`` (the whole call).
    """

    phase: TimeoutPhase

    def __init__(self, message: str, *, phase: TimeoutPhase, maybe_sent: bool = False) -> None:
        super().__init__(message, maybe_sent=maybe_sent)
        self.phase = phase


class APIStatusError(GradientError, InterruptedCall):
    """The service responded with an error, as a status or inside a stream.

    Catch a subclass to handle one status. ``str()`` ends with advice for that status.

    Attributes:
        status: HTTP status; for an error inside a response, the number that it states, else the status that its code or
            its type stands for.
        code: The service's short identifier, the ``id`` of the error body: ``"too_many_requests"``.
        retry_after: Seconds that the service asked to wait, or after a 429 until the soonest reset that the headers
            name; None if it stated neither.
        rate_limit: The rate-limit headers of the response; None for an error inside a response.
        body: The decoded error body; the beginning of its text if it is not JSON, or is large.
        details: What the error body says besides message and code, such as ``param``, ``type`` or ``metadata``.
    """

    default_status: ClassVar[int] = 500
    advice: str = ""
    status: int
    code: str | None
    retry_after: float | None
    rate_limit: RateLimitInfo | None
    body: Any
    details: dict[str, Any]

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        code: str | None = None,
        request_id: str | None = None,
        retry_after: float | None = None,
        rate_limit: RateLimitInfo | None = None,
        maybe_sent: bool | None = None,
        body: Any = None,
        details: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = self.default_status if status is None else status
        self.code = code
        self.request_id = request_id
        self.retry_after = retry_after
        self.rate_limit = rate_limit
        self.maybe_sent = may_be_processed(self.status) if maybe_sent is None else maybe_sent
        self.body = body
        self.details = dict(details or {})

    def __str__(self) -> str:
        facts = [str(self.status)]
        if self.code:
            facts.append(escape_text(self.code, _MAX_NAME_CHARS))
        if self.request_id:
            facts.append(f"request {escape_text(self.request_id, _MAX_NAME_CHARS)}")
        return f"{super().__str__()} ({', '.join(facts)}) {self._choose_advice()}".rstrip()

    def _choose_advice(self) -> str:
        return self.advice or _ADVICE_BY_STATUS.get(self.status, "")


class BadRequestError(APIStatusError):
    """400: the request is malformed. Correct the field that the message names."""

    default_status = 400
    advice = "Correct the request; the same one will fail again."


class AuthenticationError(APIStatusError):
    """401: the key is missing, wrong, or of the wrong kind for this host. Check the key."""

    default_status = 401
    advice = "Check the key: a model access key or full-access token for inference, the agent's own key for an agent."


class PaymentRequiredError(APIStatusError):
    """402: the account has no billing or no balance. Add either."""

    default_status = 402
    advice = "Add billing or balance to the account."


class PermissionDeniedError(APIStatusError):
    """403: the key lacks the permission, or the account's tier the model. Use another key or model."""

    default_status = 403
    advice = "Use a key that may do this, or a model of your tier."


class NotFoundError(APIStatusError):
    """404: the model, batch or path does not exist. Check the name or the id."""

    default_status = 404
    advice = "Check the name or the id; session.models.list() gives every model."


class ConflictError(APIStatusError):
    """409: the state of the resource does not allow this. Read its status first."""

    default_status = 409
    advice = "Read its status first, then decide."


class PreconditionFailedError(APIStatusError):
    """412: another step must come first; the message names it."""

    default_status = 412


class UnprocessableEntityError(APIStatusError):
    """422: the request is well-formed, but a value is not acceptable. Correct it."""

    default_status = 422
    advice = "Correct the request; the same one will fail again."


class RateLimitError(APIStatusError):
    """429: the budget of the account is spent. Wait ``retry_after`` seconds, or send less.

    Attributes:
        quota: The limit that is spent, with the numbers of the headers:
            ``0 of 5000 requests left for this key, reset in 41 s``; empty if they state none.
    """

    default_status = 429
    quota: str = ""

    def _choose_advice(self) -> str:
        numbers = f"The service states: {self.quota}. " if self.quota else ""
        when = "later" if self.retry_after is None else f"in {math.ceil(self.retry_after)} s"
        return f"{numbers}Try again {when}, or send less."


class InternalServerError(APIStatusError):
    """5xx: the service failed, maybe after it processed the request: see ``maybe_sent``.

    Except for 501, 505 and 511 the same request may succeed later.
    """

    def _choose_advice(self) -> str:
        if advice := super()._choose_advice():
            return advice
        return _ADVICE_MAYBE_SENT if self.maybe_sent else "It was not processed; the same request may work later."


class ProtocolError(GradientError, InterruptedCall):
    """The service broke its contract: an undocumented content type, framing or redirect. Check the address."""

    def __init__(self, message: str, *, maybe_sent: bool = True) -> None:
        super().__init__(message)
        self.maybe_sent = maybe_sent


class ResponseDecodeError(ProtocolError):
    """A response is not the documented JSON, or the content does not fit the class passed to ``parse``.

    Report it with ``request_id``, or for ``parse`` ask again.

    Attributes:
        path: Path of the bad field, as ``$.choices[0].index``; ``$`` for the whole body.
        body: The beginning of the body. It is not part of ``str()``, because it may hold generated text.
    """

    path: str
    body: str

    def __init__(self, message: str, *, path: str = "$", body: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.body = body


class StreamTruncatedError(ProtocolError):
    """A stream ended before it was complete. Use the part in ``snapshot``, or send the request again."""


class InvocationFailedError(GradientError):
    """An asynchronous invocation ended without a result. The message has the service's reason, if it gave one.

    Attributes:
        invocation: The invocation as the service last described it.
    """

    invocation: AsyncInvocation | Any  # Any, because only callers of the constructor can leave it out
    maybe_sent = True

    def __init__(self, message: str, *, invocation: AsyncInvocation | None = None) -> None:
        super().__init__(message)
        self.invocation = invocation


class VideoFailedError(GradientError):
    """A video ended without a result. The message has the service's reason, if it gave one.

    Attributes:
        video: The video as the service last described it.
    """

    video: Video | Any  # Any, for the same reason
    maybe_sent = True

    def __init__(self, message: str, *, video: Video | None = None) -> None:
        super().__init__(message)
        self.video = video


class BatchError(GradientError):
    """A step of a batch job failed; the base of the batch errors below. The message says how to continue."""


class BatchValidationError(BatchError):
    """The input of a batch has faults; nothing was uploaded. Correct the lines in ``faults``.

    Attributes:
        faults: The first faults, each as ``Line 42: missing required field 'custom_id'.``
        total: Number of all faults.
    """

    faults: tuple[str, ...]
    total: int

    def __init__(self, message: str, *, faults: Sequence[str] = (), total: int | None = None) -> None:
        super().__init__(message)
        self.faults = tuple(faults)
        self.total = len(self.faults) if total is None else total


class BatchFailedError(BatchError):
    """A batch ended as failed, expired or cancelled. Read the reason in ``batch``, and submit it again.

    Attributes:
        batch: The job as the service last described it.
    """

    batch: Batch | None
    maybe_sent = True

    def __init__(self, message: str, *, batch: Batch | None = None) -> None:
        super().__init__(message)
        self.batch = batch


class BatchNotReadyError(BatchError):
    """The results of a batch are not available yet. Wait for a terminal status, then ask again."""


class UploadError(BatchError):
    """The storage host refused an upload or a download. Retries have been made where they can help.

    Attributes:
        status: HTTP status of the storage host.
        code: Error code of the storage host: ``"SignatureDoesNotMatch"``.
        retry_after: Seconds that the host asked to wait; None if it did not.
    """

    status: int | None
    code: str | None
    retry_after: float | None = None

    def __init__(self, message: str, *, status: int | None = None, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.maybe_sent = status is not None and may_be_processed(status)


_ADVICE_MAYBE_SENT = "The same request may work later; it may have been processed already."
_ADVICE_BY_STATUS = {
    405: "Check base_url: this address does not take such requests.",
    407: "A proxy asks for credentials; give them in its address, as proxy='http://user:password@host:3128'.",
    408: _ADVICE_MAYBE_SENT,
    410: "What the request names is gone; check the name or the id.",
    413: "Send a smaller request, or raise the limit of the gateway in front of the service.",
    501: "The service cannot do this at all; use another model or endpoint.",
    505: "Something on the way does not speak HTTP/1.1.",
    511: "The network asks for a login first.",
}
_UNPROCESSED_STATUSES = frozenset({501, 505, 511})


def may_be_processed(status: int) -> bool:
    """Whether the service may have processed a request to which it, or a gateway in front of it, gave *status*.

    Behind gateways each of 408, 500, 502, 503 and 504 was seen while the service went on generating.
    """
    return status == 408 or (status >= 500 and status not in _UNPROCESSED_STATUSES)


_CLASS_BY_STATUS: dict[int, type[APIStatusError]] = {
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
    """Return the class for an HTTP *status*; for a 4xx without a class of its own, `APIStatusError`."""
    if status >= 500:
        return InternalServerError
    return _CLASS_BY_STATUS.get(status, APIStatusError)
