"""Streams of messages and of responses over a real socket: reading, ends, time limits, ownership, sse and tee."""

import asyncio
import gc
import json
import warnings
from collections.abc import Callable
from typing import Any

import pytest

from gradient_async import (
    APITimeoutError,
    AsyncSession,
    BadRequestError,
    ConfigurationError,
    InternalServerError,
    ProtocolError,
    RateLimitError,
    ServerSentEvent,
    SessionClosedError,
    SSEParser,
    StreamBusyError,
    StreamTruncatedError,
    Timeouts,
)
from gradient_async.testing import Emulator
from tests.support.event_streams import encode_stream
from tests.support.pools import count_acquired, wait_for_disconnects
from tests.support.rich_streams import ENDING, MESSAGE_STREAMS, PIECES

pytestmark = pytest.mark.usefixtures("steady_clock")

HI: Any = [{"role": "user", "content": "Hi"}]
LONG = "one two three four five six seven eight nine ten"


def message(session: AsyncSession, **params: Any) -> Any:
    return session.messages.stream(**{"model": "m", "max_tokens": 100, "messages": HI, **params})


def response(session: AsyncSession, **params: Any) -> Any:
    return session.responses.stream(**{"model": "m", "input": "Hi", **params})


Start = Callable[..., Any]
both_apis = pytest.mark.parametrize("stream", [message, response])
TO_THE_THIRD_WORD = {message: 6, response: 7}
"""Number of events before the fourth word of a result."""


async def read_to_end(stream: Any) -> Any:
    return await (stream.message() if hasattr(stream, "message") else stream.response())


async def read_first_text(stream: Any) -> str:
    async for event in stream:
        if event.text:
            return str(event.text)
    raise AssertionError("the stream has no text")


# Reading


@both_apis
async def test_events_add_up_to_the_snapshot(gradient_session: AsyncSession, stream: Start) -> None:
    async with stream(gradient_session) as s:
        texts = []
        async for event in s:
            texts.append(event.text)
            assert s.snapshot.text == "".join(texts)
        assert s.snapshot.text
        assert s.snapshot.usage.output_tokens > 0
        assert s.outcome == "done"
        assert s.snapshot.meta.request_id == s.meta.request_id is not None


CALLS: list[tuple[Any, Any, dict[str, Any]]] = [
    (message, "messages", {"max_tokens": 100, "messages": HI, "thinking": {"type": "enabled"}}),
    (message, "messages", {"max_tokens": 3, "messages": HI}),
    (message, "messages", {"max_tokens": 100, "messages": HI, "tool_choice": "any",
                           "tools": [{"name": "f", "input_schema": {"type": "object"}}]}),
    (response, "responses", {"input": "Hi", "reasoning": {"effort": "low"}}),
    (response, "responses", {"input": HI, "max_output_tokens": 3}),
    (response, "responses", {"input": HI, "tool_choice": "required", "tools": [{"type": "function", "name": "f"}]}),
]  # fmt: skip


@pytest.mark.parametrize(("stream", "resource", "params"), CALLS)
async def test_a_stream_equals_the_awaited_result(
    gradient_session: AsyncSession, stream: Start, resource: str, params: Any
) -> None:
    awaited = await getattr(gradient_session, resource).create(model="m", **params)
    streamed = await read_to_end(stream(gradient_session, **params))

    def comparable(result: Any) -> Any:
        generated = {"id", "created", "created_at"}
        parts = result.to_dict().get("output") or result.to_dict()["content"]
        rest = {
            name: value for name, value in result.to_dict().items() if name not in generated | {"output", "content"}
        }
        return rest, [{name: value for name, value in part.items() if name != "id" and value != []} for part in parts]

    assert comparable(streamed) == comparable(awaited)
    assert streamed.text == awaited.text


