"""`sse()` over a real socket: a stream passed on as server-sent events."""

import json

from gradient_async import AsyncSession, SSEParser
from gradient_async.testing import Emulator
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
