"""Chat requests through the batch service, as the items of a map."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BadRequestError,
    BatchError,
    BatchValidationError,
    ConfigurationError,
    MapProgress,
    MapResult,
)
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, FAST, NewSession, body

MODEL = "openai-gpt-5.4-mini"


@pytest.fixture(autouse=True)
def _quick_jobs(gradient_emulator: Emulator) -> None:
    gradient_emulator.batches.seconds = 0.05


async def collect(session: AsyncSession, requests: Any, **options: Any) -> list[MapResult]:
    async with session.batches.map(requests, poll=FAST, **options) as results:
        return [result async for result in results]


async def test_results_are_those_of_the_requests_in_their_order(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.fail_line("request-1", status=400, message="no good")
    gradient_emulator.batches.drop_line("request-2")
    results = await collect(session, [f"Question {number}" for number in range(5)], model=MODEL)
    assert [result.index for result in results] == list(range(5))
    assert [result.ok for result in results] == [True, False, False, True, True]
    assert all(result.text for result in results if result.ok)
    assert isinstance(results[1].error, BadRequestError)
    assert "no good" in str(results[1].error)
    assert isinstance(results[2].error, BatchError)
    assert results[3].request["messages"] == [{"role": "user", "content": "Question 3"}]
    assert results[3].request["model"] == MODEL


async def test_a_request_keeps_its_own_id(session: AsyncSession) -> None:
    rows = [{"id": 7, **body("a")}, {"custom_id": "mine", "body": body("b")}, body("c")]
    assert [result.id for result in await collect(session, rows)] == ["7", "mine", "request-2"]


async def test_sources_and_templates_are_those_of_a_chat_map(session: AsyncSession, tmp_path: Path) -> None:
    (tmp_path / "cities.csv").write_text("id,city\np,Lisbon\nf,Paris\n")
    options = {"model": MODEL, "template": "Is {city} large?"}
    results = await collect(session, tmp_path / "cities.csv", **options)
    assert [(each.id, each.request["messages"][0]["content"]) for each in results] == [
        ("p", "Is Lisbon large?"),
        ("f", "Is Paris large?"),
    ]


async def test_an_async_iterable_is_read(session: AsyncSession) -> None:
    async def questions() -> AsyncIterator[str]:
        yield "a"
        yield "b"

    assert [result.ok for result in await collect(session, questions(), model=MODEL)] == [True, True]


async def test_with_a_journal_another_process_gets_the_same_job(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    texts = []
    for _ in range(2):
        async with new_session(limits=None) as session:
            results = await collect(session, ["a", "b"], model=MODEL, journal=tmp_path / "run.journal")
            texts.append([result.text for result in results])
    assert texts[0] == texts[1]
    assert len(gradient_emulator.batches.jobs) == 1
    assert gradient_emulator.batches.jobs[0].request["endpoint"] == CHAT


async def test_an_expired_job_gives_what_it_has(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.batches.expire(after=0.5)
    results = await collect(session, ["a", "b", "c", "d"], model=MODEL)
    assert sorted(result.ok for result in results) == [False, False, True, True]


async def test_progress_counts_requests_and_tokens(gradient_emulator: Emulator, session: AsyncSession) -> None:
    gradient_emulator.batches.fail_line("request-1", status=400)
    gradient_emulator.batches.drop_line("request-2")
    seen: list[MapProgress] = []
    async with session.batches.map(list("abcd"), model=MODEL, poll=FAST, on_progress=seen.append) as results:
        assert (len(results), results.progress.done, results.progress.in_flight) == (4, 0, 0)
        usages = [result.completion.usage async for result in results if result.completion]
    tokens = sum(usage.total_tokens for usage in usages if usage)
    assert (seen[-1].total, seen[-1].done, seen[-1].failed, seen[-1].tokens) == (4, 4, 2, tokens)
    assert [each.done for each in seen] == sorted(each.done for each in seen)
    assert tokens > 0


async def test_a_source_without_a_length_has_none(session: AsyncSession) -> None:
    async with session.batches.map((text for text in "ab"), model=MODEL, poll=FAST) as results:
        with pytest.raises(TypeError):
            len(results)
        assert [result.ok async for result in results] == [True, True]
        assert len(results) == 2


async def test_stop_before_the_first_result_submits_nothing(gradient_emulator: Emulator, session: AsyncSession) -> None:
    async with session.batches.map(["a"], model=MODEL, poll=FAST) as results:
        results.stop()
        assert [result async for result in results] == []
    assert gradient_emulator.batches.jobs == []


async def test_stop_cancels_the_job_and_keeps_the_results_it_has(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.seconds = 6.0
    asked = [f"Question {number}" for number in range(50)]

    def stop_in_the_middle(progress: MapProgress) -> None:
        if progress.done >= 5:
            results.stop()

    async with session.batches.map(asked, model=MODEL, poll=FAST, on_progress=stop_in_the_middle) as results:
        found = [result async for result in results]
        assert results.job is not None
        assert 5 <= len(found) < 50
        assert all(result.ok for result in found)
        assert [result.id for result in found] == [f"request-{result.index}" for result in found]
        gradient_emulator.batches.seconds = 0.05
        rest = await results.job.retry_failed()
    await rest.wait(poll=FAST)
    assert len([line async for line in rest.results()]) == 50 - len(found)


@pytest.mark.parametrize(
    ("requests", "error"),
    [
        ([{"id": "a", **body()}, {"id": "a", **body()}], BatchValidationError),
        ([{"model": MODEL}], ConfigurationError),
        ([""], ConfigurationError),
        ([{**body(), "stream": True}], ConfigurationError),
        (7, ConfigurationError),
    ],
)
async def test_requests_that_cannot_be_sent_are_found_before_anything_is(
    gradient_emulator: Emulator, session: AsyncSession, requests: Any, error: type[Exception]
) -> None:
    with pytest.raises(error):
        await collect(session, requests)
    assert not gradient_emulator.requests
