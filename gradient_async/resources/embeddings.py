"""Embeddings: texts as vectors.

Source: ``POST /v1/embeddings``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Unpack

import attrs

from gradient_async._io.http.pipeline import Pipeline
from gradient_async._io.http.target import Target
from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.embeddings import build_embeddings_request, read_embeddings
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.params import EmbeddingParams


@attrs.frozen(eq=False, repr=False)
class Embeddings:
    """``session.embeddings``."""

    _pipeline: Pipeline
    _target: Callable[[], Target]
    _timeouts: Timeouts

    async def create(
        self, *, timeout: float | Timeouts | None = None, **params: Unpack[EmbeddingParams]
    ) -> EmbeddingList:
        """Return the vectors of one text or of up to 2,048, in ``data`` and in their order.

        Args:
            timeout: Seconds for the whole call, or a `Timeouts` for every part of it.
            **params: The documented parameters; any other keyword goes into the body as it is. With
                ``encoding_format="base64"`` the answer is shorter on the wire; the vectors are lists all the same.

        Raises:
            ConfigurationError: The call cannot work; nothing was sent.
            APIStatusError: The service refused; the class says how.
            APIConnectionError: No answer came.
            ProtocolError: The answer has no vectors.
        """
        request = build_embeddings_request(params, timeouts=self._timeouts.override_with(timeout))
        return await self._pipeline.send_and_decode(request, self._target(), read_embeddings)
