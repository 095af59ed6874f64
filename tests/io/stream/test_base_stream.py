"""Ownership of streams over a real socket: leaving, dropping and cancelling one releases its connection."""

import asyncio
import copy
import gc
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import AsyncSession, ChatCompletion, ChatStream, SessionClosedError, StreamBusyError
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired, wait_for_disconnects
from tests.support.streams import HI, LONG, chat_stream
from tests.support.waiting import HANG_SECONDS, wait_until

pytestmark = pytest.mark.usefixtures("steady_clock")


async def test_text_works_without_a_block(gradient_session: AsyncSession) -> None:
    assert "".join([text async for text in chat_stream(gradient_session).text()])


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, pickle.dumps])
async def test_a_stream_is_not_copied(duplicate: Callable[[object], object], gradient_session: AsyncSession) -> None:
    async with chat_stream(gradient_session) as stream:
        first = await anext(stream)
        with pytest.raises(TypeError, match=r"cannot be copied or pickled.*tee"):
            duplicate(stream)
        gc.collect()  # a copy that is dropped would end the stream
        assert first.text + "".join([chunk.text async for chunk in stream]) == (await stream.completion()).text


async def _by_break(s: ChatStream) -> None:
    async for _ in s:
        break


async def _by_break_of_text(s: ChatStream) -> None:
    async for _ in s.text():
        break


async def _by_break_of_events(s: ChatStream) -> None:
    async for _ in s.sse():
        break


async def _by_exception(s: ChatStream) -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in s:
            raise ZeroDivisionError


async def _by_block(s: ChatStream) -> None:
    async with s:
        await anext(s)


async def _by_exception_in_block(s: ChatStream) -> None:
    with pytest.raises(ZeroDivisionError):
        async with s:
            await anext(s)
            raise ZeroDivisionError


async def _by_close(s: ChatStream) -> None:
    await anext(s)
    s.close()
    s.close()


async def _by_aclose(s: ChatStream) -> None:
    await anext(s)
    await s.aclose()


async def _by_cancel_before_reading(s: ChatStream) -> None:
    await s.open()
    s.cancel()


