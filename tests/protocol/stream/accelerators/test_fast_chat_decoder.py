"""`FastChatDecoder` agrees with `ChatDecoder`, whatever the stream looks like and however its bytes are cut."""

import itertools
import pickle
from collections.abc import Sequence
from itertools import chain
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gradient_async import ChatAccumulator, ChatCompletionChunk
from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async._protocol.stream.chat_decoder import ChatDecoder
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END
from tests.support.chat_events import EVENT, encode_event, event_with_text, is_from_template

Outcome = tuple[list[ChatCompletionChunk], list[Any], bool, str]


def decode_blocks(decoder: ChatDecoder | FastChatDecoder, blocks: Sequence[bytes]) -> Outcome:
    chunks = [chunk for block in blocks for chunk in decoder.feed(block)] + [*decoder.feed_eof()]
    error = decoder.error
    found = "" if error is None else f"{error!r} {getattr(error, 'path', '')} {getattr(error, 'body', '')}"
    return chunks, [chunk.raw for chunk in chunks], decoder.done, found


def decode_events(*events: bytes) -> list[ChatCompletionChunk]:
    """Return the chunks of a stream in which each event is a block."""
    decoder = FastChatDecoder(min_run_bytes=0)
    chunks = [chunk for event in events for chunk in decoder.feed(EVENT_BEGIN + event + EVENT_END)]
    assert decoder.error is None, decoder.error
    return chunks


TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", '\\"', '"content":"x"', "a\nb", "\u2028", "\ud83d", "😀", ""]
)
Fields = list[dict[str, Any]]
TOPS: Fields = [{}, {}, {"usage": None}, {"usage": {"total_tokens": 1}}, {"y": [1]}, {"content": "z"}]
TOPS += [{"id": 5}, {"created": 1.5, "model": None}, {"usage": "12"}, {"y": {"z": "a"}}, {"error": {}}]
BAD_TOPS: Fields = [{"error": {"code": 429}}, {"error": "busy", "id": "gen-1"}]
CHOICES: Fields = [{}, {}, {"finish_reason": "stop"}, {"logprobs": {"content": [{"token": "a"}]}}, {"index": 1}]
CHOICES += [{"z": [1]}, {"z": 1}, {"z": "a"}, {"index": "1"}, {"logprobs": []}, {"finish_reason": "error"}]
CHOICES += [{"finish_reason": 0}, {"error": None}]
BAD_CHOICES: Fields = [{"index": "no"}, {"error": {"code": "502", "message": "m"}}]
DELTAS: Fields = [
    {},
    {},
    {"role": "assistant"},
    {"x": [1]},
    {"x": 1},
    {"refusal": "r"},
    {"reasoning": ""},
    {"content": None},
]
DELTAS += [{"tool_calls": [{"index": 0, "function": {"arguments": "a"}}]}]
DELTAS += [{"x": "a"}, {"x": ""}, {"x": {"y": "a", "z": 1}}, {"x": {"y": [1]}}, {"x": [{"index": 0, "text": "a"}]}]
DELTAS += [{"function_call": {"name": "f", "arguments": "a"}}, {"reasoning": {"a": 1}}, {"role": 5}]
OTHERS = st.sampled_from(
    [
        b": ping\n\n", b"\n", b"\r\n", b"\xef\xbb\xbf", b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data:\n\n",
        b"event: ping\ndata: {}\n\n", b'event: error\ndata: {"message": "m"}\n\n', b'data: {"id":\ndata: "c"}\n\n',
        b"data: {broken\n\n", b"id: 7\nretry: 5\n", b"data: 5\n\n", b"data: [DONE]\xc2\xa0\n\n", b"data: \x1c\n\n", b"data: \t\n\n", b'data: {"detail": "m"}\n\n', b"data: \xff\n\n",
        b"data: null\n\n", b"data: {}\n\n", b'data: {"type": "ping"}\n\n', b'data: "[DONE]"\n\n', b'data: "text"\n\n',
        b'data: {"choices": null}\n\n', b'data: {"choices": [{"message": {"content": "a"}}]}\n\n', b'data: [{"error": "m"}]\n\n',
        b'event: tool\ndata: {"message": "m"}\n\n', b'event: tool\ndata: {"choices": [{"delta": {"content": "a"}}]}\n\n',
        b'error: {"code": 400}\n\n', b"error: null\n\n", b'{"error": {"code": 503}}\n', b'{\n "error": "m"\n}\n\n', b"[1]\n\n",
        b'{"choices": [{"message": {"content": "a"}}]}\n\n', b'data: {"choices": []}\nerror: m\n\n',
    ]
)  # fmt: skip


