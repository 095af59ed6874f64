"""Streams of images over a real socket: previews, whole images, ends and errors."""

from __future__ import annotations

import asyncio
import base64
import gc
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    ConfigurationError,
    ImageEvent,
    ImageStream,
    InternalServerError,
    ProtocolError,
    RateLimits,
    ServerSentEvent,
    SSEParser,
    StreamTruncatedError,
    Timeouts,
)
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired, wait_for_disconnects

pytestmark = pytest.mark.usefixtures("steady_clock")

IMAGE: dict[str, Any] = {"model": "openai-gpt-image-1", "prompt": "A cute otter", "size": "256x256"}
PATH = "/v1/images/generations"
ONE, TWO = (base64.b64encode(data).decode() for data in (b"one", b"two"))


def preview(number: int = 0, **fields: Any) -> dict[str, Any]:
    return {"type": "image_generation.partial_image", "b64_json": ONE, "partial_image_index": number, **fields}


def completed(**fields: Any) -> dict[str, Any]:
    return {"type": "image_generation.completed", "b64_json": TWO, "usage": {"output_tokens": 7}, **fields}


def image_stream(session: AsyncSession, **params: Any) -> ImageStream:
    return session.images.stream(**{**IMAGE, **params})


async def test_previews_come_before_the_whole_image(gradient_session: AsyncSession) -> None:
    async with image_stream(gradient_session, partial_images=2) as stream:
        events = [event async for event in stream]
    assert [(event.is_partial, event.partial_image_index) for event in events] == [(True, 0), (True, 1), (False, None)]
    assert all(event.content.startswith(b"\x89PNG") for event in events)
    (image,) = stream.snapshot
    assert (image.content, image.partial_image_index) == (events[-1].content, None)
    assert (stream.snapshot.size, stream.snapshot.output_format, stream.outcome) == ("256x256", "png", "done")
    assert stream.snapshot.usage is not None
    assert stream.snapshot.usage.output_tokens == 4160
    assert stream.snapshot.meta.request_id == stream.meta.request_id is not None
    assert count_acquired(gradient_session) == 0


async def test_a_stream_equals_the_awaited_image(gradient_session: AsyncSession, gradient_emulator: Emulator) -> None:
    streamed = await image_stream(gradient_session).images()
    assert streamed.data == (await gradient_session.images.generate(**IMAGE)).data
    assert gradient_emulator.requests[0].json == {**IMAGE, "n": 1, "partial_images": 1, "stream": True}
    assert gradient_emulator.requests[0].headers["Accept"] == "text/event-stream"
    assert gradient_emulator.connections == 1


