"""The asyncio-native client for DigitalOcean Gradient AI inference.

The house, from the top; imports point downwards only:

    cli   testing            the command line; the emulator of the service
    session                  AsyncSession: configuration, lifecycle, wiring
    resources   limits       one class for each noun of the API; shared limiters
    _io                      the only code that touches network, disk or clock
    _protocol                sans-IO decisions: bytes, models, retries, limits
    params   models          what callers send; what the service returns
    errors                   everything raised on purpose
"""

from gradient_async._io.disconnect import run_until_disconnected
from gradient_async._io.limiter import Limiter, RateLimiter
from gradient_async._io.pipeline import AttemptDetails
from gradient_async._io.stream import ChatStream
from gradient_async._protocol.accumulate import ChatAccumulator
from gradient_async._protocol.limits import RateLimits
from gradient_async._protocol.ratelimit import RollingTokenBucket
from gradient_async._protocol.retry import RetryPolicy
from gradient_async._protocol.sse import ServerSentEvent, SSEParser
from gradient_async._protocol.timeouts import Timeouts
from gradient_async.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    BatchError,
    BatchFailedError,
    BatchNotReadyError,
    BatchValidationError,
    ConfigurationError,
    ConflictError,
    GradientError,
    InternalServerError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    PreconditionFailedError,
    ProtocolError,
    RateLimitError,
    ResponseDecodeError,
    SessionClosedError,
    StreamBusyError,
    StreamTruncatedError,
    UnprocessableEntityError,
    UploadError,
)
from gradient_async.models import (
    ChatCompletion,
    ChatCompletionChunk,
    Choice,
    Message,
    ModelInfo,
    ModelList,
    RateLimitInfo,
    ResponseMeta,
    Timings,
    ToolCall,
    Usage,
)
from gradient_async.session import AsyncSession

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncSession",
    "AttemptDetails",
    "AuthenticationError",
    "BadRequestError",
    "BatchError",
    "BatchFailedError",
    "BatchNotReadyError",
    "BatchValidationError",
    "ChatAccumulator",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatStream",
    "Choice",
    "ConfigurationError",
    "ConflictError",
    "GradientError",
    "InternalServerError",
    "Limiter",
    "Message",
    "ModelInfo",
    "ModelList",
    "NotFoundError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "ProtocolError",
    "RateLimitError",
    "RateLimitInfo",
    "RateLimiter",
    "RateLimits",
    "ResponseDecodeError",
    "ResponseMeta",
    "RetryPolicy",
    "RollingTokenBucket",
    "SSEParser",
    "ServerSentEvent",
    "SessionClosedError",
    "StreamBusyError",
    "StreamTruncatedError",
    "Timeouts",
    "Timings",
    "ToolCall",
    "UnprocessableEntityError",
    "UploadError",
    "Usage",
    "__version__",
    "run_until_disconnected",
]
