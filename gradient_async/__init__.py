"""An asyncio client for DigitalOcean Gradient AI inference.

The packages, from the top; imports point downwards only:

    cli                  command line                    batch  conversation  probe
    testing              emulator of the service         batch  endpoints  storage  http  scripting  model
    integrations         adapters of other frameworks    langchain  openai  otel  pydantic_ai
    gateway              local gateway of other programs
    session              AsyncSession: configuration, lifecycle, wiring
    resources            one class per noun of the API   chat  batch  progress_bars
    limits               shared rate limiters            redis
    _io                  network, disk and clock         map  stream  batch  sources  http  rate_limit
    _protocol            decisions as pure functions     map  sources  requests  batch  stream  schema  http  codec
                                                         rate_limit
    params   models      what callers send; what the service returns
    errors               the exception tree

A request goes through them as data: `resources` builds a `_protocol.requests` value; `_io.http.pipeline` acquires a
permit of `_io.rate_limit`, sends it, and asks `_protocol.http.retry` whether to send it again; `_protocol.http` or
`_protocol.stream` decodes the response into `models`.

Contract: importing the package loads `errors` alone; each other name loads its module on first access.
"""

from typing import TYPE_CHECKING

from gradient_async._lazy import lazy_names
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
    CheckpointError,
    ConfigurationError,
    ConflictError,
    GradientError,
    InternalServerError,
    InvocationFailedError,
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
    ToolRoundsError,
    UnprocessableEntityError,
    UploadError,
    VideoFailedError,
)

if TYPE_CHECKING:
    from gradient_async._io.disconnect import run_until_disconnected
    from gradient_async._io.http.call_details import (
        AttemptDetails,
        CallDetails,
        CallOutcome,
        ToolCallDetails,
        ToolRunDetails,
    )
    from gradient_async._io.http.hooks import CallHook, ToolHook, WaitHook
    from gradient_async._io.rate_limit.limiter import Limiter, RateLimiter
    from gradient_async._io.stream.chat_stream import ChatStream
    from gradient_async._io.stream.image_stream import ImageStream
    from gradient_async._io.stream.message_stream import MessageStream
    from gradient_async._io.stream.raw_stream import RawStream
    from gradient_async._io.stream.response_stream import ResponseStream
    from gradient_async._protocol.batch.api_requests import BatchLimits
    from gradient_async._protocol.batch.poll_schedule import Poll
    from gradient_async._protocol.batch.validation_report import ValidationReport
    from gradient_async._protocol.http.retry import RetryPolicy
    from gradient_async._protocol.http.timeouts import Timeouts
    from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
    from gradient_async._protocol.rate_limit.rate_limits import RateLimits
    from gradient_async._protocol.rate_limit.wait_details import WaitDetails, WaitOutcome
    from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
    from gradient_async._protocol.stream.sse import ServerSentEvent, SSEParser
    from gradient_async.models.agent_health import AgentHealth
    from gradient_async.models.batch import Batch, BatchFault, BatchFile, BatchRequest, RequestCounts, ResultLinks
    from gradient_async.models.batch_result import BatchReport, BatchResult, TokenTotals
    from gradient_async.models.chat import ChatCompletion, Choice, Message, ToolCall, Usage
    from gradient_async.models.chat_chunk import ChatCompletionChunk
    from gradient_async.models.embedding_result import EmbeddingResult
    from gradient_async.models.embeddings import Embedding, EmbeddingList
    from gradient_async.models.image_event import ImageEvent
    from gradient_async.models.images import GeneratedImage, ImageList
    from gradient_async.models.invocation import AsyncInvocation
    from gradient_async.models.map_progress import MapProgress
    from gradient_async.models.map_result import MapResult
    from gradient_async.models.media_file import MediaFile
    from gradient_async.models.message_event import MessageEvent
    from gradient_async.models.messages import MessageReply
    from gradient_async.models.model_info import ModelInfo, ModelList
    from gradient_async.models.parsed import ParsedCompletion
    from gradient_async.models.parsed_message import ParsedMessage
    from gradient_async.models.parsed_response import ParsedResponse
    from gradient_async.models.raw_reply import RawReply
    from gradient_async.models.rerank import Reranking, RerankResult
    from gradient_async.models.response_event import ResponseEvent
    from gradient_async.models.response_meta import RateLimitInfo, ResponseMeta, Timings
    from gradient_async.models.responses import ResponseReply
    from gradient_async.models.retrieval import RetrievedPassage, RetrievedPassages
    from gradient_async.models.systemone import SystemOneAnswer, SystemOneEvaluation
    from gradient_async.models.tool_run import ToolRun, ToolStep
    from gradient_async.models.video import Video
    from gradient_async.resources.batch.job import BatchJob
    from gradient_async.resources.batch.options import BatchStep
    from gradient_async.resources.batch.result_download import SavedResults
    from gradient_async.resources.batch.result_reader import read_results
    from gradient_async.resources.batch.result_stream import ResultStream
    from gradient_async.session import AsyncSession
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "_io.http.call_details": (
                "AttemptDetails",
                "CallDetails",
                "CallOutcome",
                "ToolCallDetails",
                "ToolRunDetails",
            ),
            "_io.http.hooks": ("CallHook", "ToolHook", "WaitHook"),
            "_io.disconnect": ("run_until_disconnected",),
            "_io.rate_limit.limiter": ("Limiter", "RateLimiter"),
            "_io.stream.message_stream": ("MessageStream",),
            "_io.stream.raw_stream": ("RawStream",),
            "_io.stream.response_stream": ("ResponseStream",),
            "_io.stream.chat_stream": ("ChatStream",),
            "_protocol.stream.chat_accumulator": ("ChatAccumulator",),
            "_protocol.batch.api_requests": ("BatchLimits",),
            "_protocol.batch.validation_report": ("ValidationReport",),
            "_protocol.batch.poll_schedule": ("Poll",),
            "_protocol.rate_limit.rate_limits": ("RateLimits",),
            "_protocol.rate_limit.bucket": ("RollingTokenBucket",),
            "_protocol.rate_limit.wait_details": ("WaitDetails", "WaitOutcome"),
            "_protocol.http.retry": ("RetryPolicy",),
            "_protocol.stream.sse": ("SSEParser", "ServerSentEvent"),
            "_protocol.http.timeouts": ("Timeouts",),
            "models.batch": ("Batch", "BatchFault", "BatchFile", "BatchRequest", "RequestCounts", "ResultLinks"),
            "models.batch_result": ("BatchReport", "BatchResult", "TokenTotals"),
            "models.chat": ("ChatCompletion", "Choice", "Message", "ToolCall", "Usage"),
            "models.chat_chunk": ("ChatCompletionChunk",),
            "models.embedding_result": ("EmbeddingResult",),
            "models.embeddings": ("Embedding", "EmbeddingList"),
            "models.images": ("GeneratedImage", "ImageList"),
            "models.invocation": ("AsyncInvocation",),
            "models.map_progress": ("MapProgress",),
            "models.map_result": ("MapResult",),
            "models.message_event": ("MessageEvent",),
            "models.messages": ("MessageReply",),
            "models.response_meta": ("RateLimitInfo", "ResponseMeta", "Timings"),
            "models.model_info": ("ModelInfo", "ModelList"),
            "models.parsed": ("ParsedCompletion",),
            "models.parsed_message": ("ParsedMessage",),
            "models.parsed_response": ("ParsedResponse",),
            "models.tool_run": ("ToolRun", "ToolStep"),
            "models.raw_reply": ("RawReply",),
            "models.response_event": ("ResponseEvent",),
            "models.responses": ("ResponseReply",),
            "resources.batch.result_download": ("SavedResults",),
            "resources.batch.job": ("BatchJob",),
            "resources.batch.options": ("BatchStep",),
            "resources.batch.result_reader": ("read_results",),
            "resources.batch.result_stream": ("ResultStream",),
            "session": ("AsyncSession",),
            "models.rerank": ("RerankResult", "Reranking"),
            "models.systemone": ("SystemOneAnswer", "SystemOneEvaluation"),
            "models.media_file": ("MediaFile",),
            "models.video": ("Video",),
            "models.image_event": ("ImageEvent",),
            "_io.stream.image_stream": ("ImageStream",),
            "models.retrieval": ("RetrievedPassage", "RetrievedPassages"),
            "models.agent_health": ("AgentHealth",),
        },
        modules=("models", "params", "session"),
    )