NUMBERS = st.integers(0, 12) | st.sampled_from([-1, 1.5, 10**15, 10**30, None])
INDEXES = st.integers(-1, 2)
ENTRIES = st.fixed_dictionaries({"token": TEXTS, "logprob": st.sampled_from([-0.5, 0, -1e-9])}) | st.just({"token": 5})
VARYING: dict[str, st.SearchStrategy[Any]] = {
    "created": NUMBERS,
    "id": TEXTS,
    "system_fingerprint": TEXTS,
    "usage": st.builds(lambda n: {"prompt_tokens": 3, "total_tokens": n, "details": {"n": n}}, NUMBERS),
    "obfuscation": TEXTS,
    "x": st.builds(lambda text: {"y": text}, TEXTS),
    "choices.index": INDEXES,
    "choices.logprobs": st.builds(lambda entries: {"content": entries}, st.lists(ENTRIES, max_size=2)),
    "choices.x": TEXTS,
    "delta.refusal": TEXTS,
    "delta.x": TEXTS,
    "delta.tool_calls": st.builds(
        lambda index, text: [{"index": index, "function": {"arguments": text}}],
        INDEXES | st.none(),
        TEXTS | st.sampled_from(["{}", "{", "}", " "]),
    ),
}
"""Values that may differ within a run, by the object and the field that have them."""


@st.composite
def runs(draw: st.DrawFn, *, most_runs: int = 1, with_errors: bool = True) -> list[bytes]:
    """Return the data of events: within a run only the text and a few other values differ."""
    shape = {"ascii_only": draw(st.booleans()), "spaced": draw(st.booleans())}
    tops, choices = (TOPS + BAD_TOPS, CHOICES + BAD_CHOICES) if with_errors else (TOPS, CHOICES)
    stream: list[bytes] = []
    for _ in range(draw(st.integers(1, most_runs))):
        top, around, beside = (draw(st.sampled_from(fields)) for fields in (tops, choices, DELTAS))
        name = draw(st.sampled_from(["content", "content", "reasoning_content", "x"]))
        varying = draw(st.lists(st.sampled_from(list(VARYING)), max_size=3, unique=True))
        call = draw(st.sampled_from([{}, {}, {"id": "a", "function": {"name": "f", "arguments": ""}}]))
        if call:
            delta: dict[str, Any] = {"tool_calls": [{"index": 0, **call}]}
            stream.append(encode_event({**EVENT, "choices": [{"index": 0, "delta": delta}]}, **shape))
        for text in draw(st.lists(TEXTS, min_size=1, max_size=6)):
            others: dict[str, Any] = {path: draw(VARYING[path]) for path in varying}
            inside = {path.removeprefix("delta."): others[path] for path in others if path.startswith("delta.")}
            near = {path.removeprefix("choices."): others[path] for path in others if path.startswith("choices.")}
            above = {path: value for path, value in others.items() if "." not in path}
            choice = {"index": 0, "delta": {name: text, **beside, **inside}, "finish_reason": None, **around, **near}
            stream.append(encode_event({**top, **EVENT, **top, "choices": [choice], **above}, **shape))
    return stream


@st.composite
def encoded_runs(draw: st.DrawFn) -> bytes:
    """Return a run with any of the line endings of the standard."""
    end = draw(st.sampled_from([b"\n\n", b"\n\n", b"\n\n", b"\r\n\r\n", b"\n\r\n"]))
    return b"".join(b"data: " + data + end for data in draw(runs()))


VALID_STREAMS = runs(most_runs=3, with_errors=False)
BODIES = st.lists(encoded_runs() | encoded_runs() | OTHERS | st.binary(max_size=8), max_size=6).map(b"".join)
RUN = b"".join(b'data: {"choices":[{"delta":{"content":"%d"}}]}\n\n' % number for number in range(9))


