"""Embeddings: the request and its response body.

Source: ``POST /v1/embeddings`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from gradient_async._protocol.codec.base64_vectors import decode_base64_vectors
from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.json_post import PostBuilder
from gradient_async._protocol.requests.parameters import require_texts
from gradient_async._protocol.requests.request import Request
from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.params import EmbeddingParams

_PATH = "/v1/embeddings"
_POST = PostBuilder(EmbeddingParams, model="qwen3-embedding-0.6b")
MAX_INPUTS = 2048

_read_list = ResponseReader(EmbeddingList, "data", decode_base64_vectors)


def build_embeddings_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Build the request for embeddings.

    Raises:
        ConfigurationError: A parameter is missing or invalid: the model, no text, or more texts than one call takes.
    """
    body = _POST.read_params(params)
    body["input"] = _validate_input(body.get("input"))
    return _POST.build_request(_PATH, body, timeouts=timeouts)


def read_embeddings(body: bytes) -> EmbeddingList:
    """Decode the body of a successful response, and sort the vectors into the order of their texts.

    Raises:
        APIStatusError: The body is an error object.
        ResponseDecodeError: The body has no vectors, or one of them is empty.
    """
    embeddings = _read_list(body)
    empty = [f"$.data[{place}].embedding" for place, vector in enumerate(embeddings.data) if not vector.embedding]
    if empty or not embeddings.data:
        raise ResponseDecodeError("The service sent no vector for a text.", path=(empty or ["$.data"])[0])
    embeddings.data.sort(key=attrgetter("index"))
    return embeddings


def _validate_input(texts: object) -> str | list[str]:
    """Return *texts* as one text or a list of texts."""
    if isinstance(texts, str):
        return texts
    items = require_texts("input", texts)
    if len(items) > MAX_INPUTS:
        raise ConfigurationError(f"input has {len(items)} texts; one call takes 1 to {MAX_INPUTS}.")
    return items
