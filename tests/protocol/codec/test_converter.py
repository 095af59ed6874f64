"""Decoded JSON to models and back."""

import json
import pickle
from typing import Any

import attrs
import pytest
from cattrs.gen import make_dict_structure_fn
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatCompletion, Message, ResponseDecodeError
from gradient_async._protocol.codec import cattrs_converter
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async.models import Model

WHOLE = {
    "id": "chatcmpl-1",
    "object": "chat.completion",
    "created": 1677649420,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "finish_reason": "stop",
            "logprobs": {"content": [{"token": "Hi", "logprob": -0.5, "bytes": [72], "top_logprobs": []}]},
            "message": {"role": "assistant", "content": "Hi", "reasoning_content": "hm"},
        }
    ],
    "usage": {
        "prompt_tokens": 1,
        "completion_tokens": 2,
        "total_tokens": 3,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    },
    "retrieval": {"retrieved_data": [{"id": "d", "index": "i", "score": 0.5}]},
}


def completion(value: dict[str, Any]) -> ChatCompletion:
    return read_completion(json.dumps(value).encode())


def test_a_whole_completion_round_trips() -> None:
    decoded = completion(WHOLE)
    assert decoded.to_dict() == WHOLE
    assert completion(json.loads(decoded.to_json())) == decoded


def test_unknown_fields_round_trip_and_are_reachable() -> None:
    value = {"choices": [{"index": 0, "message": {"role": "assistant", "audio": {"id": "a"}}, "x": 1}], "y": [2]}
    decoded = completion(value)
    assert decoded.raw["y"] == [2]
    assert decoded.choices[0].raw["x"] == 1
    assert decoded.message.extra == {"audio": {"id": "a"}}
    assert json.loads(decoded.to_json())["choices"][0]["message"]["audio"] == {"id": "a"}


@pytest.mark.parametrize(
    "value",
    [
        # the agent reference's own example: no message, no logprobs
        {"choices": [{"finish_reason": "stop", "index": 0}], "created": 1677649420, "id": "c", "object": "x"},
        # the overview's: no refusal, no reasoning, no cache fields
        {"id": "c", "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}}]},
        {"id": "", "choices": [{"message": {"role": "", "content": None}, "finish_reason": None}], "usage": None},
        {"choices": [{"message": None, "logprobs": None, "index": None}], "functions": None},
        {"choices": [], "created": 1.0, "service_tier": None, "audio": {}},
    ],
)
def test_a_lean_completion_decodes(value: dict[str, Any]) -> None:
    assert completion(value).text in ("", "Hi")


@pytest.mark.parametrize(
    ("value", "path"),
    [
        ({}, "$.choices"),
        ([], "$"),
        (3, "$"),
        (None, "$"),
        ({"choices": 3}, "$.choices"),
        ({"choices": {"a": 1}}, "$.choices"),
        ({"choices": [3]}, "$.choices[0]"),
        ({"choices": [None]}, "$.choices[0]"),
        ({"choices": [{}, {"message": "Hi"}]}, "$.choices[1].message"),
        ({"choices": [{"index": True}]}, "$.choices[0].index"),
        ({"choices": [{"index": ""}]}, "$.choices[0].index"),
        ({"choices": [{"message": {"tool_calls": "f"}}]}, "$.choices[0].message.tool_calls"),
        ({"choices": [{"message": {"tool_calls": ["f"]}}]}, "$.choices[0].message.tool_calls[0]"),
        ({"choices": [{"message": {"tool_calls": [{"function": "f"}]}}]}, "$.choices[0].message.tool_calls[0].function"),
        ({"choices": [{"message": {"tool_calls": [{"function": {"name": {}}}]}}]},
         "$.choices[0].message.tool_calls[0].function.name"),
    ],
)  # fmt: skip
def test_a_decode_error_names_the_path_of_the_bad_field(value: Any, path: str) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        completion(value)
    assert caught.value.path == path
    assert path in str(caught.value) or path == "$.choices"
    assert caught.value.__context__ is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(), lambda v: st.lists(v) | st.dictionaries(st.text(), v)
    )
)
def test_any_json_is_a_completion_or_an_error_of_ours(value: Any) -> None:
    try:
        decoded = structure(value, ChatCompletion)
    except ResponseDecodeError:
        return
    assert isinstance(decoded.text, str)


def test_a_result_can_be_pickled_compared_and_printed() -> None:
    decoded = completion(WHOLE)
    copy = pickle.loads(pickle.dumps(decoded))
    assert copy == decoded
    assert copy != completion({"choices": []})
    assert copy != 3
    assert "content='Hi'" in repr(copy)


def test_the_raw_of_a_model_made_by_hand_is_its_dict() -> None:
    assert Message(content="Hi").raw == {"role": "assistant", "content": "Hi"}


def test_a_raw_of_bytes_is_decoded_on_first_access() -> None:
    assert Message(content="Hi", raw=b'{"content": "Hi", "x": 1}').extra == {"x": 1}


def test_the_properties_of_a_completion_are_those_of_its_first_choice() -> None:
    decoded = completion(WHOLE)
    assert (decoded.text, decoded.reasoning, decoded.finish_reason, decoded.tool_calls) == ("Hi", "hm", "stop", [])
    empty = completion({"choices": []})
    assert (empty.text, empty.reasoning, empty.finish_reason, empty.tool_calls) == ("", "", None, [])


def test_the_hook_of_a_class_is_made_when_its_first_object_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    @attrs.define(kw_only=True, eq=False, repr=False)
    class Inner(Model):
        size: int = 0

    @attrs.define(kw_only=True, eq=False, repr=False)
    class Outer(Model):
        one: Inner | None = None

    made: list[str] = []

    def make_and_note(cls: type[Any], *args: Any, **options: Any) -> Any:
        made.append(cls.__name__)
        return make_dict_structure_fn(cls, *args, **options)

    monkeypatch.setattr(cattrs_converter, "make_dict_structure_fn", make_and_note)
    structure({"one": None}, Outer)
    assert made == ["Outer"]
    structure({"one": {"size": 1}}, Outer)
    structure({"one": {"size": 2}}, Outer)
    assert made == ["Outer", "Inner"]