@given(BODIES, st.lists(st.integers(0, 600), max_size=8))
@example(RUN, list(range(600)))
@example(b"\xef\xbb\xbf" + RUN, [1, 2])
@example(b"\xef\xbb\xbf" + RUN, [0])
@example(RUN[:-20], [100])
@example(RUN[:-1], [100])
def test_the_fast_decoder_agrees_with_the_reference_at_any_cut(body: bytes, cuts: list[int]) -> None:
    edges = [0, *sorted(cuts), max(len(body), *cuts, 0)]
    blocks = [body[begin:end] for begin, end in itertools.pairwise(edges)]
    expected = decode_blocks(ChatDecoder(), blocks)
    assert decode_blocks(FastChatDecoder(min_run_bytes=0), blocks) == expected


@given(VALID_STREAMS)
def test_every_chunk_equals_the_one_that_the_converter_makes(stream: list[bytes]) -> None:
    for data, chunk in zip(stream, decode_events(*stream), strict=True):
        expected = structure(decode_json(data), ChatCompletionChunk)
        assert chunk.text == expected.text
        assert chunk == expected
        assert chunk.raw == expected.raw
        assert [choice.raw for choice in chunk.choices] == [choice.raw for choice in expected.choices]
        assert [choice.delta.raw for choice in chunk.choices] == [choice.delta.raw for choice in expected.choices]
        assert chunk.finish_reason == expected.finish_reason


@given(VALID_STREAMS, st.integers(0, 7), st.booleans())
def test_the_assembled_completion_is_the_same_from_any_chunk_on(stream: list[bytes], first: int, looks: bool) -> None:
    fast, reference, decoder = ChatAccumulator(), ChatAccumulator(), FastChatDecoder(min_run_bytes=0)
    for data in stream[:first]:
        decoder.decode_block(EVENT_BEGIN + data + EVENT_END)
    batches = decoder.decode_block(b"".join(EVENT_BEGIN + data + EVENT_END for data in stream[first:]))
    taken = chain.from_iterable(map(fast.follow, batches))
    for data in stream[first:]:
        assert next(taken) == structure(decode_json(data), ChatCompletionChunk)
        reference.add(decode_json(data))
        if looks:
            assert fast.is_complete == reference.is_complete
            assert fast.snapshot() == reference.snapshot()
            assert fast.usage == reference.usage
    assert fast.snapshot() == reference.snapshot()
    assert fast.snapshot().raw == reference.snapshot().raw


@given(VALID_STREAMS, st.integers(1, 400))
def test_blocks_of_any_size_give_the_chunks_of_the_converter(stream: list[bytes], size: int) -> None:
    body = b"".join(EVENT_BEGIN + event + EVENT_END for event in stream) + b"data: [DONE]\n\n"
    decoder = FastChatDecoder(min_run_bytes=0)
    chunks = [chunk for at in range(0, len(body), size) for chunk in decoder.feed(body[at : at + size])]
    assert decoder.done
    assert chunks == [structure(decode_json(event), ChatCompletionChunk) for event in stream]


def test_tokens_take_the_template_from_the_third_event_on() -> None:
    texts = ("Hel", "lo", ", ", "wörld", 'say "hi"\n')
    chunks = decode_events(*(encode_event(event_with_text(text)) for text in texts))
    assert [is_from_template(chunk) for chunk in chunks] == [False, False, True, True, True]
    assert "".join(chunk.text for chunk in chunks) == 'Hello, wörldsay "hi"\n'


@pytest.mark.parametrize(
    "event",
    [
        encode_event(event_with_text("x") | {"usage": {"total_tokens": 1}}),
        encode_event(event_with_text("x", tool_calls=[{"index": 0, "function": {"arguments": "y"}}])),
        encode_event(event_with_text("x") | {"id": "other"}),
        encode_event(event_with_text("x"), spaced=True),
        encode_event(event_with_text("x"))[:-1] + b" }",
    ],
)
def test_an_event_that_does_not_match_is_decoded_in_full(event: bytes) -> None:
    first, second = encode_event(event_with_text("Hi")), encode_event(event_with_text("Ho"))
    assert [is_from_template(chunk) for chunk in decode_events(first, second, event, second)][:3] == [False] * 3
    assert is_from_template(decode_events(first, second, second)[2])


@pytest.mark.parametrize("inner", [b"\t", b"\xff", b'x","role":"user', b"\\x", b"\\", b"\x7f\x00", b"a\n\nb", b"\r"])
def test_a_text_that_is_not_a_json_string_does_not_match(inner: bytes) -> None:
    first = encode_event(event_with_text("Hi"))
    decoder = FastChatDecoder(min_run_bytes=0)
    bodies = [first, first, first, first.replace(b"Hi", inner)]
    chunks = [chunk for body in bodies for chunk in decoder.feed(EVENT_BEGIN + body + EVENT_END)]
    assert [is_from_template(chunk) for chunk in chunks[:3]] == [False, False, True]
    assert not any(map(is_from_template, chunks[3:]))


