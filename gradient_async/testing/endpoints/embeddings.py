"""Embeddings: vectors of length one that depend on their text only.

Contract: pure.
Source: the embeddings request, which is closed, and response of the Inference API reference; base64 as OpenAI packs it.
"""

from __future__ import annotations

import base64
import hashlib
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import malformed, unknown_model
from gradient_async.testing.endpoints.validator import Rule, fault
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Answer, Reply, json_answer

EMBEDDINGS = Rule(
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
class Embeddings:
    """The endpoint's decisions; *known* are the slugs of the models that exist, None if all do."""

    known: Sequence[str] | None = None

    def check(self, request: RecordedRequest) -> Answer | None:
        """Answer a malformed request; None if it is well-formed."""
        return malformed(request, fault(request.json, EMBEDDINGS)) or unknown_model(request, self.known)

    def answer(self, request: RecordedRequest, reply: Reply | None) -> Answer:
        """Answer with a vector for each text."""
        answer = json_answer(embedded(request.fields))
        return reply.style(answer) if reply else answer


def embedded(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the answer to a well-formed body."""
    texts = [fields["input"]] if isinstance(fields["input"], str) else fields["input"]
    packed = fields.get("encoding_format") == "base64"
    data = [
        {"index": index, "object": "embedding", "embedding": _packed(_vector(text)) if packed else _vector(text)}
        for index, text in enumerate(texts)
    ]
    count = sum(len(text.split()) for text in texts)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return {"object": "list", "model": fields["model"], "data": data, "usage": usage}


def _vector(text: str) -> list[float]:
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).digest()
    numbers = [byte - 127.5 for byte in digest[:_DIMENSIONS]]
    norm = sum(number * number for number in numbers) ** 0.5
    return [round(number / norm, 6) for number in numbers]


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
