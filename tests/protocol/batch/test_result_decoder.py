"""Results files decoded to results."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchResult, ChatCompletion, EmbeddingList, MessageReply, ResponseDecodeError
from gradient_async._protocol.batch.result_body import ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import ResultDecoder, ResultLineReader
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.codec.fast_reader import OPEN_STRUCTS

CHAT = "/v1/chat/completions"
COMPLETION = {
    "id": "c",
    "model": "m",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}],
    "x": 1,
}
EMBEDDINGS = {"object": "list", "model": "m", "data": [{"index": 0, "object": "embedding", "embedding": [0.5, 1.0]}]}
MESSAGE_BODY = {"id": "m", "type": "message", "role": "assistant", "content": [{"type": "text", "text": "Hi"}]}


def decode(data: bytes, endpoint: str | None = CHAT, *, step: int = 1 << 20) -> list[BatchResult]:
    decoder = ResultDecoder(ResultLineReader("output", ResultBodyDecoder(endpoint)))
    results: list[BatchResult] = []
    for begin in range(0, len(data), step):
        results += decoder.feed(data[begin : begin + step])
    results += decoder.feed_eof()
    return results


def decode_line(line: Any, endpoint: str | None = CHAT) -> BatchResult:
    (result,) = decode(line if isinstance(line, bytes) else json.dumps(line).encode(), endpoint)
    return result


def openai_line(custom_id: str = "a", body: Any = COMPLETION, status: Any = 200, error: Any = None) -> dict[str, Any]:
    response = {"status_code": status, "request_id": "r", "body": body}
    return {"id": "batch_req", "custom_id": custom_id, "response": response, "error": error}


def anthropic_line(kind: str, **fields: Any) -> dict[str, Any]:
    return {"custom_id": "a", "result": {"type": kind, **fields}}


def test_a_body_is_the_class_that_the_endpoint_returns() -> None:
    result = decode_line(openai_line())
    assert (result.custom_id, result.ok, result.text, result.error, result.line, result.file) == (
        "a", True, "Hi", None, 1, "output",
    )  # fmt: skip
    assert isinstance(result.completion, ChatCompletion)
    assert type(result.completion) is ChatCompletion
    assert (result.message, result.embedding) == (None, None)
    assert result.completion is result.completion


def test_unknown_fields_are_kept() -> None:
    result = decode_line(openai_line() | {"later": 2})
    assert result.raw["later"] == 2
    assert result.completion is not None
    assert (result.completion.extra, result.completion.raw) == ({"x": 1}, COMPLETION)


def test_an_embedding_body_is_decoded() -> None:
    result = decode_line(openai_line(body=EMBEDDINGS), "/v1/embeddings")
    assert isinstance(result.embedding, EmbeddingList)
    assert (result.embedding.data[0].embedding, result.text) == ([0.5, 1.0], "")


def test_a_base64_embedding_becomes_numbers() -> None:
    packed = base64.b64encode(struct.pack("<2f", 0.5, 1.0)).decode()
    result = decode_line(
        openai_line(body={**EMBEDDINGS, "data": [{"index": 0, "embedding": packed}]}), "/v1/embeddings"
    )
    assert result.embedding is not None
    assert result.embedding.data[0].embedding == [0.5, 1.0]


@pytest.mark.parametrize("endpoint", [CHAT, "/v1/messages", None])
def test_a_message_body_is_decoded_for_any_endpoint(endpoint: str | None) -> None:
    result = decode_line(anthropic_line("succeeded", message=MESSAGE_BODY), endpoint)
    assert isinstance(result.message, MessageReply)
    assert result.text == "Hi"


def test_a_responses_body_is_a_dict_with_its_text() -> None:
    output = [{"type": "reasoning"}, {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}]
    result = decode_line(openai_line(body={"object": "response", "output": output}), "/v1/responses")
    assert isinstance(result.answer, dict)
    assert result.text == "Hi"


@pytest.mark.parametrize(
    ("body", "kind"), [(COMPLETION, ChatCompletion), (EMBEDDINGS, EmbeddingList), (MESSAGE_BODY, MessageReply)]
)
def test_without_an_endpoint_the_type_of_the_body_is_inferred(body: Any, kind: type) -> None:
    assert isinstance(decode_line(openai_line(body=body), None).answer, kind)


ERRORS = [
    (openai_line(status=400, body={"error": {"message": "bad", "type": "t", "code": "c"}}), "c", "bad", 400),
    (openai_line(status=429, body={"id": "too_many_requests", "message": "slow"}), "too_many_requests", "slow", 429),
    (openai_line(status=500, body=None), None, "The service responded with status 500", 500),
    ({"custom_id": "a", "response": None, "error": {"code": "batch_expired", "message": "too late"}}, "batch_expired", "too late", None),
    ({"custom_id": "a", "response": None, "error": "broken"}, None, "broken", None),
    (anthropic_line("errored", error={"type": "error", "error": {"type": "t", "message": "bad"}}), "t", "bad", None),
    (anthropic_line("errored", error={"type": "t", "message": "bad"}), "t", "bad", None),
    (anthropic_line("errored"), "errored", "errored", None),
    (anthropic_line("expired"), "expired", "job expired before", None),
    (anthropic_line("canceled"), "canceled", "cancelled before", None),
    ({"custom_id": "a"}, None, "neither a response nor an error", None),
]  # fmt: skip


@pytest.mark.parametrize(("line", "code", "message", "status"), ERRORS)
def test_a_failed_line_has_its_error(line: Any, code: str | None, message: str, status: int | None) -> None:
    result = decode_line(line)
    assert (result.custom_id, result.ok, result.answer, result.text) == ("a", False, None, "")
    assert result.error is not None
    assert (result.error.code, result.error.status) == (code, status)
    assert message in str(result.error)


@pytest.mark.parametrize("line", [b"{", b"[]", b"null", b'{"custom_id":5}', b'{"response":{}}', b'{"custom_id":"a","x'])
def test_an_unreadable_line_is_a_result_with_an_error(line: bytes) -> None:
    results = decode(b"\n\r\n" + line + b"\n" + json.dumps(openai_line()).encode())
    assert [(result.line, result.ok) for result in results] == [(3, False), (4, True)]
    assert results[0].error is not None
    assert (results[0].error.code, str(results[0].error)) == (
        "malformed_line", "Line 3 of the output file cannot be read as a result.",
    )  # fmt: skip
    assert results[0].raw == {}


def test_a_byte_order_mark_blank_lines_and_unicode_are_decoded() -> None:
    line = json.dumps(
        openai_line(body={**COMPLETION, "u": "\u2028\u2029\x85é" + "x" * (2 << 20)}), ensure_ascii=False
    ).encode()
    data = b"\xef\xbb\xbf" + line + b"\r\n\n \n" + line
    for step in (1 << 16, 1 << 20, len(data)):
        assert [(result.line, result.text) for result in decode(data, step=step)] == [(1, "Hi"), (4, "Hi")]


@pytest.mark.parametrize(
    ("content", "text"), [("\ud800", "\ud800"), ([{"type": "text", "text": "Hi"}], "Hi"), (None, "")]
)
def test_a_body_that_the_fast_reader_rejects_is_decoded(content: Any, text: str) -> None:
    choices = [{"index": 0, "message": {"content": content}, "finish_reason": None, "logprobs": None}]
    result = decode_line(openai_line(body={"id": None, "choices": choices, "usage": None}))
    assert (result.ok, result.text) == (True, text)


def test_a_line_with_nan_is_decoded() -> None:
    line = json.dumps(openai_line()).replace('"x": 1', '"x": NaN').encode()
    assert decode_line(line).text == "Hi"


def test_a_body_of_another_form_raises_and_spares_the_next_line() -> None:
    results = decode(json.dumps(openai_line(body={"choices": 5})).encode() + b"\n" + json.dumps(openai_line()).encode())
    with pytest.raises(ResponseDecodeError, match=r"\$\.choices"):
        _ = results[0].completion
    assert results[1].text == "Hi"


def test_fields_named_meta_and_raw_are_kept_as_extra() -> None:
    result = decode_line(openai_line(body={**COMPLETION, "meta": {"status": 7}, "_raw": "AAAA"}))
    assert result.completion is not None
    assert result.completion.meta.status == 200
    assert result.completion.extra == {"x": 1, "meta": {"status": 7}, "_raw": "AAAA"}


def test_the_repr_of_a_result_shows_no_body() -> None:
    assert repr(decode_line(openai_line())) == "BatchResult('a', ok, line 1 of the output file)"


TEXT = st.text(max_size=5) | st.none()
COUNT = st.integers(0, 9) | st.none()


def optional_fields(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Generate objects with any subset of *fields*."""
    return st.fixed_dictionaries({}, optional={**fields, "odd": st.integers()})