@pytest.mark.parametrize("cut", range(1, 40))
def test_an_event_shorter_than_its_template_does_not_match(cut: int) -> None:
    block = EVENT_BEGIN + encode_event(event_with_text("Hi")) + EVENT_END
    decoder = FastChatDecoder(min_run_bytes=0)
    list(decoder.feed(block * 2))
    assert list(decoder.feed(block)) != []
    before, after = block.split(b"Hi")
    assert list(decoder.feed(before[:-cut] + after)) == []


def test_a_field_of_that_name_inside_a_string_is_not_taken_for_the_text() -> None:
    value = {"note": '"content":"Hi"', "content": "Hi"} | event_with_text("Hi")
    texts = ("Hi", "Ha", "Ho")
    chunks = decode_events(*(encode_event(value | {"choices": event_with_text(text)["choices"]}) for text in texts))
    assert [chunk.text for chunk in chunks] == ["Hi", "Ha", "Ho"]
    assert is_from_template(chunks[2])
    assert chunks[2].raw["content"] == "Hi"


def test_another_field_of_that_name_may_change() -> None:
    chunks = decode_events(*(encode_event({"content": other} | event_with_text("Hi")) for other in "abc"))
    assert [chunk.raw["content"] for chunk in chunks] == ["a", "b", "c"]
    assert [chunk.text for chunk in chunks] == ["Hi", "Hi", "Hi"]


def test_no_template_is_inferred_after_many_events_without_one() -> None:
    varied = [encode_event(event_with_text(f"{number} ") | {f"x{number}": number}) for number in range(100)]
    uniform = [encode_event(event_with_text(f"{number} ")) for number in range(4)]
    assert not any(map(is_from_template, decode_events(*varied, *uniform)))
    after_few = decode_events(*varied[:5], *uniform)[5:]
    assert [is_from_template(chunk) for chunk in after_few] == [False, False, True, True]


def test_a_template_outlives_an_event_of_another_form() -> None:
    event = EVENT_BEGIN + encode_event(event_with_text("Hi")) + EVENT_END
    decoder = FastChatDecoder(min_run_bytes=0)
    blocks = [event, event, event, b": ping\n\n", event, b"data: " + encode_event(EVENT) + b"\r\n\r\n", event]
    chunks = [[is_from_template(chunk) for chunk in decoder.feed(block)] for block in blocks]
    assert chunks == [[False], [False], [True], [], [True], [False], [True]]


def test_a_chunk_of_a_template_can_be_changed_copied_and_pickled() -> None:
    *_, chunk = decode_events(*(encode_event(event_with_text(text)) for text in ("Hi", "Ha", "Ho")))
    assert is_from_template(chunk)
    copy = pickle.loads(pickle.dumps(chunk))
    assert copy == chunk
    copy.choices[0].delta.content = "changed"
    assert (copy.text, chunk.text) == ("changed", "Ho")
    with pytest.raises(AttributeError, match="nothing"):
        _ = chunk.nothing  # type: ignore[attr-defined]
    assert chunk.to_dict()["choices"][0]["delta"] == {"content": "Ho"}


def test_the_template_of_a_block_is_used_within_the_block() -> None:
    texts = [f"token {number} " for number in range(50)]
    body = b"".join(EVENT_BEGIN + encode_event(event_with_text(text)) + EVENT_END for text in texts)
    decoder = FastChatDecoder(min_run_bytes=0)
    chunks = [*decoder.feed(body[:1]), *decoder.feed(body[1:])]
    assert [chunk.text for chunk in chunks] == texts
    assert sum(map(is_from_template, chunks)) >= 48


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_blank_lines_between_events_are_skipped(count: int) -> None:
    event = EVENT_BEGIN + encode_event(event_with_text("Hi")) + EVENT_END
    blocks = [(event + b"\n" * count) * 4, event + b"\n" * count, b"\n" * count, event]
    assert decode_blocks(FastChatDecoder(min_run_bytes=0), blocks) == decode_blocks(ChatDecoder(), blocks)
