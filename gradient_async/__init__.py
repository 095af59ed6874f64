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

from importlib import import_module
from typing import TYPE_CHECKING, Any

from gradient_async._io.calls import AttemptDetails
from gradient_async._io.disconnect import run_until_disconnected
from gradient_async._io.limiter import Limiter, RateLimiter
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

if TYPE_CHECKING:
    from gradient_async._protocol.batch import BatchLimits
    from gradient_async._protocol.batch_input import ValidationReport
    from gradient_async._protocol.batch_poll import Poll
    from gradient_async.models.batch import Batch, BatchFault, BatchFile, BatchRequest, RequestCounts, ResultLinks
    from gradient_async.models.batch_result import BatchReport, BatchResult
    from gradient_async.models.embeddings import EmbeddingList
    from gradient_async.models.messages import MessageReply
    from gradient_async.resources.batch_download import SavedResults
    from gradient_async.resources.batch_job import BatchJob
    from gradient_async.resources.batch_options import BatchStep
    from gradient_async.resources.batch_results import ResultStream

__version__ = "0.1.0"

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncSession",
    "AttemptDetails",
    "AuthenticationError",
    "BadRequestError",
    "Batch",
    "BatchError",
    "BatchFailedError",
    "BatchFault",
    "BatchFile",
    "BatchJob",
    "BatchLimits",
    "BatchNotReadyError",
    "BatchReport",
    "BatchRequest",
    "BatchResult",
    "BatchStep",
    "BatchValidationError",
    "ChatAccumulator",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatStream",
    "Choice",
    "ConfigurationError",
    "ConflictError",
    "EmbeddingList",
    "GradientError",
    "InternalServerError",
    "Limiter",
    "Message",
    "MessageReply",
    "ModelInfo",
    "ModelList",
    "NotFoundError",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "Poll",
    "PreconditionFailedError",
    "ProtocolError",
    "RateLimitError",
    "RateLimitInfo",
    "RateLimiter",
    "RateLimits",
    "RequestCounts",
    "ResponseDecodeError",
    "ResponseMeta",
    "ResultLinks",
    "ResultStream",
    "RetryPolicy",
    "RollingTokenBucket",
    "SSEParser",
    "SavedResults",
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
    "ValidationReport",
    "__version__",
    "run_until_disconnected",
]

_LATE = {
    "Batch": "models.batch",
    "BatchFault": "models.batch",
    "BatchFile": "models.batch",
    "BatchJob": "resources.batch_job",
    "BatchLimits": "_protocol.batch",
    "BatchReport": "models.batch_result",
    "BatchRequest": "models.batch",
    "BatchResult": "models.batch_result",
    "BatchStep": "resources.batch_options",
    "EmbeddingList": "models.embeddings",
    "MessageReply": "models.messages",
    "Poll": "_protocol.batch_poll",
    "RequestCounts": "models.batch",
    "ResultLinks": "models.batch",
    "ResultStream": "resources.batch_results",
    "SavedResults": "resources.batch_download",
    "ValidationReport": "_protocol.batch_input",
}
"""The modules of names that are loaded on first use: most programs have no batches."""


def __getattr__(name: str) -> Any:
    if name not in _LATE:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LATE[name]}"), name)
