"""The results of a job compared with its input, and retries of the rest."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    BatchError,
    BatchJob,
    BatchLimits,
    BatchNotReadyError,
    ConfigurationError,
    read_results,
)
from gradient_async.testing import Emulator
from tests.support.batches import (
    CHAT,
    FAST,
    RESULT_COUNT,
    NewSession,
    body,
    collect_ids,
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
    gradient_emulator: Emulator, new_session: NewSession, endpoint: Any
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


async def test_an_input_that_shares_no_id_with_the_results_is_refused(job: BatchJob) -> None:
    with pytest.raises(ConfigurationError, match="not the input of this job"):
        await job.report(jsonl(line("other"), line("another")))


async def test_results_of_other_requests_count_as_foreign(job: BatchJob) -> None:
    report = await job.report(requests(RESULT_COUNT - 5))
    assert sorted(report.foreign) == sorted(f"r{number}" for number in range(RESULT_COUNT - 5, RESULT_COUNT))
    assert len(report.succeeded) == RESULT_COUNT - 6
    assert (report.failed, report.requests, report.ok) == (("r7",), RESULT_COUNT - 5, False)
    assert "5 of other requests" in repr(report)


async def test_the_report_sums_tokens_and_finish_reasons(job: BatchJob) -> None:
    report = await job.report()
    lines = [each async for each in job.results() if each.completion is not None]
    usages = [each.completion.usage for each in lines if each.completion and each.completion.usage]
    assert report.tokens.input == sum(usage.prompt_tokens for usage in usages) > 0
    assert report.tokens.output == sum(usage.completion_tokens for usage in usages) > 0
    assert report.tokens.total == report.tokens.input + report.tokens.output
    assert sum(report.finish_reasons.values()) == RESULT_COUNT - 1
    assert f"{RESULT_COUNT - 1} succeeded, 1 failed, 0 missing" in repr(report)


async def test_only_the_requests_that_where_takes_are_sent_again(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.fail_line("r1", status=400)
    gradient_emulator.batches.fail_line("r2", status=500)
    gradient_emulator.batches.fail_line("r3", status=None)
    gradient_emulator.batches.drop_line("r4")
    job = await session.batches.run(requests(6), poll=FAST)
    again = await job.retry_failed(where=lambda line: line.status != 400)
    await again.wait(poll=FAST)
    assert sorted(await collect_ids(again)) == ["r2", "r3", "r4"]
    with pytest.raises(BatchError, match="where="):
        await job.retry_failed(where=lambda line: line.status == 418)
    with pytest.raises(BatchError, match="where="):
        await job.retry_failed(where=lambda line: line.error is not None and line.error.code == "never")


async def test_a_split_job_is_retried_as_a_split_job_in_another_process(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.max_requests = 2
    limits = BatchLimits(requests=4)
    job = await session.batches.submit(requests(8), split=True, limits=limits)
    await job.wait(poll=FAST, check=False)
    picked = session.batches.job(job.batch_ids, source=requests(8))
    picked._context.options = {"limits": limits}
    assert len((await picked.retry_failed()).batch_ids) == 2


async def test_rows_are_joined_with_their_results_in_their_order(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.fail_line("r1", status=400)
    gradient_emulator.batches.drop_line("r2")
    job = await session.batches.run(requests(4), poll=FAST)
    rows = [{"id": f"r{number}", "n": number} for number in (3, 2, 1, 0, 3)]
    joined = [(row["n"], line.custom_id, line.ok) async for row, line in job.joined(rows, key="id")]
    assert joined == [(3, "r3", True), (2, "r2", False), (1, "r1", False), (0, "r0", True), (3, "r3", True)]
    by_function = [line async for _, line in job.joined(range(4), key=lambda number: f"r{number}")]
    assert by_function[0].text
    assert [line.error and line.error.code for line in by_function][2] == "missing"
    with pytest.raises(ConfigurationError, match="'custom_id'"):
        _ = [pair async for pair in job.joined(rows)]


@pytest.mark.parametrize("pack", [bytes, gzip.compress])
async def test_saved_results_are_read_as_those_of_the_job(
    job: BatchJob, tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "out.jsonl"
    await job.download(path, errors=tmp_path / "errors.jsonl")
    path.write_bytes(pack(path.read_bytes()))
    found = {line.custom_id: line.text for line in read_results(path)}
    (failed,) = read_results(tmp_path / "errors.jsonl", file="error")
    assert found | {failed.custom_id: ""} == {line.custom_id: line.text async for line in job.results()}
    assert (failed.ok, failed.status, failed.file) == (False, 400, "error")


def test_saved_results_that_cannot_be_read_are_an_error_with_the_path(tmp_path: Path) -> None:
    (tmp_path / "cut.gz").write_bytes(gzip.compress(b"{}" * 100)[:-9])
    for name in ("none", "cut.gz"):
        with pytest.raises(ConfigurationError, match=name):
            list(read_results(tmp_path / name))
