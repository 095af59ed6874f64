"""``raw`` of a model, whatever it was decoded from."""

import json
from typing import Any

import pytest

from gradient_async import ChatCompletion, ChatCompletionChunk, Message
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.codec.fast_reader import FastReader
from gradient_async._protocol.stream.template_decoder import TemplateDecoder
from gradient_async.models import Delta, Model
from gradient_async.models._raw_source import SOURCE, JSONTextSource, load_object, unknown_fields

VALUE: dict[str, Any] = {"content": "Hi", "x": 1}
TEXT = json.dumps(VALUE).encode()
DOCUMENT = b'{"choices": [{"message": {"content": "Hi", "x": 1}}]}'


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (None, {}),
        (VALUE, VALUE),
        (TEXT, VALUE),
        (b"[1]", {}),
        ((JSONTextSource(all_fields_known=False), [TEXT]), VALUE),
        ((JSONTextSource(all_fields_known=False), [DOCUMENT], "choices", 0, "message"), VALUE),
    ],
)
def test_every_form_of_raw_gives_its_json_object(raw: Any, expected: dict[str, Any]) -> None:
    assert load_object(raw, Message) == expected


def test_models_of_one_text_share_the_decoded_document() -> None:
    document: list[Any] = [DOCUMENT]
    source = JSONTextSource(all_fields_known=False)
    whole, part = (
        load_object((source, document), ChatCompletion),
        load_object((source, document, "choices", 0), Message),
    )
    assert whole["choices"][0] is part


@pytest.mark.parametrize("raw", [VALUE, (JSONTextSource(all_fields_known=False), [TEXT])])
def test_unknown_fields_are_found_in_every_form_of_raw(raw: Any) -> None:
    assert unknown_fields(Message(content="Hi", raw=raw), frozenset(Message.wire_fields)) == {"x": 1}


@pytest.mark.parametrize("raw", [None, {"content": "Hi"}, (JSONTextSource(all_fields_known=True), [b"not decoded"])])
def test_a_model_without_unknown_fields_is_not_decoded_again(raw: Any) -> None:
    model = Message(content="Hi", raw=raw)
    assert unknown_fields(model, frozenset(Message.wire_fields)) == {}
    assert model._raw is raw


def models_with_tuples() -> list[Model]:
    """Return a model of each module that writes the tuple in place: the fast reader and the chunk template."""
    event = b'data: {"choices": [{"delta": {"content": "Hi"}}]}\n\n'
    *_, chunk = TemplateDecoder().feed(event * 3)
    return [FastReader(Message)(TEXT), chunk, chunk.choices[0], chunk.choices[0].delta]


def test_the_tuples_written_in_place_are_read_by_their_source() -> None:
    message, chunk, choice, delta = models_with_tuples()
    for model in (message, chunk, choice, delta):
        assert type(model._raw) is tuple
        assert hasattr(model._raw[SOURCE], "load_object")
    assert message.raw == VALUE
    assert chunk.raw == {"choices": [{"delta": {"content": "Hi"}}]}
    assert (choice.raw, delta.raw) == ({"delta": {"content": "Hi"}}, {"content": "Hi"})
    assert isinstance(chunk, ChatCompletionChunk)
    assert isinstance(delta, Delta)


def test_an_edited_object_keeps_the_raw_that_arrived() -> None:
    model = structure({"content": "edited"}, Message, raw=VALUE)
    assert (model.content, model.raw, model.extra) == ("edited", VALUE, {"x": 1})
