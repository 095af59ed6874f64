"""JSON text to values and back."""

import json
import math
from typing import Any

import pytest

from gradient_async import ConfigurationError, Message, ResponseDecodeError
from gradient_async._protocol.codec.json_text import decode_json, encode_json
from gradient_async.models import Usage


@pytest.mark.parametrize("body", [b"", b"<html>", b"{", b'{"id": "secret"', b"\xff\xfe", b"[" * 100_000])
def test_text_that_is_not_json_is_a_decode_error_without_its_content(body: bytes) -> None:
    with pytest.raises(ResponseDecodeError) as caught:
        decode_json(body)
    assert "secret" not in repr(caught.value)
    assert caught.value.__context__ is None
    assert len(caught.value.body) <= 503


def test_nan_surrogates_and_invalid_utf8_decode() -> None:
    value = decode_json(b'{"a": NaN, "b": "\\ud83d", "c": Infinity, "d": "\xff"}')
    assert math.isnan(value["a"])
    assert (value["b"], value["c"], value["d"]) == ("\ud83d", math.inf, "\ufffd")


def test_a_text_with_half_a_surrogate_pair_decodes() -> None:
    assert decode_json('{"a": "\ud83d"}') == {"a": "\ud83d"}
    with pytest.raises(ResponseDecodeError):
        decode_json('{"a": "\ud83d')


def test_models_inside_a_body_become_objects() -> None:
    body = encode_json({"messages": [Message(content="Hi"), {"role": "user"}], "m": (1, {"u": Usage(total_tokens=2)})})
    assert json.loads(body) == {
        "messages": [{"role": "assistant", "content": "Hi"}, {"role": "user"}],
        "m": [1, {"u": {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 2}}],
    }


def test_a_lone_surrogate_in_a_prompt_is_sent_escaped() -> None:
    assert encode_json({"a": "\ud83d"}) == b'{"a":"\\ud83d"}'


@pytest.mark.parametrize("value", [{"a": object()}, {"a": [{1: lambda: 2}]}, {"a": [b"\xff", object()]}])
def test_a_value_without_a_json_form_is_rejected(value: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="JSON"):
        encode_json(value)
