"""Bytes of a chat stream to chunks, and the check of how the stream ended; every body is given to both decoders."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import (
    APIStatusError,
    ChatAccumulator,
    ChatCompletionChunk,
    GradientError,
    InternalServerError,
    RateLimitError,
    ResponseDecodeError,
    StreamTruncatedError,
)
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async._protocol.stream.chat_decoder import ChatDecoder, completion_to_chunks, find_stream_error
from gradient_async._protocol.stream.interfaces import Decoder


def event(value: object) -> bytes:
    return b"data: " + json.dumps(value).encode() + b"\n\n"


def delta(content: str | None = None, *, finish: str | None = None, index: int = 0) -> dict[str, object]:
    inner = {} if content is None else {"content": content}
    return {
        "id": "c",
        "created": 1,
        "model": "m",
        "choices": [{"index": index, "delta": inner, "finish_reason": finish}],
    }


DONE = b"data: [DONE]\n\n"
BODY = event(delta("Hel")) + event(delta("lo")) + event(delta(finish="stop")) + DONE


def decode_body(*blocks: bytes) -> tuple[str, GradientError | None]:
    """Return the text of the body, and the error of its stream; both decoders have to agree on them."""
    (text, error), (other_text, other_error) = (decode_with(kind(), *blocks) for kind in (ChatDecoder, FastChatDecoder))
    assert text == other_text
    assert repr(error) == repr(other_error)
    return text, error


def decode_with(decoder: Decoder[ChatCompletionChunk], *blocks: bytes) -> tuple[str, GradientError | None]:
    accumulator = ChatAccumulator()
    for batch in [batch for block in blocks for batch in decoder.decode_block(block)] + [*decoder.decode_eof()]:
        for chunk in batch:
            accumulator.add(chunk)
    return accumulator.snapshot().text, find_stream_error(decoder, accumulator)


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_a_split_anywhere_yields_the_same_text(cut: int) -> None:
    text, error = decode_body(BODY[:cut], BODY[cut:])
    assert (text, error) == ("Hello", None)


@pytest.mark.parametrize(
    "body",
    [
        event(delta("Hello")) + DONE,
        event(delta("Hello", finish="stop")),
        event(delta("Hello", finish="stop")) + b"data: [DONE]",
        event(delta("Hello", finish="stop")).rstrip(),
        event(delta("Hello")) + b"data:[DONE]\r\n\r\n",
        event(delta("Hello")) + b"data: [DONE] \n\n",
        event(delta("Hello")) + DONE + b"data: {broken\n\n" + event({"error": {"message": "late"}}),
        event(delta("Hel", index=0)) + event(delta("x", finish="stop", index=1)) + event(delta("lo", finish="stop")),
        b": ping\n\n" + event(delta("Hello")) + b"event: ping\ndata: {}\n\n" + DONE,
        event(delta("Hello")) + b"data:\n\n" + DONE,
        event(delta("Hello", finish="stop")) + event(delta(finish="")),
    ],
)
def test_a_stream_with_done_or_every_finish_reason_is_complete(body: bytes) -> None:
    text, error = decode_body(body)
    assert (text, error) == ("Hello", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b": ping\n\n: ping\n\n",
        event(delta("Hello")),
        event(delta("Hello"))[:-20],
        event(delta("Hel", finish="")) + event(delta("lo", finish="")),
        event(delta("Hello", finish="stop")) + event(delta("x", index=1)),
        b"<html><body>502</body></html>",
    ],
)
def test_a_stream_without_done_and_a_finish_reason_is_truncated(body: bytes) -> None:
    assert isinstance(decode_body(body)[1], StreamTruncatedError)


@pytest.mark.parametrize(
    "body",
    [
        event(delta("Hello")) + b"data: [DONE]\ndata: {}\n\n",
        event(delta("Hello")) + b"data: [DONE]patient-ALICE\n\n",
        event(delta("Hello")) + b'data: {"patient": "ALICE"\n\n' + DONE,
        event(delta("Hello")) + b'data: ["patient-ALICE"]\n\n' + DONE,
        event(delta("Hello")) + b'data: "patient-ALICE"\n\n' + DONE,
        event(delta("Hello")) + b'data: {"id": "patient-ALICE", "choices": 5}\n\n' + DONE,
    ],
)
def test_a_malformed_event_is_a_decode_error_without_its_content(body: bytes) -> None:
    text, error = decode_body(body)
    assert isinstance(error, ResponseDecodeError)
    assert text == "Hello"
    assert "ALICE" not in str(error) + repr(error)
    assert error.__cause__ is None
    assert error.__context__ is None


@pytest.mark.parametrize(
    ("body", "kind", "code", "status"),
    [
        (event({"error": {"message": "m", "code": "provider_error", "type": "server_error"}}), InternalServerError, "provider_error", 500),
        (event({"error": {"message": "m", "code": 429}}), RateLimitError, None, 429),
        (event({"error": {"message": "m", "code": 502}, "choices": []}), InternalServerError, None, 502),
        (event({"error": "m"}), InternalServerError, None, 500),
        (event({"id": "too_many_requests", "message": "m", "request_id": "r"}), RateLimitError, "too_many_requests", 429),
        (event({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}), InternalServerError, "overloaded_error", 529),
        (event({"detail": "m"}), InternalServerError, None, 500),
        (b"event: error\n" + event({"message": "m", "code": "provider_error"}), InternalServerError, "provider_error", 500),
    ],
)  # fmt: skip
def test_an_error_inside_the_stream_is_typed(
    body: bytes, kind: type[APIStatusError], code: str | None, status: int
) -> None:
    text, error = decode_body(event(delta("Hello")) + body + DONE)
    assert text == "Hello"
    assert isinstance(error, APIStatusError)
    assert type(error) is kind
    assert (error.message, error.code, error.status) == ("m", code, status)


NOTHING = [
    b"data: null\n\n",
    b"data: {}\n\n",
    b"data: []\n\n",
    b"data: 5\n\n",
    b"data: true\n\n",
    b'data: ""\n\n',
    b'data: "[DONE]"\n\n',
    b'data: {"type": "ping"}\n\n',
    b'data: {"type": "heartbeat", "id": "evt_1"}\n\n',
    b'data: {"type": "progress", "message": "half done"}\n\n',
    b'data: {"error": null, "status": "ok"}\n\n',
    b'event: tool.progress\ndata: {"tool": "ls", "message": "listing"}\n\n',
    b"event: keepalive\ndata: 2026-11-29T10:00:00Z\n\n",
    b'event: metrics\ndata: [{"id": 1}]\n\n',
    b'event: ping\ndata: {"type": "ping"}\n\n',
    b"error: null\n\n",
    b"error:\n\n",
    b"{}\n\n",
    b"{broken\n\n",
    b"[1, 2]\n\n",
    b"unknown: field\n\n",
]


@pytest.mark.parametrize("nothing", NOTHING)
def test_events_that_say_nothing_are_skipped_before_and_after_the_finish(nothing: bytes) -> None:
    end = event(delta(finish="stop"))
    for body in (
        nothing + event(delta("Hello")) + end + DONE,
        event(delta("Hel")) + nothing + event(delta("lo")) + end,
        event(delta("Hel")) + nothing * 3 + event(delta("lo")) + end,
        event(delta("Hello")) + end + nothing,
        event(delta("Hello")) + end + nothing + DONE,
    ):
        assert decode_body(body) == ("Hello", None)


@pytest.mark.parametrize("name", ["message.delta", "ping", "chunk", "completion"])
def test_a_chunk_or_an_error_counts_under_any_event_name(name: str) -> None:
    named = f"event: {name}\n".encode()
    assert decode_body(named + event(delta("Hello", finish="stop"))) == ("Hello", None)
    text, error = decode_body(event(delta("Hello")) + named + event({"error": {"message": "m", "code": 429}}) + DONE)
    assert (text, type(error)) == ("Hello", RateLimitError)


FAILURES = [
    (b'error: {"code": 400, "message": "m", "type": "invalid_request_error"}\n\n', 400),
    (b'error:{"code":"503","message":"m"}\n', 503),
    (b'error: {"code": 503,\nerror: "message": "m"}\n\n', 503),
    (b"error: m\n\n", 500),
    (b"event: error\ndata: m\n\n", 500),
    (b'event: error\ndata: {"message": "m", "code": 429}', 429),
    (b'{"error": {"message": "m", "type": "server_error", "code": 503}}', 503),
    (b'[{"error": {"message": "m", "code": 429, "status": "RESOURCE_EXHAUSTED"}}]\n', 429),
    (b'{\n  "error": {\n    "message": "m",\n    "code": 404\n  }\n}\n', 404),
    (b'{"message": "m", "id": "too_many_requests"}\n\n', 429),
    (b'{"detail": "m"}', 500),
    (event([{"error": {"message": "m", "code": 429}}]), 429),
    (event({"choices": None, "error": {"message": "m", "code": 402}}), 402),
    (event({"choices": [{"delta": {}, "finish_reason": "error", "error": {"message": "m", "code": 502}}]}), 502),
    (event({"choices": [{"delta": {}}, {"delta": {}, "error": {"message": "m", "code": "429"}}]}), 429),
    (event({"object": "error", "message": "m", "type": "BadRequestError", "code": 400}), 400),
    (event({"type": "error", "message": "m", "code": "rate_limit_exceeded"}), 429),
    (event({"errors": [{"message": "m", "code": 401}]}), 401),
    (event({"error": {"error": {"message": "m", "code": 403}}}), 403),
]


@pytest.mark.parametrize(("failure", "status"), FAILURES)
@pytest.mark.parametrize("end", [b"", DONE], ids=["end of body", "done"])
def test_a_failure_in_any_form_is_raised_after_the_chunks_before_it(failure: bytes, status: int, end: bytes) -> None:
    for begin, text in ((b"", ""), (event(delta("Hello")), "Hello")):
        separator = b"" if failure.endswith(b"\n\n") or not end else b"\n\n"
        got, error = decode_body(begin + failure + separator + end)
        assert isinstance(error, APIStatusError)
        assert (got, error.message, error.status) == (text, "m", status)


def test_a_failure_after_the_end_is_ignored() -> None:
    assert decode_body(event(delta("Hello")) + DONE + FAILURES[0][0]) == ("Hello", None)
    assert decode_body(event(delta("Hello", finish="stop")) + DONE + FAILURES[6][0]) == ("Hello", None)


@pytest.mark.parametrize("end", [b"", DONE])
def test_a_finish_reason_of_error_is_an_error_at_the_end(end: bytes) -> None:
    for body in (
        event(delta("Hello", finish="error")),
        event(delta("Hello")) + event(delta(finish="error")) + event(delta(finish="")),
        event(delta("Hello", finish="stop")) + event(delta(finish="error", index=1)),
    ):
        text, error = decode_body(body + end)
        assert (text, type(error)) == ("Hello", InternalServerError)
    text, error = decode_body(event(delta("Hello", finish="error")) + event({"error": {"message": "m", "code": 429}}))
    assert (text, type(error)) == ("Hello", RateLimitError)


@pytest.mark.parametrize("end", [b"", DONE])
def test_null_choices_are_an_error_unless_a_choice_arrives(end: bytes) -> None:
    empty = event({"id": "c", "choices": None, "usage": {"total_tokens": 1}})
    text, error = decode_body(empty + end)
    assert (text, type(error)) == ("", InternalServerError)
    assert decode_body(empty + event(delta("Hello", finish="stop")) + empty + end) == ("Hello", None)


@pytest.mark.parametrize(
    "body",
    [
        b'data: {"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}\n\n',
        b'{"choices": [{"message": {"content": "Hello"}, "finish_reason": "stop"}]}',
        b'{\n "object": "chat.completion",\n "choices": [\n{"message": {"content": "Hello"}, "finish_reason": "stop"}]\n}',
    ],
)
def test_a_whole_completion_in_the_place_of_chunks_is_read(body: bytes) -> None:
    assert decode_body(body) == ("Hello", None)


def test_an_error_event_without_json_is_still_an_error() -> None:
    assert isinstance(decode_body(b"event: error\ndata: boom\n\n")[1], InternalServerError)


def test_a_null_error_field_is_not_an_error() -> None:
    assert decode_body(event({**delta("Hello"), "error": None}) + DONE)[0] == "Hello"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 10**9) | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "id",
                    "choices",
                    "index",
                    "delta",
                    "content",
                    "tool_calls",
                    "function",
                    "name",
                    "arguments",
                    "usage",
                    "logprobs",
                    "error",
                    "message",
                    "finish_reason",
                    "x",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(st.lists(st.one_of(VALUES.map(event), st.binary(max_size=20)), max_size=6))
def test_any_bytes_give_only_errors_of_ours(blocks: list[bytes]) -> None:
    _, error = decode_body(*blocks)
    assert error is None or isinstance(error, GradientError)


@given(VALUES, st.lists(st.integers(0, 300), max_size=4))
def test_any_split_gives_the_same_chunks_or_the_same_error(value: object, cuts: list[int]) -> None:
    body = event(delta("a")) + event(value) + event(delta("b", finish="stop")) + DONE
    edges = [0, *sorted(cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    whole, split = decode_body(body), decode_body(*pieces)
    assert whole[0] == split[0]
    assert repr(whole[1]) == repr(split[1])


def test_a_whole_completion_becomes_one_chunk_with_the_same_content() -> None:
    call = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    message = {"role": "assistant", "content": "Hello", "tool_calls": [call]}
    body = json.dumps({"id": "c", "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]})
    accumulator = ChatAccumulator()
    (chunk,) = completion_to_chunks(body.encode(), "application/json")
    accumulator.add(chunk)
    assert accumulator.is_complete
    assert accumulator.snapshot().message.to_dict() == message
    assert chunk.object == "chat.completion.chunk"