async def test_the_snapshot_has_the_newest_preview_until_the_image_is_whole(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reply(chunks=[preview(0), preview(1), completed()], path=PATH)
    async with image_stream(gradient_session) as stream:
        seen = []
        async for _ in stream:
            seen += [(image.content, image.partial_image_index) for image in stream.snapshot]
    assert seen == [(b"one", 0), (b"one", 1), (b"two", None)]


async def test_every_image_that_was_asked_for_is_read(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reply(chunks=[preview(), completed(), completed(b64_json=ONE)], path=PATH)
    images = await image_stream(gradient_session, n=2).images()
    assert [image.content for image in images] == [b"two", b"one"]


async def test_fewer_images_than_asked_for_are_whole_if_the_service_marks_the_end(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reply(chunks=[completed()], path=PATH)
    assert len(await image_stream(gradient_session, n=2).images()) == 1
    body = b"data: %b\n\n" % json.dumps(completed()).encode()
    gradient_emulator.reply(body=body, content_type="text/event-stream", path=PATH)
    with pytest.raises(StreamTruncatedError) as caught:
        await image_stream(gradient_session, n=2).images()
    assert caught.value.snapshot is not None
    assert len(caught.value.snapshot.to_dict()["data"]) == 1


@pytest.mark.parametrize(
    "chunks",
    [
        [preview(), completed()],
        [{**preview(), "type": "image_edit.partial_image"}, {**completed(), "type": "image_edit.completed"}],
        [{"b64_json": ONE, "partial_image_index": 0}, {"b64_json": TWO}],
        [{"type": "ping"}, preview(created_at="now"), completed(usage="free", size=None)],
        [preview(), {"data": [{"b64_json": TWO}], "created": 1}],
    ],
)
async def test_images_under_odd_types_and_with_odd_fields_are_read(
    gradient_session: AsyncSession, gradient_emulator: Emulator, chunks: Any
) -> None:
    gradient_emulator.reply(chunks=chunks, path=PATH)
    async with image_stream(gradient_session) as stream:
        contents = [event.content async for event in stream if event.b64_json]
    assert contents == [b"one", b"two"]
    assert [image.content for image in stream.snapshot] == [b"two"]


async def test_events_named_in_their_event_field_are_read(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    body = b"event: image_generation.completed\ndata: %b\n\n" % json.dumps({"b64_json": TWO}).encode()
    gradient_emulator.reply(body=body, content_type="text/event-stream", split=7, path=PATH)
    assert [image.content for image in await image_stream(gradient_session).images()] == [b"two"]


@pytest.mark.parametrize("mid_event", [False, True])
async def test_a_truncated_stream_raises_and_keeps_the_preview(
    gradient_session: AsyncSession, gradient_emulator: Emulator, mid_event: bool
) -> None:
    gradient_emulator.truncate(after=1, mid_event=mid_event)
    stream = image_stream(gradient_session, partial_images=2)
    with pytest.raises(StreamTruncatedError) as caught:
        await stream.images()
    (image,) = stream.snapshot
    assert (image.partial_image_index, stream.outcome) == (0, "truncated")
    assert caught.value.snapshot == stream.snapshot
    assert caught.value.request_id == gradient_emulator.requests[0].request_id
    assert count_acquired(gradient_session) == 0


async def test_an_end_marker_before_the_whole_image_is_a_truncated_stream(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reply(chunks=[preview()], path=PATH)
    with pytest.raises(StreamTruncatedError, match="before an image was whole"):
        await image_stream(gradient_session).images()


async def test_a_broken_connection_is_a_truncated_stream(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.reset(after=1)
    with pytest.raises(StreamTruncatedError) as caught:
        await image_stream(gradient_session, partial_images=2).images()
    assert caught.value.snapshot is not None
    assert len(gradient_emulator.requests) == 1


@pytest.mark.parametrize("shape", ["do", "openai", "anthropic"])
async def test_an_error_event_is_typed_and_carries_the_preview(
    gradient_session: AsyncSession, gradient_emulator: Emulator, shape: Any
) -> None:
    gradient_emulator.fail(status=500, after=1, shape=shape)
    stream = image_stream(gradient_session)
    with pytest.raises(InternalServerError) as caught:
        await stream.images()
    assert caught.value.snapshot == stream.snapshot
    assert (len(stream.snapshot), stream.outcome) == (1, "error")


@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"<html>busy</html>", "text/html", ProtocolError),
        (b'{"id": "server_error", "message": "m"}', "application/json", InternalServerError),
        (b'{"data": []}', "application/json", StreamTruncatedError),
        (b"data: {]\n\n", "text/event-stream", ProtocolError),
        (b"", "text/event-stream", StreamTruncatedError),
    ],
)
async def test_a_body_that_is_not_a_stream_raises(
    gradient_session: AsyncSession, gradient_emulator: Emulator, body: bytes, content_type: str, kind: Any
) -> None:
    gradient_emulator.reply(body=body, content_type=content_type, path=PATH)
    with pytest.raises(kind):
        await image_stream(gradient_session).images()
    assert count_acquired(gradient_session) == 0


async def test_whole_images_in_place_of_a_stream_are_read(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    body = {"created": 5, "data": [{"b64_json": ONE}, {"b64_json": TWO, "revised_prompt": "An otter"}], "size": "auto"}
    gradient_emulator.reply(body=body, content_type="application/json", path=PATH)
    async with image_stream(gradient_session, n=2) as stream:
        assert [event.content async for event in stream] == [b"one", b"two"]
    assert (stream.snapshot.created, stream.snapshot.size, stream.outcome) == (5, "auto", "done")
    assert stream.snapshot.data[1].revised_prompt == "An otter"


async def leave_by_break(stream: ImageStream) -> None:
    async for _ in stream:
        break


async def leave_by_close(stream: ImageStream) -> None:
    async with stream:
        await anext(stream)
        stream.close()
        assert [event async for event in stream] == []


async def leave_by_cancel(stream: ImageStream) -> None:
    async with stream:
        await anext(stream)
        stream.cancel()
        assert await stream.images() == stream.snapshot


async def leave_by_cancelled_task(stream: ImageStream) -> None:
    task = asyncio.create_task(stream.images())
    while not stream.snapshot.data:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize("leave", [leave_by_break, leave_by_close, leave_by_cancel, leave_by_cancelled_task])
async def test_leaving_a_stream_frees_its_connection_and_keeps_the_preview(
    gradient_session: AsyncSession, gradient_emulator: Emulator, leave: Callable[[ImageStream], Any]
) -> None:
    gradient_emulator.token_delay = 0.05
    stream = image_stream(gradient_session, partial_images=9)
    await leave(stream)
    assert count_acquired(gradient_session) == 0
    assert stream.outcome == "cancelled"
    assert stream.snapshot.data
    await wait_for_disconnects(gradient_emulator)


async def test_a_dropped_stream_warns_and_frees_its_connection(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.token_delay = 0.05
    stream = image_stream(gradient_session)
    await stream.open()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        del stream
        gc.collect()
    assert any("ImageStream was dropped" in str(warning.message) for warning in caught)
    assert count_acquired(gradient_session) == 0


async def test_an_idle_stream_times_out_with_its_preview(
    gradient_session: AsyncSession, gradient_emulator: Emulator
) -> None:
    gradient_emulator.stall(seconds=5, after=1)
    with pytest.raises(APITimeoutError) as caught:
        await image_stream(gradient_session, timeout=Timeouts(idle=0.05)).images()
    assert caught.value.phase == "idle"
    assert caught.value.snapshot is not None


async def test_a_stream_can_be_passed_on_and_read_again(gradient_session: AsyncSession) -> None:
    relayed = b"".join([data async for data in image_stream(gradient_session).sse()])
    parser = SSEParser()
    events: list[ServerSentEvent] = parser.feed(relayed) + parser.feed_eof()
    assert [event.event for event in events[:-1]] == ["image_generation.partial_image", "image_generation.completed"]
    assert events[-1].data == "[DONE]"


async def test_a_stream_counts_once_at_the_limiter(gradient_emulator: Emulator) -> None:
    limits = RateLimits(per_minute=10, per_hour=100)
    async with AsyncSession("test", base_url=gradient_emulator.url, limits=limits) as session:
        await image_stream(session).images()
        assert session.limits is not None
        assert session.limits.status().windows[0].used == 1


async def test_a_number_of_previews_that_is_refused_is_the_services_error(gradient_session: AsyncSession) -> None:
    with pytest.raises(Exception, match="partial_images"):
        await image_stream(gradient_session, partial_images=0).images()
    with pytest.raises(ConfigurationError, match="leave stream out"):
        image_stream(gradient_session, stream=True)


def test_the_repr_of_an_event_omits_its_content() -> None:
    event = ImageEvent(type="image_generation.partial_image", b64_json="A" * 10_000, partial_image_index=1)
    assert repr(event) == "ImageEvent('image_generation.partial_image', <10000 characters>, partial_image_index=1)"
