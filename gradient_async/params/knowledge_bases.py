"""The parameters of a retrieval from a knowledge base.

Source: ``POST /v1/{knowledge_base_id}/retrieve`` of the knowledge base API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Required, TypedDict

from gradient_async.params import ExtraParams


class RerankingParam(TypedDict, total=False):
    """The reordering of retrieved passages by a reranking model, which is billed apart.

    Attributes:
        enabled: Whether to reorder, with the model that the knowledge base is set up with.
    """

    enabled: Required[bool]


class RetrieveParams(ExtraParams, total=False):
    """The parameters of a retrieval.

    Attributes:
        query: Text to look for.
        num_results: Number of passages, up to 100.
        alpha: Kind of search: 0 compares words (BM25), 1 meanings (vectors), and values between weigh both.
        reranking: Whether a reranking model reorders the passages.
        filters: Conditions on the metadata of passages, such as ``item_name``, in the service's own form.
    """

    query: Required[str]
    num_results: int | None
    alpha: float | None
    reranking: RerankingParam | None
    filters: Mapping[str, Any] | None
