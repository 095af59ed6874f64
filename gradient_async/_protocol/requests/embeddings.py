"""Embeddings: the request, and the answer to it.

Source: ``POST /v1/embeddings`` of the serverless reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from operator import attrgetter
from typing import Any

from gradient_async._protocol.codec.base64_vectors import decode_base64_vectors
from gradient_async._protocol.http.body_reader import ResponseReader
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.request import (
    Request,
    build_json_post,
    describe_type,
    require_iterable,
    require_text,
    without_unset,
)
from gradient_async.errors import ConfigurationError, ResponseDecodeError
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.params import EmbeddingParams

_PATH = "/v1/embeddings"
_KNOWN = EmbeddingParams.__required_keys__ | EmbeddingParams.__optional_keys__
_MOST_INPUTS = 2048

_answer_from = ResponseReader(EmbeddingList, "data", decode_base64_vectors)


def build_embeddings_request(params: Mapping[str, Any], *, timeouts: Timeouts) -> Request:
    """Return the request for embeddings.

    Raises:
        ConfigurationError: The parameters cannot be meant: no model, no text, more texts than one call takes.
    """
    body = without_unset(params, _KNOWN)
    require_text(body, "model", "qwen3-embedding-0.6b")
    body["input"] = _checked_input(body.get("input"))
    return build_json_post(_PATH, body, timeouts=timeouts)


def read_embeddings(body: bytes) -> EmbeddingList:
    """Return the vectors in the body of a successful answer, in the order of their texts.

    Raises:
        APIStatusError: It is an error object.
        ResponseDecodeError: It has no vectors, or one of them is empty.
    """
    answer = _answer_from(body)
    empty = [f"$.data[{place}].embedding" for place, vector in enumerate(answer.data) if not vector.embedding]
    if empty or not answer.data:
        raise ResponseDecodeError("The service sent no vector for a text.", path=(empty or ["$.data"])[0])
    answer.data.sort(key=attrgetter("index"))
    return answer


def _checked_input(texts: object) -> str | list[str]:
    if isinstance(texts, str):
        return texts
    checked = require_iterable("input", texts, "a list")
    if not 0 < len(checked) <= _MOST_INPUTS:
        raise ConfigurationError(f"input has {len(checked)} texts; one call takes 1 to {_MOST_INPUTS}.")
    for position, text in enumerate(checked):
        if not isinstance(text, str):
            raise ConfigurationError(f"input[{position}] must be a text; got {describe_type(text)}.")
    return checked
