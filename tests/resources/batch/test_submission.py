"""Submissions: steps, split inputs, and journals across runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    BatchLimits,
    BatchStep,
    GradientError,
    RateLimitError,
    UnprocessableEntityError,
)
from gradient_async.testing import Emulator
from tests.support.batches import FAST, NewSession, requests


async def test_each_step_is_reported(new_session: NewSession) -> None:
    steps: list[BatchStep] = []
    async with new_session() as session:
        await session.batches.submit(requests(3), on_step=steps.append)
    assert [step.stage for step in steps][:1] == ["validate"]
    assert [(step.stage, step.done == step.total) for step in steps][-2:] == [("upload", True), ("submit", True)]


async def test_a_split_input_becomes_several_jobs_that_act_as_one(
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


async def test_a_part_keeps_its_file_name_when_its_upload_url_is_replaced(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(403, code="SignatureDoesNotMatch", times=2, path="/inputs/*")
    async with new_session() as session:
        await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2), file_name="in.jsonl")
    assert list(gradient_emulator.batches.files.values()) == ["in-001.jsonl"] * 3 + ["in-002.jsonl"]


async def test_a_split_submission_that_fails_names_the_created_jobs(
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


async def test_a_refused_submission_is_corrected_with_the_same_journal(
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


async def test_a_journal_with_other_options_creates_no_second_job(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    async with new_session() as session:
        job = await session.batches.submit(requests(2), journal=journal)
        lines = journal.read_bytes().splitlines(keepends=True)
        journal.write_bytes(b"".join(lines[:-1]))  # as if the response had been lost with the process
        again = await session.batches.submit(requests(2), journal=journal, metadata={"run": "7"})
    assert again.batch_id == job.batch_id
    assert len(gradient_emulator.batches.jobs) == 1


async def test_a_lasting_rate_limit_is_raised(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.fail(429, times=None, path="/v1/batches/files")
    async with new_session(limits=None) as session:
        with pytest.raises(RateLimitError):
            await session.batches.submit(requests(1))
