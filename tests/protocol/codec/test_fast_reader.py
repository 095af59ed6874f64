"""The quick way from text to models, which has to agree with the converter."""

import json
import pickle
from types import UnionType
from typing import Any, get_args, get_origin

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatCompletion, ChatCompletionChunk, ResponseDecodeError
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, OPEN_STRUCTS, FastReader
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.stream.event_decoder import Dialect, EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT
from gradient_async.models import Model
from gradient_async.models.chat import Choice, Message, Usage
from gradient_async.models.embeddings import EmbeddingList
from gradient_async.models.images import ImageList
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.messages import MessageReply
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import ResponseReply

ROOTS: list[type[Model]] = [
    *(ChatCompletion, ChatCompletionChunk, MessageReply, EmbeddingList, ImageList, ResponseReply),
    *(MessageEvent, ResponseEvent),
]
ODD = st.sampled_from([None, True, 1.0, 2.5, -1, 10**30, 10**400, "", "x", "\ud83d", float("nan"), [], [None], {}])
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=3),
    int: st.integers(0, 2**70),
    float: st.floats(-9, 9) | st.integers(0, 9),
    dict: st.dictionaries(st.text(max_size=2), st.text(max_size=2) | st.integers(0, 9), max_size=2),
}


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Return JSON for a field of this *kind*."""
    if isinstance(kind, UnionType):
        (known,) = (each for each in get_args(kind) if each is not type(None))
        return st.none() | values(known)
    if get_origin(kind) is list:
        return st.lists(values(get_args(kind)[0]), max_size=2)
    return objects(kind) if isinstance(kind, type) and issubclass(kind, Model) else LEAVES[get_origin(kind) or kind]


def objects(cls: type[Model]) -> st.SearchStrategy[dict[str, Any]]:
    """Return JSON for a *cls*, most often right."""
    fields = [field for field in attrs.fields(cls) if field.name in cls.wire_fields]
    kinds = {field.name: values(field.type) for field in fields}
    needed = {field.name: kinds.pop(field.name) for field in fields if field.default is attrs.NOTHING}
    return st.fixed_dictionaries(needed, optional=kinds)


@st.composite
def damaged(draw: st.DrawFn, cls: type[Model]) -> dict[str, Any]:
    """Return JSON for a *cls* with a field somewhere that is odd or unknown."""
    root = draw(objects(cls))
    place: Any = root
    while draw(st.booleans()) and (inner := [each for each in children(place) if isinstance(each, dict | list)]):
        place = draw(st.sampled_from(inner))
    if isinstance(place, dict):
        place[draw(st.sampled_from([*place, "unknown"]))] = draw(ODD)
    elif place:
        place[0] = draw(ODD)
    return root


def children(value: Any) -> list[Any]:
    return list(value.values() if isinstance(value, dict) else value)


def whole(value: Any) -> Any:
    """Return all that is in a model: its fields, and what it and every model inside came from."""
    if isinstance(value, list):
        return [whole(each) for each in value]
    if not isinstance(value, Model):
        return repr(value)
    ours = [field.name for field in attrs.fields(type(value)) if field.name != "_raw"]
    raw = None if value._raw is None else repr(value.raw)
    return [type(value).__name__, raw, repr(value.extra), *(whole(getattr(value, name)) for name in ours)]


@given(st.data(), st.sampled_from(ROOTS), st.booleans())
def test_what_is_read_quickly_is_what_the_converter_returns(
    data: st.DataObject, cls: type[Model], forbid_unknown: bool
) -> None:
    value = data.draw(objects(cls) | damaged(cls))
    try:
        found = FastReader(cls, forbid_unknown=forbid_unknown)(json.dumps(value).encode())
    except FAST_READ_ERRORS:
        return
    assert "error" not in value
    assert whole(found) == whole(structure(json.loads(json.dumps(value)), cls))


@given(st.data(), st.sampled_from(ROOTS))
def test_what_is_as_documented_is_read_quickly(data: st.DataObject, cls: type[Model]) -> None:
    value = data.draw(objects(cls).map(without_nulls))
    assert FastReader(cls, forbid_unknown=True)(json.dumps(value).encode()) == structure(value, cls)


class PlainDecoder(EventDecoder[Any]):
    """Decodes every event by the converter."""

    def _quickly(self, text: str) -> None:
        """Take nothing."""


def decoded(decoder: EventDecoder[Any], body: bytes) -> tuple[Any, ...]:
    """Return all that *decoder* makes of *body*."""
    events = [whole(event) for event in decoder.feed(body)]
    return events, decoder.done, type(decoder.error), str(decoder.error)


@given(st.data(), st.sampled_from([MESSAGE_DIALECT, RESPONSE_DIALECT]))
def test_events_are_those_that_the_converter_returns(data: st.DataObject, dialect: Dialect[Any]) -> None:
    value = data.draw(objects(dialect.event_class) | damaged(dialect.event_class))
    kinds = st.sampled_from([*sorted(dialect.known_types), "response.failed", "ping", "error", "newer", "", None, 1])
    value |= data.draw(st.fixed_dictionaries({}, optional={"type": kinds}))
    name = data.draw(st.sampled_from(["", "event: ping\n", "event: error\n", "event: message_stop\n"]))
    body = f"{name}data: {json.dumps(value)}\n\n".encode()
    assert decoded(EventDecoder(dialect), body) == decoded(PlainDecoder(dialect), body)


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    return [without_nulls(each) for each in value] if isinstance(value, list) else value


@pytest.mark.parametrize("text", [b"{}", b'{"choices": null}', b'{"choices": [], "error": "no"}', b"[]", b"", b"\xff"])
def test_what_may_be_an_error_is_not_read_quickly(text: bytes) -> None:
    with pytest.raises(FAST_READ_ERRORS):
        FastReader(ChatCompletion, required=("choices",))(text)


def test_what_may_have_unknown_fields_is_not_read_quickly_where_all_have_to_be_known() -> None:
    text = b'{"choices": [{"delta": {"audio": 1}}]}'
    assert FastReader(ChatCompletionChunk)(text).choices[0].delta.extra == {"audio": 1}
    with pytest.raises(FAST_READ_ERRORS):
        FastReader(ChatCompletionChunk, forbid_unknown=True)(text)


def test_every_default_is_the_models_own() -> None:
    found = FastReader(ChatCompletion)(b'{"choices": [{"message": {}}, {}], "usage": {}}')
    made = ChatCompletion(choices=[Choice(message=Message()), Choice()], usage=Usage())
    assert whole(found)[3:] == whole(attrs.evolve(made, choices=found.choices, usage=found.usage))[3:]
    assert (found.choices[0].message, found.choices[1], found.usage) == (Message(), Choice(), Usage())
    assert found.choices[1].message is not FastReader(ChatCompletion)(b'{"choices": [{}]}').message


def test_a_form_has_the_fields_of_its_model() -> None:
    assert OPEN_STRUCTS.struct_for(ChatCompletion).__struct_fields__ == ChatCompletion.wire_fields
    assert OPEN_STRUCTS.struct_for(ChatCompletion) is OPEN_STRUCTS.struct_for(ChatCompletion)


def test_what_was_read_quickly_can_be_pickled_with_all_that_arrived() -> None:
    found = pickle.loads(pickle.dumps(read_completion(b'{"choices": [{"message": {"content": "Hi", "x": 1}}]}')))
    assert (found.text, found.message.raw) == ("Hi", {"content": "Hi", "x": 1})


def test_a_text_is_decoded_once_for_all_the_models_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    token = {"token": "a", "logprob": -0.5, "top_logprobs": [], "newer": 1}
    value = {"choices": [{"index": 0, "logprobs": {"content": [token] * 3}}]}
    completion = read_completion(json.dumps(value).encode())
    texts: list[str] = []
    monkeypatch.setattr(json, "loads", lambda text, loads=json.loads: [texts.append(text), loads(text)][1])
    assert completion.to_dict()["choices"][0]["logprobs"] == {"content": [token] * 3}
    assert len(texts) == 1


def test_a_number_beyond_every_float_is_a_decode_error() -> None:
    with pytest.raises(ResponseDecodeError, match="logprob"):
        read_completion(b'{"choices": [{"logprobs": {"content": [{"logprob": 1%s}]}}]}' % (b"0" * 400))
