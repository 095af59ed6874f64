"""The parameters of reranking.

Source: ``POST /v1/rerank`` of the serverless API.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Required, TypedDict


class RerankParams(TypedDict, total=False):
    """The parameters of reranking.

    Attributes:
        model: Slug of a reranking model.
        query: Text that the documents are compared with.
        documents: Texts to rank; the service refuses more than 150.
        extra_body: Fields merged into the request body unchanged.
        extra_headers: Headers added to the request; those of the session cannot be replaced.
    """

    model: Required[str]
    query: Required[str]
    documents: Required[Iterable[str]]
    extra_body: Mapping[str, Any] | None
    extra_headers: Mapping[str, str] | None
