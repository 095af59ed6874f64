"""The parameters of agents.

Source: the schema of agent endpoints; chat completions of the agent reference, April 2026.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, Required, TypedDict

from gradient_async.params.chat import CommonChatParams, ResponseFormatParams, SharedChatParams, ToolsParams


class KnowledgeBaseFilterParam(TypedDict, total=False):
    """Limits an agent's retrieval to a part of a knowledge base.

    Attributes:
        index: The index of the knowledge base.
        path: Which of its documents.
    """

    index: Required[str]
    path: str


class OwnAgentParams(TypedDict, total=False):
    """What only agents understand, and the model, which they choose themselves.

    Attributes:
        model: Ignored by agents.
        filter_kb_content_by_query_metadata: Whether what the question says of documents narrows the retrieval.
        include_functions_info: Whether the answer has ``functions``: what was called.
        include_guardrails_info: Whether the answer has ``guardrails``: what was triggered.
        include_retrieval_info: Whether the answer has ``retrieval``: what was found.
        instruction_override: Instructions in place of the agent's own.
        k: How many pieces of knowledge to find.
        kb_filters: Where to look for them.
        provide_citations: Whether the answer names its sources.
        retrieval_method: How the question is put to the knowledge bases.
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


class AgentParams(SharedChatParams, OwnAgentParams):
    """The parameters of an agent's chat completion: those of any other, and what only agents understand."""


class AgentParseParams(CommonChatParams, ToolsParams, OwnAgentParams):
    """The parameters of an agent's ``parse``, beside the class."""


class AgentRunToolsParams(CommonChatParams, ResponseFormatParams, OwnAgentParams):
    """The parameters of an agent's ``run_tools``, beside the tools."""
