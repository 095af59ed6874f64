"""The parameters of agents.

Source: the schema of agent endpoints; chat completions of the agent reference, April 2026.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Required, TypedDict

from gradient_async.params.chat import (
    CommonChatParams,
    OptionalChatParams,
    ResponseFormatParams,
    SharedChatParams,
    ToolsParams,
)


class KnowledgeBaseFilterParam(TypedDict, total=False):
    """A restriction of an agent's retrieval to a part of a knowledge base.

    Attributes:
        index: Index of the knowledge base.
        path: Path of its documents.
    """

    index: Required[str]
    path: str


class OwnAgentParams(TypedDict, total=False):
    """The parameters that only agents accept, and ``model``, which they ignore.

    Attributes:
        model: Ignored by agents.
        filter_kb_content_by_query_metadata: Whether document metadata in the question restricts the retrieval.
        include_functions_info: Whether the response has ``functions``, the function calls of the agent.
        include_guardrails_info: Whether the response has ``guardrails``, those that were triggered.
        include_retrieval_info: Whether the response has ``retrieval``, the documents that were found.
        instruction_override: Instructions that replace those of the agent.
        k: Number of passages to retrieve.
        kb_filters: Parts of the knowledge bases to search.
        provide_citations: Whether the response cites its sources.
        retrieval_method: Transformation of the question before retrieval.
    """

    model: str | None
    filter_kb_content_by_query_metadata: bool | None
    include_functions_info: bool | None
    include_guardrails_info: bool | None
    include_retrieval_info: bool | None
    instruction_override: str | None
    k: int | None
    kb_filters: Iterable[KnowledgeBaseFilterParam] | None
    provide_citations: bool | None
    retrieval_method: Literal["rewrite", "step_back", "sub_queries", "none"] | None


class MapParams(OptionalChatParams, ToolsParams, ResponseFormatParams, OwnAgentParams):
    """The parameters that the requests of a ``map`` share. Those that only agents accept are for agents only."""


class AgentParams(SharedChatParams, OwnAgentParams):
    """The parameters of an agent's chat completion."""


class AgentParseParams(CommonChatParams, ToolsParams, OwnAgentParams):
    """The parameters of an agent's ``parse``, except the class."""


class AgentRunToolsParams(CommonChatParams, ResponseFormatParams, OwnAgentParams):
    """The parameters of an agent's ``run_tools``, except the tools."""
