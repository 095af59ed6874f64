"""Templates: inferred from two events in a row, and the chunks that they build."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatCompletionChunk
from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.stream.chat_decoder import decode_chunk
from gradient_async._protocol.stream.chunk_template import ChunkTemplate, infer_template, parse_json_string
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END
from tests.support.chat_events import encode_event, event_with_text


def infer_from(first: dict[str, Any], second: dict[str, Any]) -> ChunkTemplate | None:
    data = encode_event(second)
    chunk = decode_chunk(data)
    assert chunk is not None
    return infer_template(encode_event(first), data, chunk)


def infer_plain() -> ChunkTemplate:
    template = infer_from(event_with_text("Hel"), event_with_text("lo"))
    assert template is not None
    return template


def test_two_events_that_differ_in_their_text_share_a_template() -> None:
    template = infer_plain()
    before, after = encode_event(event_with_text("#")).split(b"#")
    assert (template.head, template.tail) == (EVENT_BEGIN + before, after + EVENT_END)
    assert template.separator == template.tail + template.head


@given(st.text(st.characters(codec="utf-8"), max_size=9), st.booleans())
def test_a_template_builds_the_chunk_that_the_converter_makes(text: str, ascii_only: bool) -> None:
    data = encode_event(event_with_text(text), ascii_only=ascii_only)
    template = infer_plain()
    escaped = data[len(template.head) - len(EVENT_BEGIN) : len(data) + len(EVENT_END) - len(template.tail)]
    parsed = parse_json_string(escaped)
    assert parsed == text
    chunk, expected = template.build_chunk(parsed, escaped), structure(decode_json(data), ChatCompletionChunk)
    assert (chunk, chunk.raw) == (expected, expected.raw)
    assert chunk.choices[0].raw == expected.choices[0].raw
    assert chunk.choices[0].delta.raw == expected.choices[0].delta.raw


@pytest.mark.parametrize(
    "second",
    [
        event_with_text("lo") | {"id": "other"},
        event_with_text("lo") | {"usage": {"total_tokens": 1}},
        event_with_text("lo", role="assistant"),
        event_with_text(""),
    ],
)
def test_events_that_differ_in_more_share_no_template(second: dict[str, Any]) -> None:
    assert infer_from(event_with_text("Hel"), second) is None


@pytest.mark.parametrize(
    "extra",
    [{"tool_calls": [{"index": 0, "function": {"arguments": "y"}}]}, {"x": [1]}, {"refusal": "r"}, {"reasoning": "r"}],
)
def test_events_that_add_more_than_a_text_share_no_template(extra: dict[str, Any]) -> None:
    assert infer_from(event_with_text("Hel", **extra), event_with_text("lo", **extra)) is None


def test_a_text_inside_another_string_is_not_the_text_of_a_template() -> None:
    first, second = ({"note": f'"content":"{text}"'} | event_with_text("Hi") for text in ("Hi", "Ho"))
    assert infer_from(first, second) is None


def test_another_field_of_that_name_is_not_the_text_of_a_template() -> None:
    first, second = ({"content": text} | event_with_text("Hi") for text in ("Hi", "Ho"))
    assert infer_from(first, second) is None


@pytest.mark.parametrize("inner", [b"\t", b"\xff", b'x","role":"user', b"\\x", b"\\", b"\x7f\x00", b"a\n\nb", b"\r"])
def test_bytes_that_json_does_not_allow_in_a_string_have_no_text(inner: bytes) -> None:
    assert parse_json_string(inner) is None


def test_a_run_is_split_into_its_texts() -> None:
    template = infer_plain()
    run = b"".join(EVENT_BEGIN + encode_event(event_with_text(text)) + EVENT_END for text in ("a", "", "bc"))
    assert template.split_texts(run) == ["a", "", "bc"]


@pytest.mark.parametrize("inner", [b"\\n", b"\xff", b'"', b'","role":"user'])
def test_a_run_with_an_escape_or_another_event_is_not_split(inner: bytes) -> None:
    template = infer_plain()
    assert template.split_texts(template.head + b"a" + template.separator + inner + template.tail) is None
    assert template.split_texts(template.head + b"a" + template.tail + b"data: {}\n\n") is None
