"""The relevance of documents to a query.

Source: ``POST /v1/rerank`` of the serverless API.
"""

from __future__ import annotations

from typing import Unpack

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.rerank import build_rerank_request, read_reranking
from gradient_async.models.rerank import Reranking
from gradient_async.params import RerankParams
from gradient_async.resources.base import Resource


class Rerank(Resource):
    """``session.rerank``."""

    async def create(self, *, timeout: float | Timeouts | None = None, **params: Unpack[RerankParams]) -> Reranking:
        """Return how relevant each document is to a query.

        Example:
            ``ranking = await session.rerank.create(model="bge-reranker-v2-m3", query="tea", documents=documents)``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `Reranking`, with the scores in ``results`` in the service's order, and sorted in ``best_first``.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no scores.
        """
        request = build_rerank_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_reranking)