@both_apis
async def test_text_works_without_a_block_and_gives_the_connection_back(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    for _ in range(5):
        assert "".join([text async for text in stream(gradient_session).text()])
    assert count_acquired(gradient_session) == 0
    assert gradient_emulator.connections == 1


@both_apis
@pytest.mark.parametrize("split", [1, 2, 7, 61, None])
async def test_any_split_of_the_bytes_gives_the_same_text(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start, split: int | None
) -> None:
    gradient_emulator.reply("Grüße, Welt! 😀", split=split)
    assert (await read_to_end(stream(gradient_session))).text == "Grüße, Welt! 😀"


@both_apis
async def test_nothing_is_sent_before_the_first_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    lazy = stream(gradient_session)
    await asyncio.sleep(0.01)
    assert gradient_emulator.requests == []
    assert (lazy.outcome, lazy.snapshot.text) == ("running", "")
    lazy.close()
    with pytest.raises(ConfigurationError):
        stream(gradient_session, model="")


@both_apis
async def test_timings_are_recorded(gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start) -> None:
    gradient_emulator.token_delay = 0.002
    async with stream(gradient_session) as s:
        await read_to_end(s)
    timings = s.meta.timings
    assert timings.first_byte < timings.first_token < timings.total
    assert timings.tokens_per_second > 0


@pytest.mark.parametrize(
    ("stream", "params", "outcome"),
    [
        (message, {"max_tokens": 2}, "length"),
        (message, {"tool_choice": "any", "tools": [{"name": "f", "input_schema": {}}]}, "tool_calls"),
        (response, {"max_output_tokens": 2}, "length"),
        (response, {"tool_choice": "required", "tools": [{"type": "function", "name": "f"}]}, "tool_calls"),
    ],
)
async def test_the_outcome_follows_the_end_reason(
    gradient_session: AsyncSession, stream: Start, params: Any, outcome: str
) -> None:
    async with stream(gradient_session, **params) as s:
        await read_to_end(s)
    assert s.outcome == outcome


@both_apis
async def test_a_refusal_is_raised_when_the_stream_is_opened(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    with pytest.raises(BadRequestError, match="temperature"):
        async with stream(gradient_session, temperature=9):
            pass
    gradient_emulator.fail(status=429, retry_after=0, times=1)
    async with stream(gradient_session) as s:
        assert s.meta.attempts == 2


# How streams end


@both_apis
@pytest.mark.parametrize("mid_event", [False, True])
async def test_a_truncated_stream_raises_and_keeps_the_partial_snapshot(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start, mid_event: bool
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.truncate(after=TO_THE_THIRD_WORD[stream], mid_event=mid_event)
    s = stream(gradient_session)
    with pytest.raises(StreamTruncatedError) as caught:
        await read_to_end(s)
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == s.snapshot.text == "one two three"
    assert caught.value.request_id == gradient_emulator.requests[-1].request_id
    assert s.outcome == "truncated"
    assert count_acquired(gradient_session) == 0


@pytest.mark.parametrize(("stream", "events"), [(message, 5), (response, 8)])
async def test_a_cut_anywhere_before_the_end_raises(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start, events: int
) -> None:
    gradient_emulator.reply("Hi")
    await read_to_end(stream(gradient_session))
    for after in range(gradient_emulator.requests[-1].chunks_sent):
        gradient_emulator.reply("Hi")
        gradient_emulator.truncate(after=after)
        s = stream(gradient_session)
        try:
            result = await read_to_end(s)
        except StreamTruncatedError:
            continue
        assert stream is message  # its stop reason has arrived, only message_stop is missing
        assert result.stop_reason == "end_turn"
        assert after == gradient_emulator.requests[-1].chunks_sent >= events


@both_apis
async def test_a_broken_connection_is_a_truncated_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.reset(after=TO_THE_THIRD_WORD[stream])
    with pytest.raises(StreamTruncatedError) as caught:
        await read_to_end(stream(gradient_session))
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text.startswith("one")
    assert caught.value.__context__ is None
    assert len(gradient_emulator.requests) == 1


@both_apis
@pytest.mark.parametrize("shape", ["do", "openai", "anthropic"])
async def test_an_error_event_is_typed_and_carries_the_snapshot(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start, shape: Any
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.fail(status=500, after=TO_THE_THIRD_WORD[stream], shape=shape)
    s = stream(gradient_session)
    with pytest.raises(InternalServerError) as caught:
        await read_to_end(s)
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "one two three"
    assert caught.value.request_id
    assert s.outcome == "error"
    assert [event async for event in s] == []


async def test_a_failed_response_raises_the_error_it_names(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "Hi"}
    failed = {"type": "response.failed", "response": {"status": "failed", "error": {"code": "rate_limit_exceeded", "message": "slow down"}}}  # fmt: skip
    gradient_emulator.reply(chunks=[delta, failed])
    with pytest.raises(RateLimitError, match="slow down") as caught:
        await response(gradient_session).response()
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "Hi"


async def test_a_message_that_stopped_because_of_an_error_raises_with_its_snapshot(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    stopped = {"type": "message_delta", "delta": {"stop_reason": "error"}, "usage": {"output_tokens": 4}}
    gradient_emulator.reply(chunks=[*MESSAGE_STREAMS["no index"][:-2], stopped, {"type": "message_stop"}])
    s = message(gradient_session)
    with pytest.raises(InternalServerError) as caught:
        await s.message()
    assert caught.value.snapshot is not None
    assert (caught.value.snapshot.text, s.outcome) == ("ab", "error")
    assert count_acquired(gradient_session) == 0


@both_apis
async def test_frames_that_say_nothing_do_not_end_a_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    values = PIECES + ENDING if stream is response else MESSAGE_STREAMS["web search with citations"]
    silence = b'data: null\n\ndata: {}\n\nevent: progress\ndata: 50%\n\nevent: ping\n\ndata: "[DONE]"\n\n'
    body = silence.join(encode_stream([value]) for value in values)
    gradient_emulator.reply(body=silence + body + silence, content_type="text/event-stream")
    async with stream(gradient_session) as s:
        texts = [text async for text in s.text()]
    assert "".join(texts) == s.snapshot.text != ""
    assert s.outcome in ("done", "tool_calls")


JSON_BODIES = {
    message: {"id": "m", "content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"},
    response: {"id": "r", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}], "status": "completed"},
}  # fmt: skip


@both_apis
async def test_a_json_body_in_place_of_a_stream_is_read(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.reply(body=json.dumps(JSON_BODIES[stream]), content_type="application/json; charset=utf-8")
    async with stream(gradient_session) as s:
        assert [text async for text in s.text()] == ["Hi"]
    assert (s.snapshot.text, s.outcome) == ("Hi", "done")


@both_apis
@pytest.mark.parametrize(
    ("body", "content_type", "kind"),
    [
        (b"<html>busy</html>", "text/html", ProtocolError),
        (b'{"id": "server_error", "message": "m"}', "application/json", InternalServerError),
        (b'{"x": 1}', "application/json", ProtocolError),
        (b"data: {]\n\n", "text/event-stream", ProtocolError),
        (b"data: []\n\n", "text/event-stream", ProtocolError),
        (b'data: {"x": 1}\n\n', "text/event-stream", ProtocolError),
        (b"", "text/event-stream", StreamTruncatedError),
        (b"data: {]", "text/event-stream", StreamTruncatedError),
    ],
)
async def test_a_body_that_is_not_a_stream_raises(
    gradient_emulator: Emulator,
    gradient_session: AsyncSession,
    stream: Start,
    body: bytes,
    content_type: str,
    kind: Any,
) -> None:
    gradient_emulator.reply(body=body, content_type=content_type)
    with pytest.raises(kind):
        await read_to_end(stream(gradient_session))
    assert count_acquired(gradient_session) == 0


@both_apis
async def test_an_event_above_max_event_bytes_raises(gradient_emulator: Emulator, stream: Start) -> None:
    gradient_emulator.reply("x" * 10_000)
    async with AsyncSession("test", base_url=gradient_emulator.url, max_event_bytes=5_000) as session:
        with pytest.raises(ProtocolError, match="5000 bytes"):
            await read_to_end(stream(session))


# Time limits


@both_apis
@pytest.mark.parametrize(("limits", "phase"), [({"idle": 0.05}, "idle"), ({"total": 0.1}, "total")])
async def test_idle_and_total_timeouts_end_a_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start, limits: Any, phase: str
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=5, after=TO_THE_THIRD_WORD[stream])
    with pytest.raises(APITimeoutError) as caught:
        await read_to_end(stream(gradient_session, timeout=Timeouts(**limits)))
    assert caught.value.phase == phase
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "one two three"


# Leaving


async def leave_by_break(s: Any) -> None:
    async for event in s:
        if event.text:
            break


async def leave_by_exception(s: Any) -> None:
    with pytest.raises(ZeroDivisionError):
        async for _ in s.text():
            _ = 1 / 0


async def leave_the_block(s: Any) -> None:
    async with s:
        await read_first_text(s)


async def leave_by_close(s: Any) -> None:
    async with s:
        await read_first_text(s)
        s.close()
        s.close()
        assert [event async for event in s] == []


async def leave_by_cancelled_task(s: Any) -> None:
    task = asyncio.create_task(read_to_end(s))
    while not s.snapshot.text:
        await asyncio.sleep(0.005)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


WAYS_TO_LEAVE = [leave_by_break, leave_by_exception, leave_the_block, leave_by_close, leave_by_cancelled_task]


@both_apis
@pytest.mark.parametrize("leave", WAYS_TO_LEAVE)
async def test_leaving_a_stream_frees_its_connection_at_once(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start, leave: Any
) -> None:
    gradient_emulator.token_delay = 0.01
    gradient_emulator.reply(LONG)
    s = stream(gradient_session)
    await leave(s)
    assert count_acquired(gradient_session) == 0
    assert s.outcome == "cancelled"
    assert s.snapshot.text.startswith("one")
    await wait_for_disconnects(gradient_emulator)
    assert gradient_emulator.requests[-1].disconnected


@both_apis
async def test_a_dropped_stream_frees_its_connection_at_once_and_warns(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.token_delay = 0.01
    s = stream(gradient_session)
    await s.open()
    assert count_acquired(gradient_session) == 1
    gc.disable()
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            name = type(s).__name__
            del s
            assert count_acquired(gradient_session) == 0
    finally:
        gc.enable()
    assert [warning.category for warning in caught] == [ResourceWarning]
    assert name in str(caught[0].message)


@both_apis
async def test_a_hundred_abandoned_streams_do_not_block_a_pool_of_two(
    gradient_emulator: Emulator, stream: Start
) -> None:
    async with AsyncSession("test", base_url=gradient_emulator.url, max_connections=2, limits=None) as session:
        for _ in range(100):
            async for _ in stream(session):
                break
        assert (await read_to_end(stream(session))).text


@both_apis
async def test_cancel_from_another_task_ends_the_iteration_cleanly(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.stall(seconds=60, after=TO_THE_THIRD_WORD[stream])
    async with stream(gradient_session) as s:
        asyncio.get_running_loop().call_later(0.05, s.cancel)
        assert "".join([event.text async for event in s]) == "one two three"
    assert (s.outcome, s.snapshot.text) == ("cancelled", "one two three")


@both_apis
async def test_inside_a_block_a_second_loop_continues_the_first(gradient_session: AsyncSession, stream: Start) -> None:
    async with stream(gradient_session) as s:
        first = await read_first_text(s)
        rest = [event.text async for event in s]
        assert first + "".join(rest) == s.snapshot.text
    assert s.outcome == "done"


@both_apis
async def test_a_second_reader_is_refused_and_the_first_goes_on(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.token_delay = 0.005
    async with stream(gradient_session) as s:
        first = asyncio.create_task(read_to_end(s))
        await asyncio.sleep(0.01)
        with pytest.raises(StreamBusyError):
            await anext(s)
        assert (await first).text


@both_apis
async def test_closing_the_session_ends_its_streams_with_session_closed_error(
    gradient_emulator: Emulator, stream: Start
) -> None:
    gradient_emulator.stall(seconds=60, after=1)
    session = AsyncSession("test", base_url=gradient_emulator.url)
    asyncio.get_running_loop().call_later(0.05, asyncio.ensure_future, session.aclose())
    with pytest.raises(SessionClosedError):
        await read_to_end(stream(session))
    await session.aclose()


# Passing a stream on


async def collect_sse(stream: Any) -> list[ServerSentEvent]:
    return SSEParser().feed(b"".join([event async for event in stream.sse()]))


@both_apis
async def test_sse_encodes_every_event_in_the_form_of_the_api(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.reply(LONG)
    events = await collect_sse(s := stream(gradient_session))
    last = "message_stop" if stream is message else "[DONE]"
    assert last in (events[-1].event, events[-1].data)
    values = [json.loads(event.data) for event in events if event.data != "[DONE]"]
    assert [value["type"] for value in values] == [event.event for event in events if event.data != "[DONE]"]
    deltas = [value.get("delta") for value in values]
    assert "".join(d if isinstance(d, str) else d.get("text", "") for d in deltas if d) == LONG == s.snapshot.text


@both_apis
async def test_sse_encodes_an_error_in_the_form_of_the_api(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.truncate(after=3)
    *_, last = await collect_sse(stream(gradient_session))
    value = json.loads(last.data)
    assert (last.event, value["type"]) == ("error", "error")
    assert value["request_id"] == gradient_emulator.requests[0].request_id
    assert "ended before it was complete" in (value.get("error") or value)["message"]


@both_apis
async def test_every_branch_of_a_tee_gets_every_event(
    gradient_emulator: Emulator, gradient_session: AsyncSession, stream: Start
) -> None:
    gradient_emulator.reply(LONG)

    async def collect(branch: Any) -> str:
        return "".join([event.text async for event in branch])

    assert await asyncio.gather(*map(collect, stream(gradient_session).tee(3, buffer=2))) == [LONG] * 3
    assert count_acquired(gradient_session) == 0
