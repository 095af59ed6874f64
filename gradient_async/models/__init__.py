"""The results of the service: attrs classes with cheap properties and no I/O, each loaded on first access."""

from typing import TYPE_CHECKING

from gradient_async._lazy import lazy_names

if TYPE_CHECKING:
    from gradient_async.models._base import Model, to_jsonable
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
    from gradient_async.models.chat_chunk import (
        ChatCompletionChunk,
        ChunkChoice,
        Delta,
        FunctionCallDelta,
        ToolCallDelta,
    )
    from gradient_async.models.model_info import ModelInfo, ModelList
    from gradient_async.models.response_meta import RateLimitInfo, ResponseMeta, Timings
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "_base": ("Model", "to_jsonable"),
            "chat": (
                "CacheCreation",
                "ChatCompletion",
                "Choice",
                "FunctionCall",
                "Functions",
                "Guardrails",
                "Logprobs",
                "Message",
                "Retrieval",
                "RetrievedData",
                "TokenLogprob",
                "ToolCall",
                "TopLogprob",
                "TriggeredGuardrail",
                "Usage",
            ),
            "chat_chunk": (
                "ChatCompletionChunk",
                "ChunkChoice",
                "Delta",
                "FunctionCallDelta",
                "ToolCallDelta",
            ),
            "response_meta": ("RateLimitInfo", "ResponseMeta", "Timings"),
            "model_info": ("ModelInfo", "ModelList"),
        },
    )

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
    "to_jsonable",
]
