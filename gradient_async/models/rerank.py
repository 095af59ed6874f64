"""The results of the rerank API.

Source: ``POST /v1/rerank`` of the serverless API.
"""

from collections.abc import Iterator

import attrs

from gradient_async.models._base import ESSENTIAL, POSITION, Model
from gradient_async.models.response_meta import ResponseModel


@attrs.define(kw_only=True, eq=False, repr=False)
class RerankResult(Model):
    """The relevance of one document.

    Attributes:
        index: Position of the document in the request, from 0.
        relevance_score: Relevance to the query: a raw score of the model, which may be negative; higher is better.
    """

    index: int = attrs.field(metadata=POSITION)
    relevance_score: float = attrs.field(metadata=ESSENTIAL)


@attrs.define(kw_only=True, eq=False, repr=False)
class Reranking(ResponseModel):
    """The relevance of each document; iteration and ``len()`` go over ``results``.

    Attributes:
        results: One result for each document, in the service's order, which need not be that of the request.
    """

    model: str = ""
    results: list[RerankResult] = attrs.field(factory=list, metadata=ESSENTIAL)

    @property
    def best_first(self) -> list[RerankResult]:
        """The results in the order of their relevance, the most relevant first."""
        return sorted(self.results, key=lambda result: result.relevance_score, reverse=True)

    def __iter__(self) -> Iterator[RerankResult]:
        return iter(self.results)

    def __len__(self) -> int:
        return len(self.results)
