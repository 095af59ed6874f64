"""Passages from knowledge bases, on a host of their own.

Source: ``POST /v1/{knowledge_base_id}/retrieve`` of the knowledge base API.
"""

from __future__ import annotations

from typing import Unpack

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.knowledge_bases import build_retrieve_request, read_passages
from gradient_async.models.retrieval import RetrievedPassages
from gradient_async.params import RetrieveParams
from gradient_async.resources.base import Resource


class KnowledgeBases(Resource):
    """``session.knowledge_bases``."""

    async def retrieve(
        self, knowledge_base_id: str, *, timeout: float | Timeouts | None = None, **params: Unpack[RetrieveParams]
    ) -> RetrievedPassages:
        """Return the passages of a knowledge base that fit a query.

        The request goes to the host of the knowledge bases, with a rate limiter of its own. It needs a personal access
        token with the scope ``GenAI:read``; a model access key is not enough.

        Example:
            ``found = await session.knowledge_bases.retrieve(knowledge_base_id, query="refunds", num_results=5)``

        Args:
            knowledge_base_id: The id of the knowledge base.
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged.

        Returns:
            The `RetrievedPassages`, with the passages in ``results``.

        Raises:
            ConfigurationError: There is no token, or the call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no passages.
        """
        request = build_retrieve_request(knowledge_base_id, params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_passages)