CALL = optional_fields(id=TEXT, type=TEXT, function=optional_fields(name=TEXT, arguments=TEXT) | st.none())
MESSAGE = optional_fields(
    role=TEXT, content=TEXT, refusal=TEXT, reasoning_content=TEXT, reasoning=TEXT, tool_calls=st.lists(CALL) | st.none()
)
LOGPROBS = optional_fields(
    content=st.lists(optional_fields(token=TEXT, logprob=st.floats(-9, 0), bytes=st.lists(COUNT))), refusal=st.none()
)
CHOICE = optional_fields(
    index=COUNT | st.floats(0, 3), message=MESSAGE | st.none(), finish_reason=TEXT, logprobs=LOGPROBS | st.none()
)
USAGE = optional_fields(
    prompt_tokens=COUNT,
    completion_tokens=COUNT,
    total_tokens=COUNT | st.booleans(),
    cache_created_input_tokens=COUNT,
    cache_read_input_tokens=COUNT,
    cache_creation=optional_fields(ephemeral_5m_input_tokens=COUNT) | st.none(),
)
BODY = optional_fields(
    id=TEXT,
    object=TEXT,
    created=st.integers() | TEXT,
    model=TEXT,
    choices=st.lists(CHOICE, max_size=2) | st.none(),
    usage=USAGE | st.none(),
    system_fingerprint=TEXT,
    service_tier=TEXT,
    retrieval=optional_fields(
        retrieved_data=st.lists(optional_fields(id=TEXT, index=TEXT, score=st.floats(0, 1)), max_size=2)
    )
    | st.none(),
    functions=optional_fields(called_functions=st.lists(TEXT, max_size=2)) | st.none(),
    guardrails=optional_fields(triggered_guardrails=st.lists(optional_fields(message=TEXT, rule_name=TEXT), max_size=2))
    | st.none(),
)


