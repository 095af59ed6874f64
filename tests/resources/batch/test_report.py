"""The results of a job compared with its input, and retries of the rest."""

from __future__ import annotations

from pathlib import Path

import pytest

from gradient_async import (
    AsyncSession,
    BatchError,
    BatchLimits,
    BatchNotReadyError,
)
from gradient_async.testing import Emulator
from tests.support.batches import (
    CHAT,
    FAST,
    NewSession,
    body,
    jsonl,
    line,
    requests,
    run_storage_host,
    serve_results_at,
)


async def test_overdue_results_are_waited_for_and_not_reported_missing(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.expire(after=0.5)
    gradient_emulator.batches.late = 3
    async with new_session() as session:
        job = await session.batches.submit(requests(10))
        await job.wait(poll=FAST, check=False)
        assert (await job.report()).missing == ()


async def test_the_report_compares_the_results_with_the_input(
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


@pytest.mark.usefixtures("each_shape")
@pytest.mark.parametrize("endpoint", [CHAT, "/v1/embeddings"])
async def test_a_job_picked_up_by_its_id_is_retried_with_its_endpoint(
    gradient_emulator: Emulator, new_session: NewSession, endpoint: str
) -> None:
    gradient_emulator.batches.drop_line("b")
    source = jsonl(*(line(name, url=endpoint, body={**body(), "input": "x"}) for name in ("a", "b")))
    async with new_session() as session:
        job = await session.batches.run(source, endpoint=endpoint, poll=FAST)
        await session.batches.job(job.batch_id, source=source).retry_failed()
    assert gradient_emulator.batches.jobs[1].request["endpoint"] == endpoint


@pytest.mark.usefixtures("each_shape")
async def test_a_job_picked_up_by_its_id_is_retried_from_an_iterable(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.drop_line("r1")
    async with new_session() as session:
        job = await session.batches.run(requests(2), poll=FAST)
        again = await session.batches.job(job.batch_id, source=requests(2)).retry_failed()
        assert (await again.wait(poll=FAST)).request_counts.total == 1


async def test_a_failed_part_does_not_hide_the_results_of_the_others(
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


async def test_retrying_a_running_job_raises_batch_not_ready(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(2))
    async with run_storage_host(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        serve_results_at(gradient_emulator, job, url)
        with pytest.raises(BatchNotReadyError):
            await job.retry_failed()
