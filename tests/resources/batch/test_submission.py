"""Submissions: steps, split inputs, and journals across runs."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from gradient_async import (
    APIConnectionError,
    AsyncSession,
    AuthenticationError,
    BatchError,
    BatchLimits,
    BatchStep,
    ConfigurationError,
    GradientError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
    RetryPolicy,
    UnprocessableEntityError,
)
from gradient_async._io.batch import journal_file
from gradient_async._io.batch.threads import write_all
from gradient_async.testing import Emulator
from tests.support.batches import (
    CREATE_PATH,
    FAST,
    FILES_PATH,
    NewSession,
    body,
    jsonl,
    line,
    posts_to,
    read_folder,
    requests,
)


async def test_each_step_is_reported(new_session: NewSession) -> None:
    steps: list[BatchStep] = []
    async with new_session() as session:
        await session.batches.submit(requests(3), on_step=steps.append)
    assert [step.stage for step in steps][:1] == ["validate"]
    assert [(step.stage, step.done == step.total) for step in steps][-2:] == [("upload", True), ("submit", True)]


async def test_a_hint_about_the_input_is_logged(new_session: NewSession, caplog: pytest.LogCaptureFixture) -> None:
    data = jsonl(line("a", body=body() | {"stop": None}))
    async with new_session() as session:
        await session.batches.submit(data)
    assert [record.levelname for record in caplog.records if "null for stop" in record.getMessage()] == ["WARNING"]


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


async def test_after_a_wrong_key_the_journal_is_that_of_the_right_one(
    gradient_emulator: Emulator, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    gradient_emulator.fail(401)
    for key, error in (("wrong", AuthenticationError), ("right", None), ("wrong", ConfigurationError)):
        async with AsyncSession(key, base_url=gradient_emulator.url) as session:
            with nullcontext() if error is None else pytest.raises(error):
                await session.batches.submit(requests(2), journal=journal)
    assert len(gradient_emulator.batches.jobs) == 1


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


GONE = [
    {"status": 404, "code": "not_found", "message": "file not found"},
    {"status": 410, "code": "gone", "message": "resource retired"},
    {"status": 400, "code": "invalid_file", "message": "The input file has expired."},
    {"status": 422, "code": "file_not_found", "message": "no such upload"},
]


@pytest.mark.parametrize("refusal", GONE)
async def test_a_recorded_file_that_is_gone_is_uploaded_again_once(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path, refusal: dict[str, Any]
) -> None:
    journal = tmp_path / "run.journal"
    async with new_session(limits=None) as session:
        gradient_emulator.fail(402, path=CREATE_PATH)
        with pytest.raises(PaymentRequiredError):
            await session.batches.submit(requests(2), journal=journal)
        gradient_emulator.fail(**refusal, path=CREATE_PATH)
        await session.batches.submit(requests(2), journal=journal)
    sent = [request.json for request in posts_to(gradient_emulator, CREATE_PATH)]
    assert len({body["request_id"] for body in sent}) == 1
    assert len(posts_to(gradient_emulator, FILES_PATH)) == 2
    assert len(gradient_emulator.batches.jobs) == 1


@pytest.mark.parametrize("recorded", [False, True])
async def test_no_file_is_uploaded_again_in_vain(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path, recorded: bool
) -> None:
    journal = tmp_path / "run.journal"
    async with new_session(limits=None) as session:
        if recorded:
            gradient_emulator.fail(402, path=CREATE_PATH)
            with pytest.raises(PaymentRequiredError):
                await session.batches.submit(requests(2), journal=journal)
        gradient_emulator.fail(404, times=None, path=CREATE_PATH)
        with pytest.raises(NotFoundError):
            await session.batches.submit(requests(2), journal=journal)
    assert len(posts_to(gradient_emulator, FILES_PATH)) == 1 + recorded


async def test_a_gone_file_of_a_job_that_exists_is_not_uploaded_again(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    journal = tmp_path / "run.journal"
    async with new_session(limits=None, retry=RetryPolicy(attempts=1)) as session:
        gradient_emulator.batches.lose_answer()
        with pytest.raises(APIConnectionError):
            await session.batches.submit(requests(2), journal=journal)
        gradient_emulator.fail(404, path=CREATE_PATH)
        job = await session.batches.submit(requests(2), journal=journal)
    assert [each.id for each in gradient_emulator.batches.jobs] == [job.batch_id]
    assert len(posts_to(gradient_emulator, FILES_PATH)) == 1


@pytest.mark.parametrize("parts", [1, 60])
async def test_one_look_at_a_split_job_is_one_request(
    gradient_emulator: Emulator, session: AsyncSession, parts: int
) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(2 * parts), split=True, limits=BatchLimits(requests=2))
    before = len(gradient_emulator.requests)
    assert (await job.refresh()).status != "completed"
    assert len(gradient_emulator.requests) == before + 1


async def test_a_split_job_is_polled_one_by_one_where_the_list_is_refused(
    gradient_emulator: Emulator, session: AsyncSession
) -> None:
    gradient_emulator.batches.seconds = 30
    job = await session.batches.submit(requests(4), split=True, limits=BatchLimits(requests=2))
    gradient_emulator.fail(403, path=CREATE_PATH, times=None)
    assert (await job.refresh()).batch_id == job.batch_id


@pytest.mark.parametrize("batch_id", ["", " ", ".", ".."])
async def test_an_id_that_leads_to_another_path_is_refused(
    gradient_emulator: Emulator, session: AsyncSession, batch_id: str
) -> None:
    for call in (session.batches.retrieve, session.batches.cancel, session.batches.result_links):
        with pytest.raises(ConfigurationError):
            await call(batch_id)
    assert not gradient_emulator.requests


@pytest.mark.parametrize(
    ("endpoint", "meant"),
    [
        ("v1/chat/completions", "/v1/chat/completions"),
        ("/v1/chat/completion", "/v1/chat/completions"),
        ("/V1/Responses/", "/v1/responses"),
        ("chat", "path"),
        ("", "path"),
    ],
)
async def test_a_misspelt_endpoint_is_found_before_anything_is_sent(
    gradient_emulator: Emulator, session: AsyncSession, endpoint: Any, meant: str
) -> None:
    with pytest.raises(ConfigurationError, match=meant):
        await session.batches.submit(requests(1), endpoint=endpoint)
    assert not gradient_emulator.requests


@pytest.mark.parametrize("endpoint", ["/v1/rerank", "/v2/chat/streams", None])
async def test_an_endpoint_that_is_not_known_is_left_to_the_service(session: AsyncSession, endpoint: Any) -> None:
    report = await session.batches.validate(requests(1), endpoint=endpoint)
    assert all("endpoint" not in fault for fault in report.faults)


async def test_in_a_directory_each_input_has_a_journal_of_its_own(
    gradient_emulator: Emulator, session: AsyncSession, new_session: NewSession, tmp_path: Path
) -> None:
    for count in (2, 2, 3):
        await session.batches.submit(requests(count), journal=tmp_path)
    async with new_session(api_key="another", limits=None) as other:
        await other.batches.submit(requests(2), journal=tmp_path)
    assert len(gradient_emulator.batches.jobs) == len(read_folder(tmp_path)) == 3


async def test_a_retry_of_every_request_is_another_job_than_the_one_it_retries(
    gradient_emulator: Emulator, session: AsyncSession, tmp_path: Path
) -> None:
    gradient_emulator.batches.fail_line("r0", status=500)
    job = await session.batches.run(requests(1), journal=tmp_path, poll=FAST)
    for _ in range(2):
        again = await job.retry_failed(journal=tmp_path)
    assert [each.id for each in gradient_emulator.batches.jobs] == [job.batch_id, again.batch_id]
    (own,) = [name for name, text in read_folder(tmp_path).items() if job.batch_id in text]
    with pytest.raises(ConfigurationError, match="another one"):
        await job.retry_failed(journal=tmp_path / own)


@pytest.mark.parametrize(("kind", "jobs"), [("begin", 0), ("upload", 0), ("submit", 0), ("create", 1)])
async def test_a_full_disk_at_any_record_names_the_journal_and_is_paid_once(
    kind: str, jobs: int, gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path
) -> None:
    def refuse_kind(write: Callable[[memoryview], int], data: bytes) -> None:
        if data.startswith(b'{"kind":"%s"' % kind.encode()):
            write_all(write, data[:20])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_all(write, data)

    async with new_session() as session:
        with (
            pytest.MonkeyPatch.context() as patch,
            pytest.raises(BatchError, match=r"run\.journal.*No space") as refusal,
        ):
            patch.setattr(journal_file, "write_all", refuse_kind)
            await session.batches.submit(requests(3), journal=tmp_path / "run.journal")
        assert len(gradient_emulator.batches.jobs) == jobs
        job = await session.batches.submit(requests(3), journal=tmp_path / "run.journal")
        assert [each.id for each in gradient_emulator.batches.jobs] == [job.batch_id]
        assert not jobs or job.batch_id in refusal.value.__notes__[0]
