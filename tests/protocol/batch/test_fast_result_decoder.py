"""Plain successes: decoded by one call, and held to the examination of every other line."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchResult
from gradient_async._protocol.batch.fast_result_decoder import SUCCESS_DECODERS, SuccessLine
from gradient_async._protocol.batch.result_body import BODY_TYPES, ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import ResultDecoder, ResultLineReader
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS

CALL = {"id": "t", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BODIES: dict[str | None, dict[str, Any]] = {
    "/v1/chat/completions": {
        "id": "c",
        "created": 1,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": "Hi", "tool_calls": [CALL]},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3},
    },
    "/v1/messages": {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]},
    "/v1/embeddings": {"object": "list", "data": [{"index": 0, "embedding": [0.5, 1.0]}], "usage": {"total_tokens": 3}},
    "/v1/responses": {
        "id": "r",
        "object": "response",
        "output": [{"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}],
    },
}
KEYS = [
    "choices",
    "index",
    "message",
    "tool_calls",
    "function",
    "name",
    "finish_reason",
    "error",
    "content",
    "type",
    "x",
]
ANY_JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["", "stop", "error", "1", "\u00e9", "\ud800"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=3),
    max_leaves=6,
)


def decode_line(line: bytes, endpoint: str | None, *, in_full: bool = False) -> BatchResult:
    reader = ResultLineReader("output", ResultBodyDecoder(endpoint))
    (result,) = [*ResultDecoder(reader).feed(line + b"\n")]
    if in_full:
        result._verdict = reader.examine_line(line, result.line)
    return result


def describe_result(result: BatchResult) -> tuple[object, ...]:
    answer = result.answer
    return result.custom_id, result.ok, result.status, result.text, repr(result.error), repr(answer), repr(result.raw)


def list_places(value: Any) -> list[tuple[Any, Any]]:
    """Return every container in *value* with each of its keys."""
    items = list(value.items()) if type(value) is dict else list(enumerate(value)) if type(value) is list else []
    return [(value, key) for key, _ in items] + [place for _, item in items for place in list_places(item)]


def encode_line(body: Any, **fields: Any) -> bytes:
    response = {"status_code": 200, "request_id": "r", "body": body}
    return json.dumps({"custom_id": "a", "response": response, "error": None, **fields}).encode()


@pytest.mark.parametrize("endpoint", BODIES)
def test_the_usual_line_of_each_endpoint_is_decoded_at_once(endpoint: str | None) -> None:
    result = decode_line(encode_line(BODIES[endpoint]), endpoint)
    assert result.ok
    assert isinstance(result._verdict, SuccessLine)
    assert describe_result(result) == describe_result(
        decode_line(encode_line(BODIES[endpoint]), endpoint, in_full=True)
    )


@pytest.mark.parametrize("name", ["object", "type"])
@pytest.mark.parametrize("endpoint", BODIES)
def test_a_body_that_calls_itself_an_error_is_one(endpoint: str | None, name: str) -> None:
    line = encode_line({**BODIES[endpoint], name: "error"})
    assert not decode_line(line, endpoint).ok
    assert describe_result(decode_line(line, endpoint)) == describe_result(decode_line(line, endpoint, in_full=True))


@pytest.mark.parametrize("more", [{"message": "half done"}, {"detail": "x"}, {"errors": ["x"]}], ids=json.dumps)
@pytest.mark.parametrize("endpoint", BODIES)
def test_a_message_beside_a_response_is_no_error_whatever_else_is_unusual(
    endpoint: str | None, more: dict[str, Any]
) -> None:
    usual, unusual = BODIES[endpoint] | more, BODIES[endpoint] | more | {"usage": []}
    for line in (encode_line(usual), encode_line(unusual)):
        for known in (endpoint, None):
            assert decode_line(line, known).ok
            assert decode_line(line, known, in_full=True).ok


@pytest.mark.parametrize("endpoint", [*BODIES, None])
@given(data=st.data())
def test_a_changed_line_has_the_verdict_and_the_response_of_the_full_examination(
    endpoint: str | None, data: st.DataObject
) -> None:
    line = json.loads(encode_line(copy.deepcopy(BODIES[endpoint or "/v1/messages"])))
    for _ in range(data.draw(st.integers(1, 2))):
        places = [place for place in list_places(line) if place[1] != "custom_id"]
        if places:
            container, key = data.draw(st.sampled_from(places))
            container[key] = data.draw(ANY_JSON)
    text = json.dumps(line, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass")
    assert describe_result(decode_line(text, endpoint)) == describe_result(decode_line(text, endpoint, in_full=True))


@pytest.mark.parametrize(
    "line",
    [
        encode_line(BODIES["/v1/chat/completions"] | {"choices": []}),
        encode_line(BODIES["/v1/chat/completions"] | {"choices": [{"finish_reason": "error"}]}),
        encode_line(BODIES["/v1/chat/completions"] | {"error": {"message": "boom"}}),
        encode_line(BODIES["/v1/chat/completions"], error={"message": "boom"}),
        encode_line(BODIES["/v1/chat/completions"], result={"type": "succeeded"}),
        encode_line(BODIES["/v1/chat/completions"], response={"status_code": 500, "body": {}}),
    ],
)
def test_a_failure_is_no_plain_success(line: bytes) -> None:
    with pytest.raises(FAST_READ_ERRORS):
        SUCCESS_DECODERS[BODY_TYPES["/v1/chat/completions"]](line)


@pytest.mark.parametrize("place", [b'"Hi"', b'"stop"', b'"assistant"', b'"name"', b'"id"'])
def test_a_line_with_bytes_that_are_no_unicode_can_be_read(place: bytes) -> None:
    endpoint = "/v1/chat/completions"
    line = encode_line(BODIES[endpoint]).replace(place, place[:-1] + b'\xff"')
    result = decode_line(line, endpoint)
    assert result.ok
    assert describe_result(result) == describe_result(decode_line(line, endpoint, in_full=True))
