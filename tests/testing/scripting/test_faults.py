"""Scripted answers and faults, and how they compose."""

from __future__ import annotations

import asyncio
import time

import aiohttp
import pytest

from gradient_async.testing import Emulator, Reply


async def drain(response, received):
    async for piece in response.content.iter_any():
        received.append(piece)


async def test_a_reply_answers_the_next_call_only(client, gradient):
    gradient.reply("Hello")
    contents = [(await client.ask("What is the capital of Chile?")).content for _ in range(2)]
    assert contents == ["Hello", "The capital of Chile is Santiago."]


async def test_replies_are_given_in_their_order(client, gradient):
    gradient.reply("one", times=2)
    gradient.reply("two", times=None)
    assert [(await client.ask()).content for _ in range(4)] == ["one", "one", "two", "two"]


async def test_a_reply_streams(client, gradient):
    gradient.reply("Hello, world!\n  Twice.")
    assert (await client.stream()).text == "Hello, world!\n  Twice."


async def test_an_empty_reply_streams_its_role(client, gradient):
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
async def test_a_reply_takes_tool_calls_short_and_in_full(client, gradient, call):
    gradient.reply(tool_calls=[call], reasoning="Let me see.")
    choice = (await client.ask()).json["choices"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert choice["message"]["reasoning_content"] == "Let me see."
    assert choice["message"]["tool_calls"] == [
        {"id": "call_00000000", "type": "function", "function": {"name": "f", "arguments": '{"x": 1}'}}
    ]


async def test_a_reply_sets_usage_finish_reason_status_and_headers(client, gradient):
    gradient.reply("x", usage={"total_tokens": 9}, finish_reason="content_filter", status=202, headers={"X-Y": "z"})
    answer = await client.ask()
    assert answer.json["usage"]["total_tokens"] == 9
    assert answer.json["choices"][0]["finish_reason"] == "content_filter"
    assert (answer.status, answer.headers["X-Y"]) == (202, "z")


async def test_a_reply_serves_chunks_as_they_are(client, gradient):
    gradient.reply(chunks=[{"a": 1}, {"choices": None}])
    answer = await client.stream()
    assert answer.events == ['{"a":1}', '{"choices":null}', "[DONE]"]


@pytest.mark.parametrize("split", [None, 1, 7, 1000, [1, 5, 6], [0, 99]])
async def test_a_reply_serves_bytes_verbatim_however_they_are_split(client, gradient, split):
    body = "\ufeffdata: ü\r\n\r\ndata: [DONE]".encode()
    gradient.reply(body=body, split=split)
    answer = await client.stream()
    assert (answer.body, answer.headers["Content-Type"]) == (body, "text/event-stream")


async def test_a_split_answer_arrives_in_those_pieces(gradient, open_stream):
    gradient.reply(body=b"0123456789", split=4)
    async with await open_stream(gradient) as response:
        pieces = [piece async for piece in response.content.iter_any()]
    assert pieces == [b"0123", b"4567", b"89"]


async def test_a_split_of_nothing_is_refused(gradient):
    with pytest.raises(ValueError, match="at least 1 byte"):
        gradient.reply("x", split=0)


async def test_a_reply_without_text_restyles_the_default_answer(client, gradient):
    gradient.reply(split=3, headers={"X-Y": "z"})
    answer = await client.ask("What is the capital of Peru?")
    assert (answer.content, answer.headers["X-Y"]) == ("The capital of Peru is Lima.", "z")


async def test_delays_are_kept(client, gradient):
    gradient.reply("a b c", delay=0.05, token_delay=0.02)
    started = time.monotonic()
    await client.stream()
    assert time.monotonic() - started > 0.05 + 4 * 0.02


async def test_replies_are_not_spent_on_calls_that_generate_nothing(client, gradient):
    gradient.reply("Hello")
    assert (await client.send(path="/v1/models", method="GET")).json["object"] == "list"
    assert (await client.ask()).content == "Hello"


async def test_a_path_restricts_what_is_scripted(client, gradient):
    gradient.fail(500, path="/v1/mod*")
    assert (await client.ask()).status == 200
    assert (await client.send(path="/v1/models", method="GET")).status == 500


async def test_a_failure_is_the_documented_error(client, gradient):
    gradient.fail(429, retry_after=2)
    answer = await client.ask()
    assert (answer.status, answer.headers["Retry-After"]) == (429, "2")
    assert answer.headers["ratelimit-remaining"] == "0"
    assert answer.json["id"] == "too_many_requests"
    assert answer.json["message"] == "API Rate limit exceeded."


async def test_a_scripted_429_without_retry_after_names_no_reset(client, gradient):
    gradient.fail(429)
    assert not [name for name in (await client.ask()).headers if name.lower().startswith("ratelimit")]


async def test_failures_then_a_reply_come_in_that_order(client, gradient):
    gradient.fail(503, times=2)
    gradient.reply("Hello")
    answers = [await client.ask() for _ in range(3)]
    assert [answer.status for answer in answers] == [503, 503, 200]
    assert answers[-1].content == "Hello"


@pytest.mark.parametrize(
    ("body", "content_type", "sent"),
    [
        ("<html>bad gateway</html>", "text/html", b"<html>bad gateway</html>"),
        ({"detail": "no"}, "application/json", b'{"detail":"no"}'),
        (b"", "text/html", b""),
    ],
)
async def test_a_failure_may_have_any_body(client, gradient, body, content_type, sent):
    gradient.fail(502, body=body)
    answer = await client.ask()
    assert (answer.status, answer.headers["Content-Type"], answer.body) == (502, content_type, sent)


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
async def test_a_failure_after_some_events_is_an_event_of_the_stream(client, gradient, shape, event):
    gradient.reply("one two three")
    gradient.fail(500, message="broken", after=2, shape=shape)
    answer = await client.stream()
    assert answer.status == 200
    assert [chunk["choices"][0]["delta"]["content"] for chunk in answer.chunks[:2]] == ["one", " two"]
    assert answer.events[2:] == [event]


@pytest.mark.parametrize(("body", "sent"), [({"oops": 1}, b'data: {"oops":1}\n\n'), ("event: x\n\n", b"event: x\n\n")])
async def test_an_error_event_may_be_anything(client, gradient, body, sent):
    gradient.fail(after=0, body=body)
    assert (await client.stream()).body == sent


async def test_truncation_ends_the_body_cleanly_without_done(client, gradient):
    gradient.truncate(after=3)
    answer = await client.stream()
    assert len(answer.events) == 3
    assert "[DONE]" not in answer.events


async def test_truncation_in_an_event_leaves_its_first_half(client, gradient):
    gradient.reply(chunks=[{"a": 1}, {"b": "0123456789"}])
    gradient.truncate(after=1, mid_event=True)
    assert (await client.stream()).body == b'data: {"a":1}\n\ndata: {"b":"0'


async def test_a_truncated_connection_is_used_again(client, gradient):
    gradient.truncate(after=1)
    await client.stream()
    await client.stream()
    assert gradient.connections == 1


async def test_a_stall_is_a_silence_in_the_middle(gradient, open_stream):
    gradient.reply(body=b"data: 1\n\ndata: 2\n\n")
    gradient.stall(0.1, after=1)
    async with await open_stream(gradient) as response:
        assert await response.content.readany() == b"data: 1\n\n"
        started = time.monotonic()
        assert await response.content.readany() == b"data: 2\n\n"
    assert time.monotonic() - started > 0.08


async def test_a_stall_may_be_filled_with_comments(client, gradient):
    gradient.reply(body=b"data: 1\n\ndata: 2\n\n")
    gradient.stall(0.1, after=1, keepalive=0.04)
    assert (await client.stream()).body == b"data: 1\n\n: ping\n\n: ping\n\ndata: 2\n\n"


async def test_a_stall_without_a_place_comes_before_the_status_line(client, gradient):
    gradient.stall(5)
    with pytest.raises(asyncio.TimeoutError):
        await client.send(timeout=aiohttp.ClientTimeout(total=0.05))
    assert gradient.requests[0].status is None


async def test_a_reset_comes_after_so_many_events(gradient, open_stream):
    gradient.reply(body=b"data: 1\n\ndata: 2\n\n")
    gradient.reset(after=1)
    received = []
    async with await open_stream(gradient) as response:
        with pytest.raises(aiohttp.ClientPayloadError):
            await drain(response, received)
    assert received == [b"data: 1\n\n"]


async def test_a_reset_before_any_byte_leaves_the_reply_for_the_next_call(client, gradient):
    gradient.reset()
    gradient.reply("Hello")
    with pytest.raises(aiohttp.ClientOSError):
        await client.ask()
    assert (await client.ask()).content == "Hello"
    assert [request.status for request in gradient.requests] == [None, 200]


async def test_a_refused_request_takes_nothing_out_of_the_queue(client, gradient):
    gradient.reply("Hello")
    gradient.truncate(after=1)
    assert (await client.send({})).status == 400
    assert (await client.send(headers={})).status == 401
    assert (await client.stream()).text == "Hello"


async def test_faults_wait_for_a_reply(client, gradient):
    gradient.truncate(after=1)
    gradient.fail(503)
    assert (await client.stream()).status == 503
    assert len((await client.stream()).events) == 1


async def test_faults_of_different_kinds_compose(client, gradient):
    gradient.reply(body=b"data: 1\n\ndata: 2\n\ndata: 3\n\n", split=2)
    gradient.stall(0.02, after=1, keepalive=0.015)
    gradient.truncate(after=2)
    assert (await client.stream()).body == b"data: 1\n\n: ping\n\ndata: 2\n\n"


async def test_idle_connections_can_be_dropped(client, gradient):
    await client.ask()
    gradient.drop_idle()
    await asyncio.sleep(0.01)
    await client.ask()
    assert gradient.connections == 2


async def test_a_call_right_after_the_drop_meets_a_stale_connection(client, gradient):
    await client.ask()
    gradient.drop_idle()
    with pytest.raises(aiohttp.ClientConnectionError):  # an end or a reset: what arrives first
        await client.ask()


async def test_a_connection_in_use_is_not_dropped(gradient, open_stream):
    gradient.stall(0.05, after=1)
    async with await open_stream(gradient) as response:
        gradient.drop_idle()
        assert (await response.read()).endswith(b"[DONE]\n\n")


async def test_a_stale_connection_closes_when_it_is_reused(client, gradient):
    await client.ask()
    gradient.drop_idle(stale=True)
    gradient.reply("Hello")
    with pytest.raises(aiohttp.ServerDisconnectedError):
        await client.ask()
    assert (await client.ask()).content == "Hello"
    assert [request.reused for request in gradient.requests] == [False, True, False]


async def test_a_redirect_names_its_location(client, gradient):
    gradient.redirect("https://example.com/elsewhere")
    answer = await client.ask()
    assert (answer.status, answer.headers["Location"]) == (307, "https://example.com/elsewhere")


async def test_a_body_can_be_held_open_after_done(gradient, open_stream):
    gradient.reply("Hi")
    gradient.hold_open(0.1)
    async with await open_stream(gradient) as response:
        received = b""
        while not received.endswith(b"[DONE]\n\n"):
            received += await response.content.readany()
        started = time.monotonic()
        assert await response.content.readany() == b""
    assert time.monotonic() - started > 0.08


async def test_a_handler_answers_what_is_not_scripted(client, gradient):
    @gradient.on_request
    def answer(request):
        return f"You sent {len(request.json['messages'])} message."

    gradient.reply("Scripted")
    assert [(await client.ask()).content for _ in range(2)] == ["Scripted", "You sent 1 message."]


@pytest.mark.parametrize(
    ("result", "body"),
    [({"x": 1}, b'{"x":1}'), (Reply(body=b"raw", content_type="text/plain"), b"raw")],
)
async def test_a_handler_may_answer_with_an_object_or_a_reply(client, gradient, result, body):
    gradient.on_request(lambda request: result)
    assert (await client.ask()).body == body


async def test_a_handler_that_returns_none_passes(client, gradient):
    seen = []
    gradient.on_request(seen.append)
    assert (await client.ask()).status == 200
    assert seen == gradient.requests


async def test_clearing_forgets_the_script(client, gradient):
    gradient.fail(500, times=None)
    gradient.stall(5, times=None)
    gradient.clear()
    assert (await client.ask()).status == 200


async def test_the_pace_of_all_streams_can_be_set(client_of):
    async with Emulator(token_delay=0.02) as gradient:
        gradient.reply("a b c")
        started = time.monotonic()
        await client_of(gradient).stream()
    assert time.monotonic() - started > 4 * 0.02
