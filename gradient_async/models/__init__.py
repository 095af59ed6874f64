"""What the service returns: attrs classes with cheap properties, no I/O."""

from gradient_async.models._base import Model, plain
from gradient_async.models.chat import (
    CacheCreation,
    ChatCompletion,
    Choice,
    FunctionCall,
    Functions,
    Guardrails,
    Logprobs,
    Message,
    Retrieval,
    RetrievedData,
    TokenLogprob,
    ToolCall,
    TopLogprob,
    TriggeredGuardrail,
    Usage,
)
from gradient_async.models.chunk import (
    ChatCompletionChunk,
    ChunkChoice,
    Delta,
    FunctionCallDelta,
    ToolCallDelta,
    completion_as_chunk,
)
from gradient_async.models.meta import RateLimitInfo, ResponseMeta, Timings
from gradient_async.models.models import ModelInfo, ModelList

__all__ = [
    "CacheCreation",
    "ChatCompletion",
    "ChatCompletionChunk",
    "Choice",
    "ChunkChoice",
    "Delta",
    "FunctionCall",
    "FunctionCallDelta",
    "Functions",
    "Guardrails",
    "Logprobs",
    "Message",
    "Model",
    "ModelInfo",
    "ModelList",
    "RateLimitInfo",
    "ResponseMeta",
    "Retrieval",
    "RetrievedData",
    "Timings",
    "TokenLogprob",
    "ToolCall",
    "ToolCallDelta",
    "TopLogprob",
    "TriggeredGuardrail",
    "Usage",
    "completion_as_chunk",
    "plain",
]
