"""Uploads to presigned URLs, over real sockets."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import aiohttp
import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    AttemptDetails,
    RetryPolicy,
    SessionClosedError,
    Timeouts,
    UploadError,
)
from gradient_async.testing import Emulator
from tests.support.batches import (
    FILES_PATH,
    QUICK_RETRY,
    TWO_LINES,
    NewSession,
    upload_input,
)
from tests.support.waiting import HANG_SECONDS, wait_until


async def test_an_upload_sends_the_url_verbatim_a_length_and_no_key(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        await session.batches.upload(file, TWO_LINES)
    (put,) = gradient_emulator.storage.requests
    assert file.upload_url.endswith(put.target)
    assert (put.headers["Content-Length"], put.headers["Content-Type"]) == (
        str(len(TWO_LINES)),
        "application/jsonl",
    )
    assert {"Authorization", "Cookie", "DownloadState-Encoding", "Expect"}.isdisjoint(put.headers)
    assert put.received == len(TWO_LINES)


@pytest.mark.parametrize("content_type", ["application/x-ndjson", None])
async def test_the_content_type_of_an_upload_can_be_chosen(
    gradient_emulator: Emulator, new_session: NewSession, content_type: str | None
) -> None:
    async with new_session() as session:
        await session.batches.upload(
            await session.batches.create_file("in.jsonl"), TWO_LINES, content_type=content_type
        )
    assert gradient_emulator.storage.requests[0].headers.get("Content-Type") == content_type


async def test_an_upload_never_uses_an_expired_url_again(gradient_emulator: Emulator, new_session: NewSession) -> None:
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        gradient_emulator.storage.expire()
        other = await session.batches.upload(file, TWO_LINES)
        await session.batches.create(file_id=other.file_id)
    assert other.file_id != file.file_id
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert len(set(targets)) == len(targets) == 2


async def test_an_upload_does_not_retry_a_url_that_expired_meanwhile(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(500, path="/inputs/*")
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        file.expires_at = datetime(2020, 1, 1, tzinfo=UTC)
        assert (await session.batches.upload(file, TWO_LINES)).file_id != file.file_id
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert len(set(targets)) == len(targets) == 2


async def test_an_upload_requests_two_fresh_urls_at_most(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.fail(403, code="SignatureDoesNotMatch", times=None, path="/inputs/*")
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(UploadError, match="SignatureDoesNotMatch") as caught:
            await session.batches.upload(file, TWO_LINES)
    assert (caught.value.status, caught.value.code) == (403, "SignatureDoesNotMatch")
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert len(set(targets)) == len(targets) == 3


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_a_transient_error_of_an_upload_is_retried_at_the_same_url(
    gradient_emulator: Emulator, new_session: NewSession, status: int
) -> None:
    gradient_emulator.fail(status, times=2, path="/inputs/*")
    async with new_session() as session:
        await upload_input(session)
    targets = [put.target for put in gradient_emulator.storage.requests]
    assert (len(targets), len(set(targets))) == (3, 1)


async def test_a_reset_in_the_middle_of_an_upload_is_retried(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.reset(path="/inputs/*")
    async with new_session() as session:
        file_id = await upload_input(session, b"x" * 5_000_000)
    assert gradient_emulator.storage.objects[f"/inputs/{file_id}.jsonl"].size == 5_000_000


async def test_a_lost_response_to_an_upload_is_retried(gradient_emulator: Emulator, new_session: NewSession) -> None:
    gradient_emulator.batches.lose_answer(path="/inputs/*")
    async with new_session() as session:
        await upload_input(session)
    assert len(gradient_emulator.storage.requests) == 2


async def test_a_storage_host_that_stays_down_raises_after_all_attempts(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(500, times=None, path="/inputs/*")
    async with new_session() as session:
        with pytest.raises(UploadError) as caught:
            await upload_input(session)
    assert caught.value.status == 500
    assert len(gradient_emulator.storage.requests) == QUICK_RETRY.attempts


@pytest.mark.parametrize("limits", [{"first_byte": 0.1}, {"idle": 0.1}, {"idle": None, "total": 0.5}])
async def test_a_silent_storage_host_raises_a_timeout(
    gradient_emulator: Emulator, new_session: NewSession, limits: dict[str, float | None]
) -> None:
    gradient_emulator.stall(60, times=None, path="/inputs/*")
    async with new_session(timeouts=Timeouts(**limits), retry=RetryPolicy(attempts=1)) as session:
        with pytest.raises(APITimeoutError) as caught:
            async with asyncio.timeout(HANG_SECONDS):
                await upload_input(session)
    assert caught.value.phase == "first_byte"


async def test_a_redirect_of_the_storage_host_is_not_followed(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    gradient_emulator.fail(307, headers={"Location": "http://example.com/"}, path="/inputs/*")
    async with new_session() as session:
        with pytest.raises(Exception, match="redirect"):
            await upload_input(session)


async def test_headers_and_cookies_of_the_callers_session_are_not_sent_to_the_storage_host(
    gradient_emulator: Emulator,
) -> None:
    jar = aiohttp.CookieJar(unsafe=True)
    async with (
        aiohttp.ClientSession(
            headers={"Authorization": "Bearer secret", "X-Mine": "1"}, cookies={"sid": "secret"}, cookie_jar=jar
        ) as client,
        AsyncSession(api_key="test", base_url=gradient_emulator.url, client_session=client) as session,
    ):
        await upload_input(session)
    (put,) = gradient_emulator.storage.requests
    assert {"Authorization", "Cookie", "X-Mine"}.isdisjoint(put.headers)


async def test_an_error_of_the_progress_callback_is_raised_and_not_retried(
    gradient_emulator: Emulator, new_session: NewSession
) -> None:
    def fail(_done: int, _total: int) -> None:
        raise LookupError("a bug of the caller's")

    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(LookupError, match="the caller's"):
            await session.batches.upload(file, TWO_LINES, on_progress=fail)
    assert len(gradient_emulator.storage.requests) <= 1


async def test_nothing_is_sent_to_a_url_without_https(gradient_emulator: Emulator, new_session: NewSession) -> None:
    intent = {"file_id": "f", "upload_url": "http://10.0.0.1/x?X-Amz-Signature=secret"}
    gradient_emulator.fail(201, body=intent, content_type="application/json", path=FILES_PATH)
    async with new_session() as session:
        file = await session.batches.create_file("in.jsonl")
        with pytest.raises(Exception, match="nothing was sent to it") as caught:
            await session.batches.upload(file, TWO_LINES)
    assert "secret" not in str(caught.value)
    assert gradient_emulator.storage.requests == []


@pytest.mark.parametrize("is_closed", [False, True])
async def test_an_upload_that_is_interrupted_is_told_to_hooks(
    gradient_emulator: Emulator, new_session: NewSession, *, is_closed: bool
) -> None:
    attempts: list[AttemptDetails] = []
    gradient_emulator.stall(seconds=30, path="/inputs/*")
    async with new_session(hooks=[attempts.append]) as session:
        file = await session.batches.create_file("in.jsonl")
        upload = asyncio.create_task(session.batches.upload(file, TWO_LINES))
        await wait_until(lambda: bool(gradient_emulator.storage.requests))
        if is_closed:
            await session.aclose()
        else:
            upload.cancel()
        await asyncio.gather(upload, return_exceptions=True)
    attempt = attempts[-1]
    assert (attempt.method, attempt.url) == ("PUT", file.upload_url.partition("?")[0])
    assert (attempt.cancelled, isinstance(attempt.error, SessionClosedError)) == (not is_closed, is_closed)
