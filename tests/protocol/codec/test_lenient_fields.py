"""Values of another type than the models say: the default, JSON text, a number, or a refusal."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatCompletion, ChatCompletionChunk, MessageReply, ResponseDecodeError, ResponseReply
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.requests.embeddings import read_embeddings
from gradient_async.models import Model
from gradient_async.models.chat import ToolCall
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.images import ImageList
from gradient_async.models.message_event import MessageEvent

ANSWER = {"message": {"role": "assistant", "content": "Good day"}, "finish_reason": "stop"}
ODD = [True, 1757876416.566, "2026-05-01T00:00:00Z", "", [], ["x"], {}, {"x": 1}, -1, 10**30]


def read(value: Any) -> ChatCompletion:
    return read_completion(json.dumps(value).encode())


@pytest.mark.parametrize("odd", ODD, ids=repr)
@pytest.mark.parametrize(
    ("name", "default"),
    [
        ("id", ""), ("object", "chat.completion"), ("created", 0), ("model", ""), ("usage", None),
        ("system_fingerprint", None), ("service_tier", None), ("retrieval", None), ("functions", None),
        ("guardrails", None),
    ],
)  # fmt: skip
def test_an_odd_value_in_a_field_that_informs_takes_the_default(name: str, default: object, odd: object) -> None:
    completion = read({"id": "c", "choices": [ANSWER], name: odd})
    assert completion.text == "Good day"
    assert completion.raw[name] == odd
    fits = isinstance(getattr(completion, name), type(odd)) or hasattr(getattr(completion, name), "raw")
    assert fits or getattr(completion, name) == default


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"total_tokens": "3", "prompt_tokens": 1}, {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 0}),
        ({"total_tokens": 1.5}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}),
        ({"total_tokens": 3, "cache_creation": [1]}, {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 3}),
        ("12 tokens", None),
        ([3], None),
    ],
    ids=repr,
)
def test_an_odd_number_of_tokens_leaves_the_others(usage: object, expected: object) -> None:
    found = read({"choices": [ANSWER], "usage": usage}).usage
    assert (
        {name: getattr(found, name) for name in expected} == expected if isinstance(expected, dict) else found is None
    )


@pytest.mark.parametrize("odd", [[], "", {}, False, "x", [1], {"content": [3]}, {"content": {}}], ids=repr)
def test_odd_log_probabilities_do_not_cost_the_answer(odd: object) -> None:
    assert read({"choices": [{**ANSWER, "logprobs": odd}]}).text == "Good day"
    chunk = structure({"choices": [{"delta": {"content": "Good day"}, "logprobs": odd}]}, ChatCompletionChunk)
    assert chunk.text == "Good day"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"answer": 4}, '{"answer":4}'),
        ([1, "x"], '[1,"x"]'),
        (["Good", " day"], '["Good"," day"]'),
        ([{"type": "text", "text": "Good"}, {"type": "text", "text": " day"}], "Good day"),
        ([{"text": "Good"}, {"text": " day"}], "Good day"),
        ({}, "{}"),
        (4, "4"),
        (True, "true"),
        ("plain", "plain"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["content", "refusal", "reasoning", "reasoning_content", "arguments"])
def test_a_value_in_the_place_of_a_text_becomes_json_text(name: str, value: Any, text: str) -> None:
    if name != "content" and text == "Good day":
        text = json.dumps(value, separators=(",", ":"))  # only the content of a message has parts
    if name == "arguments":
        call = structure({"id": "a", "function": {"name": "f", "arguments": value}}, ToolCall)
        assert (call.function.arguments, call.function.raw["arguments"]) == (text, value)
        return
    message = read({"choices": [{"message": {name: value}}]}).message
    assert (getattr(message, name), message.raw[name]) == (text, value)
    chunk = structure({"choices": [{"delta": {name: value}}]}, ChatCompletionChunk)
    assert (getattr(chunk.delta, name), chunk.delta.raw[name]) == (text, value)


def test_a_numeric_id_of_a_tool_call_becomes_text_that_its_result_can_name() -> None:
    assert structure({"id": 7, "function": {"name": "f"}}, ToolCall).id == "7"


@pytest.mark.parametrize(("odd", "number"), [("1", 1), (1.0, 1), ("007", 7)])
def test_digits_in_the_place_of_an_index_are_the_index(odd: object, number: int) -> None:
    choice = {"index": odd, "delta": {"tool_calls": [{"index": odd, "function": {"name": "f"}}]}}
    chunk = structure({"choices": [choice]}, ChatCompletionChunk)
    assert chunk.choices[0].index == number
    assert [call.index for call in chunk.choices[0].delta.tool_calls or []] == [number]


@pytest.mark.parametrize("odd", [True, 0.5, "first", "", [], {}], ids=repr)
def test_another_odd_index_of_a_tool_call_counts_as_absent(odd: object) -> None:
    chunk = structure({"choices": [{"delta": {"tool_calls": [{"index": odd, "id": "a"}]}}]}, ChatCompletionChunk)
    assert [call.index for call in chunk.delta.tool_calls or []] == [None]


@pytest.mark.parametrize("empty", ["", False, 0], ids=repr)
@pytest.mark.parametrize(
    ("cls", "place"),
    [
        (ChatCompletion, {"choices": [{"message": None}]}),
        (ChatCompletion, {"choices": [{"message": {"tool_calls": [{"function": None}]}}]}),
        (ChatCompletion, {"choices": [{"message": {"tool_calls": None}}]}),
        (ChatCompletionChunk, {"choices": [{"delta": None}]}),
        (ChatCompletionChunk, {"choices": [{"delta": {"tool_calls": None}}]}),
        (MessageReply, {"content": [{"type": "tool_use", "input": None}]}),
        (MessageEvent, {"type": "content_block_start", "content_block": {"type": "tool_use", "input": None}}),
        (ResponseReply, {"output": [{"content": None}]}),
    ],
)
def test_an_empty_value_in_the_place_of_an_object_is_the_default(cls: type[Model], place: Any, empty: object) -> None:
    with_empty = json.loads(json.dumps(place).replace("null", json.dumps(empty)))
    assert structure(with_empty, cls) == structure(place, cls)


def test_an_empty_list_in_the_place_of_an_object_is_the_default() -> None:
    value: dict[str, list[object]] = {"message": [], "delta": [], "logprobs": []}
    assert structure({"choices": [value]}, ChatCompletion) == structure({"choices": [{}]}, ChatCompletion)
    assert structure({"choices": [value]}, ChatCompletionChunk) == structure({"choices": [{}]}, ChatCompletionChunk)
    assert structure({"function": []}, ToolCall) == ToolCall()
    assert structure({"content": [{"input": []}]}, MessageReply) == structure({"content": [{}]}, MessageReply)


def test_null_among_the_tool_calls_is_skipped() -> None:
    calls = [None, {"id": "a", "function": {"name": "f"}}]
    assert [call.id for call in read({"choices": [{"message": {"tool_calls": calls}}]}).tool_calls] == ["a"]


@pytest.mark.parametrize(
    ("cls", "value", "path"),
    [
        (EmbeddingList, {"data": [{"embedding": "x"}]}, "$.data[0].embedding"),
        (EmbeddingList, {"data": [{"embedding": [1, "x"]}]}, "$.data[0].embedding[1]"),
        (EmbeddingList, {"data": [{"index": "x"}]}, "$.data[0].index"),
        (EmbeddingList, {"data": "x"}, "$.data"),
        (ImageList, {"data": [{"b64_json": 5}]}, "$.data[0].b64_json"),
        (MessageReply, {"content": "Hi"}, "$.content"),
        (MessageReply, {"content": [{"type": 5}]}, "$.content[0].type"),
        (MessageEvent, {"type": 5}, "$.type"),
        (ResponseReply, {"output": [{"type": 5}]}, "$.output[0].type"),
    ],
)
def test_what_a_result_is_made_of_is_refused_with_its_path(cls: type[Model], value: Any, path: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        structure(value, cls)
    assert caught.value.path == path


def test_base64_of_another_length_is_still_refused() -> None:
    with pytest.raises(ResponseDecodeError):
        read_embeddings(b'{"data": [{"embedding": "AAA"}]}')


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3), st.lists, max_leaves=4
)


@given(st.dictionaries(st.sampled_from(ChatCompletion.wire_fields), VALUES), st.booleans())
def test_no_value_of_an_informing_field_costs_the_answer(fields: dict[str, Any], is_stream: bool) -> None:
    if is_stream:
        choices = {"choices": [{"index": 0, "delta": {"content": "Good day"}}]}
        assert structure(fields | choices, ChatCompletionChunk).text == "Good day"
    else:
        assert structure(fields | {"choices": [ANSWER]}, ChatCompletion).text == "Good day"
