"""Reranking, from the emulator over real sockets."""

from __future__ import annotations

from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    ResponseDecodeError,
)
from gradient_async.testing import Emulator

MODEL = "bge-reranker-v2-m3"
DOCUMENTS = ["Milk is white", "The Moon is far", "The Moon is not made of milk"]


async def test_each_document_has_a_score_under_its_position(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    ranking = await gradient_session.rerank.create(model=MODEL, query="the moon", documents=iter(DOCUMENTS))
    assert sorted(result.index for result in ranking) == [0, 1, 2]
    assert len(ranking) == 3
    assert ranking.model == MODEL
    assert gradient_emulator.requests[0].json == {"model": MODEL, "query": "the moon", "documents": DOCUMENTS}


async def test_results_keep_the_services_order_and_best_first_sorts_them(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    rows = [{"index": 2, "relevance_score": -11}, {"index": "0", "relevance_score": 7.5, "document": {"text": "x"}}]
    gradient_emulator.reply(body={"results": rows}, path="/v1/rerank")
    ranking = await gradient_session.rerank.create(model=MODEL, query="q", documents=DOCUMENTS)
    assert [(result.index, result.relevance_score) for result in ranking] == [(2, -11.0), (0, 7.5)]
    assert [result.index for result in ranking.best_first] == [0, 2]
    assert ranking.best_first[0].extra == {"document": {"text": "x"}}
    assert ranking.meta.request_id


@pytest.mark.parametrize(
    ("row", "path"),
    [
        ({"relevance_score": 1.0}, "$.results[0]"),
        ({"index": 0}, "$.results[0]"),
        ({"index": 0, "relevance_score": "high"}, "$.results[0].relevance_score"),
        ({"index": "first", "relevance_score": 1.0}, "$.results[0].index"),
    ],
)
async def test_a_result_without_position_or_score_raises_a_decode_error(
    gradient_session: AsyncSession, gradient_emulator: Emulator, row: dict[str, Any], path: str
) -> None:
    gradient_emulator.reply(body={"results": [row]}, path="/v1/rerank")
    with pytest.raises(ResponseDecodeError) as caught:
        await gradient_session.rerank.create(model=MODEL, query="q", documents=DOCUMENTS)
    assert caught.value.path.startswith(path)


async def test_more_documents_than_the_service_takes_are_its_refusal(gradient_session: AsyncSession) -> None:
    with pytest.raises(BadRequestError, match="documents must have between 1 and 150 items"):
        await gradient_session.rerank.create(model=MODEL, query="q", documents=["a"] * 151)


async def test_a_500_is_not_sent_again(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(500)
    with pytest.raises(InternalServerError) as caught:
        await gradient_session.rerank.create(model=MODEL, query="q", documents=DOCUMENTS)
    assert (caught.value.attempts, caught.value.maybe_sent) == (1, True)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"query": "q", "documents": ["a"]}, "model must be a text that is not empty"),
        ({"model": MODEL, "documents": ["a"]}, "query must be a text that is not empty"),
        ({"model": MODEL, "query": "", "documents": ["a"]}, "query must be a text that is not empty"),
        ({"model": MODEL, "query": "q"}, "documents must be a list; got nothing"),
        ({"model": MODEL, "query": "q", "documents": "a"}, "documents must be a list; got str"),
        ({"model": MODEL, "query": "q", "documents": []}, "documents is empty; give at least one text"),
        ({"model": MODEL, "query": "q", "documents": ["a", b"b"]}, r"documents\[1\] must be a text; got bytes"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    gradient_session: AsyncSession, gradient_emulator: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await gradient_session.rerank.create(**params)
    assert gradient_emulator.requests == []
