"""Embeddings: unit vectors from a hash of the text.

Contract: pure; equal texts have equal vectors.
Source: the embeddings request, which is closed, and response of the Inference API reference; base64 as OpenAI packs it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import reject_request
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

EMBEDDINGS_REQUEST = Rule(
    kind="object",
    closed=True,
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "input": Rule(
            required=True,
            either=(Rule(kind="string"), Rule(kind="array", low=1, high=2048, members=Rule(kind="string"))),
        ),
        "encoding_format": Rule(kind="string", choices=("float", "base64")),
        "user": Rule(kind="string"),
    },
)
_DIMENSIONS = 8


@attrs.frozen
class EmbeddingsEndpoint:
    """The embeddings endpoint; *known* are the slugs of the existing models, None if every model exists."""

    known: Sequence[str] | None = None

    def check_embeddings(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        return reject_request(request, find_problem(request.json, EMBEDDINGS_REQUEST), self.known)

    def embed_texts(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with one vector for each text."""
        return apply_reply(reply, json_response(embeddings_body(request.fields)))


def embeddings_body(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the response body for a well-formed request body."""
    texts = [fields["input"]] if isinstance(fields["input"], str) else fields["input"]
    packed = fields.get("encoding_format") == "base64"
    data = [
        {
            "index": index,
            "object": "embedding",
            "embedding": _pack_base64(_unit_vector(text)) if packed else _unit_vector(text),
        }
        for index, text in enumerate(texts)
    ]
    count = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "model": fields["model"], "data": data, "usage": usage}


def _unit_vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    numbers = [byte - 127.5 for byte in digest[:_DIMENSIONS]]
    norm = sum(number * number for number in numbers) ** 0.5
    return [round(number / norm, 6) for number in numbers]


def _pack_base64(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
