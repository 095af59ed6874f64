"""Reranking and System One, over plain HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.emulator_client import EmulatorClient

RERANK, SYSTEMONE = "/v1/rerank", "/v1/systemone"


async def test_the_document_with_the_most_words_of_the_query_comes_first(client: EmulatorClient) -> None:
    body = {"model": "m", "query": "the far moon", "documents": ["milk", "the moon", "the moon is far"]}
    results = (await client.send(body, RERANK)).json["results"]
    assert [row["index"] for row in results] == [2, 1, 0]
    assert [row["relevance_score"] for row in results] == [8.0, pytest.approx(1.6667), -11.0]


async def test_answers_are_the_same_for_the_same_state(client: EmulatorClient) -> None:
    question = {"type": "choice", "instructions": "Which?", "criteria": {"a": "A", "b": "B"}}
    body = {"model": "m", "state": "s", "questions": {"q": question}}
    one, two = [(await client.send(body, SYSTEMONE)).json["answers"]["q"] for _ in range(2)]
    assert one == two
    assert one["choice"] == max(one["probabilities"], key=one["probabilities"].__getitem__)


@pytest.mark.parametrize(
    ("path", "body", "problem"),
    [
        (RERANK, {"model": "m", "query": "", "documents": ["a"]}, "query must have a length of at least 1"),
        (RERANK, {"model": "m", "query": "q", "documents": []}, "documents must have between 1 and 150 items"),
        (RERANK, {"model": "m", "query": "q", "documents": [1]}, "must be a string"),
        (SYSTEMONE, {"model": "m", "state": "s"}, "questions is required"),
        (SYSTEMONE, {"model": "m", "state": "s", "questions": {"a": {"type": "noul"}}}, "instructions is required"),
    ],
)
async def test_a_malformed_request_is_refused(
    client: EmulatorClient, path: str, body: dict[str, Any], problem: str
) -> None:
    response = await client.send(body, path)
    assert response.status == 400
    assert problem in response.json["message"]
