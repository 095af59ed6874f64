"""Streams over a real socket: they cannot leak, lie or lose a token."""

import asyncio
import gc
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import (
    AsyncSession,
    ChatStream,
    GradientError,
    InternalServerError,
    ProtocolError,
    RateLimitError,
    SessionClosedError,
    SSEParser,
    StreamBusyError,
    StreamTruncatedError,
)
from gradient_async.testing import Emulator
from tests.support.pools import acquired, settled

HI = [{"role": "user", "content": "Hi"}]
LONG = "one two three four five six seven eight nine ten"


def stream(session: AsyncSession, **params: Any) -> ChatStream:
    return session.chat.completions.stream(model="m", messages=HI, **params)


# Reading


async def test_chunks_add_up_to_the_snapshot(gradient_session: AsyncSession) -> None:
    async with stream(gradient_session, stream_options={"include_usage": True}) as s:
        texts = [chunk.text async for chunk in s]
        assert "".join(texts) == s.snapshot.text != ""
        assert s.snapshot.usage is not None
        assert s.snapshot.usage.completion_tokens > 0
        assert s.outcome == "done"
        assert s.snapshot.meta.request_id == s.meta.request_id is not None


async def test_a_stream_equals_the_awaited_completion(gradient_session: AsyncSession) -> None:
    params: dict[str, Any] = {"n": 3, "seed": 7, "logprobs": True, "top_logprobs": 2, "temperature": 1.5}
    whole = await gradient_session.chat.completions.create(model="m", messages=HI, **params)
    pieces = await stream(gradient_session, stream_options={"include_usage": True}, **params).completion()
    assert pieces.choices == whole.choices
    assert pieces.usage == whole.usage


async def test_text_works_without_a_block(gradient_session: AsyncSession) -> None:
    assert "".join([text async for text in stream(gradient_session).text()])


async def test_create_with_stream_is_the_same_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    opened = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
    assert gradient_emulator.requests[0].status == 200
    assert (await opened.completion()).text


async def test_a_refusal_is_raised_when_the_stream_is_opened(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.fail(status=400, times=None)
    with pytest.raises(GradientError, match="400"):
        await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
    with pytest.raises(GradientError, match="400"):
        async with stream(gradient_session):
            pass
    with pytest.raises(GradientError, match="400"):
        await stream(gradient_session).completion()


async def test_nothing_is_sent_before_the_first_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    lazy = stream(gradient_session)
    await asyncio.sleep(0.01)
    assert gradient_emulator.requests == []
    assert (lazy.outcome, lazy.snapshot.text) == ("running", "")


@pytest.mark.parametrize("split", [1, 2, 7, 61, None])
async def test_any_split_of_the_bytes_gives_the_same_answer(
    gradient_emulator: Emulator, gradient_session: AsyncSession, split: int | None
) -> None:
    gradient_emulator.reply("Grüße, Welt! 😀", reasoning="hm", split=split)
    completion = await stream(gradient_session).completion()
    assert (completion.text, completion.reasoning) == ("Grüße, Welt! 😀", "hm")


async def test_timings_are_told(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.token_delay = 0.005
    async with stream(gradient_session, stream_options={"include_usage": True}) as s:
        timings = s.meta.timings
        assert (timings.first_token, timings.total) == (None, None)
        await s.completion()
    assert timings.first_byte is not None
    assert timings.first_token is not None
    assert timings.total is not None
    assert timings.limiter_wait + timings.first_byte < timings.first_token < timings.total
    assert timings.tokens_per_second is not None
    assert timings.connect is not None


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("stop", "done"), ("length", "length"), ("content_filter", "content_filter"), ("eos_token", "done")],
)
async def test_the_outcome_tells_how_it_ended(
    gradient_emulator: Emulator, gradient_session: AsyncSession, reason: str, outcome: str
) -> None:
    gradient_emulator.reply("Hi", finish_reason=reason)
    async with stream(gradient_session) as s:
        assert s.outcome == "running"
        assert (await s.completion()).finish_reason == reason
        assert s.outcome == outcome


async def test_tool_calls_are_assembled_and_can_be_sent_back(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "f", "arguments": '{"x": 1}'}, {"name": "g", "arguments": "{}"}])
    async with stream(gradient_session) as s:
        completion = await s.completion()
    assert s.outcome == "tool_calls"
    assert [call.function.name for call in completion.tool_calls] == ["f", "g"]
    answers = [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in completion.tool_calls]
    messages: Any = [*HI, completion.message.to_dict(), *answers]
    await gradient_session.chat.completions.create(model="m", messages=messages)
    assert json.loads(completion.tool_calls[0].function.arguments) == {"x": 1}