async def _by_cancelled_task(s: ChatStream) -> None:
    task = asyncio.ensure_future(s.completion())
    while not s.snapshot.text:
        await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.parametrize(
    "leave",
    [_by_break, _by_break_of_text, _by_break_of_events, _by_exception, _by_block, _by_exception_in_block, _by_close,
     _by_aclose, _by_cancel_before_reading, _by_cancelled_task],
)  # fmt: skip
async def test_leaving_a_stream_frees_its_connection_at_once(
    gradient_emulator: Emulator, gradient_session: AsyncSession, leave: Callable[[ChatStream], Any]
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    s = chat_stream(gradient_session)
    gc.disable()
    try:
        await leave(s)
        assert count_acquired(gradient_session) == 0
    finally:
        gc.enable()
    assert s.outcome == "cancelled"
    assert [chunk async for chunk in s] == []
    await wait_for_disconnects(gradient_emulator)
    assert gradient_emulator.requests[0].disconnected


async def test_a_dropped_stream_frees_its_connection_at_once_and_warns(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02, times=2)
    gc.disable()
    try:
        dropped = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
        with pytest.warns(ResourceWarning, match="ChatStream was dropped"):
            del dropped
        assert count_acquired(gradient_session) == 0
        read = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
        await anext(read)
        with pytest.warns(ResourceWarning, match="ChatStream was dropped"):
            del read
        assert count_acquired(gradient_session) == 0
    finally:
        gc.enable()


async def test_leaving_a_loop_without_a_block_does_not_warn(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async for _ in chat_stream(gradient_session).text():
            break
    assert count_acquired(gradient_session) == 0


async def test_inside_a_block_a_second_loop_continues_the_first(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    async with chat_stream(gradient_session) as s:
        async for chunk in s:
            if chunk.text:
                break
        await s.completion()
        assert s.snapshot.text == LONG
        assert s.outcome == "done"


async def test_a_hundred_abandoned_streams_do_not_block_a_pool_of_two(gradient_emulator: Emulator) -> None:
    gradient_emulator.reply(LONG, token_delay=0.05, times=100)
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, max_connections=2) as session:
        for _ in range(100):
            async for _ in chat_stream(session):
                break
        assert (await session.chat.completions.create(model="m", messages=HI)).text


def start_reading(
    emulator: Emulator, session: AsyncSession, *, stall: float, after: int
) -> tuple[ChatStream, asyncio.Task[ChatCompletion]]:
    """Return a stream that stalls for some seconds, and a task that reads all of it."""
    emulator.reply(LONG)
    emulator.stall(seconds=stall, after=after)
    s = chat_stream(session)
    return s, asyncio.create_task(s.completion())


async def test_cancel_from_another_task_ends_the_iteration_cleanly(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    s, reading = start_reading(gradient_emulator, gradient_session, stall=60, after=3)
    await wait_until(lambda: s.snapshot.text == "one two three")
    s.cancel()
    partial = await reading
    assert partial.text == "one two three"
    assert s.outcome == "cancelled"
    assert count_acquired(gradient_session) == 0


async def test_cancel_ends_the_iteration_though_a_block_has_arrived(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    async with chat_stream(gradient_session) as s:
        seen = [(await anext(s)).text]
        reading = asyncio.ensure_future(anext(s, None))
        assert s._reply is not None
        while not s._reply.exchange._content._buffer:
            await asyncio.sleep(0)
        s.cancel()
        assert await reading is None
        assert s.snapshot.text == "".join(seen)


async def test_cancel_ends_a_stream_that_is_being_opened(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.stall(seconds=60)
    s = chat_stream(gradient_session)
    reading = asyncio.ensure_future(s.completion())
    await asyncio.sleep(0.05)
    s.cancel()
    async with asyncio.timeout(HANG_SECONDS):
        assert (await reading).text == ""
    assert s.outcome == "cancelled"
    assert count_acquired(gradient_session) == 0


async def test_cancel_adds_unread_events_to_the_snapshot(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    frames = b"".join(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % i for i in range(5))
    gradient_emulator.reply(body=frames, content_type="text/event-stream")
    gradient_emulator.hold_open(60)
    async with chat_stream(gradient_session) as s:
        await asyncio.sleep(0.05)
        assert (await anext(s)).text == "0"
        s.cancel()
        assert s.snapshot.text == "01234"


async def test_a_second_reader_is_refused_and_the_first_goes_on(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=0.1, after=2)
    async with chat_stream(gradient_session) as s:
        first = asyncio.ensure_future(s.completion())
        await asyncio.sleep(0.05)
        with pytest.raises(StreamBusyError, match="tee"):
            await anext(s)
        assert (await first).text == LONG


async def test_a_refused_second_loop_does_not_cancel_the_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    s, first = start_reading(gradient_emulator, gradient_session, stall=0.1, after=2)
    await asyncio.sleep(0.05)
    with pytest.raises(StreamBusyError, match="tee"):
        async for _ in s.text():
            pass
    assert (await first).text == LONG


async def test_closing_the_session_ends_its_streams_with_session_closed_error(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=60, after=1)
    session = AsyncSession(api_key="test", base_url=gradient_emulator.url)
    async with session, chat_stream(session) as s:
        reading = asyncio.ensure_future(s.completion())
        await asyncio.sleep(0.05)
        await session.aclose()
        with pytest.raises(SessionClosedError, match="was closed while"):
            await reading


async def test_closing_the_session_ends_its_calls_with_session_closed_error(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=60)
    session = AsyncSession(api_key="test", base_url=gradient_emulator.url)
    call = asyncio.ensure_future(session.chat.completions.create(model="m", messages=HI))
    await asyncio.sleep(0.05)
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await call


async def test_a_stream_closed_by_another_thread_frees_its_connection(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.05)
    s = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
    await asyncio.to_thread(s.close)
    await asyncio.sleep(0)
    assert count_acquired(gradient_session) == 0
