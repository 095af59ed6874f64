"""Each step alone, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    AsyncSession,
    BadRequestError,
    BatchError,
    BatchLimits,
    BatchNotReadyError,
    BatchRequest,
    BatchValidationError,
    ConfigurationError,
    ConflictError,
    NotFoundError,
    RetryPolicy,
    Timeouts,
    UnprocessableEntityError,
    UploadError,
)
from gradient_async.testing import Emulator
from tests.support.batches import CHAT, FAST, QUICK_RETRY, NewSession, body, jsonl, line, requests

DATA = jsonl(line("a"), line("b"))
CREATE, FILES = "/v1/batches", "/v1/batches/files"


def posts(gradient: Emulator, path: str) -> list[Any]:
    return [request for request in gradient.requests if request.method == "POST" and request.path == path]


async def uploaded(session: AsyncSession, data: bytes = DATA) -> str:
    file = await session.batches.create_file("in.jsonl")
    return (await session.batches.upload(file, data)).file_id


async def test_the_steps_make_a_job(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        assert file.meta.status == 201
        assert await session.batches.upload(file, DATA) is file
        batch = await session.batches.create(file_id=file.file_id, request_id="r-1", metadata={"team": "x"})
        again = await session.batches.retrieve(batch.batch_id)
    assert (again.request_id, again.metadata, again.endpoint) == ("r-1", {"team": "x"}, CHAT)
    assert posts(gradient_emulator, CREATE)[0].json == {
        "file_id": file.file_id,
        "provider": "openai",
        "endpoint": CHAT,
        "completion_window": "24h",
        "request_id": "r-1",
        "metadata": {"team": "x"},
    }


async def test_an_upload_is_the_address_verbatim_with_a_length_and_nothing_else(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        await session.batches.upload(file, DATA)
    (put,) = gradient_emulator.storage.requests
    assert file.upload_url.endswith(put.target)
    assert (put.headers["Content-Length"], put.headers["Content-Type"]) == (str(len(DATA)), "application/octet-stream")
    assert {"Authorization", "Cookie", "DownloadState-Encoding", "Expect"}.isdisjoint(put.headers)
    assert put.received == len(DATA)


@pytest.mark.parametrize("content_type", ["application/jsonl", None])
async def test_the_content_type_of_an_upload_can_be_chosen(
    gradient_emulator: Emulator, new_session: NewSession, content_type: str | None
) -> None:
    async with new_session() as session:
        await session.batches.upload(await session.batches.create_file("in.jsonl"), DATA, content_type=content_type)
    assert gradient_emulator.storage.requests[0].headers.get("Content-Type") == content_type


@pytest.mark.parametrize("packed", [False, True])
async def test_an_upload_reads_paths_bytes_and_iterables(
    gradient_emulator: Emulator, new_session: NewSession, tmp_path: Path, packed: bool
) -> None:
    data = gzip.compress(DATA) if packed else DATA
    path = tmp_path / "in.jsonl"
    path.write_bytes(data)
    async with new_session() as session:
        for source in (path, str(path), data):
            await session.batches.upload(await session.batches.create_file("in.jsonl"), source)
    assert [put.received for put in gradient_emulator.storage.requests] == [len(DATA)] * 3


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_an_upload_of_requests_has_lines_that_the_job_takes(
    gradient_emulator: Emulator, new_session: NewSession, provider: Any
) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        asked = [BatchRequest("a", body(max_tokens=5))]
        file = await session.batches.upload(file, asked, provider=provider)
        batch = await session.batches.create(file_id=file.file_id, provider=provider)
        assert (await session.batches.job(batch.batch_id).wait(poll=FAST)).request_counts.completed == 1


async def test_an_upload_tells_how_far_it_is(new_session: NewSession) -> None:
    told: list[tuple[int, int]] = []
    data = b"x" * 3_000_000
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        await session.batches.upload(file, data, on_progress=lambda done, total: told.append((done, total)))
    assert told[0] == (0, len(data))
    assert told[-1] == (len(data), len(data))
    assert sorted(told) == told


async def test_an_expired_address_is_never_used_again(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        gradient_emulator.storage.expire()
        other = await session.batches.upload(file, DATA)
        await session.batches.create(file_id=other.file_id)
    assert other.file_id != file.file_id
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert len(set(targets)) == len(targets) == 2


async def test_an_address_that_expired_meanwhile_is_not_tried_again(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(500, path="/inputs/*")
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        file.expires_at = datetime(2020, 1, 1, tzinfo=UTC)
        assert (await session.batches.upload(file, DATA)).file_id != file.file_id
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert len(set(targets)) == len(targets) == 2


async def test_new_addresses_are_bounded(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.fail(403, code="SignatureDoesNotMatch", times=None, path="/inputs/*")
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(UploadError, match="SignatureDoesNotMatch") as caught:
            await session.batches.upload(file, DATA)
    assert (caught.value.status, caught.value.code) == (403, "SignatureDoesNotMatch")
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert len(set(targets)) == len(targets) == 3


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_what_passes_at_the_storage_host_is_tried_again_at_the_same_address(
    gradient_emulator: Emulator, new_session: NewSession, status: int
) -> None:
    gradient_emulator.fail(status, times=2, path="/inputs/*")
    async with new_session() as session:
        await uploaded(session)
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert (len(targets), len(set(targets))) == (3, 1)


async def test_a_reset_in_the_middle_of_an_upload_is_tried_again(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.reset(path="/inputs/*")
    async with new_session() as session:
        file_id = await uploaded(session, b"x" * 5_000_000)
    assert gradient_emulator.storage.objects[f"/inputs/{file_id}.jsonl"].size == 5_000_000


async def test_a_lost_answer_of_an_upload_is_tried_again(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.lose_answer(path="/inputs/*")
    async with new_session() as session:
        await uploaded(session)
    assert len(gradient_emulator.storage.requests) == 2


async def test_a_storage_host_that_stays_down_is_an_error(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.fail(500, times=None, path="/inputs/*")
    async with new_session() as session:
        with pytest.raises(UploadError) as caught:
            await uploaded(session)
    assert caught.value.status == 500
    assert len(gradient_emulator.storage.requests) == QUICK_RETRY.attempts


async def test_a_silent_storage_host_is_a_timeout(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.stall(5, times=None, path="/inputs/*")
    async with new_session(timeouts=Timeouts(first_byte=0.1), retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(APIConnectionError):
            await uploaded(session)


async def test_a_redirect_of_the_storage_host_is_not_followed(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(307, headers={"Location": "http://example.com/"}, path="/inputs/*")
    async with new_session() as session:
        with pytest.raises(Exception, match="redirect"):
            await uploaded(session)


async def test_an_input_that_changes_during_the_upload_is_an_error(new_session: NewSession, tmp_path: Path) -> None:
    path = tmp_path / "in.jsonl"
    path.write_bytes(b"x" * 8_000_000)
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(BatchError, match="changed"):
            await session.batches.upload(file, path, on_progress=lambda done, _: done and path.write_bytes(b"y"))


async def test_a_session_of_the_callers_keeps_its_headers_and_cookies_from_the_storage_host(
    gradient_emulator: Emulator,
) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        aiohttp.ClientSession(
            headers={"Authorization": "Bearer secret", "X-Mine": "1"}, cookies={"sid": "secret"}, cookie_jar=jar
        ) as client,
        AsyncSession(api_key="test", base_url=gradient_emulator.url, client_session=client) as session,
    ):
        await uploaded(session)
    (put,) = gradient_emulator.storage.requests
    assert {"Authorization", "Cookie", "X-Mine"}.isdisjoint(put.headers)


async def test_a_file_name_is_checked_before_anything_is_sent(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        with pytest.raises(BatchValidationError):
            await session.batches.create_file("prompts.txt")
    assert gradient_emulator.requests == []


@pytest.mark.parametrize("source", [5, {"custom_id": "a"}, None, "no/such/file.jsonl", "."])
async def test_a_source_that_cannot_be_read_is_a_clear_error(new_session: NewSession, source: Any) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError):
            await session.batches.submit(source)


async def test_an_input_that_was_passed_as_a_path_is_not_shown_whole(new_session: NewSession) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError) as caught:
            await session.batches.submit(jsonl(line("a", body=body("secret " * 100))).decode())
    assert len(str(caught.value)) < 300


async def test_a_damaged_gzip_file_is_a_clear_error(new_session: NewSession) -> None:
    async with new_session() as session:
        with pytest.raises(ConfigurationError, match="cannot be decompressed"):
            await session.batches.submit(gzip.compress(DATA)[:-9])


async def test_an_error_of_ours_during_an_upload_is_no_lost_connection(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    def fail(_done: int, _total: int) -> None:
        raise LookupError("a bug of the caller's")

    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(LookupError, match="the caller's"):
            await session.batches.upload(file, DATA, on_progress=fail)
    assert len(gradient_emulator.storage.requests) <= 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_lost_answer_to_create_makes_one_job(
    gradient_emulator: Emulator, new_session: NewSession, times: int
) -> None:
    gradient_emulator.batches.lose_answer(times=times)
    async with new_session() as session:
        batch = await session.batches.create(file_id=await uploaded(session))
    assert [job.id for job in gradient_emulator.batches.jobs] == [batch.batch_id]
    sent = [request.json for request in posts(gradient_emulator, CREATE)]
    assert len(sent) == times + 1
    assert all(body == sent[0] for body in sent)


@pytest.mark.parametrize("status", [409, 200, 201])
async def test_a_replay_finds_the_job_whatever_its_status_is(
    gradient_emulator: Emulator, new_session: NewSession, status: int
) -> None:
    gradient_emulator.batches.replay_status = status
    async with new_session() as session:
        file_id = await uploaded(session)
        first = await session.batches.create(file_id=file_id, request_id="r-1")
        second = await session.batches.create(file_id=file_id, request_id="r-1")
    assert first.batch_id == second.batch_id
    assert len(gradient_emulator.batches.jobs) == 1


async def test_a_job_before_its_upload_is_a_conflict(new_session: NewSession) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(ConflictError, match="has not completed"):
            await session.batches.create(file_id=file.file_id)


@pytest.mark.parametrize("rule", ["required", "forbidden"])
async def test_anthropic_jobs_work_with_either_rule_about_the_endpoint(
    gradient_emulator: Emulator, new_session: NewSession, rule: Any
) -> None:
    gradient_emulator.batches.anthropic_endpoint = rule
    params = {"model": "m", "max_tokens": 5, "messages": [{"role": "user", "content": "hi"}]}
    async with new_session() as session:
        for number in range(2):
            file_id = await uploaded(session, jsonl({"custom_id": "a", "params": params}))
            await session.batches.create(file_id=file_id, provider="anthropic", request_id=f"r-{number}")
    sent = [(request.json["request_id"], request.json.get("endpoint")) for request in posts(gradient_emulator, CREATE)]
    expected = {
        "required": [("r-0", "/v1/messages"), ("r-1", "/v1/messages")],
        "forbidden": [("r-0", "/v1/messages"), ("r-0", None), ("r-1", None)],
    }
    assert sent == expected[rule]


async def test_a_refusal_that_is_not_about_the_endpoint_is_told_as_it_was(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(400, message="of the first", path=CREATE)
    async with new_session() as session:
        with pytest.raises(BadRequestError, match="of the first"):
            await session.batches.create(file_id="f", provider="anthropic")
        assert (await session.batches.create(file_id=await uploaded(session), provider="anthropic")).endpoint
    assert len(posts(gradient_emulator, CREATE)) == 3


@pytest.mark.parametrize("shape", ["reference", "captured"])
async def test_the_list_goes_over_every_page_as_they_are_wanted(
    gradient_emulator: Emulator, new_session: NewSession, shape: Any
) -> None:
    gradient_emulator.batches.shape = shape
    async with new_session() as session:
        file_id = await uploaded(session)
        made = [
            (await session.batches.create(file_id=file_id, request_id=f"r{number}")).batch_id for number in range(5)
        ]
        gradient_emulator.requests.clear()
        listed = [batch.batch_id async for batch in session.batches.list(limit=2)]
        assert len(gradient_emulator.requests) == 3
        gradient_emulator.requests.clear()
        async for first in session.batches.list(limit=2):
            assert first.batch_id == made[-1]
            break
        assert len(gradient_emulator.requests) == 1
        jobs = session.batches.list(limit=2)
        for _ in range(2):
            await anext(jobs)
        rest = [batch.batch_id async for batch in session.batches.list(limit=2, after=jobs.after)]
    assert listed == made[::-1]
    assert rest == made[::-1][2:]


async def test_the_list_can_be_of_one_status(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = None
    async with new_session() as session:
        file_id = await uploaded(session)
        for number in range(3):
            await session.batches.create(file_id=file_id, request_id=f"r{number}")
        assert [batch async for batch in session.batches.list(status="completed")] == []
        assert len([batch async for batch in session.batches.list(status="validating")]) == 3


async def test_a_cursor_that_comes_again_ends_the_list(gradient_emulator: Emulator, new_session: NewSession) -> None:
    page = {"data": [{"batch_id": "b", "status": "completed"}], "last_id": "same", "has_more": True}
    gradient_emulator.fail(200, body=page, content_type="application/json", times=None, path=CREATE)
    async with new_session() as session:
        assert len([batch async for batch in session.batches.list()]) == 2


async def test_cancel(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = 30
    async with new_session() as session:
        batch = await session.batches.create(file_id=await uploaded(session))
        assert (await session.batches.cancel(batch.batch_id)).status in ("cancelling", "cancelled")


async def test_cancelling_what_has_ended_is_a_conflict(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.seconds = 0
    async with new_session() as session:
        batch = await session.batches.create(file_id=await uploaded(session))
        await gradient_emulator.batches.settled()
        with pytest.raises(ConflictError):
            await session.batches.cancel(batch.batch_id)


async def test_an_early_conflict_is_asked_about_and_tried_again(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.batches.seconds = 30
    gradient_emulator.fail(409, path="/v1/batches/*/cancel")
    async with new_session() as session:
        batch = await session.batches.create(file_id=await uploaded(session))
        assert (await session.batches.cancel(batch.batch_id)).status in ("cancelling", "cancelled")


@pytest.mark.parametrize("shape", ["reference", "captured"])
async def test_a_cancellation_whose_answer_was_lost_is_no_conflict(
    gradient_emulator: Emulator, new_session: NewSession, shape: Any
) -> None:
    gradient_emulator.batches.seconds, gradient_emulator.batches.shape = 30, shape
    async with new_session() as session:
        batch = await session.batches.create(file_id=await uploaded(session))
        gradient_emulator.batches.lose_answer(path="/v1/batches/*/cancel")
        assert (await session.batches.cancel(batch.batch_id)).status in ("cancelling", "cancelled")


@pytest.mark.parametrize("how", ["412", "flag"])
async def test_results_that_are_not_there_are_one_error(
    gradient_emulator: Emulator, new_session: NewSession, how: Any
) -> None:
    gradient_emulator.batches.seconds, gradient_emulator.batches.not_ready = 30, how
    async with new_session() as session:
        batch = await session.batches.create(file_id=await uploaded(session))
        with pytest.raises(BatchNotReadyError, match=batch.batch_id):
            await session.batches.result_links(batch.batch_id)


async def test_errors_are_raised_and_never_returned(new_session: NewSession) -> None:
    async with new_session() as session:
        with pytest.raises(NotFoundError, match="the id"):
            await session.batches.retrieve("no-such-batch")
        with pytest.raises(UnprocessableEntityError):
            await session.batches.create(file_id="f", completion_window="48h")
        with pytest.raises(APIStatusError):
            await session.batches.cancel("no-such-batch")


async def test_nothing_is_sent_to_an_address_that_is_not_https(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    intent = {"file_id": "f", "upload_url": "http://10.0.0.1/x?X-Amz-Signature=secret"}
    gradient_emulator.fail(201, body=intent, content_type="application/json", path=FILES)
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(Exception, match="nothing was sent to it") as caught:
            await session.batches.upload(file, DATA)
    assert "secret" not in str(caught.value)
    assert gradient_emulator.storage.requests == []


async def test_the_loop_is_not_blocked_while_a_large_input_is_checked(new_session: NewSession, tmp_path: Path) -> None:
    path = tmp_path / "large.jsonl"
    with path.open("wb") as file:
        for number in range(40):
            file.write(jsonl(*[line(f"{number}-{place}", pad="x" * 900) for place in range(1000)]))
    gaps: list[float] = []

    async def tick() -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(0.001)
            gaps.append(loop.time() - began)

    async with new_session() as session:
        ticking = asyncio.create_task(tick())
        report = await session.batches.validate(path, limits=BatchLimits(size=10**9))
        ticking.cancel()
    assert report.requests == 40_000
    assert max(gaps) < 0.1


async def test_a_pipe_is_an_input_too(new_session: NewSession) -> None:
    read, write = os.pipe()
    os.write(write, DATA)
    os.close(write)
    async with new_session() as session:
        report = await session.batches.validate(f"/dev/fd/{read}")
    os.close(read)
    assert report.requests == 2


async def test_requests_are_pulled_lazily_and_in_constant_memory(new_session: NewSession) -> None:
    async with new_session() as session:
        report = await session.batches.validate(requests(2000))
    assert (report.requests, report.ok) == (2000, True)
