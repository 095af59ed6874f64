"""Results files decoded to results."""

from __future__ import annotations

import base64
import copy
import json
import pickle
import struct
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import BatchResult, ChatCompletion, EmbeddingList, MessageReply, ResponseDecodeError, ResponseReply
from gradient_async._protocol.batch.result_body import BODY_TYPES, ResultBodyDecoder
from gradient_async._protocol.batch.result_decoder import ResultDecoder, ResultLineReader
from gradient_async._protocol.codec.converter import structure
from gradient_async.models.batch_result import Verdict

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


LINE_KINDS: dict[str, Any] = {
    "success": openai_line(),
    "with an unknown field": openai_line() | {"later": 2},
    "failure": openai_line(status=500, body={"error": {"message": "boom"}}),
    "error": openai_line(error={"code": "bad", "message": "boom"}),
    "no response": openai_line(body=None),
    "message": anthropic_line("succeeded", message=MESSAGE_BODY),
    "unreadable": b'{"custom_id": "a", ',
}


def describe(result: BatchResult) -> tuple[object, ...]:
    parts = (result.custom_id, result.ok, result.line, result.file, result.status, result.text)
    return *parts, repr(result.answer), repr(result.error), result.raw, result.extra


@pytest.mark.parametrize("read", [lambda _: None, lambda result: result.ok, describe, lambda result: result.raw])
@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda result: pickle.loads(pickle.dumps(result))])
@pytest.mark.parametrize("name", LINE_KINDS)
def test_a_result_can_be_copied_and_pickled_before_and_after_its_line_is_decoded(
    name: str, duplicate: Callable[[BatchResult], BatchResult], read: Callable[[BatchResult], object]
) -> None:
    result = decode_line(LINE_KINDS[name])
    read(result)
    copied = duplicate(result)
    assert copied is not result
    assert describe(copied) == describe(result) == describe(decode_line(LINE_KINDS[name]))


READABLE = ["custom_id", "ok", "answer", "completion", "message", "error", "status", "text", "raw", "extra"]


@pytest.mark.parametrize("field", READABLE)
@pytest.mark.parametrize("name", LINE_KINDS)
def test_a_line_is_decoded_whichever_attribute_is_read_first(name: str, field: str) -> None:
    first, other = decode_line(LINE_KINDS[name]), decode_line(LINE_KINDS[name])
    seen = repr(getattr(first, field))
    assert describe(first) == describe(other)
    assert seen == repr(getattr(other, field))


def test_lines_that_nobody_reads_are_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    monkeypatch.setattr(ResultLineReader, "judge_line", lambda _, __, number: read.append(number))
    text = b"\n".join([json.dumps(openai_line()).encode(), b"", b" \t\r", b"broken", b" {}"])
    assert [(result.line, result.file) for result in decode(text)] == [(1, "output"), (4, "output"), (5, "output")]
    assert read == []


@pytest.mark.parametrize("name", LINE_KINDS)
def test_another_thread_may_read_a_result_at_the_same_time(name: str) -> None:
    result = decode_line(LINE_KINDS[name])

    class InterruptedReader(ResultLineReader):
        def judge_line(self, line: bytes, number: int) -> Verdict:
            result._reader = ResultLineReader(self.file, self.body_decoder)
            thread = threading.Thread(target=describe, args=[result])
            thread.start()
            thread.join()
            return super().judge_line(line, number)

    result._reader = InterruptedReader("output", ResultBodyDecoder(CHAT))
    assert describe(result) == describe(decode_line(LINE_KINDS[name]))


def test_a_line_is_decoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    judge, numbers = ResultLineReader.judge_line, list[int]()

    def count_and_judge(reader: ResultLineReader, line: bytes, number: int) -> Verdict:
        numbers.append(number)
        return judge(reader, line, number)

    monkeypatch.setattr(ResultLineReader, "judge_line", count_and_judge)
    describe(decode_line(openai_line()))
    assert numbers == [1]


def test_a_result_has_no_attributes_of_any_other_name() -> None:
    with pytest.raises(AttributeError, match="'BatchResult' object has no attribute 'txt'"):
        _ = decode_line(openai_line()).txt  # type: ignore[attr-defined]


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


RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "error": None,
    "output": [
        {"id": "rs_1", "type": "reasoning"},
        {"id": "msg_1", "type": "message", "content": [{"type": "output_text", "text": "Hi"}]},
    ],
}


@pytest.mark.parametrize("endpoint", ["/v1/responses", None])
def test_a_responses_body_is_a_response_with_its_text_and_ids(endpoint: str | None) -> None:
    result = decode_line(openai_line(body=RESPONSE), endpoint)
    assert (result.ok, result.text, result.status) == (True, "Hi", 200)
    assert result.response is not None
    assert (result.response.id, result.response.output[1].id) == ("resp_1", "msg_1")


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (COMPLETION, ChatCompletion),
        (EMBEDDINGS, EmbeddingList),
        (MESSAGE_BODY, MessageReply),
        (RESPONSE, ResponseReply),
    ],
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
    ({"custom_id": "a", "result": {"type": None}}, None, "status unknown", None),
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


