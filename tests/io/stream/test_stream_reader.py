"""Reading streams over a real socket: opening, timings, truncation, and connections that are used again."""

import asyncio

import pytest

from gradient_async import (
    AsyncSession,
    GradientError,
    InternalServerError,
    ProtocolError,
    RateLimitError,
    StreamBusyError,
    StreamTruncatedError,
)
from gradient_async._io.stream import stream_reader
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.raw_server import read_request, run_raw_server
from tests.support.streams import HI, LONG, chat_stream
from tests.support.waiting import HANG_SECONDS


async def test_a_refusal_is_raised_when_the_stream_is_opened(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.fail(status=400, times=None)
    with pytest.raises(GradientError, match="400"):
        await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
    with pytest.raises(GradientError, match="400"):
        async with chat_stream(gradient_session):
            pass
    with pytest.raises(GradientError, match="400"):
        await chat_stream(gradient_session).completion()


async def test_nothing_is_sent_before_the_first_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    lazy = chat_stream(gradient_session)
    await asyncio.sleep(0.01)
    assert gradient_emulator.requests == []
    assert (lazy.outcome, lazy.snapshot.text) == ("running", "")
    lazy.close()


async def test_timings_are_recorded(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.token_delay = 0.005
    async with chat_stream(gradient_session, stream_options={"include_usage": True}) as s:
        timings = s.meta.timings
        assert (timings.first_token, timings.total) == (None, None)
        await s.completion()
    assert timings.first_byte is not None
    assert timings.first_token is not None
    assert timings.total is not None
    assert timings.limiter_wait + timings.first_byte < timings.first_token < timings.total
    assert timings.tokens_per_second is not None
    assert timings.connect is not None


async def test_a_snapshot_in_another_thread_waits_for_the_end(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    async with chat_stream(gradient_session) as stream:
        await anext(stream)
        with pytest.raises(StreamBusyError, match="outside the thread"):
            await asyncio.to_thread(lambda: stream.snapshot)
        await stream.completion()
        assert (await asyncio.to_thread(lambda: stream.snapshot)).text == LONG


async def test_a_snapshot_during_the_stream_holds_the_text_read_so_far(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    async with chat_stream(gradient_session) as s:
        read = ""
        async for chunk in s:
            read += chunk.text
            assert s.snapshot.text == read


async def test_a_truncated_stream_raises_and_keeps_the_partial_snapshot(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    for mid_event in (False, True):
        gradient_emulator.reply(LONG)
        gradient_emulator.truncate(after=3, mid_event=mid_event)
        s = chat_stream(gradient_session)
        with pytest.raises(StreamTruncatedError) as caught:
            await s.completion()
        assert caught.value.snapshot is not None
        assert caught.value.snapshot.text == s.snapshot.text == "one two three"
        assert caught.value.request_id == gradient_emulator.requests[-1].request_id
        assert s.outcome == "truncated"


async def test_a_broken_connection_is_a_truncated_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.reset(after=2)
    with pytest.raises(StreamTruncatedError) as caught:
        await chat_stream(gradient_session).completion()
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text.startswith("one")
    assert caught.value.__context__ is None
    assert len(gradient_emulator.requests) == 1


async def test_events_before_a_failure_are_read_before_it_raises(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    frames = b"".join(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % i for i in range(5))
    gradient_emulator.reply(
        body=frames + b'data: {"error": {"code": 429, "message": "m"}}\n\n', content_type="text/event-stream"
    )
    seen = []
    with pytest.raises(RateLimitError):
        async for text in chat_stream(gradient_session).text():
            seen.append(text)
    assert seen == list("01234")


async def test_after_a_failure_iteration_is_over(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.truncate(after=1)
    async with chat_stream(gradient_session) as s:
        with pytest.raises(StreamTruncatedError):
            await s.completion()
        assert [chunk async for chunk in s] == []


async def test_a_truncated_stream_raises_each_time_its_completion_is_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.truncate(after=2)
    s = chat_stream(gradient_session)
    for _ in range(2):
        with pytest.raises(StreamTruncatedError) as caught:
            await s.completion()
        assert caught.value.snapshot == s.snapshot
    assert [event async for event in s.sse()] == []


async def test_a_large_event_arrives_whole(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply("x" * 8_000_000)
    assert len((await chat_stream(gradient_session).completion()).text) == 8_000_000


async def test_an_event_above_max_event_bytes_raises(gradient_emulator: Emulator) -> None:
    gradient_emulator.reply("x" * 2_000_000)
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, max_event_bytes=1_000_000) as session:
        with pytest.raises(ProtocolError, match="max_event_bytes"):
            await chat_stream(session).completion()


async def test_twenty_streams_use_one_connection(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    for _ in range(20):
        await chat_stream(gradient_session).completion()
    assert gradient_emulator.connections == 1


async def test_a_body_that_ends_soon_after_done_keeps_its_connection(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.hold_open(0.02, times=None)
    for _ in range(5):
        await chat_stream(gradient_session).completion()
    assert gradient_emulator.connections == 1


async def test_a_body_that_never_ends_is_abandoned_after_the_drain_limit(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.hold_open(60)
    async with asyncio.timeout(HANG_SECONDS):
        assert (await chat_stream(gradient_session).completion()).text
    assert count_acquired(gradient_session) == 0


CUT = b'data: {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}\n\n'


@pytest.mark.parametrize(
    ("content_type", "body", "kind", "text"),
    [
        ("text/event-stream", CUT + b'error: {"code": 503, "message": "out of memory"}', InternalServerError, "Hi"),
        (
            "text/event-stream",
            CUT + b'data: {"error": {"code": 503, "message": "out of memory"}}',
            InternalServerError,
            "Hi",
        ),
        ("text/event-stream", b'{"error": {"code": 503, "message": "out of memory"}}', InternalServerError, ""),
        ("text/event-stream", CUT + CUT.rstrip(), StreamTruncatedError, "HiHi"),
        ("text/event-stream", CUT + CUT[:-9], StreamTruncatedError, "Hi"),
        ("text/plain", CUT, StreamTruncatedError, "Hi"),
        ("text/plain", CUT[:3], StreamTruncatedError, ""),
        ("application/json", b'{"choices": [', StreamTruncatedError, ""),
    ],
)
async def test_what_was_written_before_the_connection_broke_is_read(
    content_type: str, body: bytes, kind: type[GradientError], text: str
) -> None:
    async def write_part(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await read_request(reader)
        head = f"HTTP/1.1 200 OK\r\nContent-Type: {content_type}\r\nContent-Length: 100000\r\n\r\n"
        writer.write(head.encode() + body)
        await writer.drain()

    async with run_raw_server(write_part) as host, AsyncSession("test", base_url=f"http://{host}") as session:
        stream = chat_stream(session)
        with pytest.raises(kind) as caught:
            await stream.completion()
    assert stream.outcome == ("error" if kind is InternalServerError else "truncated")
    assert stream.snapshot.text == text
    assert kind is StreamTruncatedError or "out of memory" in str(caught.value)


async def test_a_json_body_in_place_of_a_stream_is_bounded(
    gradient_emulator: Emulator, gradient_session: AsyncSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_reader, "MAX_JSON_BYTES", 100_000)
    body = b'{"choices": [], "filler": "' + b"x" * 1_000_000 + b'"}'
    gradient_emulator.reply(body=body, content_type="application/json")
    with pytest.raises(ProtocolError, match="more than 100000 bytes"):
        await chat_stream(gradient_session).completion()
    assert count_acquired(gradient_session) == 0


async def test_an_event_may_have_16_mib_by_default(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    filler = "x" * (16 * 1024 * 1024 + 1)
    gradient_emulator.reply(body=f"data: {filler}\n\n".encode(), content_type="text/event-stream")
    with pytest.raises(ProtocolError, match="max_event_bytes"):
        await chat_stream(gradient_session).completion()
