"""Vectors of many texts, from the emulator over real sockets."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gradient_async import APIStatusError, AsyncSession, ConfigurationError, EmbeddingResult, ResponseDecodeError
from gradient_async.resources import embeddings_map
from gradient_async.testing import Emulator

MODEL = "qwen3-embedding-0.6b"
TEXTS = [f"Text {number}" for number in range(25)]


async def collect_results(session: AsyncSession, texts: Any, **options: Any) -> list[EmbeddingResult]:
    async with session.embeddings.map(texts, **{"model": MODEL, **options}) as results:
        return [result async for result in results]


def cut_end(path: Path, lost: int) -> None:
    os.truncate(path, path.stat().st_size - lost)


def list_sent(emulator: Emulator) -> list[int]:
    """Return the number of texts of each request."""
    return [len(request.json["input"]) for request in emulator.requests]


async def test_each_text_has_its_vector_in_order(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    results = await collect_results(gradient_session, iter(TEXTS), texts_per_request=4)
    assert [(result.index, result.text) for result in results] == list(enumerate(TEXTS))
    assert sorted(list_sent(gradient_emulator)) == [1, 4, 4, 4, 4, 4, 4]
    single = await gradient_session.embeddings.create(model=MODEL, input=TEXTS)
    assert [result.embedding for result in results] == [vector.embedding for vector in single]


async def test_long_texts_share_fewer_requests(
    gradient_session: AsyncSession, gradient_emulator: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(embeddings_map, "MAX_PACK_CHARS", 100)
    texts = ["a" * 40, "b" * 40, "c" * 40, "d" * 300, "e"]
    assert all(result.ok for result in await collect_results(gradient_session, texts, concurrency=1))
    assert list_sent(gradient_emulator) == [2, 1, 1, 1]


@pytest.mark.parametrize("wrong", ["", None, 3, b"text"])
async def test_a_text_that_cannot_be_sent_fails_alone(
    wrong: Any, gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    one, two, three = await collect_results(gradient_session, ["one", wrong, "three"])
    assert (one.ok, two.ok, three.ok) == (True, False, True)
    assert "texts[1] must be a text that is not empty" in str(two.error)
    assert gradient_emulator.requests[0].json["input"] == ["one", "three"]


@pytest.mark.parametrize("status", [400, 413, 422])
async def test_a_faulty_text_fails_alone(
    status: int, gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    for is_faulty in (True, False, True, True, False, True):  # texts 0 to 7, 0 to 3, 4 to 7, 4 and 5, 4, 5
        if is_faulty:
            gradient_emulator.fail(status=status)
        else:
            gradient_emulator.reply(path="/v1/embeddings")
    results = await collect_results(gradient_session, TEXTS[:8])
    assert list_sent(gradient_emulator) == [8, 4, 4, 2, 1, 1, 2]
    assert [result.index for result in results if not result.ok] == [5]
    assert [result.text for result in results] == TEXTS[:8]


async def test_a_failed_request_fails_its_texts_and_no_others(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.fail(status=500, times=1)
    results = await collect_results(gradient_session, TEXTS[:8], texts_per_request=4, concurrency=1)
    assert [result.ok for result in results] == [False] * 4 + [True] * 4


async def test_missing_vectors_are_errors(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    data = [{"index": 0, "embedding": [1.0]}]
    gradient_emulator.reply(body={"object": "list", "data": data}, path="/v1/embeddings")
    results = await collect_results(gradient_session, TEXTS[:2])
    assert all(isinstance(result.error, ResponseDecodeError) for result in results)
    assert "1 vectors for 2 texts" in str(results[0].error)


async def test_a_missing_key_ends_the_map_before_any_text(gradient_emulator: Emulator) -> None:
    async with (
        AsyncSession(base_url=gradient_emulator.url) as session,
        session.embeddings.map(["one", "two"], model="e") as results,
    ):
        with pytest.raises(ConfigurationError, match="needs a model access key"):
            await anext(results)
    assert gradient_emulator.requests == []


async def test_a_refused_key_ends_the_map(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    gradient_emulator.fail(status=401, times=None)
    with pytest.raises(APIStatusError, match="401"):
        await collect_results(gradient_session, (f"{n}" for n in range(10_000)), texts_per_request=2, concurrency=2)
    assert len(gradient_emulator.requests) < 10


async def test_a_second_run_sends_only_texts_without_a_vector(
    gradient_session: AsyncSession, gradient_emulator: Emulator, tmp_path: Path
) -> None:
    path = tmp_path / "vectors.ckpt"
    first = await collect_results(gradient_session, TEXTS[:10], checkpoint=path, texts_per_request=4)
    cut_end(path, 5)
    second = await collect_results(gradient_session, [*TEXTS[5:], "Text 0"], checkpoint=path, texts_per_request=4)
    vectors = {result.text: result.embedding for result in first}
    assert all(result.embedding == vectors[result.text] for result in second if result.restored)
    assert sum(not result.restored for result in second) == 15 + 1
    assert [result.text for result in second] == [*TEXTS[5:], "Text 0"]


async def test_progress_counts_texts(gradient_session: AsyncSession) -> None:
    async with gradient_session.embeddings.map(TEXTS, model=MODEL, texts_per_request=4) as results:
        assert len(results) == 25
        count = len([result async for result in results])
        progress = results.progress
    assert (count, progress.done, progress.total, progress.in_flight) == (25, 25, 25, 0)
    assert progress.tokens == 50


async def test_an_error_of_the_source_comes_after_the_texts_before_it(gradient_session: AsyncSession) -> None:
    def source() -> Iterator[str]:
        yield from TEXTS[:6]
        raise LookupError("the file ends in the middle")

    found: list[EmbeddingResult] = []
    with pytest.raises(LookupError, match="in the middle"):
        async with gradient_session.embeddings.map(source(), model=MODEL, texts_per_request=4) as results:
            async for result in results:
                found.append(result)
    assert [result.text for result in found] == TEXTS[:6]


@pytest.mark.parametrize(
    ("texts", "options", "advice"),
    [
        (3, {}, "an iterable of"),
        ("one text", {}, "cannot be read: No such file"),
        ([], {"model": ""}, "model must be a text"),
        ([], {"texts_per_request": 0}, "1 to 2048"),
        ([], {"texts_per_request": 5000}, "1 to 2048"),
    ],
)
async def test_a_map_that_cannot_work_is_refused(
    texts: Any, options: dict[str, Any], advice: str, gradient_session: AsyncSession
) -> None:
    with pytest.raises(ConfigurationError, match=advice):
        await collect_results(gradient_session, texts, **options)
