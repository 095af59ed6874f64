"""The fast reader agrees with the converter."""

import json
import pickle
from types import UnionType
from typing import Any, get_args, get_origin

import attrs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatCompletion, ChatCompletionChunk
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, OPEN_STRUCTS, FastReader
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.stream.event_decoder import Dialect, EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT
from gradient_async.models import Model
from gradient_async.models.chat import Choice, Message, Usage
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.image_event import ImageEvent
from gradient_async.models.images import ImageList
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.messages import MessageReply
from gradient_async.models.rerank import Reranking
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import ResponseReply
from gradient_async.models.systemone import SystemOneEvaluation

ROOTS: list[type[Model]] = [
    *(ChatCompletion, ChatCompletionChunk, MessageReply, EmbeddingList, ImageList, ResponseReply),
    *(MessageEvent, ResponseEvent),
    *(Reranking, SystemOneEvaluation, ImageEvent),
]
ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, True, 1.0, 2.5, -1, 10**30, 10**400, "", "x", "7", '{"q": 1}', "\ud83d", float("nan"),
     [], [None], [{}], {}, {"q": 1}]
)  # fmt: skip
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=3),
    int: st.integers(0, 2**70),
    float: st.floats(-9, 9) | st.integers(0, 9),
    dict: st.dictionaries(st.text(max_size=2), st.text(max_size=2) | st.integers(0, 9), max_size=2),
}


def json_for(kind: Any) -> st.SearchStrategy[Any]:
    """Return JSON for a field of this *kind*."""
    if isinstance(kind, UnionType):
        (known,) = (each for each in get_args(kind) if each is not type(None))
        return st.none() | json_for(known)
    if get_origin(kind) is list:
        return st.lists(json_for(get_args(kind)[0]), max_size=2)
    if get_origin(kind) is dict and get_args(kind)[1] is not Any:
        return st.dictionaries(st.text(max_size=2), json_for(get_args(kind)[1]), max_size=2)
    return objects(kind) if isinstance(kind, type) and issubclass(kind, Model) else LEAVES[get_origin(kind) or kind]


