"""Vectors of many texts: the results that `Embeddings.map` returns.

Contract: texts are packed into requests, and each has one result, in the order of the texts. A request that the service
finds faulty (400, 413, 422) is halved until the faulty text is alone, so that it does not fail its neighbours.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import attrs

from gradient_async._io.map.limiter_gate import LimiterGate
from gradient_async._io.map.map_results import MapOptions, MapResults
from gradient_async._io.map.packing import Pack, PackIterator
from gradient_async._io.sources.row_source import open_source
from gradient_async._protocol.codec.json_text import decode_json, encode_json
from gradient_async._protocol.map.checkpoint_records import fingerprint_request
from gradient_async._protocol.requests.parameters import describe_type
from gradient_async.errors import (
    APIStatusError,
    ConfigurationError,
    GradientError,
    ResponseDecodeError,
    SessionClosedError,
)
from gradient_async.models.embedding_result import EmbeddingResult
from gradient_async.models.embeddings import EmbeddingList

MAX_PACK_CHARS = 200_000
"""Characters of the texts of one request: a body that every gateway takes, and about 50,000 tokens."""

_FAULTY = frozenset({400, 413, 422})
_Results = MapResults[EmbeddingResult]


@attrs.define
class _Item:
    """One text on its way to its result."""

    index: int
    text: Any
    fingerprint: str = ""

    def fail(self, error: GradientError) -> EmbeddingResult:
        return EmbeddingResult(index=self.index, text=self.text, error=error)


@attrs.frozen(eq=False)
class EmbeddingsMap:
    """Makes the results of one map.

    Attributes:
        shared: The parameters of every request, without its texts.
        send: Sends one request for the texts through the gate of the map.
    """

    shared: Mapping[str, Any]
    send: Callable[[list[str], LimiterGate], Awaitable[EmbeddingList]]

    async def fetch_results(self, results: _Results, _number: int, pack: Pack) -> Sequence[EmbeddingResult]:
        """Return the results of one pack, in order."""
        found: list[EmbeddingResult] = []
        unanswered: list[_Item] = []
        for index, text in enumerate(pack.items, pack.start):
            item = _Item(index, text)
            if result := self._find_result(results, item):
                found.append(result)
            else:
                unanswered.append(item)
        found += await self._fetch_vectors(results, unanswered)
        return sorted(found, key=lambda result: result.index)

    def _find_result(self, results: _Results, item: _Item) -> EmbeddingResult | None:
        """Return the result that needs no request: from the checkpoint, or the error of a text that cannot be sent."""
        if not isinstance(item.text, str) or not item.text:
            got = describe_type(item.text)
            error = ConfigurationError(f"texts[{item.index}] must be a text that is not empty; got {got}.")
            results.count_failed(error)
            return item.fail(error)
        if results.checkpoint is None:
            return None
        item.fingerprint = self._fingerprint_text(item.text)
        stored = results.checkpoint.pop_result(item.fingerprint)
        vector = None if stored is None else _read_vector(stored)
        if vector is None:
            return None
        results.count_restored()
        return EmbeddingResult(index=item.index, text=item.text, embedding=vector, restored=True)

    async def _fetch_vectors(self, results: _Results, items: list[_Item]) -> list[EmbeddingResult]:
        if not items:
            return []
        try:
            vectors = await self._send_texts(results, items)
        except SessionClosedError:
            raise
        except GradientError as error:
            if isinstance(error, APIStatusError) and error.status in _FAULTY and len(items) > 1:
                middle = len(items) // 2
                first = await self._fetch_vectors(results, items[:middle])
                return first + await self._fetch_vectors(results, items[middle:])
            results.count_failed(error, len(items))
            return [item.fail(error) for item in items]
        return [
            EmbeddingResult(index=item.index, text=item.text, embedding=vector)
            for item, vector in zip(items, vectors, strict=True)
        ]

    async def _send_texts(self, results: _Results, items: list[_Item]) -> list[list[float]]:
        """Send one request, and store and count its vectors."""
        embeddings = await self.send([item.text for item in items], results.gate)
        if len(embeddings) != len(items):
            raise ResponseDecodeError(
                f"The service sent {len(embeddings)} vectors for {len(items)} texts.", path="$.data"
            )
        vectors = [each.embedding for each in embeddings]
        if results.checkpoint is not None:
            await results.store_results(
                [(item.fingerprint, encode_json(vector)) for item, vector in zip(items, vectors, strict=True)]
            )
        tokens = embeddings.usage.total_tokens if embeddings.usage else 0
        results.count_answered(items=len(items), attempts=embeddings.meta.attempts, tokens=tokens)
        return vectors

    def _fingerprint_text(self, text: str) -> str:
        return fingerprint_request("embedding", encode_json(self.shared) + text.encode(errors="surrogatepass"))


def map_embeddings(
    texts: Any, embeddings_map: EmbeddingsMap, options: MapOptions, max_texts: int
) -> MapResults[EmbeddingResult]:
    """Return the results of *texts*, at most *max_texts* in a request.

    Raises:
        ConfigurationError: *texts* is of another type.
    """
    return MapResults(
        open_source(texts),
        embeddings_map.fetch_results,
        options,
        group=lambda source: PackIterator(source, max_texts, MAX_PACK_CHARS),
        items_per_call=max_texts,
    )


def _read_vector(text: bytes) -> list[float] | None:
    """Return the vector in the checkpoint, None if it cannot be read."""
    try:
        vector = decode_json(text)
    except ResponseDecodeError:
        return None
    is_vector = type(vector) is list and vector and all(type(number) in (int, float) for number in vector)
    return vector if is_vector else None