@given(BODY)
def test_the_fast_paths_and_the_converter_agree(body: dict[str, Any]) -> None:
    decoder, raw = ResultBodyDecoder(CHAT), msgspec.Raw(json.dumps(body).encode())
    try:
        expected = structure(json.loads(bytes(raw)), ChatCompletion)
    except ResponseDecodeError:
        for read in (lambda: decoder.decode(raw), lambda: decode_with_line(body).completion):
            with pytest.raises(ResponseDecodeError):
                read()
        return
    for found in (decoder.decode(raw), decode_with_line(body).completion):
        assert isinstance(found, ChatCompletion)
        assert (found, found.extra, found.raw) == (expected, expected.extra, expected.raw)


def decode_with_line(body: dict[str, Any]) -> BatchResult:
    """Return the result of a line that is decoded together with its body, unless the decoder rejects that."""
    decoder = ResultDecoder(ResultLineReader("output", ResultBodyDecoder(CHAT)))
    list(decoder.feed(b"\n"))
    decoder.reader.bodies_read = 1
    (result,) = decoder.feed(json.dumps(openai_line(body=body)).encode() + b"\n")
    return result


LINES = st.sampled_from([
    b"", b"\r", b"{", b"[]",
    *[json.dumps(line).encode() for line, *_ in ERRORS],
    *[json.dumps(openai_line(body=body)).encode() for body in (COMPLETION, {"choices": 5}, {"choices": None}, None)],
    json.dumps(openai_line(body={**COMPLETION, "x": "NaN"})).replace('"NaN"', "NaN").encode(),
])  # fmt: skip


def describe_result(result: BatchResult) -> list[Any]:
    try:
        body = result.answer
    except ResponseDecodeError as error:
        return [result.custom_id, result.line, error.path]
    raw = getattr(body, "raw", None)
    return [result.custom_id, result.ok, result.line, str(result.error), repr(result.raw), body, repr(raw)]


@given(st.lists(LINES, max_size=40), st.integers(1, 2000))
def test_results_depend_neither_on_the_blocks_nor_on_reading_the_bodies(lines: list[bytes], step: int) -> None:
    data = b"\n".join(lines)
    expected = [describe_result(result) for result in decode(data)]
    decoder = ResultDecoder(ResultLineReader("output", ResultBodyDecoder(CHAT)))
    found = [
        describe_result(result) for at in range(0, len(data), step) for result in decoder.feed(data[at : at + step])
    ]
    assert found + [describe_result(result) for result in decoder.feed_eof()] == expected


def test_bodies_that_are_read_are_decoded_with_their_lines() -> None:
    decoder = ResultDecoder(ResultLineReader("output", ResultBodyDecoder(CHAT)))
    line = json.dumps(openai_line()).encode() + b"\n"
    (first,) = decoder.feed(line)
    assert first._envelope.response.body == msgspec.Raw(json.dumps(COMPLETION).encode())
    assert first.text == "Hi"
    (second,) = decoder.feed(line)
    assert type(second._envelope.response.body) is OPEN_STRUCTS.struct_for(ChatCompletion)
    assert (second.completion, second.completion and second.completion.raw) == (first.completion, COMPLETION)
    (third,) = decoder.feed(line)
    assert type(third._envelope.response.body) is OPEN_STRUCTS.struct_for(ChatCompletion)
    (fourth,) = decoder.feed(line)
    assert type(fourth._envelope.response.body) is msgspec.Raw
