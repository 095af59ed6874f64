"""Embeddings: texts as vectors.

Source: ``POST /v1/embeddings`` of the serverless reference.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterable, Callable, Coroutine, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, Unpack

from gradient_async._protocol.http.timeouts import Timeouts
from gradient_async._protocol.requests.embeddings import MAX_INPUTS, build_embeddings_request, read_embeddings
from gradient_async._protocol.requests.request import mark_bulk
from gradient_async.errors import ConfigurationError, is_count, quote_argument
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.params import EmbeddingParams, SharedEmbeddingParams
from gradient_async.resources.base import Resource

if TYPE_CHECKING:
    from gradient_async._io.map.limiter_gate import LimiterGate
    from gradient_async._io.map.map_results import MapResults
    from gradient_async._io.sources.row_source import SupportsRead
    from gradient_async.models.embedding_result import EmbeddingResult
    from gradient_async.models.map_progress import MapProgress


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

    def map(
        self,
        texts: Iterable[str] | AsyncIterable[str] | str | os.PathLike[str] | SupportsRead,
        *,
        texts_per_request: int = 256,
        concurrency: int = 8,
        timeout: float | Timeouts | None = None,
        checkpoint: str | os.PathLike[str] | None = None,
        on_progress: Callable[[MapProgress], object] | None = None,
        progress: bool = False,
        stop_after: int | None = None,
        **shared: Unpack[SharedEmbeddingParams],
    ) -> MapResults[EmbeddingResult]:
        """Return the vectors of any number of texts: ``async with ....map(texts, model=...) as results``.

        Texts are packed into requests; iteration gives one `EmbeddingResult` for each text, in the order of the texts.
        The requests wait at the limiter behind single calls. A text that the service finds faulty fails alone. A 401,
        402 or 403 ends the map with that error.

        Args:
            texts: The texts; they are pulled as results are read. A path or an open stream gives one text a line.
            texts_per_request: Maximum number of texts in a request, up to 2,048; a request has less than 200,000
                characters of text, except for a longer single text.
            concurrency: Maximum number of concurrent requests.
            timeout: Seconds for each request once the limiter admits it, or a `Timeouts` for each part of it.
            checkpoint: Path of a file that keeps each vector. The same call in another process, after any interruption,
                sends only texts whose vector is not in the file.
            on_progress: Receives a `MapProgress` while something changes, at most ten times a second, and at the end.
            progress: Whether to show a progress bar: in a notebook, else on stderr, which needs rich or tqdm.
            stop_after: Number of failed requests in a row that ends the map with the last of their errors.
            **shared: Parameters of every request.

        Raises:
            ConfigurationError: *texts* is not an iterable, an argument is invalid, or the checkpoint is unusable.
            CheckpointError: The checkpoint could not be written; raised where results are read.
        """
        from gradient_async.resources.embeddings_map import EmbeddingsMap, map_embeddings  # loads anyio
        from gradient_async.resources.map_options import build_map_options

        options = build_map_options(
            "embedding",
            concurrency=concurrency,
            ordered=True,
            checkpoint=checkpoint,
            on_progress=on_progress,
            progress=progress,
            stop_after=stop_after,
        )
        timeouts = self._timeouts.override_with(timeout)
        build_embeddings_request({**shared, "input": "checked before anything is sent"}, timeouts=timeouts)
        if not is_count(texts_per_request) or texts_per_request > MAX_INPUTS:
            got = quote_argument(texts_per_request)
            raise ConfigurationError(f"texts_per_request={got}: give a whole number from 1 to {MAX_INPUTS}.")
        embeddings_map = EmbeddingsMap(shared, partial(self._send_in_bulk, shared, timeout))
        return map_embeddings(texts, embeddings_map, options, texts_per_request)

    def _send_in_bulk(
        self, shared: Mapping[str, Any], timeout: float | Timeouts | None, texts: list[str], gate: LimiterGate
    ) -> Coroutine[Any, Any, EmbeddingList]:
        """Send one of many requests, behind single calls."""
        timeouts = self._timeouts.override_with(timeout)
        request = mark_bulk(build_embeddings_request({**shared, "input": texts}, timeouts=timeouts))
        return self._pipeline.send_and_decode(request, gate.guard_target(self._target), read_embeddings)
