"""Templates of chat chunks: which events share one, and the chunks that they build."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatCompletionChunk
from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.stream.accelerators.chunk_template import ChunkTemplate, infer_chunk_template
from gradient_async._protocol.stream.accelerators.json_template import JSONText
from gradient_async._protocol.stream.chat_decoder import decode_chunk
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END
from tests.support.chat_events import encode_event, event_with_text

Fields = dict[str, Any]
ENTRY = {"token": "a", "logprob": -0.5, "bytes": [97], "top_logprobs": []}


def infer_from(first: Fields, second: Fields, known: ChunkTemplate | None = None) -> ChunkTemplate | None:
    data = encode_event(second)
    chunk = decode_chunk(data)
    assert chunk is not None
    return infer_chunk_template(JSONText(encode_event(first).decode()), JSONText(data.decode()), chunk, known)


def infer_plain() -> ChunkTemplate:
    template = infer_from(event_with_text("Hel"), event_with_text("lo"))
    assert template is not None
    return template


def event_with_call(arguments: str, **call: Any) -> Fields:
    function = {"arguments": arguments} | call.pop("function", {})
    return event_with_text("") | {
        "choices": [{"index": 0, "delta": {"tool_calls": [{"index": 0, "function": function} | call]}}]
    }


def event_of_choice(text: str, **choice: Any) -> Fields:
    return event_with_text("") | {"choices": [{"index": 0, "delta": {"content": text}} | choice]}


def find_paths(template: ChunkTemplate | None) -> set[tuple[str | int, ...]]:
    return set() if template is None else {hole.path for hole in template.holes}


CONTENT = ("choices", 0, "delta", "content")


def test_two_events_that_differ_in_their_text_share_a_template() -> None:
    template = infer_plain()
    before, after = encode_event(event_with_text("#")).split(b"#")
    assert template.splitter.head == (EVENT_BEGIN + before).decode()
    assert template.splitter.tail == (after + EVENT_END).decode()
    assert find_paths(template) == {CONTENT}


@given(st.text(st.characters(codec="utf-8"), max_size=9), st.booleans())
def test_a_template_builds_the_chunk_that_the_converter_makes(text: str, ascii_only: bool) -> None:
    data = encode_event(event_with_text(text), ascii_only=ascii_only)
    run = infer_plain().read_run((EVENT_BEGIN + data + EVENT_END).decode())
    assert run is not None
    (chunk,), expected = run, structure(decode_json(data), ChatCompletionChunk)
    assert (chunk, chunk.raw) == (expected, expected.raw)
    assert chunk.choices[0].raw == expected.choices[0].raw
    assert chunk.choices[0].delta.raw == expected.choices[0].delta.raw


@pytest.mark.parametrize(
    ("first", "second", "paths"),
    [
        (event_with_text("Hi"), event_with_text("Hi"), {CONTENT}),
        (event_with_text("a") | {"created": 1}, event_with_text("b") | {"created": 2}, {CONTENT, ("created",)}),
        (event_with_text("a") | {"id": "c1"}, event_with_text("b") | {"id": "c2"}, {CONTENT, ("id",)}),
        (event_with_text("a") | {"x": "?"}, event_with_text("b") | {"x": "??"}, {CONTENT, ("x",)}),
        (event_with_text("a") | {"x": {"y": 1}}, event_with_text("b") | {"x": {"y": 2}}, {CONTENT, ("x", "y")}),
        (
            event_with_text("a") | {"usage": {"total_tokens": 1, "x": 1}},
            event_with_text("b") | {"usage": {"total_tokens": 2, "x": 2}},
            {CONTENT, ("usage", "total_tokens"), ("usage", "x")},
        ),
        (event_of_choice("a"), event_of_choice("b", index=1), {CONTENT, ("choices", 0, "index")}),
        (
            event_of_choice("a", logprobs={"content": [ENTRY]}),
            event_of_choice("b", logprobs={"content": [ENTRY, ENTRY]}),
            {CONTENT, ("choices", 0, "logprobs")},
        ),
        (
            event_with_call('{"'),
            event_with_call("city"),
            {("choices", 0, "delta", "tool_calls", 0, "function", "arguments")},
        ),
        (
            event_with_call("a"),
            event_with_call("b", index=1),
            {
                ("choices", 0, "delta", "tool_calls", 0, "index"),
                ("choices", 0, "delta", "tool_calls", 0, "function", "arguments"),
            },
        ),
        (event_with_text("Hel", refusal="r"), event_with_text("lo", refusal="s"), {CONTENT, (*CONTENT[:3], "refusal")}),
    ],
)
def test_what_differs_becomes_a_hole(first: Fields, second: Fields, paths: set[Any]) -> None:
    assert find_paths(infer_from(first, second)) == paths


def test_a_hole_stays_one_in_the_next_template() -> None:
    first, second = ({"x": "y"} | event_with_text("a") | {"created": created} for created in (1, 2))
    known = infer_from(first, second)
    third = second | {"id": "other"}
    assert find_paths(infer_from(second, third, known)) == {CONTENT, ("created",), ("id",)}
    assert find_paths(infer_from(second, third)) == {CONTENT, ("id",)}


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (event_with_text("Hel"), event_with_text("lo") | {"usage": {"total_tokens": 1}}),
        (event_with_text("Hel"), event_with_text("lo", role="assistant")),
        (event_with_text("a", role="user"), event_with_text("b", role="assistant")),
        (event_with_text("a", x="1"), event_with_text("b", x="2")),
        (event_of_choice("a", x="1"), event_of_choice("b", x="2")),
        (event_of_choice("a", finish_reason="stop"), event_of_choice("b", finish_reason="length")),
        (event_with_text("a") | {"object": "x"}, event_with_text("b") | {"object": "y"}),
        (event_with_text("a") | {"created": 1.5}, event_with_text("b") | {"created": 2.5}),
        (event_with_text("a") | {"created": 1}, event_with_text("b") | {"created": "1"}),
        (event_with_text("a") | {"created": "1"}, event_with_text("b") | {"created": "2"}),
        (event_of_choice("a", index="0"), event_of_choice("b", index="1")),
        (event_with_text("a") | {"x": 1, "error": None}, event_with_text("b") | {"x": 2, "error": None}),
        (event_with_text("a") | {"type": "x"}, event_with_text("b") | {"type": "y"}),
        (event_with_call("a", function={"name": "f"}), event_with_call("b", function={"name": "f"})),
        (event_with_call("a", id="1"), event_with_call("b", id="2")),
        (event_of_choice("a", logprobs=None), event_of_choice("b", logprobs={"content": []})),
    ],
)
def test_events_that_differ_in_more_share_no_template(first: Fields, second: Fields) -> None:
    assert infer_from(first, second) is None


@pytest.mark.parametrize("number", [0, 2])
def test_events_with_another_number_of_choices_share_no_template(number: int) -> None:
    first, second = (
        event_with_text("") | {"x": text, "choices": event_with_text(text)["choices"] * number} for text in "ab"
    )
    assert infer_from(first, second) is None


def test_content_in_parts_is_not_the_text_of_a_template() -> None:
    first, second = (
        event_with_text("") | {"x": x, "choices": [{"delta": {"content": [{"type": "text", "text": "a"}]}}]}
        for x in "ab"
    )
    assert infer_from(first, second) is None


def test_a_text_inside_another_string_is_not_the_text_of_a_template() -> None:
    first, second = ({"note": f'"content":"{text}"'} | event_with_text("Hi") for text in ("Hi", "Ho"))
    assert find_paths(infer_from(first, second)) == {CONTENT, ("note",)}


def test_another_field_of_that_name_is_not_the_text_of_a_template() -> None:
    first, second = ({"content": text} | event_with_text("Hi") for text in ("Hi", "Ho"))
    assert find_paths(infer_from(first, second)) == {CONTENT, ("content",)}


def test_a_field_that_comes_twice_is_not_a_hole() -> None:
    first, second = (encode_event(event_with_text(text)) for text in ("Hi", "Ho"))
    twice = [data[:-1] + b"," + data[1:].replace(b"H", b"L") for data in (first, second)]
    chunk = decode_chunk(twice[1])
    assert chunk is not None
    assert infer_chunk_template(JSONText(twice[0].decode()), JSONText(twice[1].decode()), chunk, None) is None


@pytest.mark.parametrize("inner", [b"\t", b"\xff", b'x","role":"user', b"\\x", b"\\", b"\x7f\x00", b"a\n\nb", b"\r"])
def test_bytes_that_json_does_not_allow_in_a_string_have_no_text(inner: bytes) -> None:
    template = infer_plain()
    event = template.splitter.head.encode() + inner + template.splitter.tail.encode()
    assert template.read_run(event.decode(errors="replace") if b"\xff" not in inner else "") is None


@pytest.mark.parametrize("number", ["-1", "01", "1.5", "1e3", '"1"', "null", "", "1" * 400])
def test_other_numbers_do_not_match(number: str) -> None:
    first, second = (event_with_text(text) | {"created": at} for at, text in enumerate("ab"))
    template = infer_from(first, second)
    assert template is not None
    good = EVENT_BEGIN.decode() + encode_event(second).decode() + EVENT_END.decode()
    assert len(template.read_run(good * 2) or ()) == 2
    assert template.read_run(good.replace('"created":1', f'"created":{number}', 1)) is None


def test_a_run_is_split_into_its_values() -> None:
    run = infer_plain().read_run(
        "".join(f"data: {encode_event(event_with_text(text)).decode()}\n\n" for text in ("a", "", "b\n"))
    )
    assert run is not None
    assert run.columns == [["a", "", "b\\n"]]
    assert run.values == [["a", "", "b\n"]]


@pytest.mark.parametrize("other", ["data: {}\n\n", ": ping\n\n", "x", "\n", '"'])
def test_a_run_ends_where_something_else_begins(other: str) -> None:
    template = infer_plain()
    event = f"data: {encode_event(event_with_text('a')).decode()}\n\n"
    run = template.read_run(event * 3 + other + event)
    assert run is not None
    assert (len(run), run.length) == (3, 3 * len(event))
