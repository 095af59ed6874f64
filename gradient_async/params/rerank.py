"""The parameters of reranking.

Source: ``POST /v1/rerank`` of the serverless API.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Required

from gradient_async.params import ExtraParams


class RerankParams(ExtraParams, total=False):
    """The parameters of reranking.

    Attributes:
        model: Slug of a reranking model.
        query: Text that the documents are compared with.
        documents: Texts to rank; the service refuses more than 150.
    """

    model: Required[str]
    query: Required[str]
    documents: Required[Iterable[str]]
