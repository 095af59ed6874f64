"""A job from its creation to its end, over real sockets: progress, wait, cancel."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    BatchFailedError,
    BatchLimits,
    BatchNotReadyError,
    ConfigurationError,
    ConflictError,
    Poll,
)
from gradient_async.resources.batch import client as batch_client
from gradient_async.testing import Emulator
from tests.support.batches import FAST, NewSession, jsonl, line, requests


@pytest.mark.usefixtures("each_shape")
async def test_progress_yields_each_change_once_and_the_final_state(new_session: NewSession) -> None:
    async with new_session() as session:
        job = await session.batches.submit(requests(10))
        seen = [(batch.status, batch.request_counts.completed) async for batch in job.progress(poll=FAST)]
    assert len(set(seen)) == len(seen)
    assert seen[-1] == ("completed", 10)


async def test_polls_have_bulk_priority(new_session: NewSession) -> None:
    priorities: list[str] = []
    async with new_session() as session:
        acquire = session.limits.acquire

        async def record_priority(priority: str = "interactive", **options: Any) -> Any:
            priorities.append(priority)
            return await acquire(priority, **options)  # type: ignore[arg-type]

        session.limits.acquire = record_priority  # type: ignore[method-assign]
        await session.batches.run(requests(1), poll=FAST)
    assert priorities[:2] == ["interactive"] * 2
    assert set(priorities[2:]) == {"bulk"}


async def test_transient_errors_while_polling_are_waited_out(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session(limits=None) as session:
        job = await session.batches.submit(requests(3))
        for status in (429, 502, 500, 503):
            gradient_emulator.fail(status, times=4, path=f"/v1/batches/{job.batch_id}")
        gradient_emulator.reset(times=4, path=f"/v1/batches/{job.batch_id}")
        gradient_emulator.batches.show_status("paused_for_lunch")
        assert (await job.wait(poll=FAST)).status == "completed"


async def test_wait_raises_after_its_timeout_and_the_job_continues(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(1))
    with pytest.raises(APITimeoutError, match="goes on at the service"):
        await job.wait(timeout=0.1, poll=FAST)
    with pytest.raises(BatchNotReadyError):
        await anext(job.results())
    with pytest.raises(BatchNotReadyError):
        await job.report()


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


async def test_a_cancelled_job_keeps_the_results_it_has(gradient_emulator: Emulator, new_session: NewSession) -> None:
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


async def test_line_numbers_of_a_part_are_those_of_the_input(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.max_requests = 2
    broken = {"status": "failed", "errors": [{"code": "x", "line": 1, "message": "bad"}]}
    async with new_session() as session:
        job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
        view = {"batch_id": job.batch_ids[1], **broken}
        gradient_emulator.fail(404, path="/v1/batches", times=None)
        gradient_emulator.fail(200, body=view, content_type="application/json", path=f"/v1/batches/{job.batch_ids[1]}")
        with pytest.raises(BatchFailedError, match="Line 3: bad"):
            await job.wait(poll=FAST)


async def test_the_timeout_of_wait_covers_all_parts_together(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    running = {"batch_id": "b", "status": "in_progress"}
    gradient_emulator.fail(
        200, body=running, content_type="application/json", delay=0.3, times=None, path="/v1/batches/*"
    )
    async with new_session() as session:
        with pytest.raises(APITimeoutError):
            await session.batches.job(",".join("abcdefghij")).wait(timeout=0.4, poll=FAST)
    assert len(gradient_emulator.requests) < 10


async def test_parts_that_no_list_shows_do_not_raise_the_number_of_requests(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.seconds = 600
    async with new_session() as session:
        job = await session.batches.submit(requests(8), split=True, limits=BatchLimits(requests=1))
        gradient_emulator.fail(403, path="/v1/batches", times=None)
        before = len(gradient_emulator.requests)
        with pytest.raises(APITimeoutError):
            await job.wait(poll=Poll(first=0.05, longest=0.05), timeout=1.0)
    assert len(gradient_emulator.requests) - before <= 1.0 / 0.05 + 18


async def test_cancel_cancels_all_parts(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = 30
    async with new_session() as session:
        job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
        assert (await job.cancel()).status in ("cancelling", "cancelled")
    assert {each.status for each in gradient_emulator.batches.jobs} <= {"cancelling", "cancelled"}


async def test_cancel_cancels_the_other_parts_of_an_ended_one(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.shape, gradient_emulator.batches.seconds = "captured", 30
    async with new_session() as session:
        job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
        await session.batches.cancel(job.batch_ids[0])
        assert (await job.cancel()).status == "cancelled"
    assert [each.status for each in gradient_emulator.batches.jobs] == ["cancelled"] * 2


async def test_a_refused_cancellation_raises(
    gradient_emulator: Emulator, new_session: NewSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_client, "cancel_retry_delay", lambda *_: None)
    gradient_emulator.batches.seconds = 30
    gradient_emulator.fail(409, path="/v1/batches/*/cancel")
    async with new_session() as session:
        job = await session.batches.submit(requests(2))
        with pytest.raises(ConflictError):
            await job.cancel()


async def test_the_repr_of_a_job_has_its_id_and_status(new_session: NewSession) -> None:
    async with new_session() as session:
        assert repr(session.batches.job("b-1")) == "<BatchJob b-1, status unknown>"
        assert session.batches.job(["a", "b"]).batch_id == "a,b"
        assert session.batches.job("a, b").batch_ids == ("a", "b")