async def test_an_agents_stream_keeps_its_extras(gradient_session: AsyncSession) -> None:
    agent = gradient_session.agent().chat.completions
    completion = await agent.stream(messages=HI, include_retrieval_info=True, include_functions_info=True).completion()
    assert completion.retrieval is not None
    assert completion.retrieval.retrieved_data


async def test_a_snapshot_taken_in_the_middle_is_what_was_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    async with stream(gradient_session) as s:
        read = ""
        async for chunk in s:
            read += chunk.text
            assert s.snapshot.text == read


# How streams end


async def test_a_truncated_stream_raises_and_keeps_what_arrived(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    for mid_event in (False, True):
        gradient_emulator.reply(LONG)
        gradient_emulator.truncate(after=3, mid_event=mid_event)
        s = stream(gradient_session)
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
        await stream(gradient_session).completion()
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text.startswith("one")
    assert caught.value.__context__ is None
    assert len(gradient_emulator.requests) == 1


@pytest.mark.parametrize("shape", ["do", "openai", "anthropic"])
async def test_an_error_inside_the_stream_is_typed_and_keeps_what_arrived(
    gradient_emulator: Emulator, gradient_session: AsyncSession, shape: Any
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.fail(status=500, after=2, shape=shape)
    s = stream(gradient_session)
    with pytest.raises(InternalServerError) as caught:
        await s.completion()
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "one two"
    assert caught.value.request_id
    assert s.outcome == "error"


async def test_what_arrived_before_a_failure_is_handed_out_first(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    frames = b"".join(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % i for i in range(5))
    gradient_emulator.reply(
        body=frames + b'data: {"error": {"code": 429, "message": "m"}}\n\n', content_type="text/event-stream"
    )
    seen = []
    with pytest.raises(RateLimitError):
        async for text in stream(gradient_session).text():
            seen.append(text)
    assert seen == list("01234")


async def test_after_a_failure_iteration_is_over(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.truncate(after=1)
    async with stream(gradient_session) as s:
        with pytest.raises(StreamTruncatedError):
            await s.completion()
        assert [chunk async for chunk in s] == []


async def test_a_partial_answer_is_not_whole_when_it_is_asked_for_again(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.truncate(after=2)
    s = stream(gradient_session)
    for _ in range(2):
        with pytest.raises(StreamTruncatedError) as caught:
            await s.completion()
        assert caught.value.snapshot == s.snapshot
    assert [event async for event in s.sse()] == []


async def test_a_whole_completion_instead_of_a_stream_is_one_chunk(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    body = {"id": "c", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "content": "Hi", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]}  # fmt: skip
    gradient_emulator.reply(body=json.dumps(body), content_type="application/json; charset=utf-8")
    async with stream(gradient_session) as s:
        chunks = [chunk async for chunk in s]
    assert [chunk.text for chunk in chunks] == ["Hi"]
    assert s.snapshot.tool_calls[0].id == "a"
    assert s.outcome == "tool_calls"


async def test_a_whole_completion_instead_of_a_stream_keeps_its_unknown_fields(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    message = {"content": "Hi", "annotations": [1], "tool_calls": [{"id": "a", "function": {"name": "f"}, "x": 1}]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop", "stop_reason": 7}], "tier": "t"}
    gradient_emulator.reply(body=json.dumps(body), content_type="application/json", times=2)
    whole = await gradient_session.chat.completions.create(model="m", messages=HI)
    assert (await stream(gradient_session).completion()).to_dict() == whole.to_dict()


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("text/html", b"<html>" + b"x" * 10_000, ProtocolError),
        ("application/json", b'{"id": "server_error", "message": "m"}', InternalServerError),
        ("application/json", b"{", ProtocolError),
        ("text/event-stream", b"", StreamTruncatedError),
    ],
)
async def test_what_is_no_stream_is_an_error(
    gradient_emulator: Emulator,
    gradient_session: AsyncSession,
    content_type: str,
    body: bytes,
    kind: type[GradientError],
) -> None:
    gradient_emulator.reply(body=body, content_type=content_type)
    with pytest.raises(kind) as caught:
        await stream(gradient_session).completion()
    assert len(str(caught.value)) < 400


async def test_a_large_event_arrives_whole(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply("x" * 8_000_000)
    assert len((await stream(gradient_session).completion()).text) == 8_000_000


async def test_an_event_above_the_cap_is_an_error(gradient_emulator: Emulator) -> None:
    gradient_emulator.reply("x" * 2_000_000)
    async with AsyncSession(api_key="test", base_url=gradient_emulator.url, max_event_bytes=1_000_000) as session:
        with pytest.raises(ProtocolError, match="max_event_bytes"):
            await stream(session).completion()


# Connections


async def test_twenty_streams_use_one_connection(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    for _ in range(20):
        await stream(gradient_session).completion()
    assert gradient_emulator.connections == 1


async def test_the_end_of_the_body_may_come_after_done(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.hold_open(0.02, times=None)
    for _ in range(5):
        await stream(gradient_session).completion()
    assert gradient_emulator.connections == 1


async def test_a_body_that_never_ends_is_given_up_soon(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.hold_open(60)
    async with asyncio.timeout(5):
        assert (await stream(gradient_session).completion()).text
    assert acquired(gradient_session) == 0


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
    await asyncio.sleep(0.03)
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
    s = stream(gradient_session)
    gc.disable()
    try:
        await leave(s)
        assert acquired(gradient_session) == 0
    finally:
        gc.enable()
    assert s.outcome == "cancelled"
    assert [chunk async for chunk in s] == []
    await settled(gradient_emulator)
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
        assert acquired(gradient_session) == 0
        read = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
        await anext(read)
        with pytest.warns(ResourceWarning, match="ChatStream was dropped"):
            del read
        assert acquired(gradient_session) == 0
    finally:
        gc.enable()


async def test_leaving_a_loop_without_a_block_does_not_warn(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        async for _ in stream(gradient_session).text():
            break
    assert acquired(gradient_session) == 0


async def test_inside_a_block_a_loop_may_be_left_and_taken_up_again(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    async with stream(gradient_session) as s:
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
            async for _ in stream(session):
                break
        assert (await session.chat.completions.create(model="m", messages=HI)).text


# Stopping from elsewhere


async def test_cancel_from_another_task_ends_the_iteration_cleanly(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=60, after=3)
    s = stream(gradient_session)
    reading = asyncio.ensure_future(s.completion())
    async with asyncio.timeout(5):
        while s.snapshot.text != "one two three":
            await asyncio.sleep(0.005)
        s.cancel()
        partial = await reading
    assert partial.text == "one two three"
    assert s.outcome == "cancelled"
    assert acquired(gradient_session) == 0


async def test_cancel_ends_the_iteration_though_more_is_about_to_be_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    async with stream(gradient_session) as s:
        seen = [(await anext(s)).text]
        reading = asyncio.ensure_future(anext(s, None))
        assert s._reply is not None
        while not s._reply.exchange._content._buffer:
            await asyncio.sleep(0)
        s.cancel()
        assert await reading is None
        assert s.snapshot.text == "".join(seen)


async def test_cancel_while_the_stream_is_being_opened(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.stall(seconds=60)
    s = stream(gradient_session)
    reading = asyncio.ensure_future(s.completion())
    await asyncio.sleep(0.05)
    s.cancel()
    async with asyncio.timeout(5):
        assert (await reading).text == ""
    assert s.outcome == "cancelled"
    assert acquired(gradient_session) == 0


async def test_cancel_keeps_what_arrived_and_was_not_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    frames = b"".join(b'data: {"id":"c","choices":[{"index":0,"delta":{"content":"%d"}}]}\n\n' % i for i in range(5))
    gradient_emulator.reply(body=frames, content_type="text/event-stream")
    gradient_emulator.hold_open(60)
    async with stream(gradient_session) as s:
        await asyncio.sleep(0.05)
        assert (await anext(s)).text == "0"
        s.cancel()
        assert s.snapshot.text == "01234"


async def test_a_second_reader_gets_a_clear_error_and_the_first_goes_on(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=0.1, after=2)
    async with stream(gradient_session) as s:
        first = asyncio.ensure_future(s.completion())
        await asyncio.sleep(0.05)
        with pytest.raises(StreamBusyError, match="tee"):
            await anext(s)
        assert (await first).text == LONG


async def test_a_second_loop_that_was_refused_leaves_the_stream_to_the_first(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=0.1, after=2)
    s = stream(gradient_session)
    first = asyncio.ensure_future(s.completion())
    await asyncio.sleep(0.05)
    with pytest.raises(StreamBusyError, match="tee"):
        async for _ in s.text():
            pass
    assert (await first).text == LONG


async def test_closing_the_session_ends_its_streams_with_a_clear_error(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=60, after=1)
    session = AsyncSession(api_key="test", base_url=gradient_emulator.url)
    async with session, stream(session) as s:
        reading = asyncio.ensure_future(s.completion())
        await asyncio.sleep(0.05)
        await session.aclose()
        with pytest.raises(SessionClosedError, match="was closed while"):
            await reading


async def test_closing_the_session_ends_its_calls_with_a_clear_error(gradient_emulator: Emulator) -> None:
    gradient_emulator.stall(seconds=60)
    session = AsyncSession(api_key="test", base_url=gradient_emulator.url)
    call = asyncio.ensure_future(session.chat.completions.create(model="m", messages=HI))
    await asyncio.sleep(0.05)
    await session.aclose()
    with pytest.raises(SessionClosedError):
        await call


async def test_a_stream_dropped_by_another_thread_is_closed_too(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.05)
    s = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
    await asyncio.to_thread(s.close)
    await asyncio.sleep(0)
    assert acquired(gradient_session) == 0


# Passing a stream on


async def test_sse_passes_the_stream_on(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(LONG)
    body = b"".join([event async for event in stream(gradient_session).sse()])
    events = SSEParser().feed(body)
    assert events[-1].data == "[DONE]"
    pieces = [json.loads(event.data)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert "".join(pieces) == LONG


async def test_sse_passes_an_error_on_as_an_event(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.truncate(after=2)
    events = SSEParser().feed(b"".join([event async for event in stream(gradient_session).sse()]))
    error = json.loads(events[-1].data)["error"]
    assert error["type"] == "StreamTruncatedError"
    assert error["request_id"] == gradient_emulator.requests[0].request_id
    assert "[DONE]" not in [event.data for event in events]


async def test_sse_passes_a_refusal_on(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.fail(status=402, code="payment_required")
    (event,) = SSEParser().feed(b"".join([event async for event in stream(gradient_session).sse()]))
    assert json.loads(event.data)["error"]["code"] == "payment_required"


async def test_a_cancelled_stream_is_not_passed_on_as_done(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    s = stream(gradient_session)
    events = []
    async for event in s.sse():
        events.append(event)
        s.cancel()
    assert len(events) == 1
    assert b"[DONE]" not in events[0]


async def test_every_branch_of_a_tee_gets_every_chunk(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)

    async def collect(branch: Any) -> str:
        return "".join([chunk.text async for chunk in branch])

    branches = stream(gradient_session).tee(3, buffer=2)
    assert await asyncio.gather(*map(collect, branches)) == [LONG] * 3


async def test_a_tee_does_not_run_ahead_of_its_slowest_branch(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    fast, slow = stream(gradient_session).tee(2, buffer=3)
    seen: list[str] = []

    async def collect() -> None:
        async for chunk in fast:
            seen.append(chunk.text)

    task = asyncio.ensure_future(collect())
    await asyncio.sleep(0.1)
    assert len(seen) == 3
    slow.close()
    await task
    assert "".join(seen) == LONG


async def test_a_cancelled_branch_disturbs_only_itself(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.01)
    one, other = stream(gradient_session).tee(2)
    task = asyncio.ensure_future(anext(one))
    await asyncio.sleep(0)
    task.cancel()
    assert "".join([chunk.text async for chunk in other]) == LONG


async def test_a_second_reader_of_a_branch_gets_a_clear_error_and_the_first_goes_on(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=0.1, after=2)
    (branch,) = stream(gradient_session).tee(1)

    async def collect() -> str:
        return "".join([chunk.text async for chunk in branch])

    first = asyncio.ensure_future(collect())
    await asyncio.sleep(0.05)
    with pytest.raises(StreamBusyError, match="tee"):
        await collect()
    async with asyncio.timeout(5):
        assert await first == LONG


async def test_when_every_branch_is_gone_so_is_the_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, token_delay=0.02)
    s = stream(gradient_session)
    one, other = s.tee(2)
    await anext(one)
    del one, other
    assert s.outcome == "cancelled"
    assert acquired(gradient_session) == 0


async def test_every_branch_gets_the_error(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.truncate(after=2)
    for branch in (branches := stream(gradient_session).tee(2)):
        with pytest.raises(StreamTruncatedError) as caught:
            async for _ in branch:
                pass
        assert caught.value.snapshot is not None
    assert len(branches) == 2