ERROR = {"message": "boom", "code": "server_error"}
CHOICE = COMPLETION["choices"]
NO_ANSWERS: list[tuple[Any, str | None]] = [
    (None, CHAT),
    ("oops", CHAT),
    (7, CHAT),
    ([], CHAT),
    ({}, CHAT),
    ({"error": ERROR}, CHAT),
    ({"error": "boom"}, CHAT),
    ({"message": "boom"}, CHAT),
    ({**COMPLETION, "error": ERROR}, CHAT),
    ({**COMPLETION, "choices": []}, CHAT),
    ({**COMPLETION, "choices": None}, CHAT),
    ({**COMPLETION, "choices": [{"index": 0, "finish_reason": "error"}]}, CHAT),
    ({"choices": 5}, CHAT),
    ({"choices": [{"message": 5}]}, CHAT),
    ({"error": ERROR}, "/v1/responses"),
    ({**RESPONSE, "error": ERROR}, "/v1/responses"),
    ({"object": "response", "output": 5}, "/v1/responses"),
    (None, "/v1/embeddings"),
    ({"error": ERROR}, "/v1/embeddings"),
    ({"data": "x"}, "/v1/embeddings"),
    (None, "/v1/rerank"),
    ({"error": ERROR}, "/v1/rerank"),
    (None, None),
    ("oops", None),
    ({"error": ERROR}, None),
]


@pytest.mark.parametrize(("body", "endpoint"), NO_ANSWERS)
def test_status_200_without_a_response_is_a_failure_that_raises_nothing(body: Any, endpoint: str | None) -> None:
    first, second = decode(b"\n".join(json.dumps(openai_line(body=each)).encode() for each in (body, body)), endpoint)
    for result in (first, second):
        assert (result.ok, result.text, result.answer, result.completion, result.status) == (False, "", None, None, 200)
        assert result.error is not None
        assert result.error.code
        assert repr(result)


def test_a_line_without_a_response_spares_the_next_one() -> None:
    lines = [openai_line(body={"choices": 5}), openai_line()]
    first, second = decode(b"\n".join(json.dumps(line).encode() for line in lines))
    assert "$.choices" in str(first.error)
    assert (second.ok, second.text) == (True, "Hi")


@pytest.mark.parametrize("error", [None, {}, "", [], False, {"code": None, "message": ""}, {"details": None}])
def test_an_error_that_says_nothing_beside_a_response_is_none(error: Any) -> None:
    result = decode_line(openai_line(error=error))
    assert (result.ok, result.error, result.text) == (True, None, "Hi")


@pytest.mark.parametrize("error", ["boom", {"message": "boom"}, {"detail": "boom"}, ["boom"], {"code": 7}])
def test_an_error_that_says_something_beside_a_response_is_a_failure(error: Any) -> None:
    result = decode_line(openai_line(error=error))
    assert (result.ok, result.text) == (False, "")
    assert result.error is not None


@pytest.mark.parametrize("message", [None, "oops", {"type": "error", "error": {"type": "t", "message": "boom"}}])
def test_a_succeeded_message_without_a_message_is_a_failure(message: Any) -> None:
    assert not decode_line(anthropic_line("succeeded", message=message)).ok


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
        with pytest.raises(ResponseDecodeError):
            decoder.decode(raw)
        assert not decode_line(openai_line(body=body)).ok
        return
    result = decode_line(openai_line(body=body))
    for found in (decoder.decode(raw), *([result.completion] if result.ok else [])):
        assert isinstance(found, ChatCompletion)
        assert (found, found.extra, found.raw) == (expected, expected.extra, expected.raw)


KEYS = (
    "custom_id",
    "response",
    "result",
    "error",
    "status_code",
    "body",
    "choices",
    "message",
    "type",
    "output",
    "data",
)
LINES = st.sampled_from([
    b"", b"\r", b"{", b"[]",
    *[json.dumps(line).encode() for line, *_ in ERRORS],
    *[json.dumps(openai_line(body=body)).encode() for body in (COMPLETION, {"choices": 5}, {"choices": None}, None)],
    json.dumps(openai_line(body={**COMPLETION, "x": "NaN"})).replace('"NaN"', "NaN").encode(),
])  # fmt: skip


def describe_result(result: BatchResult) -> list[Any]:
    body = result.answer
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


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=12,
)


LINE = st.builds(
    lambda fields: {"custom_id": "a", **fields}, st.dictionaries(st.sampled_from(KEYS), ANY_JSON, max_size=5)
)


@given(ANY_JSON | LINE, st.sampled_from([*BODY_TYPES, "/v1/rerank", None]))
def test_no_line_raises_and_its_verdict_is_one(value: Any, endpoint: str | None) -> None:
    for result in decode(json.dumps(value).encode(), endpoint):
        ok = result.ok
        assert (result.answer is not None, result.error is None) == (ok, ok)
        assert (result.text == "" or ok, result.ok) == (True, ok)
        assert repr(result)
