"""Reranking: the request and its response body.

Source: ``POST /v1/rerank`` of the serverless API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import build_json_post
from gradient_async._protocol.requests.parameters import require_text, require_texts, without_unset
from gradient_async._protocol.requests.request import Request
from gradient_async.models.rerank import Reranking
from gradient_async.params import RerankParams

_PATH = "/v1/rerank"
_KNOWN = RerankParams.__required_keys__ | RerankParams.__optional_keys__

read_reranking = ResponseReader(Reranking, "results")
"""Decodes the body of a successful response."""


def build_rerank_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that ranks documents.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, the query or the documents.
    """
    body = without_unset(params, _KNOWN)
    require_text(body, "model", "bge-reranker-v2-m3")
    require_text(body, "query", "How far is the Moon?")
    body["documents"] = require_texts("documents", body.get("documents"))
    return build_json_post(_PATH, body, known=_KNOWN, timeouts=timeouts)
