"""Bytes of messages and responses streams to typed events."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import APIStatusError, GradientError, InternalServerError, ProtocolError, RateLimitError
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT
from tests.support.event_streams import (
    MESSAGE,
    MESSAGE_STREAM,
    RESPONSE_STREAM,
    TEXT,
    Reading,
    Value,
    encode_stream,
    read_message,
    read_response,
)

Read = Callable[..., Reading[Any, Any]]
BODIES: list[tuple[Read, bytes]] = [
    (read_message, encode_stream(MESSAGE_STREAM)),
    (read_message, b"\xef\xbb\xbf: hello\r\n\r\n" + encode_stream(MESSAGE_STREAM, ending="\r\n")),
    (read_response, encode_stream(RESPONSE_STREAM)),
    (read_response, encode_stream(RESPONSE_STREAM, named=False, ending="\r")),
]


@pytest.mark.parametrize(("read", "body"), BODIES)
@given(data=st.data())
def test_any_split_of_the_bytes_gives_the_same_events(read: Read, body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    blocks = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    reading = read(*blocks)
    assert reading.events == read(body).events
    assert reading.decoder.done
    assert "".join(event.text for event in reading.events) == reading.accumulator.snapshot().text == TEXT


@pytest.mark.parametrize(("read", "body"), BODIES)
def test_one_byte_at_a_time_gives_the_same_events(read: Read, body: bytes) -> None:
    assert read(*(bytes([byte]) for byte in body)).events == read(body).events


@pytest.mark.parametrize(("read", "body"), BODIES)
def test_a_cut_before_the_end_is_not_taken_for_the_end(read: Read, body: bytes) -> None:
    whole = read(body).accumulator.snapshot()
    for cut in range(len(body)):
        reading = read(body[:cut])
        assert reading.decoder.error is None
        if reading.decoder.done or reading.accumulator.is_complete:
            assert reading.accumulator.snapshot() == whole


# A whole result in the place of events


WHOLE_RESULTS: list[tuple[Read, Value]] = [
    (read_message, MESSAGE | {"content": [{"type": "text", "text": "Hi"}]}),
    (read_response, {"object": "response", "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]}),
]  # fmt: skip


@pytest.mark.parametrize(("read", "value"), WHOLE_RESULTS)
@pytest.mark.parametrize(
    "frame", ["data: {}\n\n", "event: message\ndata: {}\n\n", "event: x\ndata: {}\n\n", "{}", "{}\n"]
)
def test_a_whole_result_in_an_event_stream_is_read(read: Read, value: Value, frame: str) -> None:
    reading = read(frame.format(json.dumps(value)).encode())
    assert reading.decoder.error is None
    assert reading.decoder.done or reading.accumulator.is_complete
    assert reading.accumulator.snapshot().text == "".join(event.text for event in reading.events) == "Hi"


@pytest.mark.parametrize("read", [read_message, read_response])
@pytest.mark.parametrize(
    "body",
    [
        b'{"error": {"message": "m", "code": 429}}',
        b'{"error": {"message": "m", "code": 429}}\n\n',
        b'{\n "error": {\n  "message": "m", "code": "429"\n }\n}\n',
        b'error: {"message": "m", "code": 429}\n\n',
        b'data: {"type": "new.event"}\n\nerror: {"message": "m", "code": 429}\n\ndata: [DONE]\n\n',
        b'data: [{"error": {"message": "m", "code": 429}}]\n\n',
        b'data: {"choices": [{"index": 0, "error": {"message": "m", "code": 429}}]}\n\n',
    ],
)
def test_an_error_beside_the_events_is_raised(read: Read, body: bytes) -> None:
    error = read(body).decoder.error
    assert isinstance(error, RateLimitError)
    assert error.message == "m"


def test_an_event_without_its_field_name_is_read() -> None:
    body = b"\n\n".join(json.dumps(value).encode() for value in MESSAGE_STREAM) + b"\n\n"
    reading = read_message(body)
    assert reading.accumulator.snapshot().text == TEXT
    assert reading.decoder.done


# The end of a stream


ENDS: list[tuple[Read, list[Value], bool]] = [
    (read_message, [{"type": "message_stop"}], True),
    (read_message, [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}], False),
    (read_response, [{"type": "response.completed", "response": {}}], True),
    (read_response, [{"type": "response.incomplete", "response": {}}], True),
    (read_response, [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}], False),
]


@pytest.mark.parametrize(("read", "values", "is_done"), ENDS)
@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b": bye"])
def test_a_stream_with_its_last_event_is_complete(read: Read, values: list[Value], is_done: bool, tail: bytes) -> None:
    reading = read(encode_stream(values) + tail)
    assert reading.decoder.done or reading.accumulator.is_complete
    assert reading.decoder.done or not is_done


def test_the_last_event_may_lack_its_blank_line() -> None:
    assert read_message(encode_stream(MESSAGE_STREAM)[:-2]).decoder.done
    assert read_response(encode_stream(RESPONSE_STREAM)[:-2]).decoder.done


@pytest.mark.parametrize(
    ("read", "body"),
    [
        (read_message, b""),
        (read_message, b"data: [DONE]\n\n"),
        (read_message, encode_stream(MESSAGE_STREAM[:-2]) + b"data: [DONE]\n\n"),
        (read_message, b'event: message_stop\ndata: {"type": "message_s'),
        (read_message, encode_stream([{"type": "message_start", "message": MESSAGE | {"stop_reason": ""}}])),
        (read_response, encode_stream(RESPONSE_STREAM[:-1])),
        (read_response, encode_stream([{"choices": [{"index": 0, "delta": {"content": "Hi"}}]}])),
        (read_response, b"data: [D"),
    ],
)
def test_a_stream_without_its_last_event_is_truncated(read: Read, body: bytes) -> None:
    reading = read(body)
    assert reading.decoder.error is None
    assert not reading.decoder.done
    assert not reading.accumulator.is_complete


def test_bytes_after_the_end_are_ignored() -> None:
    tail = encode_stream([{"type": "content_block_delta", "delta": {"text": "late"}}]) + b"data: {]\n\n"
    reading = read_message(encode_stream(MESSAGE_STREAM) + tail, tail)
    assert reading.decoder.error is None
    assert reading.events[-1].type == "message_stop"


# Errors inside a stream


@pytest.mark.parametrize("read", [read_message, read_response])
@pytest.mark.parametrize(
    ("frame", "kind", "code"),
    [
        (
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}\n\n',
            InternalServerError,
            "overloaded_error",
        ),
        (
            b'data: {"type":"error","error":{"type":"rate_limit_error","message":"m"}}\n\n',
            RateLimitError,
            "rate_limit_error",
        ),
        (
            b'data: {"type":"error","code":"rate_limit_exceeded","message":"m","param":null}\n\n',
            RateLimitError,
            "rate_limit_exceeded",
        ),
        (b'data: {"type":"error","code":null,"message":"m"}\n\n', InternalServerError, None),
        (b'data: {"type":"error"}\n\n', InternalServerError, None),
        (
            b'data: {"type":"response.error","error":{"code":"rate_limit_exceeded"}}\n\n',
            RateLimitError,
            "rate_limit_exceeded",
        ),
        (b'data: {"type":"response.error","code":"rate_limit_exceeded"}\n\n', RateLimitError, "rate_limit_exceeded"),
        (b'data: {"type":"rate_limit_error","message":"m"}\n\n', RateLimitError, "rate_limit_error"),
        (
            b'data: {"object":"error","type":"TooManyRequests","message":"m","code":429}\n\n',
            RateLimitError,
            "TooManyRequests",
        ),
        (b'event: progress\ndata: {"error":{"type":"rate_limit_error"}}\n\n', RateLimitError, "rate_limit_error"),
        (b'event: ping\ndata: {"error":{"type":"rate_limit_error"}}\n\n', RateLimitError, "rate_limit_error"),
        (b'event: response.error\ndata: {"message":"m"}\n\n', InternalServerError, None),
        (b"event: streamError\ndata: what\n\n", InternalServerError, None),
        (b"event: error\ndata: {}\n\n", InternalServerError, None),
        (b"event: error\ndata:\n\n", InternalServerError, None),
        (b"event: error\ndata: null\n\n", InternalServerError, None),
        (b'data: {"error":{"code":429,"message":"m"}}\n\n', RateLimitError, None),
        (b'data: {"id":"too_many_requests","message":"m"}\n\n', RateLimitError, "too_many_requests"),
        (b"event: error\ndata: what\n\n", InternalServerError, None),
        (
            b'data: {"type":"error","error":{"type":"overloaded_error","message":"m"}}',
            InternalServerError,
            "overloaded_error",
        ),
    ],
)
def test_an_error_inside_a_stream_is_typed_and_not_an_event(
    read: Read, frame: bytes, kind: type[APIStatusError], code: str | None
) -> None:
    begin = b'data: {"type":"new.event"}\n\n'
    reading = read(begin + frame + (begin if frame.endswith(b"\n\n") else b""))
    error = reading.decoder.error
    assert type(error) is kind
    assert error.code == code
    assert [event.type for event in reading.events] == ["new.event"]


FAILED = {"id": "resp_1", "output": [], "status": "failed"}
SERVER_ERROR = {"code": "server_error", "message": "m"}


@pytest.mark.parametrize(
    ("event", "code", "message"),
    [
        ({"type": "response.failed", "response": FAILED | {"error": SERVER_ERROR}}, "server_error", "m"),
        ({"type": "response.failed", "response": {"error": SERVER_ERROR}}, "server_error", "m"),
        ({"type": "response.failed", "response": FAILED | {"error": "m"}}, None, "m"),
        ({"type": "response.failed", "response": FAILED | {"error": {}}}, None, ""),
        ({"type": "response.failed", "response": FAILED | {"error": None}}, None, ""),
        ({"type": "response.failed", "response": FAILED, **SERVER_ERROR}, "server_error", "m"),
        ({"type": "response.failed", "error": SERVER_ERROR}, "server_error", "m"),
        ({"type": "response.failed", **SERVER_ERROR}, "server_error", "m"),
        ({"type": "response.failed", "response": None}, None, ""),
        ({"type": "response.completed", "response": FAILED | {"error": SERVER_ERROR}}, "server_error", "m"),
        ({"type": "response.incomplete", "response": FAILED}, None, ""),
    ],
)
def test_a_failed_response_is_an_error(event: Value, code: str | None, message: str) -> None:
    reading = read_response(encode_stream([*RESPONSE_STREAM[:-1], event]))
    assert isinstance(reading.decoder.error, InternalServerError)
    assert reading.decoder.error.code == code
    assert message in reading.decoder.error.message
    assert len(reading.events) == len(RESPONSE_STREAM) - 1
    assert not reading.decoder.done


@pytest.mark.parametrize(
    ("status", "reason"), [("incomplete", "max_output_tokens"), ("completed", None), ("in_progress", None)]
)
def test_a_response_that_is_incomplete_is_no_error(status: str, reason: str | None) -> None:
    response = {"status": status, "error": None, "incomplete_details": reason and {"reason": reason}}
    reading = read_response(encode_stream([{"type": "response.incomplete", "response": response}]))
    assert (reading.decoder.error, reading.decoder.done) == (None, True)


# Frames that say nothing


SILENT_FRAMES = [
    b"data: null",
    b"data: {}",
    b"data: \ndata:",
    b"data: []",
    b'data: ""',
    b"data: true",
    b"data: 5",
    b'data: "[DONE]"',
    b'data: {"time": 5}',
    b'data: {"event": "heartbeat", "id": "7", "index": 0}',
    b'data: {"error": null, "message": "", "delta": {}, "item": null}',
    b'data: {"type": ""}',
    b'data: {"type": [], "usage": null}',
    b'data: {"type": "ping"}',
    b'data: {"type": "ping", "cost": "0"}',
    b"event: ping",
    b"event: ping\ndata: {}",
    b"event: ping\ndata: null",
    b'event: ping\ndata: {"time": 5}',
    b"event: ping\ndata: 2026-11-29T12:00:00Z",
    b"event: progress\ndata: 5",
    b"event: progress\ndata: 50%",
    b"event: progress\ndata: [1, 2]",
    b'event: progress\ndata: "half"',
    b'event: progress\ndata: {"percent": 50}',
    b'event: progress\ndata: {"percent": 50, "message": "half", "error": null}',
    b"event: keep-alive\ndata: {}",
    b"event: done\ndata: [DONE]]",
    b"event: content_block_stop\ndata: null",
    b"id: 7\nretry: 3000",
    b": comment",
    b"progress: 50",
]
WHOLE_STREAMS: list[tuple[Read, list[Value]]] = [
    (read_message, MESSAGE_STREAM),
    (read_response, RESPONSE_STREAM),
    (
        read_response,
        [
            {"id": "r", "choices": [{"index": 0, "delta": {"content": TEXT}}]},
            {"id": "r", "choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        ],
    ),
]


@pytest.mark.parametrize("frame", SILENT_FRAMES)
@pytest.mark.parametrize(("read", "stream"), WHOLE_STREAMS)
def test_a_frame_that_says_nothing_changes_nothing(read: Read, stream: list[Value], frame: bytes) -> None:
    quiet = read(encode_stream(stream))
    for position in range(len(stream) + 1):
        blocks = encode_stream(stream[:position]), frame + b"\n\n", encode_stream(stream[position:])
        reading = read(*blocks)
        assert reading.decoder.error is None
        assert reading.decoder.done == quiet.decoder.done
        assert reading.accumulator.is_complete
        assert reading.events == quiet.events
        assert reading.accumulator.snapshot() == quiet.accumulator.snapshot()


@pytest.mark.parametrize("name", ["ping", "progress", "delta", "message_stop"])
def test_an_event_under_any_name_is_read_by_its_type(name: str) -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}}
    frame = b"event: %b\n%b" % (name.encode(), encode_stream([delta], named=False))
    assert read_message(frame).accumulator.snapshot().text == "Hi"


@pytest.mark.parametrize("name", ["chunk", "ping", "response.chunk"])
def test_a_chat_like_chunk_may_have_any_name(name: str) -> None:
    chunk = {"choices": [{"index": 0, "delta": {"content": "Hi"}}]}
    frame = b"event: %b\n%b" % (name.encode(), encode_stream([chunk], named=False))
    assert read_response(frame).accumulator.snapshot().text == "Hi"


# Unusual events


def test_an_event_may_have_its_type_in_its_name_alone() -> None:
    body = b'event: message_delta\ndata: {"delta": {"stop_reason": "end_turn"}}\n\nevent: message_stop\ndata: {}\n\n'
    reading = read_message(body)
    assert [event.type for event in reading.events] == ["message_delta", "message_stop"]
    assert reading.accumulator.is_complete
    assert reading.decoder.done


def test_pings_and_comments_are_dropped() -> None:
    body = b': x\n\nevent: ping\ndata: {"type": "ping"}\n\ndata: {"type": "ping"}\n\n'
    assert read_message(body).events == []


def test_an_event_of_unknown_type_keeps_its_fields_of_any_type() -> None:
    value = {"type": "response.audio.delta", "delta": {"x": 1}, "item": 7}
    (event,) = read_response(encode_stream([value])).events
    assert (event.type, event.raw, event.text) == ("response.audio.delta", value, "")


@pytest.mark.parametrize(
    "frame",
    [
        'data: "text"',
        "data: [5]",
        "data: {]",
        'data: {"delta": {"text": "lost"}}',
        'data: {"type": null, "delta": "lost"}',
        'data: {"item": {"type": "message"}}',
    ],
)
@pytest.mark.parametrize("read", [read_message, read_response])
def test_an_event_that_says_something_unreadable_is_an_error_of_ours(read: Read, frame: str) -> None:
    reading = read(f"{frame}\n\n".encode())
    assert isinstance(reading.decoder.error, GradientError)
    assert reading.decoder.error.__context__ is None
    assert reading.events == []


JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "index", "delta", "text", "message", "content", "content_block", "usage", "item", "part", "response",
             "output", "output_index", "content_index", "choices", "error", "input", "arguments", "summary", "item_id"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
TYPES = sorted(MESSAGE_DIALECT.known_types | RESPONSE_DIALECT.known_types | {"error", "response.failed", "ping", "new"})
VALUES = st.dictionaries(
    st.sampled_from(["index", "delta", "message", "content_block", "usage", "item", "part", "response", "output_index",
                     "content_index", "choices", "error", "arguments", "item_id", "id"]), JSON, max_size=4,
)  # fmt: skip
STREAMS = st.lists(st.tuples(st.sampled_from(TYPES), VALUES), max_size=6)


@pytest.mark.parametrize("read", [read_message, read_response])
@given(stream=STREAMS)
def test_any_stream_gives_a_result_or_an_error_of_ours(read: Read, stream: list[tuple[str, Value]]) -> None:
    reading = read(encode_stream([{**value, "type": kind} for kind, value in stream]))
    snapshot = reading.accumulator.snapshot()
    assert reading.decoder.error is None or isinstance(reading.decoder.error, APIStatusError | ProtocolError)
    assert isinstance(snapshot.text, str)
    assert snapshot.to_json()
    assert all(isinstance(event.text, str) for event in reading.events)
