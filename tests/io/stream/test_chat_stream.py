"""Chat streams over a real socket: chunks, outcomes, and bodies that are not streams."""

import json
from typing import Any

import pytest

from gradient_async import (
    APIStatusError,
    AsyncSession,
    ChatCompletion,
    GradientError,
    InternalServerError,
    ProtocolError,
    StreamTruncatedError,
)
from gradient_async.testing import Emulator
from tests.support.streams import HI, LONG, chat_stream


async def test_chunks_add_up_to_the_snapshot(gradient_session: AsyncSession) -> None:
    async with chat_stream(gradient_session, stream_options={"include_usage": True}) as s:
        texts = [chunk.text async for chunk in s]
        assert "".join(texts) == s.snapshot.text != ""
        assert s.snapshot.usage is not None
        assert s.snapshot.usage.completion_tokens > 0
        assert s.outcome == "done"
        assert s.snapshot.meta.request_id == s.meta.request_id is not None


async def test_a_stream_equals_the_awaited_completion(gradient_session: AsyncSession) -> None:
    params: dict[str, Any] = {"n": 3, "seed": 7, "logprobs": True, "top_logprobs": 2, "temperature": 1.5}
    whole = await gradient_session.chat.completions.create(model="m", messages=HI, **params)
    pieces = await chat_stream(gradient_session, stream_options={"include_usage": True}, **params).completion()
    assert pieces.choices == whole.choices
    assert pieces.usage == whole.usage


async def test_create_with_stream_true_returns_the_opened_stream(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    opened = await gradient_session.chat.completions.create(model="m", messages=HI, stream=True)
    assert gradient_emulator.requests[0].status == 200
    assert (await opened.completion()).text


@pytest.mark.parametrize("split", [1, 2, 7, 61, None])
async def test_any_split_of_the_bytes_gives_the_same_completion(
    gradient_emulator: Emulator, gradient_session: AsyncSession, split: int | None
) -> None:
    gradient_emulator.reply("Grüße, Welt! 😀", reasoning="hm", split=split)
    completion = await chat_stream(gradient_session).completion()
    assert (completion.text, completion.reasoning) == ("Grüße, Welt! 😀", "hm")


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [("stop", "done"), ("length", "length"), ("content_filter", "content_filter"), ("eos_token", "done")],
)
async def test_the_outcome_follows_the_finish_reason(
    gradient_emulator: Emulator, gradient_session: AsyncSession, reason: str, outcome: str
) -> None:
    gradient_emulator.reply("Hi", finish_reason=reason)
    async with chat_stream(gradient_session) as s:
        assert s.outcome == "running"
        assert (await s.completion()).finish_reason == reason
        assert s.outcome == outcome


