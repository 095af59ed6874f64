"""Request parameters as TypedDicts, for completion in the editor and for type checkers.

Contract: at run time they are plain dicts; an unset parameter is omitted from the body, never sent as null. Each module
is loaded on first access to one of its names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypedDict

from gradient_async._lazy import lazy_names


class ExtraParams(TypedDict, total=False):
    """The parameters of every call, beside the documented ones of its endpoint.

    Attributes:
        extra_body: Fields merged into the request body unchanged.
        extra_headers: Headers added to the request; those of the session cannot be replaced.
    """

    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None


if TYPE_CHECKING:
    from gradient_async.params.agent import (
        AgentParams,
        AgentParseParams,
        AgentRunToolsParams,
        KnowledgeBaseFilterParam,
        MapParams,
        OwnAgentParams,
    )
    from gradient_async.params.audio import SpeechParams
    from gradient_async.params.chat import (
        ChatParams,
        CommonChatParams,
        FunctionCallParam,
        FunctionParam,
        FunctionToolParam,
        MessageParam,
        ModelParams,
        NamedFunctionParam,
        NamedToolChoiceParam,
        OptionalChatParams,
        ParseParams,
        ReasoningEffort,
        ResponseFormatParams,
        Role,
        RunToolsParams,
        SharedChatParams,
        StreamOptionsParam,
        ToolCallParam,
        ToolParam,
        ToolsParams,
    )
    from gradient_async.params.knowledge_bases import RerankingParam, RetrieveParams
    from gradient_async.params.media import (
        EmbeddingParams,
        ImageParams,
        ImageStreamParams,
        InvocationInputParam,
        InvocationParams,
        SharedEmbeddingParams,
        TagParam,
    )
    from gradient_async.params.messages import (
        MessagesMapParams,
        MessagesParams,
        MessagesParseParams,
        MessagesRunToolsParams,
        MessagesToolParam,
        TurnParam,
    )
    from gradient_async.params.raw import RawRequestParams
    from gradient_async.params.rerank import RerankParams
    from gradient_async.params.responses import (
        ResponsesFunctionParam,
        ResponsesMapParams,
        ResponsesParams,
        ResponsesRunToolsParams,
    )
    from gradient_async.params.systemone import QuestionParam, SystemOneParams
    from gradient_async.params.videos import VideoParams
else:
    __getattr__, __dir__ = lazy_names(
        __name__,
        {
            "agent": (
                "AgentParams",
                "AgentParseParams",
                "AgentRunToolsParams",
                "KnowledgeBaseFilterParam",
                "MapParams",
                "OwnAgentParams",
            ),
            "chat": (
                "ChatParams",
                "CommonChatParams",
                "FunctionCallParam",
                "FunctionParam",
                "FunctionToolParam",
                "MessageParam",
                "ModelParams",
                "NamedFunctionParam",
                "NamedToolChoiceParam",
                "OptionalChatParams",
                "ParseParams",
                "ReasoningEffort",
                "ResponseFormatParams",
                "Role",
                "RunToolsParams",
                "SharedChatParams",
                "StreamOptionsParam",
                "ToolCallParam",
                "ToolParam",
                "ToolsParams",
            ),
            "media": (
                "EmbeddingParams",
                "ImageParams",
                "ImageStreamParams",
                "InvocationInputParam",
                "InvocationParams",
                "SharedEmbeddingParams",
                "TagParam",
            ),
            "messages": (
                "MessagesMapParams",
                "MessagesParams",
                "MessagesParseParams",
                "MessagesRunToolsParams",
                "MessagesToolParam",
                "TurnParam",
            ),
            "responses": ("ResponsesFunctionParam", "ResponsesMapParams", "ResponsesParams", "ResponsesRunToolsParams"),
            "rerank": ("RerankParams",),
            "systemone": ("QuestionParam", "SystemOneParams"),
            "audio": ("SpeechParams",),
            "videos": ("VideoParams",),
            "raw": ("RawRequestParams",),
            "knowledge_bases": ("RerankingParam", "RetrieveParams"),
        },
    )

__all__ = [
    "AgentParams",
    "AgentParseParams",
    "AgentRunToolsParams",
    "ChatParams",
    "CommonChatParams",
    "EmbeddingParams",
    "ExtraParams",
    "FunctionCallParam",
    "FunctionParam",
    "FunctionToolParam",
    "ImageParams",
    "ImageStreamParams",
    "InvocationInputParam",
    "InvocationParams",
    "KnowledgeBaseFilterParam",
    "MapParams",
    "MessageParam",
    "MessagesMapParams",
    "MessagesParams",
    "MessagesParseParams",
    "MessagesRunToolsParams",
    "MessagesToolParam",
    "ModelParams",
    "NamedFunctionParam",
    "NamedToolChoiceParam",
    "OptionalChatParams",
    "OwnAgentParams",
    "ParseParams",
    "QuestionParam",
    "RawRequestParams",
    "ReasoningEffort",
    "RerankParams",
    "RerankingParam",
    "ResponseFormatParams",
    "ResponsesFunctionParam",
    "ResponsesMapParams",
    "ResponsesParams",
    "ResponsesRunToolsParams",
    "RetrieveParams",
    "Role",
    "RunToolsParams",
    "SharedChatParams",
    "SharedEmbeddingParams",
    "SpeechParams",
    "StreamOptionsParam",
    "SystemOneParams",
    "TagParam",
    "ToolCallParam",
    "ToolParam",
    "ToolsParams",
    "TurnParam",
    "VideoParams",
]
