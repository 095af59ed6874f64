"""Scripted replies and faults, and their combination."""

from __future__ import annotations

import asyncio
import time
from typing import Any, Literal

import aiohttp
import pytest

from gradient_async.testing import Emulator, RecordedRequest, Reply
from tests.support.emulator_client import EmulatorClient, NewClient, OpenStream
from tests.support.waiting import wait_until


async def drain(response: aiohttp.ClientResponse, received: list[bytes]) -> None:
    async for piece in response.content.iter_any():
        received.append(piece)


async def test_a_reply_applies_to_the_next_call_only(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("Hello")
    contents = [(await client.ask("What is the capital of Chile?")).content for _ in range(2)]
    assert contents == ["Hello", "The capital of Chile is Santiago."]


async def test_replies_are_used_in_scripted_order(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("one", times=2)
    gradient.reply("two", times=None)
    assert [(await client.ask()).content for _ in range(4)] == ["one", "one", "two", "two"]


async def test_a_reply_streams(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("Hello, world!\n  Twice.")
    assert (await client.stream()).text == "Hello, world!\n  Twice."


async def test_an_empty_reply_streams_its_role(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("")
    deltas = [chunk["choices"][0]["delta"] for chunk in (await client.stream()).chunks]
    assert deltas == [{"role": "assistant", "content": ""}, {}]


@pytest.mark.parametrize(
    "call",
    [
        {"name": "f", "arguments": {"x": 1}},
        {"id": "call_00000000", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}},
    ],
)
async def test_a_reply_accepts_tool_calls_in_short_and_full_form(
    client: EmulatorClient, gradient: Emulator, call: dict[str, Any]
) -> None:
    gradient.reply(tool_calls=[call], reasoning="Let me see.")
    choice = (await client.ask()).choice
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["reasoning_content"] == "Let me see."
    assert choice["message"]["tool_calls"] == [
        {"id": "call_00000000", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]


async def test_a_reply_sets_usage_finish_reason_status_and_headers(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("x", usage={"total_tokens": 9}, finish_reason="content_filter", status=202, headers={"X-Y": "z"})
    response = await client.ask()
    assert response.json["usage"]["total_tokens"] == 9
    assert response.choice["finish_reason"] == "content_filter"
    assert (response.status, response.headers["X-Y"]) == (202, "z")


async def test_a_reply_serves_chunks_as_they_are(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply(chunks=[{"a": 1}, {"choices": None}])
    response = await client.stream()
    assert response.events == ['{"a":1}', '{"choices":null}', "[DONE]"]


@pytest.mark.parametrize("split", [None, 1, 7, 1000, [1, 5, 6], [0, 99]])
async def test_a_reply_serves_bytes_verbatim_however_they_are_split(
    client: EmulatorClient, gradient: Emulator, split: Any
) -> None:
    body = "\ufeffdata: ü\r\n\r\ndata: [DONE]".encode()
    gradient.reply(body=body, split=split)
    response = await client.stream()
    assert (response.body, response.headers["Content-Type"]) == (body, "text/event-stream")


async def test_a_split_body_arrives_in_those_pieces(gradient: Emulator, open_stream: OpenStream) -> None:
    gradient.reply(body=b"0123456789", split=4)
    async with await open_stream(gradient) as response:
        pieces = [piece async for piece in response.content.iter_any()]
    assert pieces == [b"0123", b"4567", b"89"]


async def test_a_split_of_zero_bytes_is_refused(gradient: Emulator) -> None:
    with pytest.raises(ValueError, match="at least 1 byte"):
        gradient.reply("x", split=0)


@pytest.mark.parametrize("calls", [[("f", {})], ["f"], {"name": "f"}, [{"arguments": {}}], [{"function": "f"}]])
async def test_tool_calls_in_another_form_are_refused(gradient: Emulator, calls: Any) -> None:
    with pytest.raises(ValueError, match="tool_calls must be a list like"):
        gradient.reply(tool_calls=calls)


async def test_half_a_character_in_the_name_of_a_model_is_no_failure(
    client: EmulatorClient, gradient: Emulator
) -> None:
    assert (await client.ask(model="m\ud83d")).status == 200


async def test_a_reply_without_text_keeps_the_default_content(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply(split=3, headers={"X-Y": "z"})
    response = await client.ask("What is the capital of Peru?")
    assert (response.content, response.headers["X-Y"]) == ("The capital of Peru is Lima.", "z")


async def test_the_delays_of_a_reply_are_kept(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("a b c", delay=0.05, token_delay=0.02)
    started = time.monotonic()
    await client.stream()
    assert time.monotonic() - started > 0.05 + 4 * 0.02


async def test_replies_are_not_used_by_calls_that_generate_nothing(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("Hello")
    assert (await client.get("/v1/models")).json["object"] == "list"
    assert (await client.ask()).content == "Hello"


async def test_a_path_restricts_a_scripted_failure(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.fail(500, path="/v1/mod*")
    assert (await client.ask()).status == 200
    assert (await client.get("/v1/models")).status == 500


async def test_a_failure_is_the_documented_error(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.fail(429, retry_after=2)
    response = await client.ask()
    assert (response.status, response.headers["Retry-After"]) == (429, "2")
    assert response.headers["ratelimit-remaining"] == "0"
    assert response.json["id"] == "too_many_requests"
    assert response.json["message"] == "API Rate limit exceeded."


async def test_a_scripted_429_without_retry_after_names_no_reset(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.fail(429)
    assert not [name for name in (await client.ask()).headers if name.lower().startswith("ratelimit")]


async def test_failures_and_replies_are_used_in_scripted_order(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.fail(503, times=2)
    gradient.reply("Hello")
    responses = [await client.ask() for _ in range(3)]
    assert [response.status for response in responses] == [503, 503, 200]
    assert responses[-1].content == "Hello"


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        ("<html>bad gateway</html>", "text/html", b"<html>bad gateway</html>"),
        ({"detail": "no"}, "application/json", b'{"detail":"no"}'),
        (b"", "text/html", b""),
    ],
)
async def test_a_failure_may_have_any_body(
    client: EmulatorClient, gradient: Emulator, body: Any, content_type: str, sent: bytes
) -> None:
    gradient.fail(502, body=body)
    response = await client.ask()
    assert (response.status, response.headers["Content-Type"], response.body) == (502, content_type, sent)


@pytest.mark.parametrize(
    ("shape", "event"),
    [
        ("do", '{"id":"server_error","message":"broken"}'),
        ("openai", '{"error":{"type":"server_error","message":"broken","code":"server_error"}}'),
        (
            "anthropic",
            'event: error\ndata: {"type":"error","error":{"type":"server_error","message":"broken"}}',
        ),
    ],
)
async def test_a_failure_after_some_events_is_an_event_of_the_stream(
    client: EmulatorClient, gradient: Emulator, shape: Literal["do", "openai", "anthropic"], event: str
) -> None:
    gradient.reply("one two three")
    gradient.fail(500, message="broken", after=2, shape=shape)
    response = await client.stream()
    assert response.status == 200
    assert [chunk["choices"][0]["delta"]["content"] for chunk in response.chunks[:2]] == ["one", " two"]
    assert response.events[2:] == [event]


@pytest.mark.parametrize(("body", "sent"), [({"oops": 1}, b'data: {"oops":1}\n\n'), ("event: x\n\n", b"event: x\n\n")])
async def test_an_error_event_may_be_anything(
    client: EmulatorClient, gradient: Emulator, body: Any, sent: bytes
) -> None:
    gradient.fail(after=0, body=body)
    assert (await client.stream()).body == sent


async def test_truncation_ends_the_body_cleanly_without_done(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.truncate(after=3)
    response = await client.stream()
    assert len(response.events) == 3
    assert "[DONE]" not in response.events


async def test_truncation_in_an_event_leaves_its_first_half(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply(chunks=[{"a": 1}, {"b": "0123456789"}])
    gradient.truncate(after=1, mid_event=True)
    assert (await client.stream()).body == b'data: {"a":1}\n\ndata: {"b":"0'


async def test_a_truncated_connection_is_used_again(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.truncate(after=1)
    await client.stream()
    await client.stream()
    assert gradient.connections == 1


async def test_a_stall_pauses_a_stream_in_the_middle(gradient: Emulator, open_stream: OpenStream) -> None:
    gradient.reply(body=b"data: 1\n\ndata: 2\n\n")
    gradient.stall(0.1, after=1)
    started = time.monotonic()
    async with await open_stream(gradient) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        assert await response.content.readany() == b"data: 2\n\n"
    assert time.monotonic() - started > 0.09


async def test_a_stall_with_keepalive_sends_comments(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply(body=b"data: 1\n\ndata: 2\n\n")
    gradient.stall(0.1, after=1, keepalive=0.04)
    assert (await client.stream()).body == b"data: 1\n\n: ping\n\n: ping\n\ndata: 2\n\n"


async def test_a_stall_without_a_position_comes_before_the_status_line(
    client: EmulatorClient, gradient: Emulator
) -> None:
    gradient.stall(60)
    task = asyncio.create_task(client.send())
    await wait_until(lambda: gradient.requests)
    done, _ = await asyncio.wait([task], timeout=0.05)
    assert (done, gradient.requests[0].status) == (set(), None)
    task.cancel()


async def test_a_reset_comes_after_the_given_number_of_events(gradient: Emulator, open_stream: OpenStream) -> None:
    gradient.reply(body=b"data: 1\n\ndata: 2\n\n")
    gradient.reset(after=1)
    received: list[bytes] = []
    async with await open_stream(gradient) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await drain(response, received)
    assert received == [b"data: 1\n\n"]


async def test_a_reset_before_any_byte_leaves_the_reply_for_the_next_call(
    client: EmulatorClient, gradient: Emulator
) -> None:
    gradient.reset()
    gradient.reply("Hello")
    with pytest.raises(aiohttp.ClientOSError):
        await client.ask()
    assert (await client.ask()).content == "Hello"
    assert [request.status for request in gradient.requests] == [None, 200]


async def test_a_refused_request_takes_nothing_from_the_queues(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply("Hello")
    gradient.truncate(after=1)
    assert (await client.send({})).status == 400
    assert (await client.send(headers={})).status == 401
    assert (await client.stream()).text == "Hello"


async def test_faults_wait_for_a_reply(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.truncate(after=1)
    gradient.fail(503)
    assert (await client.stream()).status == 503
    assert len((await client.stream()).events) == 1


async def test_faults_of_different_kinds_compose(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.reply(body=b"data: 1\n\ndata: 2\n\ndata: 3\n\n", split=2)
    gradient.stall(0.02, after=1, keepalive=0.015)
    gradient.truncate(after=2)
    assert (await client.stream()).body == b"data: 1\n\n: ping\n\ndata: 2\n\n"


async def test_idle_connections_can_be_dropped(client: EmulatorClient, gradient: Emulator) -> None:
    await client.ask()
    gradient.drop_idle()
    await asyncio.sleep(0.01)
    await client.ask()
    assert gradient.connections == 2


async def test_a_call_right_after_the_drop_uses_a_closed_connection(client: EmulatorClient, gradient: Emulator) -> None:
    await client.ask()
    gradient.drop_idle()
    with pytest.raises(aiohttp.ClientConnectionError):  # an end or a reset: what arrives first
        await client.ask()


async def test_a_connection_in_use_is_not_dropped(gradient: Emulator, open_stream: OpenStream) -> None:
    gradient.stall(0.05, after=1)
    async with await open_stream(gradient) as response:
        gradient.drop_idle()
        assert (await response.read()).endswith(b"[DONE]\n\n")


async def test_a_stale_connection_closes_when_it_is_reused(client: EmulatorClient, gradient: Emulator) -> None:
    await client.ask()
    gradient.drop_idle(stale=True)
    gradient.reply("Hello")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.ask()
    assert (await client.ask()).content == "Hello"
    assert [request.reused for request in gradient.requests] == [False, True, False]


async def test_a_redirect_names_its_location(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.redirect("https://example.com/elsewhere")
    response = await client.ask()
    assert (response.status, response.headers["Location"]) == (307, "https://example.com/elsewhere")


async def test_a_body_can_be_held_open_after_done(gradient: Emulator, open_stream: OpenStream) -> None:
    gradient.reply("Hi")
    gradient.hold_open(0.1)
    started = time.monotonic()
    async with await open_stream(gradient) as response:
        received = b""
        while not received.endswith(b"[DONE]\n\n"):
            received += await response.content.readany()
        assert not response.content.at_eof()
        assert await response.content.readany() == b""
    assert time.monotonic() - started > 0.09


async def test_a_handler_responds_to_unscripted_calls(client: EmulatorClient, gradient: Emulator) -> None:
    @gradient.on_request
    def count_messages(request: RecordedRequest) -> str:
        return f"You sent {len(request.json['messages'])} message."

    gradient.reply("Scripted")
    assert [(await client.ask()).content for _ in range(2)] == ["Scripted", "You sent 1 message."]


@pytest.mark.parametrize(
    ("result", "body"),
    [({"x": 1}, b'{"x":1}'), (Reply(body=b"raw", content_type="text/plain"), b"raw")],
)
async def test_a_handler_may_return_an_object_or_a_reply(
    client: EmulatorClient, gradient: Emulator, result: Any, body: Any
) -> None:
    gradient.on_request(lambda request: result)
    assert (await client.ask()).body == body


async def test_a_handler_that_returns_none_leaves_the_call_to_the_endpoint(
    client: EmulatorClient, gradient: Emulator
) -> None:
    seen: list[RecordedRequest] = []
    gradient.on_request(seen.append)
    assert (await client.ask()).status == 200
    assert seen == gradient.requests


async def test_clear_removes_everything_scripted(client: EmulatorClient, gradient: Emulator) -> None:
    gradient.fail(500, times=None)
    gradient.stall(5, times=None)
    gradient.clear()
    assert (await client.ask()).status == 200


async def test_the_token_delay_of_all_streams_can_be_set(new_client: NewClient) -> None:
    async with Emulator(token_delay=0.02) as gradient:
        gradient.reply("a b c")
        started = time.monotonic()
        await new_client(gradient).stream()
    assert time.monotonic() - started > 4 * 0.02