__version__ = "0.2.0.dev0"

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AgentHealth",
    "AsyncInvocation",
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
    "CallDetails",
    "CallHook",
    "CallOutcome",
    "ChatAccumulator",
    "ChatCompletion",
    "ChatCompletionChunk",
    "ChatStream",
    "CheckpointError",
    "Choice",
    "ConfigurationError",
    "ConflictError",
    "Embedding",
    "EmbeddingList",
    "EmbeddingResult",
    "GeneratedImage",
    "GradientError",
    "ImageEvent",
    "ImageList",
    "ImageStream",
    "InternalServerError",
    "InvocationFailedError",
    "Limiter",
    "MapProgress",
    "MapResult",
    "MediaFile",
    "Message",
    "MessageEvent",
    "MessageReply",
    "MessageStream",
    "ModelInfo",
    "ModelList",
    "NotFoundError",
    "ParsedCompletion",
    "ParsedMessage",
    "ParsedResponse",
    "PaymentRequiredError",
    "PermissionDeniedError",
    "Poll",
    "PreconditionFailedError",
    "ProtocolError",
    "RateLimitError",
    "RateLimitInfo",
    "RateLimiter",
    "RateLimits",
    "RawReply",
    "RawStream",
    "RequestCounts",
    "RerankResult",
    "Reranking",
    "ResponseDecodeError",
    "ResponseEvent",
    "ResponseMeta",
    "ResponseReply",
    "ResponseStream",
    "ResultLinks",
    "ResultStream",
    "RetrievedPassage",
    "RetrievedPassages",
    "RetryPolicy",
    "RollingTokenBucket",
    "SSEParser",
    "SavedResults",
    "ServerSentEvent",
    "SessionClosedError",
    "StreamBusyError",
    "StreamTruncatedError",
    "SystemOneAnswer",
    "SystemOneEvaluation",
    "Timeouts",
    "Timings",
    "TokenTotals",
    "ToolCall",
    "ToolCallDetails",
    "ToolHook",
    "ToolRoundsError",
    "ToolRun",
    "ToolRunDetails",
    "ToolStep",
    "UnprocessableEntityError",
    "UploadError",
    "Usage",
    "ValidationReport",
    "Video",
    "VideoFailedError",
    "WaitDetails",
    "WaitHook",
    "WaitOutcome",
    "__version__",
    "read_results",
    "run_until_disconnected",
]
