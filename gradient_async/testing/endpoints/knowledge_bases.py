"""Knowledge bases: passages by the words that they share with the query.

Contract: pure. Filters and reranking are accepted and change nothing. Without content of its own, every knowledge base
has the sentences of the text model.
Source: the retrieval endpoint of the knowledge base API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from gradient_async.testing.endpoints.checks import reject_malformed
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.model.corpus import TEXT
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, error_response, json_response

_REQUEST = Rule(
    kind="object",
    fields={
        "query": Rule(kind="string", required=True, low=1),
        "num_results": Rule(kind="integer", low=0, high=100),
        "alpha": Rule(kind="number", low=0, high=1),
        "reranking": Rule(kind="object", fields={"enabled": Rule(kind="boolean", required=True)}),
        "filters": Rule(kind="object"),
    },
)
_DEFAULT_RESULTS = 10


@attrs.frozen
class KnowledgeBaseEndpoint:
    """The retrieval endpoint; *passages* are the texts of each knowledge base by its id, empty if any id exists."""

    passages: Mapping[str, Sequence[str]]

    def check_query(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request or for an unknown id; None for any other."""
        if self.passages and request.params["knowledge_base_id"] not in self.passages:
            return error_response(404, request_id=request.request_id)
        return reject_malformed(request, find_problem(request.json, _REQUEST))

    def retrieve_passages(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with the passages that share a word with the query, the best first."""
        fields, key = request.fields, request.params["knowledge_base_id"]
        texts = self.passages.get(key) or [" ".join(part.split()) for part in TEXT.split("\n\n") if part.strip()]
        asked = _split_words(fields["query"])
        order = sorted(range(len(texts)), key=lambda index: -len(asked & _split_words(texts[index])))
        found = [index for index in order if asked & _split_words(texts[index])]
        results = [
            _describe_passage(index, texts[index]) for index in found[: fields.get("num_results", _DEFAULT_RESULTS)]
        ]
        return apply_reply(reply, json_response({"results": results, "total_results": len(results)}))


def _describe_passage(index: int, text: str) -> dict[str, Any]:
    return {"text_content": text, "metadata": {"item_name": f"document-{index}.txt", "page_number": 1}}


def _split_words(text: str) -> set[str]:
    return {word.strip(".,;:!?").lower() for word in text.split()}
