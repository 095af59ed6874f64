"""The iterators of a stream over a real socket: its text, its tool calls, and the stream as server-sent events."""

import gc
import json
from contextlib import aclosing
from typing import Any

import pytest

from gradient_async import AsyncSession, SSEParser, StreamTruncatedError
from gradient_async.testing import Emulator
from tests.support.pools import count_acquired
from tests.support.streams import LONG, chat_stream


async def test_sse_encodes_every_chunk_and_the_end(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(LONG)
    body = b"".join([event async for event in chat_stream(gradient_session).sse()])
    events = SSEParser().feed(body)
    assert events[-1].data == "[DONE]"
    pieces = [json.loads(event.data)["choices"][0]["delta"].get("content") or "" for event in events[:-1]]
    assert "".join(pieces) == LONG


async def test_sse_encodes_a_truncated_stream_as_an_error_event(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.truncate(after=2)
    events = SSEParser().feed(b"".join([event async for event in chat_stream(gradient_session).sse()]))
    error = json.loads(events[-1].data)["error"]
    assert error["type"] == "StreamTruncatedError"
    assert error["request_id"] == gradient_emulator.requests[0].request_id
    assert "[DONE]" not in [event.data for event in events]


async def test_sse_encodes_a_refusal_as_an_error_event(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.fail(status=402, code="payment_required")
    (event,) = SSEParser().feed(b"".join([event async for event in chat_stream(gradient_session).sse()]))
    assert json.loads(event.data)["error"]["code"] == "payment_required"


async def test_sse_of_a_cancelled_stream_has_no_end_marker(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    s = chat_stream(gradient_session)
    events = []
    async for event in s.sse():
        events.append(event)
        s.cancel()
    assert len(events) == 1
    assert b"[DONE]" not in events[0]


def encode_chunks(*deltas: dict[str, Any], finish: str | None = "stop", done: bool = True) -> bytes:
    """Return an event stream with one chunk for each delta and the finish reason *finish*."""
    choices = [{"index": 0, "delta": delta} for delta in deltas]
    choices += [{"index": 0, "delta": {}, "finish_reason": finish}] if finish else []
    events = [f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\n" for choice in choices]
    return "".join([*events, "data: [DONE]\n\n" if done else ""]).encode()


@pytest.mark.parametrize(
    ("pieces", "texts"),
    [
        (["Hello \ud83d", "\ude00!"], ["Hello ", "😀!"]),
        (["Hello ", "\ud83d", "\ude00", "!"], ["Hello ", "😀", "!"]),
        (["\ud83d", "", None, "\ude00\ud83d", "\ude01"], ["😀", "😁"]),
        (["a\ud83d"], ["a", "\ufffd"]),
        (["\ud83d", "b"], ["\ufffdb"]),
        (["\ud83d", "\ud83d", "\ude00"], ["\ufffd", "😀"]),
        (["a\ude00b", "c\ud83dd"], ["a\ufffdb", "c\ufffdd"]),
        (["Grüße\n", "日本語", "😀"], ["Grüße\n", "日本語", "😀"]),
        (["", "a"], ["a"]),
    ],
)
async def test_text_comes_in_whole_characters(
    gradient_emulator: Emulator, gradient_session: AsyncSession, pieces: list[str | None], texts: list[str]
) -> None:
    gradient_emulator.reply(
        body=encode_chunks(*({"content": piece} for piece in pieces)), content_type="text/event-stream"
    )
    stream = chat_stream(gradient_session)
    found = [text async for text in stream.text()]
    assert found == texts
    "".join(found).encode()
    halves = "".join(piece or "" for piece in pieces).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    assert stream.snapshot.text.encode("utf-16", "surrogatepass").decode("utf-16", "replace") == halves


@pytest.mark.parametrize("name", ["reasoning_content", "reasoning", "refusal", "reasoning_text"])
async def test_other_texts_in_halves_are_whole_in_the_completion_and_as_they_came_in_sse(
    gradient_emulator: Emulator, gradient_session: AsyncSession, name: str
) -> None:
    body = encode_chunks({name: "a\ud83d"}, {name: "\ude00b"})
    gradient_emulator.reply(body=body, content_type="text/event-stream", times=2)
    completion = await chat_stream(gradient_session).completion()
    assert completion.message.to_dict()[name] == "a😀b"
    events = SSEParser().feed(b"".join([event async for event in chat_stream(gradient_session).sse()]))
    deltas = [json.loads(event.data)["choices"][0]["delta"] for event in events[:2]]
    assert deltas == [{name: "a\ud83d"}, {name: "\ude00b"}]


def call_deltas(*calls: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"tool_calls": [call]} for call in calls]


CALLS = call_deltas(
    {"index": 0, "id": "a", "function": {"name": "find", "arguments": ""}},
    {"index": 0, "function": {"arguments": '{"q":'}},
    {"index": 0, "function": {"arguments": "1}"}},
    {"index": 1, "id": "b", "function": {"name": "clock", "arguments": ""}},
    {"index": 1, "function": {"arguments": "{}"}},
)


@pytest.mark.parametrize("in_block", [True, False])
@pytest.mark.parametrize("split", [1, None])
async def test_each_tool_call_comes_once_and_as_soon_as_it_is_complete(
    gradient_emulator: Emulator, gradient_session: AsyncSession, in_block: bool, split: int | None
) -> None:
    body = encode_chunks(*CALLS, finish="tool_calls")
    gradient_emulator.reply(body=body, content_type="text/event-stream", split=split)
    stream, found = chat_stream(gradient_session), []

    async def read_calls() -> None:
        async for call in stream.tool_calls():
            found.append((call.id, call.function.arguments, stream.outcome))

    if in_block:
        async with stream:
            await read_calls()
    else:
        await read_calls()
    assert [(id_, arguments) for id_, arguments, _ in found] == [("a", '{"q":1}'), ("b", "{}")]
    assert found[0][2] == "running"
    assert stream.outcome == "tool_calls"
    assert count_acquired(gradient_session) == 0


async def test_a_call_is_complete_before_the_arguments_of_the_next_arrive(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    calls = [{"name": "find", "arguments": {"q": 1}}, {"name": "clock", "arguments": {"zone": "UTC"}}]
    gradient_emulator.reply(tool_calls=calls, token_delay=0.01)
    stream = chat_stream(gradient_session)
    iterator = stream.tool_calls()
    first = await anext(iterator)
    assert (first.function.name, json.loads(first.function.arguments)) == ("find", {"q": 1})
    assert stream.outcome == "running"
    assert stream.snapshot.tool_calls[-1].function.name == "clock"
    assert [call.function.name async for call in iterator] == ["clock"]


async def test_calls_that_were_complete_before_come_first(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(body=encode_chunks(*CALLS, finish="tool_calls"), content_type="text/event-stream")
    async with chat_stream(gradient_session) as stream:
        async for chunk in stream:
            if chunk.delta.tool_calls and chunk.delta.tool_calls[0].index == 1:
                break
        assert [call.id async for call in stream.tool_calls()] == ["a", "b"]
        assert [call.id async for call in stream.tool_calls()] == ["a", "b"]


@pytest.mark.parametrize(("finish", "ids"), [("stop", "ab"), ("tool_calls", "ab"), (None, "ab"), ("length", "a")])
async def test_the_last_call_is_complete_at_the_end_unless_it_was_cut_off(
    gradient_emulator: Emulator, gradient_session: AsyncSession, finish: str | None, ids: str
) -> None:
    gradient_emulator.reply(body=encode_chunks(*CALLS[:-1], finish=finish), content_type="text/event-stream")
    assert [call.id async for call in chat_stream(gradient_session).tool_calls()] == list(ids)


async def test_a_broken_stream_raises_after_the_calls_that_were_complete(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    body = encode_chunks(*CALLS, finish=None, done=False)
    gradient_emulator.reply(body=body, content_type="text/event-stream")
    ids = []
    with pytest.raises(StreamTruncatedError):
        async for call in chat_stream(gradient_session).tool_calls():
            ids.append(call.id)
    assert ids == ["a"]


async def test_leaving_the_loop_over_the_calls_frees_the_connection(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    calls = [{"name": "find", "arguments": {"q": number}} for number in range(9)]
    gradient_emulator.reply(tool_calls=calls, token_delay=0.02)
    stream = chat_stream(gradient_session)
    gc.disable()
    try:
        async for _ in stream.tool_calls():
            break
        assert count_acquired(gradient_session) == 0
    finally:
        gc.enable()
    assert stream.outcome == "cancelled"


async def test_a_cancelled_stream_ends_the_loop_without_the_call_that_is_not_complete(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "f", "arguments": {"q": 1}}, {"name": "g", "arguments": {"q": 2}}])
    stream = chat_stream(gradient_session)
    names = []
    async for call in stream.tool_calls():
        names.append(call.function.name)
        stream.cancel()
    assert names == ["f"]


async def test_a_stream_without_tool_calls_has_none(gradient_session: AsyncSession) -> None:
    assert [call async for call in chat_stream(gradient_session).tool_calls()] == []


@pytest.mark.parametrize("method", ["__aiter__", "text", "tool_calls", "sse"])
async def test_every_iterator_can_be_closed(
    method: str, gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG, tool_calls=[{"name": "f", "arguments": {}}])
    stream = chat_stream(gradient_session)
    async with aclosing(getattr(stream, method)()) as items:
        await anext(items)
        assert count_acquired(gradient_session) == 1
    assert (stream.outcome, count_acquired(gradient_session)) == ("cancelled", 0)


async def test_closing_an_iterator_in_a_block_leaves_the_stream_open(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(LONG)
    async with chat_stream(gradient_session) as stream:
        async with aclosing(stream.text()) as texts:
            start = await anext(texts)
        assert start + "".join([text async for text in stream.text()]) == LONG


async def test_branches_of_a_tee_can_be_closed(gradient_emulator: Emulator, gradient_session: AsyncSession) -> None:
    gradient_emulator.reply(LONG)
    first, second = chat_stream(gradient_session).tee(2)
    async with aclosing(first), aclosing(second):
        await anext(first)
    assert count_acquired(gradient_session) == 0
