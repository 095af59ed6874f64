"""Videos, from the emulator over real sockets."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncIterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO

import pytest

from gradient_async import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    ConfigurationError,
    ConflictError,
    InternalServerError,
    NotFoundError,
    Poll,
    ProtocolError,
    ResponseDecodeError,
    RetryPolicy,
    Timeouts,
    Video,
    VideoFailedError,
)
from gradient_async._io.stream import body_file
from gradient_async._protocol.requests.videos import content_retry_delay
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.raw_server import read_request, run_raw_server
from tests.support.waiting import HANG_SECONDS

MODEL = "wan2-2-t2v-a14b"
QUICK = Poll(first=0.02, longest=0.05)
AT_ONCE = RetryPolicy(first=0.0, longest=0.0)
ODD_ID = "video_a/b?c=d#e%2F é\N{SNOWMAN}=="
MP4 = b"\x00\x00\x00\x18ftypisom" + bytes(1000)


@pytest.fixture
async def gradient() -> AsyncIterator[Emulator]:
    async with Emulator(video_seconds=0) as emulator:
        yield emulator


@pytest.fixture
async def session(gradient: Emulator) -> AsyncIterator[AsyncSession]:
    async with AsyncSession("test", base_url=gradient.url, retry=AT_ONCE) as session:
        yield session


async def create_video(session: AsyncSession, model: str = MODEL) -> Video:
    return await session.videos.create(model=model, prompt="Waves on a beach")


def content_requests(gradient: Emulator) -> int:
    return sum(request.path.endswith("/content") for request in gradient.requests)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


# Jobs


async def test_a_video_passes_through_every_status() -> None:
    now = [1_000_000.0]
    async with (
        Emulator(video_seconds=10, clock=lambda: now[0]) as gradient,
        AsyncSession("test", base_url=gradient.url) as session,
    ):
        video = await session.videos.create(model=MODEL, prompt="Waves", size="1280x720", fps=16, extra_body=None)
        seen = [video.status]
        while not (video := await session.videos.retrieve(video.id)).is_terminal:
            seen.append(video.status)
            now[0] += 1.0
        assert list(dict.fromkeys([*seen, video.status])) == ["queued", "in_progress", "completed"]
        assert gradient.requests[0].json == {"model": MODEL, "prompt": "Waves", "size": "1280x720", "fps": 16}
    assert (video.output, video.url, video.error, video.model) == (None, None, None, MODEL)
    assert video.x_request_id == gradient.requests[0].request_id
    assert len(video.id) > 120


async def test_wait_returns_the_completed_video(session: AsyncSession) -> None:
    created = await create_video(session)
    video = await session.videos.wait(created.id, poll=QUICK)
    assert (video.id, video.status) == (created.id, "completed")
    assert video.meta.request_id


@pytest.mark.parametrize("call", ["wait", "content", "download"])
async def test_a_failed_video_raises_its_message(session: AsyncSession, call: str, tmp_path: Path) -> None:
    video = await create_video(session, model="wan/fail-now")
    arguments = [tmp_path / "a.mp4"] if call == "download" else []
    with pytest.raises(VideoFailedError, match="ended as failed: The model could not make") as caught:
        await getattr(session.videos, call)(video.id, *arguments)
    assert caught.value.video is not None
    assert caught.value.video.id == video.id
    assert names_in(tmp_path) == []


async def test_wait_without_check_returns_a_failed_video(session: AsyncSession) -> None:
    video = await create_video(session, model="wan/fail-now")
    assert (await session.videos.wait(video.id, poll=QUICK, check=False)).is_failed


@pytest.mark.parametrize(
    ("error", "message"),
    [
        ("no frames", "no frames"),
        ({"code": "moderation", "message": "refused by a filter"}, "refused by a filter"),
        ({"code": 7}, '{"code":7}'),
        (None, "does not say why"),
    ],
)
async def test_the_reason_of_a_failure_is_read_in_every_form(
    session: AsyncSession, gradient: Emulator, error: Any, message: str
) -> None:
    body = {"id": "v", "status": "failed", "error": error}
    gradient.reply(body=body, path="/v1/videos/v")
    with pytest.raises(VideoFailedError, match=message) as caught:
        await session.videos.wait("v")
    assert caught.value.video is not None
    assert caught.value.video.raw == body


@pytest.mark.parametrize("status", ["cancelled", "expired"])
async def test_other_ends_are_failures_and_new_statuses_are_not(
    session: AsyncSession, gradient: Emulator, status: str
) -> None:
    gradient.reply(body={"id": "v", "status": "upscaling"}, path="/v1/videos/v")
    gradient.reply(body={"id": "v", "status": status}, path="/v1/videos/v")
    with pytest.raises(VideoFailedError, match=f"ended as {status}"):
        await session.videos.wait("v", poll=QUICK)


async def test_wait_times_out_and_the_video_goes_on() -> None:
    async with Emulator(video_seconds=60) as gradient, AsyncSession("test", base_url=gradient.url) as session:
        video = await create_video(session)
        with pytest.raises(APITimeoutError, match="The video has not ended") as caught:
            await session.videos.wait(video.id, timeout=0.1, poll=QUICK)
        assert caught.value.phase == "total"
        assert (await session.videos.retrieve(video.id)).status == "queued"


async def test_wait_survives_temporary_errors(session: AsyncSession, gradient: Emulator) -> None:
    video = await create_video(session)
    gradient.fail(503, times=6, path="/v1/videos/*")
    assert (await session.videos.wait(video.id, poll=QUICK)).is_completed


async def test_a_start_is_never_sent_again(session: AsyncSession, gradient: Emulator) -> None:
    gradient.fail(500)
    with pytest.raises(InternalServerError) as caught:
        await create_video(session)
    assert (caught.value.attempts, len(gradient.requests)) == (1, 1)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"prompt": "p"}, "model must be a text that is not empty"),
        ({"model": MODEL}, "prompt must be a text that is not empty"),
        ({"model": MODEL, "prompt": ""}, "prompt must be a text that is not empty"),
    ],
)
async def test_invalid_parameters_are_not_sent(
    session: AsyncSession, gradient: Emulator, params: dict[str, Any], message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        await session.videos.create(**params)
    assert gradient.requests == []


@pytest.mark.parametrize("video_id", ["", ".", "..", " ", None, 7])
async def test_an_id_that_is_not_one_is_refused(session: AsyncSession, gradient: Emulator, video_id: Any) -> None:
    for call in (session.videos.retrieve, session.videos.wait, session.videos.content):
        with pytest.raises(ConfigurationError, match="video_id must be the id of a video"):
            await call(video_id)
    assert gradient.requests == []


# Content


async def test_content_is_the_file_with_its_type(session: AsyncSession) -> None:
    video = await create_video(session)
    file = await session.videos.content(video.id)
    assert file.content[4:8] == b"ftyp"
    assert (file.content_type, file.suffix) == ("video/mp4", ".mp4")


async def test_a_download_replaces_the_file_and_leaves_no_other(
    session: AsyncSession, gradient: Emulator, tmp_path: Path
) -> None:
    video = await create_video(session)
    target = tmp_path / "waves.mp4"
    target.write_bytes(b"old")
    gradient.reply(body=MP4 * 1000, content_type="video/mp4", split=50_000, path="*/content")
    assert await session.videos.download(video.id, str(target)) == target
    assert target.read_bytes() == MP4 * 1000
    assert names_in(tmp_path) == ["waves.mp4"]
    assert gradient.requests[-1].headers["Accept"] == "*/*"
    assert count_acquired(session) == 0


@pytest.mark.parametrize("attempts", [1, 4])
@pytest.mark.parametrize("call", ["content", "download"])
async def test_a_500_of_a_completed_video_is_asked_again(
    gradient: Emulator, call: str, attempts: int, tmp_path: Path
) -> None:
    policy = RetryPolicy(attempts=attempts, first=0.0, longest=0.0)
    async with AsyncSession("test", base_url=gradient.url, retry=policy) as session:
        video = await create_video(session)
        gradient.fail(500, path="*/content")
        result = await getattr(session.videos, call)(video.id, *[tmp_path / "a.mp4"] * (call == "download"))
    content = result.read_bytes() if call == "download" else result.content
    assert content[4:8] == b"ftyp"
    assert content_requests(gradient) == 2


@pytest.mark.parametrize(
    ("status", "state", "delays"),
    [
        (500, "completed", [0.5, 1.0, 2.0, 4.0, None]),
        (503, "completed", [0.5, 1.0, 2.0, 4.0, None]),
        (500, "processing", [None] * 5),
        (404, "completed", [None] * 5),
    ],
)
def test_content_is_asked_for_five_times_at_most(status: int, state: str, delays: list[float | None]) -> None:
    error, video = APIStatusError("m", status=status), Video(id="v", status=state)
    assert [content_retry_delay(error, video, requests) for requests in range(1, 6)] == delays


async def test_the_timeout_of_content_covers_every_request(gradient: Emulator) -> None:
    async with AsyncSession("test", base_url=gradient.url, retry=RetryPolicy(attempts=1)) as session:
        video = await create_video(session)
        gradient.fail(500, times=None, path="*/content")
        with pytest.raises(InternalServerError):
            await session.videos.content(video.id, timeout=0.4)
    assert content_requests(gradient) == 1


async def test_content_before_the_end_is_the_services_refusal() -> None:
    async with Emulator(video_seconds=60) as gradient, AsyncSession("test", base_url=gradient.url) as session:
        video = await create_video(session)
        with pytest.raises(ConflictError, match="The video is queued"):
            await session.videos.content(video.id)
        assert content_requests(gradient) == 1


async def test_the_content_of_an_unknown_video_is_not_found(session: AsyncSession) -> None:
    with pytest.raises(NotFoundError):
        await session.videos.content("video_no_such")


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"", "video/mp4", ResponseDecodeError),
        (b"<html>busy</html>", "text/html", ProtocolError),
        (b'{"id": "server_error", "message": "m"}', "application/json", InternalServerError),
        (b'{"data": []}', "application/json", ResponseDecodeError),
    ],
)
@pytest.mark.parametrize("call", ["content", "download"])
async def test_a_response_that_is_not_a_file_raises(
    session: AsyncSession,
    gradient: Emulator,
    call: str,
    body: bytes,
    content_type: str,
    kind: type[Exception],
    tmp_path: Path,
) -> None:
    gradient.reply(body=body, content_type=content_type, times=None, path="*/content")
    with pytest.raises(kind) as caught:
        await getattr(session.videos, call)("v", *[tmp_path / "a.mp4"] * (call == "download"))
    assert getattr(caught.value, "request_id", None)
    assert names_in(tmp_path) == []
    assert count_acquired(session) == 0


async def test_a_download_of_base64_in_json_writes_the_file(
    session: AsyncSession, gradient: Emulator, tmp_path: Path
) -> None:
    gradient.reply(body={"data": [{"b64_json": base64.b64encode(MP4).decode()}]}, path="*/content")
    assert (await session.videos.download("v", tmp_path / "a.mp4")).read_bytes() == MP4


async def test_a_download_that_is_cut_begins_again(tmp_path: Path) -> None:
    targets: list[bytes] = []
    head = b"HTTP/1.1 200 OK\r\nContent-Type: video/mp4\r\nContent-Length: %d\r\n\r\n" % len(MP4)

    async def send_half_then_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        targets.append((await read_request(reader)).split(b" ")[1])
        writer.write(head + (MP4[:500] if len(targets) == 1 else MP4))
        await writer.drain()

    async with (
        run_raw_server(send_half_then_all) as address,
        AsyncSession("test", base_url=f"http://{address}", retry=AT_ONCE) as session,
    ):
        path = await session.videos.download(ODD_ID, tmp_path / "a.mp4")
    assert path.read_bytes() == MP4
    assert names_in(tmp_path) == ["a.mp4"]
    assert targets == [b"/v1/videos/video_a%2Fb%3Fc%3Dd%23e%252F%20%C3%A9%E2%98%83%3D%3D/content"] * 2


async def test_a_download_that_stays_cut_raises_and_leaves_no_file(gradient: Emulator, tmp_path: Path) -> None:
    async with AsyncSession("test", base_url=gradient.url, retry=RetryPolicy(attempts=1)) as session:
        video = await create_video(session)
        gradient.stall(60, after=0, times=None, path="*/content")
        with pytest.raises(APITimeoutError) as caught:
            await session.videos.download(video.id, tmp_path / "a.mp4", timeout=Timeouts(idle=0.05))
        gradient.clear()
        gradient.reset(after=0, times=None, path="*/content")
        with pytest.raises(APIConnectionError):
            await session.videos.download(video.id, tmp_path / "a.mp4")
        assert count_acquired(session) == 0
    assert caught.value.phase == "idle"
    assert names_in(tmp_path) == []
    assert content_requests(gradient) == 2


async def test_a_cancelled_download_frees_its_connection_and_leaves_no_file(
    session: AsyncSession, gradient: Emulator, tmp_path: Path
) -> None:
    video = await create_video(session)
    gradient.stall(60, after=0, path="*/content")
    task = asyncio.create_task(session.videos.download(video.id, tmp_path / "a.mp4"))
    while not names_in(tmp_path):
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert names_in(tmp_path) == []
    assert count_acquired(session) == 0


async def test_a_download_that_is_cancelled_while_its_file_is_opened_closes_it(
    session: AsyncSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, opened, go_on = await create_video(session), threading.Event(), threading.Event()

    def open_slowly(path: Path, stack: ExitStack) -> BinaryIO:
        file = create_file(path, stack)
        files.append(file)
        opened.set()
        go_on.wait(HANG_SECONDS)
        return file

    create_file, files = body_file._create_file, list[BinaryIO]()
    monkeypatch.setattr(body_file, "_create_file", open_slowly)
    task = asyncio.create_task(session.videos.download(video.id, tmp_path / "a.mp4"))
    await asyncio.to_thread(opened.wait, HANG_SECONDS)
    task.cancel()
    go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [file.closed for file in files] == [True]
    assert names_in(tmp_path) == []


@pytest.mark.parametrize("path", [".", "no/such/folder/a.mp4"])
async def test_a_path_that_cannot_be_a_file_is_refused_before_sending(
    session: AsyncSession, gradient: Emulator, tmp_path: Path, path: str
) -> None:
    with pytest.raises(ConfigurationError, match="The file cannot be written to"):
        await session.videos.download("v", tmp_path / path)
    assert gradient.requests == []


async def test_a_hook_sees_the_end_of_a_download(gradient: Emulator, tmp_path: Path) -> None:
    ended: list[Any] = []

    class Hook:
        def begin_call(self, call: Any) -> Any:
            return lambda outcome: ended.append((call.url.rpartition("/")[2], outcome.outcome))

    async with AsyncSession("test", base_url=gradient.url, hooks=[Hook()]) as session:
        video = await create_video(session)
        await session.videos.download(video.id, tmp_path / "a.mp4")
        gradient.reply(body=b"", content_type="video/mp4", path="*/content")
        with pytest.raises(ResponseDecodeError):
            await session.videos.download(video.id, tmp_path / "a.mp4")
    assert ended == [("videos", "done"), ("content", "done"), ("content", "error")]


def test_the_repr_of_a_video_omits_its_url() -> None:
    video = Video(id="v", status="completed", output={"url": "https://files.example/v.mp4?signature=secret"})
    assert video.url == "https://files.example/v.mp4?signature=secret"
    assert "secret" not in repr(video)
