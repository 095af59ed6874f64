"""JSON text to values and back."""

import json
import math
from typing import Any

import pytest

from gradient_async import ConfigurationError, Message, ResponseDecodeError
from gradient_async._protocol.codec.json_text import bound_json, decode_json, encode_json, shorten_text
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


SIGNED_URLS = [
    "https://h/a?X-Amz-Credential=SECRET%2F2026&X-Amz-Expires=900&X-Amz-Signature=SECRET",
    "https://h/a?X-Amz-Expires=900\\u0026X-Amz-Security-Token=SECRET\\u0026x=1",
    "https://h/a?X-Amz-Expires=900&amp;X-Amz-Signature=SECRET",
    "https://h/a?X-Goog-Signature=SECRET&X-Amz-Expires=900",
    "https://h/a?X-Amz-Expires=900&sv=1&sig=SECRET",
    "https://h/?next=https%3A%2F%2Fh%2Fa%3FX-Amz-Expires%3D900%26X-Amz-Signature%3DSECRET%26x",
]


@pytest.mark.parametrize("url", SIGNED_URLS)
def test_what_is_kept_of_a_response_has_no_signature(url: str) -> None:
    cut = len(url) + 30
    for kept in (
        shorten_text(f'{{"url": "{url}", "name": "kept"'),
        shorten_text(f"Upload to {url} kept", cut),
        bound_json({"urls": [{"url": url}], "name": "kept"}, 1000)["urls"][0]["url"] + "kept",
        bound_json(f"Upload to {url} kept", 1000),
        bound_json([f"{url} kept " + "x" * 100], cut),
    ):
        assert "SECRET" not in kept
        assert "900" in kept
        assert "kept" in kept


@pytest.mark.parametrize("text", ["", "signature=none", "a ?sign=1&design=2", '{"signature": "abc"}', "credential=x"])
def test_other_text_is_kept_as_it_is(text: str) -> None:
    assert shorten_text(text) == text
    assert bound_json({"a": text}, 1000) == {"a": text}
