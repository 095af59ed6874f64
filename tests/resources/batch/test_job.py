"""Whole jobs, over real sockets: submit, watch, cancel, report, try again."""

from __future__ import annotations

import json
import pickle
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    BatchError,
    BatchFailedError,
    BatchLimits,
    BatchNotReadyError,
    BatchRequest,
    BatchStep,
    BatchValidationError,
    ConfigurationError,
    ConflictError,
    GradientError,
    RateLimitError,
    UnprocessableEntityError,
)
from gradient_async.resources.batch import client as batch_calls
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, FAST, NewSession, body, jsonl, line, requests


async def test_run_is_submit_and_wait(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        job = await session.batches.run(requests(5), endpoint=CHAT, poll=FAST)
        results = {result.custom_id: result async for result in job.results()}
    assert job.batch is not None
    assert (job.batch.status, job.batch.request_counts.completed) == ("completed", 5)
    assert sorted(results) == [f"r{number}" for number in range(5)]
    assert all(result.ok and result.text for result in results.values())


async def test_every_kind_of_iterable_is_a_source(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async def slowly() -> AsyncIterator[BatchRequest]:
        for request in requests(3):
            yield request

    sources: list[Any] = [slowly(), list(requests(3)), [line("r0"), {"custom_id": "r1", "body": body()}, *requests(0)]]
    async with new_session() as session:
        for source in sources:
            await session.batches.submit(source, endpoint=CHAT)
    assert len(gradient_emulator.batches.jobs) == 3


@pytest.mark.parametrize("shape", ["reference", "captured"])
async def test_progress_ends_at_the_end_and_gives_only_news(
    gradient_emulator: Emulator, new_session: NewSession, shape: Any
) -> None:
    gradient_emulator.batches.shape = shape
    async with new_session() as session:
        job = await session.batches.submit(requests(10))
        seen = [(batch.status, batch.request_counts.completed) async for batch in job.progress(poll=FAST)]
    assert len(set(seen)) == len(seen)
    assert seen[-1] == ("completed", 10)


async def test_polls_wait_behind_interactive_requests(new_session: NewSession) -> None:
    asked: list[str] = []
    async with new_session() as session:
        acquire = session.limits.acquire  # type: ignore[union-attr]

        async def watched(priority: str = "interactive", **options: Any) -> Any:
            asked.append(priority)
            return await acquire(priority, **options)  # type: ignore[arg-type]

        session.limits.acquire = watched  # type: ignore[union-attr, method-assign, assignment]
        await session.batches.run(requests(1), poll=FAST)
    assert asked[:2] == ["interactive"] * 2
    assert set(asked[2:]) == {"bulk"}


async def test_trouble_while_polling_passes(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session(limits=None) as session:
        job = await session.batches.submit(requests(3))
        for status in (429, 502, 500, 503):
            gradient_emulator.fail(status, times=4, path=f"/v1/batches/{job.batch_id}")
        gradient_emulator.reset(times=4, path=f"/v1/batches/{job.batch_id}")
        gradient_emulator.batches.show_status("paused_for_lunch")
        assert (await job.wait(poll=FAST)).status == "completed"


async def test_wait_ends_with_its_time_and_the_job_goes_on(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.seconds = 30
    async with new_session() as session:
        job = await session.batches.submit(requests(1))
        with pytest.raises(APITimeoutError, match="goes on at the service"):
            await job.wait(timeout=0.1, poll=FAST)
        with pytest.raises(BatchNotReadyError):
            await anext(job.results())
        with pytest.raises(BatchNotReadyError):
            await job.report()


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


async def test_steps_are_told(new_session: NewSession) -> None:
    steps: list[BatchStep] = []
    async with new_session() as session:
        await session.batches.submit(requests(3), on_step=steps.append)
    assert [step.stage for step in steps][:1] == ["validate"]
    assert [(step.stage, step.done == step.total) for step in steps][-2:] == [("upload", True), ("submit", True)]


async def test_a_byte_order_mark_is_not_sent(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        job = await session.batches.run(b"\xef\xbb\xbf" + jsonl(line("a")), poll=FAST)
    assert job.batch is not None
    assert job.batch.status == "completed"


@pytest.mark.parametrize("data", [jsonl(line("a")).rstrip(), jsonl(line("a")).replace(b"\n", b"\r\n") + b"\r\n\n"])
async def test_lines_may_end_as_they_like(new_session: NewSession, data: bytes) -> None:
    async with new_session() as session:
        await session.batches.run(data, poll=FAST)


async def test_a_failed_job_raises_with_the_lines_of_its_faults(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.max_requests = 2
    async with new_session() as session:
        job = await session.batches.submit(requests(3))
        with pytest.raises(BatchFailedError, match="1 to 2 are allowed") as caught:
            await job.wait(poll=FAST)
        assert caught.value.batch is not None
        assert caught.value.batch.status == "failed"
        assert (await job.wait(check=False)).status == "failed"
        with pytest.raises(BatchFailedError):
            await anext(job.results())
        report = await job.report()
        assert report.missing == ("r0", "r1", "r2")
        gradient_emulator.batches.max_requests = 3
        again = await job.retry_failed()
        assert (await again.wait(poll=FAST)).request_counts.completed == 3


async def test_an_expired_job_has_partial_results(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.expire(after=0.5)
    async with new_session() as session:
        job = await session.batches.submit(requests(10))
        with pytest.raises(BatchFailedError, match="expired"):
            await job.wait(poll=FAST)
        report = await job.report()
        assert (len(report.succeeded), len(report.failed), report.missing) == (5, 5, ())
        assert {fault.code for fault in report.errors.values()} == {"batch_expired"}


async def test_a_cancelled_job_keeps_what_was_done(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = None
    async with new_session() as session:
        job = await session.batches.submit(requests(10))
        gradient_emulator.batches.advance()
        await job.cancel()
        gradient_emulator.batches.advance()
        with pytest.raises(BatchFailedError, match="cancelled"):
            await job.wait(poll=FAST)
        report = await job.report()
        assert 0 < len(report.succeeded) < 10
        assert len(report.succeeded) + len(report.missing) == 10
        with pytest.raises(ConflictError):
            await job.cancel()


async def test_what_was_done_of_a_job_is_waited_for_and_never_called_missing(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.expire(after=0.5)
    gradient_emulator.batches.late = 3
    async with new_session() as session:
        job = await session.batches.submit(requests(10))
        await job.wait(poll=FAST, check=False)
        assert (await job.report()).missing == ()


async def test_the_report_holds_the_results_against_the_input(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.fail_line("r1", status=400, code="bad", message="no good")
    gradient_emulator.batches.fail_line("r2", status=None, code="lost")
    gradient_emulator.batches.drop_line("r3")
    async with new_session() as session:
        job = await session.batches.run(requests(5), poll=FAST)
        report = await job.report()
        assert (sorted(report.succeeded), sorted(report.failed), report.missing) == (
            ["r0", "r4"],
            ["r1", "r2"],
            ("r3",),
        )
        assert (report.errors["r1"].status, str(report.errors["r1"])) == (400, "no good")
        assert (str(report), report.ok) == ("2 succeeded, 2 failed, 1 missing", False)
        again = await job.retry_failed()
        assert again.batch_id != job.batch_id
        await again.wait(poll=FAST)
        assert sorted((await again.report()).succeeded) == ["r1", "r2", "r3"]
        with pytest.raises(BatchError, match="Every request"):
            await again.retry_failed()


@pytest.mark.parametrize("shape", ["reference", "captured"])
async def test_a_job_is_picked_up_by_its_id(
    gradient_emulator: Emulator, new_session: NewSession, shape: Any, tmp_path: Path
) -> None:
    gradient_emulator.batches.shape = shape
    gradient_emulator.batches.drop_line("b")
    path = tmp_path / "in.jsonl"
    path.write_bytes(jsonl(line("a"), line("b")))
    async with new_session() as session:
        batch_id = (await session.batches.run(path, poll=FAST)).batch_id
    async with new_session() as session:
        job = session.batches.job(batch_id)
        assert [(result.custom_id, bool(result.text)) async for result in job.results()] == [("a", True)]
        assert (await job.report()).missing == ()
        with pytest.raises(ConfigurationError, match="source="):
            await job.retry_failed()
        job = session.batches.job(batch_id, source=path)
        assert (await job.report()).missing == ("b",)


@pytest.mark.parametrize("shape", ["reference", "captured"])
@pytest.mark.parametrize("endpoint", [CHAT, "/v1/embeddings"])
async def test_a_job_picked_up_by_its_id_is_tried_again_whatever_the_service_says_of_it(
    gradient_emulator: Emulator, new_session: NewSession, shape: Any, endpoint: str
) -> None:
    gradient_emulator.batches.shape = shape
    gradient_emulator.batches.drop_line("b")
    source = jsonl(*(line(name, url=endpoint, body={**body(), "input": "x"}) for name in ("a", "b")))
    async with new_session() as session:
        job = await session.batches.run(source, endpoint=endpoint, poll=FAST)
        await session.batches.job(job.batch_id, source=source).retry_failed()
    assert gradient_emulator.batches.jobs[1].request["endpoint"] == endpoint


@pytest.mark.parametrize("shape", ["reference", "captured"])
async def test_requests_of_a_job_picked_up_by_its_id_are_tried_again(
    gradient_emulator: Emulator, new_session: NewSession, shape: Any
) -> None:
    gradient_emulator.batches.shape = shape
    gradient_emulator.batches.drop_line("r1")
    async with new_session() as session:
        job = await session.batches.run(requests(2), poll=FAST)
        again = await session.batches.job(job.batch_id, source=requests(2)).retry_failed()
        assert (await again.wait(poll=FAST)).request_counts.total == 1


async def test_anthropic_from_end_to_end(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.fail_line("b", status=400)
    asked = [BatchRequest(name, {**body(), "max_tokens": 10}) for name in ("a", "b")]
    async with new_session() as session:
        job = await session.batches.run(asked, provider="anthropic", poll=FAST)
        results = {result.custom_id: result async for result in job.results()}
        again = await job.retry_failed()
        await again.wait(poll=FAST)
        assert (await again.report()).succeeded == ("b",)
    assert results["a"].message is not None
    assert results["a"].text
    assert results["b"].error is not None


async def test_embeddings_from_end_to_end(gradient_emulator: Emulator, new_session: NewSession) -> None:
    asked = [BatchRequest("a", {"model": "m", "input": "hello"})]
    async with new_session() as session:
        job = await session.batches.run(asked, endpoint="/v1/embeddings", poll=FAST)
        (result,) = [result async for result in job.results()]
    assert result.file in ("output", "error")


async def test_a_large_input_becomes_several_jobs_that_look_like_one(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    gradient_emulator.batches.fail_line("r4", status=400)
    gradient_emulator.batches.drop_line("r9")
    options: Any = {"split": True, "limits": BatchLimits(requests=4)}
    async with new_session() as session:
        job = await session.batches.run(requests(10), poll=FAST, **options)
        assert len(job.batch_ids) == len(gradient_emulator.batches.jobs) == 3
        assert sorted(gradient_emulator.batches.files.values()) == [f"batch-00{number}.jsonl" for number in (1, 2, 3)]
        assert job.batch is not None
        assert (job.batch.request_counts.total, job.batch.status) == (10, "completed")
        report = await job.report()
        assert (len(report.succeeded), report.failed, report.missing) == (8, ("r4",), ("r9",))
        picked = session.batches.job(job.batch_id)
        assert len([result async for result in picked.results()]) == 9
        saved = await picked.download(tmp_path / "out.jsonl", errors=tmp_path / "errors.jsonl")
        assert saved.size == (tmp_path / "out.jsonl").stat().st_size
        ids = {json.loads(each)["custom_id"] for each in (tmp_path / "out.jsonl").read_bytes().splitlines()}
        assert len(ids) == 8
        again = await job.retry_failed()
        await again.wait(poll=FAST)
        assert sorted((await again.report()).succeeded) == ["r4", "r9"]


async def test_a_part_that_failed_hides_no_results_of_the_others(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    gradient_emulator.batches.max_requests = 3
    async with new_session() as session:
        job = await session.batches.submit(requests(6), split=True, limits=BatchLimits(requests=4))
        await job.wait(poll=FAST, check=False)
        assert sorted([result.custom_id async for result in job.results()]) == ["r4", "r5"]
        assert (await job.download(tmp_path / "out.jsonl")).size > 0
        report = await job.report()
    assert (sorted(report.succeeded), report.missing) == (["r4", "r5"], ("r0", "r1", "r2", "r3"))


async def test_line_numbers_of_a_part_are_those_of_the_input(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.max_requests = 2
    broken = {"status": "failed", "errors": [{"code": "x", "line": 1, "message": "bad"}]}
    async with new_session() as session:
        job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
        view = {"batch_id": job.batch_ids[1], **broken}
        gradient_emulator.fail(200, body=view, content_type="application/json", path=f"/v1/batches/{job.batch_ids[1]}")
        with pytest.raises(BatchFailedError, match="Line 3: bad"):
            await job.wait(poll=FAST)


async def test_the_time_to_wait_is_for_all_parts_together(gradient_emulator: Emulator, new_session: NewSession) -> None:
    running = {"batch_id": "b", "status": "in_progress"}
    gradient_emulator.fail(
        200, body=running, content_type="application/json", delay=0.3, times=None, path="/v1/batches/*"
    )
    async with new_session() as session:
        began = time.monotonic()
        with pytest.raises(APITimeoutError):
            await session.batches.job(",".join("abcdefghij")).wait(timeout=0.4, poll=FAST)
    assert time.monotonic() - began < 2


async def test_cancel_means_all_parts(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = 30
    async with new_session() as session:
        job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
        assert (await job.cancel()).status in ("cancelling", "cancelled")
    assert {each.status for each in gradient_emulator.batches.jobs} <= {"cancelling", "cancelled"}


async def test_a_part_that_has_ended_does_not_keep_the_others_from_being_cancelled(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.shape, gradient_emulator.batches.seconds = "captured", 30
    async with new_session() as session:
        job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
        await session.batches.cancel(job.batch_ids[0])
        assert (await job.cancel()).status == "cancelled"
    assert [each.status for each in gradient_emulator.batches.jobs] == ["cancelled"] * 2


async def test_a_cancellation_that_is_refused_is_told(
    gradient_emulator: Emulator, new_session: NewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_calls, "cancel_retry_delay", lambda *_: None)
    gradient_emulator.batches.seconds = 30
    gradient_emulator.fail(409, path="/v1/batches/*/cancel")
    async with new_session() as session:
        job = await session.batches.submit(requests(2))
        with pytest.raises(ConflictError):
            await job.cancel()


async def test_a_split_that_ends_halfway_names_what_was_created(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        with pytest.raises(GradientError) as caught:
            await session.batches.submit(
                requests(4),
                split=True,
                limits=BatchLimits(requests=2),
                on_step=lambda step: gradient_emulator.fail(402, times=None) if step.stage == "submit" else None,
            )
    (made,) = gradient_emulator.batches.jobs
    assert made.id in caught.value.__notes__[0]


async def test_a_refused_submission_is_mended_with_the_same_journal(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    async with new_session() as session:
        with pytest.raises(UnprocessableEntityError):
            await session.batches.submit(requests(2), journal=journal, metadata={"run": 7})  # type: ignore[dict-item]
        job = await session.batches.submit(requests(2), journal=journal, metadata={"run": "7"})
        again = await session.batches.submit(requests(2), journal=journal, metadata={"run": "8"})
        assert (await again.refresh()).metadata == {"run": "7"}
    assert again.batch_id == job.batch_id
    assert len(gradient_emulator.storage.requests) == 1


async def test_other_options_make_no_second_job_of_a_journal(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    async with new_session() as session:
        job = await session.batches.submit(requests(2), journal=journal)
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[:-1]))  # as if the answer had been lost with the process
        again = await session.batches.submit(requests(2), journal=journal, metadata={"run": "7"})
    assert again.batch_id == job.batch_id
    assert len(gradient_emulator.batches.jobs) == 1


async def test_a_rate_limit_that_stays_is_told(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.fail(429, times=None, path="/v1/batches/files")
    async with new_session(limits=None) as session:
        with pytest.raises(RateLimitError):
            await session.batches.submit(requests(1))


@pytest.mark.parametrize("ids", ["", "a,,b", []])
async def test_a_job_without_an_id_is_a_clear_error(new_session: NewSession, ids: Any) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError):
            session.batches.job(ids)


async def test_a_job_shows_itself(new_session: NewSession) -> None:
    async with new_session() as session:
        assert repr(session.batches.job("b-1")) == "<BatchJob b-1, status unknown>"
        assert session.batches.job(["a", "b"]).batch_id == "a,b"
        assert session.batches.job("a, b").batch_ids == ("a", "b")
