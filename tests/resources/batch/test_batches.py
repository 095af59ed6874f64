"""``session.batches`` from a source to results, over real sockets."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from gradient_async import (
    BatchRequest,
    BatchValidationError,
    ConfigurationError,
)
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, CREATE_PATH, FAST, TWO_LINES, NewSession, body, jsonl, line, posts_to, requests


async def test_run_submits_and_waits(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        job = await session.batches.run(requests(5), endpoint=CHAT, poll=FAST)
        results = {result.custom_id: result async for result in job.results()}
    assert job.batch is not None
    assert (job.batch.status, job.batch.request_counts.completed) == ("completed", 5)
    assert sorted(results) == [f"r{number}" for number in range(5)]
    assert all(result.ok and result.text for result in results.values())


async def test_an_invalid_input_is_refused_before_anything_is_sent(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        with pytest.raises(BatchValidationError) as caught:
            await session.batches.submit(jsonl(line("a"), line(None), line("a")))
        report = await session.batches.validate(jsonl(line("a"), line(None)))
    assert caught.value.faults == (
        "Line 2: missing required field 'custom_id'.",
        "Line 3: duplicate custom_id 'a', first used on line 1.",
    )
    assert caught.value.total == 2
    assert pickle.loads(pickle.dumps(caught.value)).faults == caught.value.faults
    assert report.faults == caught.value.faults[:1]
    assert gradient_emulator.requests == []


async def test_a_byte_order_mark_is_not_sent(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        job = await session.batches.run(b"\xef\xbb\xbf" + jsonl(line("a")), poll=FAST)
    assert job.batch is not None
    assert job.batch.status == "completed"


@pytest.mark.parametrize("data", [jsonl(line("a")).rstrip(), jsonl(line("a")).replace(b"\n", b"\r\n") + b"\r\n\n"])
async def test_lines_may_end_with_lf_crlf_or_nothing(new_session: NewSession, data: bytes) -> None:
    async with new_session() as session:
        job = await session.batches.run(data, poll=FAST)
    assert job.batch is not None
    assert job.batch.request_counts.completed == 1


async def test_an_anthropic_job_from_end_to_end(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.fail_line("b", status=400)
    inputs = [BatchRequest(name, {**body(), "max_tokens": 10}) for name in ("a", "b")]
    async with new_session() as session:
        job = await session.batches.run(inputs, provider="anthropic", poll=FAST)
        results = {result.custom_id: result async for result in job.results()}
        again = await job.retry_failed()
        await again.wait(poll=FAST)
        assert (await again.report()).succeeded == ("b",)
    assert results["a"].message is not None
    assert results["a"].text
    assert results["b"].error is not None


async def test_an_embeddings_job_from_end_to_end(gradient_emulator: Emulator, new_session: NewSession) -> None:
    inputs = [BatchRequest("a", {"model": "m", "input": "hello"})]
    async with new_session() as session:
        job = await session.batches.run(inputs, endpoint="/v1/embeddings", poll=FAST)
        (result,) = [result async for result in job.results()]
    assert result.file in ("output", "error")


async def test_a_job_of_the_responses_api_has_typed_results(new_session: NewSession) -> None:
    inputs = [BatchRequest("a", {"model": "m", "input": "What is 2 + 2?"})]
    async with new_session() as session:
        job = await session.batches.run(inputs, endpoint="/v1/responses", poll=FAST)
        (result,) = [result async for result in job.results()]
        report = await job.report()
    assert result.response is not None
    assert (result.ok, result.text, result.response.status) == (True, "2 + 2 is 4.", "completed")
    assert report.finish_reasons == {"completed": 1}
    assert report.tokens.total > 0


@pytest.mark.parametrize("ids", ["", "a,,b", []])
async def test_a_job_without_an_id_raises_a_configuration_error(new_session: NewSession, ids: Any) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError):
            session.batches.job(ids)


async def test_the_single_steps_create_a_job(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        assert file.meta.status == 201
        assert await session.batches.upload(file, TWO_LINES) is file
        batch = await session.batches.create(file_id=file.file_id, request_id="r-1", metadata={"team": "x"})
        again = await session.batches.retrieve(batch.batch_id)
    assert (again.request_id, again.metadata, again.endpoint) == ("r-1", {"team": "x"}, CHAT)
    assert posts_to(gradient_emulator, CREATE_PATH)[0].json == {
        "file_id": file.file_id,
        "provider": "openai",
        "endpoint": CHAT,
        "completion_window": "24h",
        "request_id": "r-1",
        "metadata": {"team": "x"},
    }


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_an_upload_of_requests_encodes_lines_for_the_provider(
    gradient_emulator: Emulator, new_session: NewSession, provider: Any
) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        inputs = [BatchRequest("a", body(max_tokens=5))]
        file = await session.batches.upload(file, inputs, provider=provider)
        batch = await session.batches.create(file_id=file.file_id, provider=provider)
        assert (await session.batches.job(batch.batch_id).wait(poll=FAST)).request_counts.completed == 1


async def test_an_upload_reports_its_progress(new_session: NewSession) -> None:
    reported: list[tuple[int, int]] = []
    data = b"x" * 3_000_000
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        await session.batches.upload(file, data, on_progress=lambda done, total: reported.append((done, total)))
    assert reported[0] == (0, len(data))
    assert reported[-1] == (len(data), len(data))
    assert sorted(reported) == reported


async def test_a_file_name_is_checked_before_anything_is_sent(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        with pytest.raises(BatchValidationError):
            await session.batches.create_file("prompts.txt")
    assert gradient_emulator.requests == []
