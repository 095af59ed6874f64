"""The quick road agrees with the converter, whatever the stream looks like."""

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import ChatAccumulator, ChatCompletionChunk
from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.stream.chunk_template import TemplateSource, parse_json_string
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END
from gradient_async._protocol.stream.template_decoder import TemplateDecoder

PLAIN: dict[str, Any] = {
    "id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m",
    "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}],
}  # fmt: skip


def encoded(value: Any, *, ascii_only: bool = True, spaced: bool = False) -> bytes:
    separators = (", ", ": ") if spaced else (",", ":")
    return json.dumps(value, ensure_ascii=ascii_only, separators=separators).encode(errors="surrogatepass")


def decoded(*events: bytes) -> list[ChatCompletionChunk]:
    decoder = TemplateDecoder()
    chunks = [chunk for event in events for chunk in decoder.feed(b"data: " + event + b"\n\n")]
    assert decoder.error is None, decoder.error
    return chunks


def with_text(text: str, **delta: Any) -> dict[str, Any]:
    return PLAIN | {"choices": [{"index": 0, "delta": {"content": text} | delta, "finish_reason": None}]}


def has_a_frame(chunk: ChatCompletionChunk) -> bool:
    return type(chunk._raw) is tuple and type(chunk._raw[0]) is TemplateSource


TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", '\\"', '"content":"x"', "a\nb", "\u2028", "\ud83d", "😀", ""]
)


TOPS = [{}, {}, {"usage": None}, {"usage": {"total_tokens": 1}}, {"y": [1]}, {"content": "z"}]
CHOICES = [{}, {}, {"finish_reason": "stop"}, {"logprobs": {"content": [{"token": "a"}]}}, {"index": 1}]
CHOICES += [{"z": [1]}, {"z": 1}]
DELTAS = [{}, {}, {"role": "assistant"}, {"x": [1]}, {"x": 1}, {"refusal": "r"}, {"reasoning": ""}, {"content": None}]
DELTAS += [{"tool_calls": [{"index": 0, "function": {"arguments": "a"}}]}]


@st.composite
def events(draw: st.DrawFn) -> list[bytes]:
    """A stream of runs: within each only the text changes."""
    shape = {"ascii_only": draw(st.booleans()), "spaced": draw(st.booleans())}
    stream = []
    for _ in range(draw(st.integers(1, 3))):
        top, around, beside = (draw(st.sampled_from(kinds)) for kinds in (TOPS, CHOICES, DELTAS))
        name = draw(st.sampled_from(["content", "content", "reasoning_content"]))
        for text in draw(st.lists(TEXTS, min_size=1, max_size=4)):
            choice = {"index": 0, "delta": {name: text} | beside, "finish_reason": None} | around
            stream.append(encoded(top | PLAIN | {"choices": [choice]}, **shape))
    return stream


@given(events())
def test_every_chunk_is_what_the_converter_makes_of_its_bytes(stream: list[bytes]) -> None:
    for data, chunk in zip(stream, decoded(*stream), strict=True):
        expected = structure(decode_json(data), ChatCompletionChunk)
        assert chunk.text == expected.text
        assert chunk == expected
        assert chunk.raw == expected.raw
        assert [choice.raw for choice in chunk.choices] == [choice.raw for choice in expected.choices]
        assert [choice.delta.raw for choice in chunk.choices] == [choice.delta.raw for choice in expected.choices]
        assert chunk.finish_reason == expected.finish_reason


@given(events())
def test_the_assembled_answer_is_the_same(stream: list[bytes]) -> None:
    quick, plain = ChatAccumulator(), ChatAccumulator()
    for data, chunk in zip(stream, decoded(*stream), strict=True):
        quick.add_decoded(chunk)
        plain.add(decode_json(data))
        assert quick.is_complete == plain.is_complete
    assert quick.snapshot() == plain.snapshot()
    assert quick.snapshot().raw == plain.snapshot().raw


@given(events(), st.integers(0, 7))
def test_an_accumulator_that_joins_late_misses_nothing_of_what_it_sees(stream: list[bytes], first: int) -> None:
    quick, plain = ChatAccumulator(), ChatAccumulator()
    for data, chunk in list(zip(stream, decoded(*stream), strict=True))[first:]:
        quick.add_decoded(chunk)
        plain.add(decode_json(data))
    assert quick.snapshot() == plain.snapshot()


def test_plain_tokens_take_the_quick_road() -> None:
    chunks = decoded(*(encoded(with_text(text)) for text in ("Hel", "lo", ", ", "wörld", 'say "hi"\n')))
    assert [has_a_frame(chunk) for chunk in chunks] == [False, False, True, True, True]
    assert "".join(chunk.text for chunk in chunks) == 'Hello, wörldsay "hi"\n'


