"""Retrieval from a knowledge base: the request and its response body.

Source: ``POST /v1/{knowledge_base_id}/retrieve`` of the knowledge base API.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.jobs import encode_id
from gradient_async._protocol.requests.json_post import build_json_post
from gradient_async._protocol.requests.parameters import require_text, without_unset
from gradient_async._protocol.requests.request import Request
from gradient_async.models.retrieval import RetrievedPassages
from gradient_async.params import RetrieveParams

_KNOWN = RetrieveParams.__required_keys__ | RetrieveParams.__optional_keys__

read_passages = ResponseReader(RetrievedPassages, "results")
"""Decodes the body of a successful response."""


def build_retrieve_request(knowledge_base_id: object, params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request that looks for passages.

    Raises:
        ConfigurationError: The id or a parameter is missing or invalid.
    """
    segment = encode_id("knowledge_base_id", knowledge_base_id, "a knowledge base")
    body = without_unset(params, _KNOWN)
    require_text(body, "query", "How are refunds made?")
    return build_json_post(f"/v1/{segment}/retrieve", body, known=_KNOWN, timeouts=timeouts)
