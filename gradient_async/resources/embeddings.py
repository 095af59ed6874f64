"""Embeddings: texts as vectors.

Source: ``POST /v1/embeddings`` of the serverless reference.
"""

from __future__ import annotations

from typing import Unpack

import attrs

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.embeddings import build_embeddings_request, read_embeddings
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.params import EmbeddingParams
from gradient_async.resources.base import Resource


@attrs.frozen(eq=False, repr=False)
class Embeddings(Resource):
    """``session.embeddings``."""

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[EmbeddingParams]
    ) -> EmbeddingList:
        """Return the vectors of one text or of up to 2,048 texts.

        Example:
            ``vectors = await session.embeddings.create(model="qwen3-embedding-0.6b", input=["one", "two"])``

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for each part of it.
            **params: Documented parameters; any other keyword goes into the body unchanged. With
                ``encoding_format="base64"`` the response is shorter on the wire; the vectors are lists all the same.

        Returns:
            The `EmbeddingList`, with the vectors in ``data`` in the order of their texts.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused the request; the subclass says why.
            APIConnectionError: No response came.
            ProtocolError: The response has no vectors.
        """
        request = build_embeddings_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_embeddings)