@pytest.mark.parametrize(
    "second",
    [
        encoded(with_text("x") | {"usage": {"total_tokens": 1}}),
        encoded(with_text("x", tool_calls=[{"index": 0, "function": {"arguments": "y"}}])),
        encoded(with_text("x") | {"id": "other"}),
        encoded(with_text("x"), spaced=True),
        encoded(with_text("x"))[:-1] + b" }",
    ],
)
def test_anything_else_takes_the_plain_one(second: bytes) -> None:
    assert not has_a_frame(decoded(encoded(with_text("Hi")), encoded(with_text("Ho")), second)[2])


@pytest.mark.parametrize("inner", [b"\t", b"\xff", b'x","role":"user', b"\\x", b"\\", b"\x7f\x00", b"a\n\nb", b"\r"])
def test_what_is_no_json_string_is_no_text(inner: bytes) -> None:
    assert parse_json_string(inner) is None
    first = encoded(with_text("Hi"))
    decoder = TemplateDecoder()
    bodies = [first, first, first, first.replace(b"Hi", inner)]
    chunks = [chunk for body in bodies for chunk in decoder.feed(EVENT_BEGIN + body + EVENT_END)]
    assert [has_a_frame(chunk) for chunk in chunks[:3]] == [False, False, True]
    assert not any(map(has_a_frame, chunks[3:]))


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_event_shorter_than_its_frame_is_no_match(cut: int) -> None:
    first = encoded(with_text("Hi"))
    decoder = TemplateDecoder()
    list(decoder.feed((EVENT_BEGIN + first + EVENT_END) * 2))
    block = EVENT_BEGIN + first + EVENT_END
    assert list(decoder.feed(block)) != []
    before, after = block.split(b"Hi")
    assert list(decoder.feed(before[:-cut] + after)) == []


def test_a_field_named_alike_inside_a_string_is_not_taken_for_the_text() -> None:
    value = {"note": '"content":"Hi"', "content": "Hi"} | with_text("Hi")
    chunks = decoded(*(encoded(value | {"choices": with_text(text)["choices"]}) for text in ("Hi", "Ha", "Ho")))
    assert [chunk.text for chunk in chunks] == ["Hi", "Ha", "Ho"]
    assert has_a_frame(chunks[2])
    assert chunks[2].raw["content"] == "Hi"


def test_another_field_of_the_same_name_may_change_meanwhile() -> None:
    chunks = decoded(*(encoded({"content": other} | with_text("Hi")) for other in "abc"))
    assert [chunk.raw["content"] for chunk in chunks] == ["a", "b", "c"]
    assert [chunk.text for chunk in chunks] == ["Hi", "Hi", "Hi"]


def test_a_stream_without_a_pattern_stops_being_studied() -> None:
    varied = [encoded(with_text(f"{i} ") | {"id": f"c{i}"}) for i in range(100)]
    uniform = [encoded(with_text(f"{i} ")) for i in range(4)]
    assert not any(map(has_a_frame, decoded(*varied, *uniform)))
    assert [has_a_frame(chunk) for chunk in decoded(*varied[:5], *uniform)[5:]] == [False, False, True, True]


def test_a_quick_chunk_can_be_changed_copied_and_pickled() -> None:
    *_, chunk = decoded(*(encoded(with_text(text)) for text in ("Hi", "Ha", "Ho")))
    assert has_a_frame(chunk)
    copy = pickle.loads(pickle.dumps(chunk))
    assert copy == chunk
    copy.choices[0].delta.content = "changed"
    assert (copy.text, chunk.text) == ("changed", "Ho")
    with pytest.raises(AttributeError, match="nothing"):
        _ = chunk.nothing  # type: ignore[attr-defined]
    assert chunk.to_dict()["choices"][0]["delta"] == {"content": "Ho"}


@given(events(), st.integers(1, 400))
def test_blocks_of_any_size_give_the_same_chunks(stream: list[bytes], size: int) -> None:
    body = b"".join(EVENT_BEGIN + event + EVENT_END for event in stream) + b"data: [DONE]\n\n"
    decoder = TemplateDecoder()
    chunks = [chunk for at in range(0, len(body), size) for chunk in decoder.feed(body[at : at + size])]
    assert decoder.done
    assert chunks == [structure(decode_json(event), ChatCompletionChunk) for event in stream]


def test_a_block_of_many_tokens_is_learnt_within_the_block() -> None:
    texts = [f"token {i} " for i in range(50)]
    body = b"".join(EVENT_BEGIN + encoded(with_text(text)) + EVENT_END for text in texts)
    decoder = TemplateDecoder()
    chunks = [*decoder.feed(body[:1]), *decoder.feed(body[1:])]
    assert [chunk.text for chunk in chunks] == texts
    assert sum(map(has_a_frame, chunks)) >= 48
