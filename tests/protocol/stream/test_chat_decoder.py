"""From bytes to chunks, and the verdict on the end."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import (
    ChatAccumulator,
    GradientError,
    InternalServerError,
    RateLimitError,
    ResponseDecodeError,
    StreamTruncatedError,
)
from gradient_async._protocol.stream.chat_decoder import ChatDecoder, find_stream_error


def frame(value: object) -> bytes:
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
BODY = frame(delta("Hel")) + frame(delta("lo")) + frame(delta(finish="stop")) + DONE


def decoded(*blocks: bytes) -> tuple[str, GradientError | None, ChatDecoder]:
    decoder, accumulator = ChatDecoder(), ChatAccumulator()
    chunks = [chunk for block in blocks for chunk in decoder.feed(block)] + [*decoder.feed_eof()]
    for chunk in chunks:
        accumulator.add(chunk)
    return accumulator.snapshot().text, find_stream_error(decoder, accumulator), decoder


@pytest.mark.parametrize("cut", range(len(BODY)))
def test_a_split_anywhere_yields_the_same_text(cut: int) -> None:
    text, problem, _ = decoded(BODY[:cut], BODY[cut:])
    assert (text, problem) == ("Hello", None)


@pytest.mark.parametrize(
    "body",
    [
        frame(delta("Hello")) + DONE,
        frame(delta("Hello", finish="stop")),
        frame(delta("Hello", finish="stop")) + b"data: [DONE]",
        frame(delta("Hello", finish="stop")).rstrip(),
        frame(delta("Hello")) + b"data:[DONE]\r\n\r\n",
        frame(delta("Hello")) + b"data: [DONE] \n\n",
        frame(delta("Hello")) + DONE + b"data: {broken\n\n" + frame({"error": {"message": "late"}}),
        frame(delta("Hel", index=0)) + frame(delta("x", finish="stop", index=1)) + frame(delta("lo", finish="stop")),
        b": ping\n\n" + frame(delta("Hello")) + b"event: ping\ndata: {}\n\n" + DONE,
        frame(delta("Hello")) + b"data:\n\n" + DONE,
        frame(delta("Hello", finish="stop")) + frame(delta(finish="")),
    ],
)
def test_this_is_a_complete_stream(body: bytes) -> None:
    text, problem, _ = decoded(body)
    assert (text, problem) == ("Hello", None)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b": ping\n\n: ping\n\n",
        frame(delta("Hello")),
        frame(delta("Hello"))[:-20],
        frame(delta("Hel", finish="")) + frame(delta("lo", finish="")),
        frame(delta("Hello", finish="stop")) + frame(delta("x", index=1)),
        b"<html><body>502</body></html>",
    ],
)
def test_this_is_a_truncated_stream(body: bytes) -> None:
    assert isinstance(decoded(body)[1], StreamTruncatedError)


@pytest.mark.parametrize(
    "body",
    [
        frame(delta("Hello")) + b"data: [DONE]\ndata: {}\n\n",
        frame(delta("Hello")) + b"data: [DONE]patient-ALICE\n\n",
        frame(delta("Hello")) + b'data: {"patient": "ALICE"\n\n' + DONE,
        frame(delta("Hello")) + b'data: ["patient-ALICE"]\n\n' + DONE,
        frame(delta("Hello")) + b'data: {"patient": "ALICE"}\n\n' + DONE,
        frame(delta("Hello")) + b'data: {"id": "patient-ALICE", "choices": 5}\n\n' + DONE,
    ],
)
def test_a_malformed_event_is_a_decode_error_whose_text_keeps_the_content_to_itself(body: bytes) -> None:
    text, problem, _ = decoded(body)
    assert isinstance(problem, ResponseDecodeError)
    assert text == "Hello"
    assert "ALICE" not in str(problem) + repr(problem)
    assert problem.__cause__ is None
    assert problem.__context__ is None


@pytest.mark.parametrize(
    ("event", "kind", "code", "status"),
    [
        (frame({"error": {"message": "m", "code": "provider_error", "type": "server_error"}}), InternalServerError, "provider_error", 500),
        (frame({"error": {"message": "m", "code": 429}}), RateLimitError, None, 429),
        (frame({"error": {"message": "m", "code": 502}, "choices": []}), InternalServerError, None, 502),
        (frame({"error": "m"}), InternalServerError, None, 500),
        (frame({"id": "too_many_requests", "message": "m", "request_id": "r"}), RateLimitError, "too_many_requests", 429),
        (frame({"type": "error", "error": {"type": "overloaded_error", "message": "m"}}), InternalServerError, "overloaded_error", 529),
        (frame({"detail": "m"}), InternalServerError, None, 500),
        (b"event: error\n" + frame({"message": "m", "code": "provider_error"}), InternalServerError, "provider_error", 500),
    ],
)  # fmt: skip
def test_an_error_inside_the_stream_is_typed(event: bytes, kind: type, code: str | None, status: int) -> None:
    text, problem, _ = decoded(frame(delta("Hello")) + event + DONE)
    assert text == "Hello"
    assert type(problem) is kind
    assert (problem.message, problem.code, problem.status) == ("m", code, status)


def test_an_error_event_without_json_is_still_an_error() -> None:
    assert isinstance(decoded(b"event: error\ndata: boom\n\n")[1], InternalServerError)


def test_a_null_error_field_is_no_error() -> None:
    assert decoded(frame({**delta("Hello"), "error": None}) + DONE)[0] == "Hello"


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


@given(st.lists(st.one_of(VALUES.map(frame), st.binary(max_size=20)), max_size=6))
def test_garbage_gives_only_our_errors(blocks: list[bytes]) -> None:
    _, problem, _ = decoded(*blocks)
    assert problem is None or isinstance(problem, GradientError)


@given(VALUES, st.lists(st.integers(0, 300), max_size=4))
def test_any_split_gives_the_same_chunks_or_the_same_error(value: object, cuts: list[int]) -> None:
    body = frame(delta("a")) + frame(value) + frame(delta("b", finish="stop")) + DONE
    edges = [0, *sorted(cuts), len(body)]
    pieces = [body[a:b] for a, b in itertools.pairwise(edges)]
    whole, split = decoded(body), decoded(*pieces)
    assert whole[0] == split[0]
    assert repr(whole[1]) == repr(split[1])