def objects(cls: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    """Return valid JSON for a *cls*, nulls included."""
    fields = [field for field in attrs.fields(cls) if field.name in cls.wire_fields]
    kinds = {field.name: json_for(field.type) for field in fields}
    needed = {field.name: kinds.pop(field.name) for field in fields if field.default is attrs.NOTHING}
    return st.fixed_dictionaries(needed, optional=kinds)


@st.composite
def damaged(draw: st.DrawFn, cls: type[Model]) -> dict[str, Any]:
    """Return JSON for a *cls* with an odd or unknown field somewhere in it."""
    root = draw(objects(cls))
    place: Any = root
    while draw(st.booleans()) and (inner := [each for each in list_children(place) if isinstance(each, dict | list)]):
        place = draw(st.sampled_from(inner))
    if isinstance(place, dict):
        place[draw(st.sampled_from([*place, "unknown"]))] = draw(ODD)
    elif place:
        place[0] = draw(ODD)
    return root


def list_children(value: Any) -> list[Any]:
    return list(value.values() if isinstance(value, dict) else value)


def dump_model(value: Any) -> Any:
    """Return the fields of a model, and the JSON of it and of every model inside."""
    if isinstance(value, list):
        return [dump_model(each) for each in value]
    if not isinstance(value, Model):
        return repr(value)
    ours = [field.name for field in attrs.fields(type(value)) if field.name != "_raw"]
    raw = None if value._raw is None else repr(value.raw)
    return [type(value).__name__, raw, repr(value.extra), *(dump_model(getattr(value, name)) for name in ours)]


@given(st.data(), st.sampled_from(ROOTS), st.booleans())
def test_the_fast_reader_returns_the_model_of_the_converter(
    data: st.DataObject, cls: type[Model], forbid_unknown: bool
) -> None:
    value = data.draw(objects(cls) | damaged(cls))
    try:
        found = FastReader(cls, forbid_unknown=forbid_unknown)(json.dumps(value).encode())
    except FAST_READ_ERRORS:
        return
    assert "error" not in value
    assert dump_model(found) == dump_model(structure(json.loads(json.dumps(value)), cls))


@given(st.data(), st.sampled_from(ROOTS))
def test_the_fast_reader_takes_documented_json(data: st.DataObject, cls: type[Model]) -> None:
    value = data.draw(objects(cls).map(without_nulls))
    assert FastReader(cls, forbid_unknown=True)(json.dumps(value).encode()) == structure(value, cls)


def reject_all(_text: bytes) -> Any:
    raise msgspec.DecodeError


def without_fast_reader(dialect: Dialect[Any]) -> Dialect[Any]:
    """Return *dialect* with every event decoded by the converter."""
    copy = attrs.evolve(dialect)
    vars(copy)["fast_reader"] = reject_all  # where the cached property keeps its value
    return copy


def decode_body(dialect: Dialect[Any], body: bytes) -> tuple[Any, ...]:
    decoder: EventDecoder[Any] = EventDecoder(dialect)
    events = [dump_model(event) for event in decoder.feed(body)]
    return events, decoder.done, type(decoder.error), str(decoder.error)


@given(st.data(), st.sampled_from([MESSAGE_DIALECT, RESPONSE_DIALECT]))
def test_a_decoder_with_a_fast_reader_returns_the_events_of_the_converter(
    data: st.DataObject, dialect: Dialect[Any]
) -> None:
    value = data.draw(objects(dialect.event_class) | damaged(dialect.event_class))
    kinds = st.sampled_from([*sorted(dialect.known_types), "response.failed", "ping", "error", "newer", "", None, 1])
    value |= data.draw(st.fixed_dictionaries({}, optional={"type": kinds}))
    name = data.draw(
        st.sampled_from(
            [
                "",
                "event: ping\n",
                "event: error\n",
                "event: message_stop\n",
                "event: progress\n",
                "event: response.failed\n",
            ]
        )
    )
    body = f"{name}data: {json.dumps(value)}\n\n".encode()
    assert decode_body(dialect, body) == decode_body(without_fast_reader(dialect), body)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", [b"{}", b'{"choices": null}', b'{"choices": [], "error": "no"}', b"[]", b"", b"\xff"])
def test_the_fast_reader_rejects_a_possible_error_object(text: bytes) -> None:
    with pytest.raises(FAST_READ_ERRORS):
        FastReader(ChatCompletion, required=("choices",))(text)


def test_a_fast_reader_that_forbids_unknown_fields_rejects_them() -> None:
    text = b'{"choices": [{"delta": {"audio": 1}}]}'
    assert FastReader(ChatCompletionChunk)(text).choices[0].delta.extra == {"audio": 1}
    with pytest.raises(FAST_READ_ERRORS):
        FastReader(ChatCompletionChunk, forbid_unknown=True)(text)


def test_the_fast_reader_fills_in_the_defaults_of_the_models() -> None:
    found = FastReader(ChatCompletion)(b'{"choices": [{"message": {}}, {}], "usage": {}}')
    made = ChatCompletion(choices=[Choice(message=Message()), Choice()], usage=Usage())
    assert dump_model(found)[3:] == dump_model(attrs.evolve(made, choices=found.choices, usage=found.usage))[3:]
    assert (found.choices[0].message, found.choices[1], found.usage) == (Message(), Choice(), Usage())
    assert found.choices[1].message is not FastReader(ChatCompletion)(b'{"choices": [{}]}').message


def test_a_struct_has_the_fields_of_its_model() -> None:
    assert OPEN_STRUCTS.struct_for(ChatCompletion).__struct_fields__ == (*ChatCompletion.wire_fields, "error")
    assert OPEN_STRUCTS.struct_for(ChatCompletion) is OPEN_STRUCTS.struct_for(ChatCompletion)


def test_a_model_of_the_fast_reader_is_pickled_with_its_unknown_fields() -> None:
    found = pickle.loads(pickle.dumps(read_completion(b'{"choices": [{"message": {"content": "Hi", "x": 1}}]}')))
    assert (found.text, found.message.raw) == ("Hi", {"content": "Hi", "x": 1})


def test_a_text_is_decoded_once_for_the_raw_of_all_its_models(monkeypatch: pytest.MonkeyPatch) -> None:
    token = {"token": "a", "logprob": -0.5, "top_logprobs": [], "newer": 1}
    value = {"choices": [{"index": 0, "logprobs": {"content": [token] * 3}}]}
    completion = read_completion(json.dumps(value).encode())
    texts: list[str] = []
    loads = json.loads

    def load_and_note(text: str) -> Any:
        texts.append(text)
        return loads(text)

    monkeypatch.setattr(json, "loads", load_and_note)
    assert completion.to_dict()["choices"][0]["logprobs"] == {"content": [token] * 3}
    assert len(texts) == 1


def test_a_number_too_large_for_a_float_takes_the_default() -> None:
    completion = read_completion(b'{"choices": [{"logprobs": {"content": [{"logprob": 1%s}]}}]}' % (b"0" * 400))
    logprobs = completion.choices[0].logprobs
    assert logprobs is not None
    assert logprobs.content is not None
    assert logprobs.content[0].logprob == 0.0
    assert logprobs.content[0].raw == {"logprob": 10**400}
