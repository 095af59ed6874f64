"""Retrieval from a knowledge base: the request and its response body.

Source: ``POST /v1/{knowledge_base_id}/retrieve`` of the knowledge base API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.jobs import encode_id
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.request import Request
from gradient_async.models.retrieval import RetrievedPassages
from gradient_async.params import RetrieveParams

_POST = PostBuilder(RetrieveParams, query="How are refunds made?")

read_passages = ResponseReader(RetrievedPassages, "results")
"""Decodes the body of a successful response."""


def build_retrieve_request(knowledge_base_id: object, params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that looks for passages.

    Raises:
        ConfigurationError: The id or a parameter is missing or invalid.
    """
    segment = encode_id("knowledge_base_id", knowledge_base_id, "a knowledge base")
    body = _POST.read_params(params)
    return _POST.build_request(f"/v1/{segment}/retrieve", body, timeouts=timeouts)