async def test_tool_calls_are_assembled_and_can_be_sent_back(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    gradient_emulator.reply(tool_calls=[{"name": "f", "arguments": '{"x": 1}'}, {"name": "g", "arguments": "{}"}])
    async with chat_stream(gradient_session) as s:
        completion = await s.completion()
    assert s.outcome == "tool_calls"
    assert [call.function.name for call in completion.tool_calls] == ["f", "g"]
    results = [{"role": "tool", "tool_call_id": call.id, "content": "ok"} for call in completion.tool_calls]
    messages: Any = [*HI, completion.message.to_dict(), *results]
    await gradient_session.chat.completions.create(model="m", messages=messages)
    assert json.loads(completion.tool_calls[0].function.arguments) == {"x": 1}


async def test_the_stream_of_an_agent_keeps_its_extra_fields(gradient_session: AsyncSession) -> None:
    agent = gradient_session.agent().chat.completions
    completion = await agent.stream(messages=HI, include_retrieval_info=True, include_functions_info=True).completion()
    assert completion.retrieval is not None
    assert completion.retrieval.retrieved_data


@pytest.mark.parametrize("shape", ["do", "openai", "anthropic"])
async def test_an_error_event_is_typed_and_carries_the_snapshot(
    gradient_emulator: Emulator, gradient_session: AsyncSession, shape: Any
) -> None:
    gradient_emulator.reply(LONG)
    gradient_emulator.fail(status=500, after=2, shape=shape)
    s = chat_stream(gradient_session)
    with pytest.raises(InternalServerError) as caught:
        await s.completion()
    assert caught.value.snapshot is not None
    assert caught.value.snapshot.text == "one two"
    assert caught.value.request_id
    assert s.outcome == "error"


async def test_a_json_completion_in_place_of_a_stream_is_one_chunk(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    body = {"id": "c", "choices": [{"index": 0, "finish_reason": "tool_calls", "message": {
        "content": "Hi", "tool_calls": [{"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}]}}]}  # fmt: skip
    gradient_emulator.reply(body=json.dumps(body), content_type="application/json; charset=utf-8")
    async with chat_stream(gradient_session) as s:
        chunks = [chunk async for chunk in s]
    assert [chunk.text for chunk in chunks] == ["Hi"]
    assert s.snapshot.tool_calls[0].id == "a"
    assert s.outcome == "tool_calls"


async def test_a_json_completion_in_place_of_a_stream_keeps_its_unknown_fields(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    message = {"content": "Hi", "annotations": [1], "tool_calls": [{"id": "a", "function": {"name": "f"}, "x": 1}]}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop", "stop_reason": 7}], "tier": "t"}
    gradient_emulator.reply(body=json.dumps(body), content_type="application/json", times=2)
    whole = await gradient_session.chat.completions.create(model="m", messages=HI)
    assert (await chat_stream(gradient_session).completion()).to_dict() == whole.to_dict()


EVENTS = (
    b'data: {"choices": [{"index": 0, "delta": {"content": "Good "}}]}\n\n'
    b'data: {"choices": [{"index": 0, "delta": {"content": "day"}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
)


@pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "application/octet-stream", "application/json"])
@pytest.mark.parametrize("begin", [b"", b": ping\n\n", b"\xef\xbb\xbf", b"\n\r\n", b"event: message\n"])
@pytest.mark.parametrize("split", [1, 7, None])
async def test_an_event_stream_of_another_type_is_read_as_one(
    gradient_emulator: Emulator, gradient_session: AsyncSession, content_type: str, begin: bytes, split: int | None
) -> None:
    gradient_emulator.reply(body=begin + EVENTS, content_type=content_type, split=split)
    async with chat_stream(gradient_session) as s:
        assert [chunk.text async for chunk in s] == ["Good ", "day"]
    assert s.outcome == "done"
    assert s.meta.timings.first_token is not None


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        (b'error: {"code": 400, "message": "full"}\n\ndata: [DONE]\n\n', 400, ""),
        (b'{"error": {"message": "full", "code": 503}}', 503, ""),
        (EVENTS.partition(b"\n\n")[0] + b'\n\n{"error": {"message": "full", "code": "429"}}\n', 429, "Good "),
        (b'data: {"choices": [{"delta": {}, "error": {"message": "full", "code": 502}}]}\n\ndata: [DONE]\n\n', 502, ""),
        (b'data: [{"error": {"message": "full", "status": "UNAVAILABLE"}}]\n\n', 503, ""),
    ],
)
@pytest.mark.parametrize("split", [1, None])
async def test_a_failure_that_looks_like_an_answer_is_an_error(
    gradient_emulator: Emulator, gradient_session: AsyncSession, body: bytes, status: int, text: str, split: int | None
) -> None:
    gradient_emulator.reply(body=body, content_type="text/event-stream", split=split)
    s = chat_stream(gradient_session)
    with pytest.raises(APIStatusError, match="full") as caught:
        await s.completion()
    assert isinstance(caught.value.snapshot, ChatCompletion)
    assert (s.outcome, caught.value.status, caught.value.snapshot.text) == ("error", status, text)


async def test_a_failed_choice_of_a_json_body_keeps_what_was_generated(
    gradient_emulator: Emulator, gradient_session: AsyncSession
) -> None:
    choice = {"message": {"content": "Good"}, "finish_reason": "error", "error": {"message": "died", "code": 502}}
    gradient_emulator.reply(body=json.dumps({"choices": [choice]}), content_type="application/json", times=2)
    for call in (
        gradient_session.chat.completions.create(model="m", messages=HI),
        chat_stream(gradient_session).completion(),
    ):
        with pytest.raises(InternalServerError, match="died") as caught:
            await call
        assert isinstance(caught.value.snapshot, ChatCompletion)
        assert caught.value.snapshot.text == "Good"
        assert caught.value.request_id


@pytest.mark.parametrize(
    ("content_type", "body", "kind"),
    [
        ("text/html", b"<html>" + b"x" * 10_000, ProtocolError),
        ("application/json", b'{"id": "server_error", "message": "m"}', InternalServerError),
        ("application/json", b"{", ProtocolError),
        ("text/event-stream", b"", StreamTruncatedError),
        ("text/plain", b"", ProtocolError),
        ("text/plain", b"dat", ProtocolError),
        ("text/plain", b"Bad gateway", ProtocolError),
        ("text/plain", b'{"error": {"message": "m", "code": 503}}', InternalServerError),
        ("text/plain", b"{Bad gateway}", ProtocolError),
    ],
)
async def test_a_body_that_is_not_a_stream_raises(
    gradient_emulator: Emulator,
    gradient_session: AsyncSession,
    content_type: str,
    body: bytes,
    kind: type[GradientError],
) -> None:
    gradient_emulator.reply(body=body, content_type=content_type)
    with pytest.raises(kind) as caught:
        await chat_stream(gradient_session).completion()
    assert len(str(caught.value)) < 400
