"""Reranking: scores by the words that a document shares with the query.

Contract: pure; the scores are between -11 and 8, the most relevant document comes first.
Source: the rerank endpoint of the Inference API, its limit of 150 documents and the range of its raw scores.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gradient_async.testing.endpoints.checks import reject_request
from gradient_async.testing.endpoints.validator import Rule, find_problem
from gradient_async.testing.recorded_request import RecordedRequest
from gradient_async.testing.replies import Reply, Response, apply_reply, json_response

_MAX_DOCUMENTS = 150
_REQUEST = Rule(
    kind="object",
    fields={
        "model": Rule(kind="string", required=True, low=1),
        "query": Rule(kind="string", required=True, low=1),
        "documents": Rule(kind="array", required=True, low=1, high=_MAX_DOCUMENTS, members=Rule(kind="string")),
    },
)
_LOWEST, _RANGE = -11.0, 19.0


@attrs.frozen
class RerankEndpoint:
    """The rerank endpoint; *known* are the slugs of the existing models, None if every model exists."""

    known: Sequence[str] | None = None

    def check_rerank(self, request: RecordedRequest) -> Response | None:
        """Build the error response to a malformed request; None for a well-formed one."""
        return reject_request(request, find_problem(request.json, _REQUEST), self.known)

    def rank_documents(self, request: RecordedRequest, reply: Reply | None) -> Response:
        """Respond with the score of each document."""
        fields = request.fields
        scores = [_score_document(fields["query"], document) for document in fields["documents"]]
        order = sorted(range(len(scores)), key=lambda index: -scores[index])
        results = [{"index": index, "relevance_score": scores[index]} for index in order]
        return apply_reply(reply, json_response({"model": fields["model"], "results": results}))


def _score_document(query: str, document: str) -> float:
    asked, found = set(query.lower().split()), set(document.lower().split())
    return round(_LOWEST + _RANGE * len(asked & found) / max(len(asked), 1), 4)
