"""Reranking: the request and its response body.

Source: ``POST /v1/rerank`` of the serverless API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.parameters import require_texts
from gradient_async._protocol.requests.request import Request
from gradient_async.models.rerank import Reranking
from gradient_async.params import RerankParams

_PATH = "/v1/rerank"
_POST = PostBuilder(RerankParams, model="bge-reranker-v2-m3", query="How far is the Moon?")

read_reranking = ResponseReader(Reranking, "results")
"""Decodes the body of a successful response."""


def build_rerank_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that ranks documents.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the query or the documents.
    """
    body = _POST.read_params(params)
    body["documents"] = require_texts("documents", body.get("documents"))
    return _POST.build_request(_PATH, body, timeouts=timeouts)
