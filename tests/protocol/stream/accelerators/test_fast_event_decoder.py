"""`FastEventDecoder` agrees with `EventDecoder`, whatever the stream looks like and however its bytes are cut."""

import itertools
import json
import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import attrs
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.stream.accelerators.event_template import TemplateSource
from gradient_async._protocol.stream.accelerators.fast_event_decoder import FastEventDecoder
from gradient_async._protocol.stream.event_decoder import Dialect, EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT, MESSAGE_HOLES, MessageAccumulator
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT, RESPONSE_HOLES, ResponseAccumulator
from gradient_async.models._raw_source import SOURCE
from tests.support.event_streams import MESSAGE_STREAM, RESPONSE_STREAM, encode_stream

Value = dict[str, Any]


@attrs.frozen
class Api:
    """One of the two APIs: how it is decoded and assembled, and the events of its streams."""

    dialect: Dialect[Any]
    holes: Any
    accumulator: Callable[[], Any]
    stream: list[Value]
    deltas: list[Value]

    def new_decoder(self) -> FastEventDecoder[Any]:
        """Return a decoder that uses templates in blocks of any size."""
        return FastEventDecoder(self.dialect, self.holes, min_run_bytes=0)

    def decode(self, *blocks: bytes) -> list[Any]:
        """Return the events of a stream without an error."""
        decoder = self.new_decoder()
        events = [event for block in blocks for event in decoder.feed(block)]
        assert decoder.error is None, decoder.error
        return events


def message_delta(kind: str, field: str, text: str = "Hi", **fields: Any) -> Value:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: text}} | fields


def response_delta(name: str, text: str = "Hi", **fields: Any) -> Value:
    place = {"sequence_number": 4, "item_id": "m1", "output_index": 0, "content_index": 0}
    return {"type": f"response.{name}.delta"} | place | {"delta": text, "logprobs": [], "obfuscation": "ab"} | fields


MESSAGES = Api(
    MESSAGE_DIALECT,
    MESSAGE_HOLES,
    MessageAccumulator,
    MESSAGE_STREAM,
    [
        message_delta("text_delta", "text"),
        message_delta("thinking_delta", "thinking"),
        message_delta("input_json_delta", "partial_json"),
        message_delta("signature_delta", "signature"),
        message_delta("text_delta", "text", p="abc"),
    ],
)
RESPONSES = Api(
    RESPONSE_DIALECT,
    RESPONSE_HOLES,
    ResponseAccumulator,
    RESPONSE_STREAM,
    [
        response_delta("output_text"),
        response_delta("function_call_arguments"),
        response_delta("reasoning_summary_text", summary_index=0),
        response_delta("refusal"),
        {"type": "response.output_text.delta", "output_index": 0, "content_index": 0, "delta": "Hi"},
        {"id": "r", "created": 1, "choices": [{"index": 0, "delta": {"content": "Hi"}, "finish_reason": None}]},
    ],
)
both_apis = pytest.mark.parametrize("api", [MESSAGES, RESPONSES])
EACH_DELTA = [(api, delta) for api in (MESSAGES, RESPONSES) for delta in api.deltas]
each_delta = pytest.mark.parametrize(("api", "delta"), EACH_DELTA)


def encode_event(value: Any, *, ascii_only: bool = True, spaced: bool = False, named: bool = True) -> bytes:
    data = json.dumps(value, ensure_ascii=ascii_only, separators=(", ", ": ") if spaced else (",", ":"))
    name = f"event: {value['type']}\n" if named and "type" in value else ""
    return f"{name}data: {data}\n\n".encode(errors="surrogatepass")


def with_text(delta: Value, text: str, **fields: Any) -> Value:
    """Return the event *delta* with another text, and other *fields* beside it."""
    if "choices" in delta:
        return delta | {"choices": [delta["choices"][0] | {"delta": {"content": text}}]} | fields
    inner = delta["delta"]
    if isinstance(inner, dict):
        name = next(name for name in inner if name != "type")
        return delta | {"delta": inner | {name: text}} | fields
    return delta | {"delta": text} | fields


def is_from_template(event: Any) -> bool:
    """Whether a template built *event*; only before its ``raw`` is read for the first time."""
    return type(event._raw) is tuple and type(event._raw[SOURCE]) is TemplateSource


def list_models(event: Any) -> list[Any]:
    """Return *event* and the models in it."""
    names = ("message", "content_block", "delta", "usage", "item", "part", "response")
    values = [getattr(event, name, None) for name in names]
    return [event, *(value for value in values if hasattr(value, "raw"))]


Outcome = tuple[list[Any], list[Any], list[str], bool, str]


def decode_blocks(decoder: EventDecoder[Any] | FastEventDecoder[Any], blocks: Iterable[bytes]) -> Outcome:
    events = [event for block in blocks for event in decoder.feed(block)] + [*decoder.feed_eof()]
    error = decoder.error
    found = "" if error is None else f"{error!r} {getattr(error, 'path', '')} {getattr(error, 'body', '')}"
    shown = [repr(event) for event in events]
    return events, [model.raw for event in events for model in list_models(event)], shown, decoder.done, found


TEXTS = st.text(max_size=12) | st.sampled_from(
    ['"', "\\", '\\"', '"delta":"x"', '{"a": "b', "a\nb", "\u2028", "\ud83d", "😀", "", "sentinel-7d1f-0"]
)
NUMBERS = st.sampled_from([0, 1, 9, 10, -1, 10**14, 10**30, 1.5, "7", None, True]) | st.integers(0, 99)
EXTRAS: list[Value] = [
    {}, {}, {"usage": None}, {"usage": {"output_tokens": 1}}, {"y": [1]}, {"y": {"z": "a"}}, {"error": None}, {"index": 1}, {"index": "1"},
    {"output_index": 1}, {"item_id": "m2"}, {"logprobs": [{"token": "a"}]}, {"logprobs": None}, {"choices": []}, {"object": "x"}, {"message": "m"},
    {"text": "delta"}, {"arguments": "a"}, {"message": {"content": []}}, {"item": {"type": "message"}}, {"id": 5}, {"created": 1.5}, {"model": None},
]  # fmt: skip
BAD_EXTRAS: list[Value] = [
    {"error": {"code": 429}},
    {"type": "error"},
    {"item": 5},
    {"delta": 5},
    {"delta": {"text": 5}},
]
OTHERS = st.sampled_from(
    [
        b": ping\n\n", b"\n", b"\r\n", b"\xef\xbb\xbf", b"data: [DONE]\n\n", b"data:[DONE]\r\n\r\n", b"data:\n\n", b"event: ping\ndata: {}\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n', b'event: error\ndata: {"message": "m"}\n\n', b'data: {"type":\ndata: "x"}\n\n',
        b"data: {broken\n\n", b"id: 7\nretry: 5\n", b"data: 5\n\n", b"data: \xff\n\n", b"data: null\n\n", b"data: {}\n\n", b'data: "text"\n\n',
        b'data: {"type": "new.event", "a": 1}\n\n', b'data: {"choices": [{"index": 0, "delta": {"content": "a"}}]}\n\n',
        b'error: {"code": 400}\n\n', b'{"error": {"code": 503}}\n', b"[1]\n\n", b'event: message_stop\ndata: {"type": "message_stop"}\n\n',
        b'data: {"type": "response.completed", "response": {}}\n\n', b'data: {"type": "content_block_delta"}\n\n', b"event: x\n",
        b'data: {"type": "response.output_text.delta"}\n\n', b'event: content_block_delta\ndata: {"delta": {"text": "a"}}\n\n',
    ]
)  # fmt: skip


@st.composite
def runs(draw: st.DrawFn, api: Api, *, with_errors: bool = True) -> list[Value]:
    """Return events in a row that differ in their text, and maybe in a number or a padding."""
    delta = draw(st.sampled_from(api.deltas))
    extra = draw(st.sampled_from(EXTRAS + (BAD_EXTRAS if with_errors else [])))
    changes: dict[str, Any] = {
        "sequence_number": NUMBERS,
        "obfuscation": TEXTS,
        "p": TEXTS,
        "x": NUMBERS | TEXTS,
        "usage": NUMBERS,
        "index": NUMBERS,
    }
    names = draw(st.lists(st.sampled_from(sorted(changes)), max_size=3, unique=True))
    events = []
    for text in draw(st.lists(TEXTS, min_size=1, max_size=7)):
        changed = {name: draw(changes[name]) for name in names}
        events.append(with_text(delta, text) | changed | extra)
    return events


@st.composite
def encoded_runs(draw: st.DrawFn, api: Api) -> bytes:
    """Return a run with any of the line endings of the standard."""
    shape = {name: draw(st.booleans()) for name in ("ascii_only", "spaced", "named")}
    end = draw(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"]))
    return b"".join(encode_event(event, **shape).replace(b"\n", end) for event in draw(runs(api)))


def bodies(api: Api) -> st.SearchStrategy[bytes]:
    parts = encoded_runs(api) | encoded_runs(api) | OTHERS | st.binary(max_size=8)
    return st.lists(parts, max_size=6).map(b"".join)


BODIES = st.sampled_from([MESSAGES, RESPONSES]).flatmap(lambda api: st.tuples(st.just(api), bodies(api)))
MESSAGE_RUN, RESPONSE_RUN = (
    b"".join(encode_event(with_text(api.deltas[0], str(at))) for at in range(9)) for api in (MESSAGES, RESPONSES)
)


@given(BODIES, st.lists(st.integers(0, 900), max_size=8))
@example((MESSAGES, MESSAGE_RUN), list(range(900)))
@example((RESPONSES, RESPONSE_RUN), list(range(900)))
@example((RESPONSES, b"\xef\xbb\xbf" + RESPONSE_RUN), [1, 2])
@example((RESPONSES, b"\xef\xbb\xbf" + RESPONSE_RUN), [0])
@example((MESSAGES, MESSAGE_RUN[:-20]), [100])
@example((MESSAGES, MESSAGE_RUN[:-1]), [100])
def test_the_fast_decoder_agrees_with_the_reference_at_any_cut(case: tuple[Api, bytes], cuts: list[int]) -> None:
    api, body = case
    edges = [0, *sorted(cuts), max(len(body), *cuts, 0)]
    blocks = [body[begin:end] for begin, end in itertools.pairwise(edges)]
    expected = decode_blocks(EventDecoder(api.dialect), blocks)
    assert decode_blocks(api.new_decoder(), blocks) == expected


VALID_RUNS = st.sampled_from([MESSAGES, RESPONSES]).flatmap(
    lambda api: st.tuples(st.just(api), st.lists(runs(api, with_errors=False), max_size=3))
)


@both_apis
def test_tokens_that_come_one_by_one_are_not_taken_for_runs(api: Api) -> None:
    blocks = [encode_event(with_text(api.deltas[0], f"{at} ")) for at in range(40)]
    decoder = FastEventDecoder(api.dialect, api.holes)
    assert not any(is_from_template(event) for block in blocks for event in decoder.feed(block))
    assert any(map(is_from_template, decoder.feed(b"".join(blocks))))


@given(VALID_RUNS, st.integers(1, 900), st.lists(st.integers(0, 30), max_size=3))
def test_the_assembled_result_is_the_same_at_any_time(
    case: tuple[Api, list[list[Value]]], size: int, looks: list[int]
) -> None:
    api, stream = case
    body = b"".join(encode_event(event) for run in stream for event in run)
    blocks = [body[at : at + size] for at in range(0, len(body), size)]
    decoder, accumulator, reference = api.new_decoder(), api.accumulator(), api.accumulator()
    plain: EventDecoder[Any] = EventDecoder(api.dialect)
    expected = (event for block in blocks for event in plain.feed(block))
    taken = (event for block in blocks for batch in decoder.decode_block(block) for event in accumulator.follow(batch))
    for at, event in enumerate(taken):
        event.type = "changed"  # by its consumer, which changes nothing of the result
        reference.add_decoded(next(expected))
        if at in looks:
            assert_same_state(accumulator, reference)
    assert next(expected, None) is None
    assert_same_state(accumulator, reference)


def assert_same_state(accumulator: Any, reference: Any) -> None:
    assert accumulator.outcome == reference.outcome
    assert accumulator.is_complete == reference.is_complete
    assert accumulator.output_tokens == reference.output_tokens
    assert accumulator.snapshot() == reference.snapshot()
    assert accumulator.snapshot().raw == reference.snapshot().raw


FIELDS_THAT_MATTER = [
    *((MESSAGES, delta, "index") for delta in MESSAGES.deltas),
    *((RESPONSES, delta, name) for delta in RESPONSES.deltas[:4] for name in ("output_index", "content_index", "summary_index")),
    (RESPONSES, RESPONSES.deltas[0], "item_id"),
    (RESPONSES, RESPONSES.deltas[0], "type"),
    (MESSAGES, MESSAGES.deltas[0], "type"),
]  # fmt: skip


@pytest.mark.parametrize(("api", "delta", "field"), FIELDS_THAT_MATTER)
@pytest.mark.parametrize("values", [[0, 1, 2, 3, 4, 5], [0, 0, 0, 1, 1, 1, 0, 0, 0], [0, 1] * 6])
def test_texts_go_where_the_reference_puts_them(api: Api, delta: Value, field: str, values: list[int]) -> None:
    names = {"type": [delta["type"], "new.event"], "item_id": ["m1", "m2", "m3", "m4", "m5", "m6"]}.get(field)
    numbered = [names[value % len(names)] if names else value for value in values]
    events = [with_text(delta, f"{at} ", **{field: value}) for at, value in enumerate(numbered)]
    block = b"".join(map(encode_event, events))
    accumulator, reference = api.accumulator(), api.accumulator()
    for batch in api.new_decoder().decode_block(block):
        list(accumulator.follow(batch))
    for event in EventDecoder(api.dialect).feed(block):
        reference.add_decoded(event)
    assert_same_state(accumulator, reference)


@each_delta
def test_tokens_take_the_template_from_the_third_event_on(api: Api, delta: Value) -> None:
    texts = ("Hel", "lo", ", ", "wörld", 'say "hi"\n')
    blocks = [encode_event(with_text(delta, text)) for text in texts]
    events = api.decode(b"\n", *blocks)
    assert [is_from_template(event) for event in events] == [False, False, True, True, True]
    assert events == [structure(with_text(delta, text), api.dialect.event_class) for text in texts]
    assert [event.raw for event in events] == [with_text(delta, text) for text in texts]


@each_delta
def test_a_template_is_used_within_a_block(api: Api, delta: Value) -> None:
    texts = [f"token {number} " for number in range(50)]
    events = api.decode(b"".join(encode_event(with_text(delta, text)) for text in texts))
    assert [event.raw for event in events] == [with_text(delta, text) for text in texts]
    assert (
        sum(map(is_from_template, api.decode(b"".join(encode_event(with_text(delta, text)) for text in texts)))) >= 46
    )


@pytest.mark.parametrize("numbers", [range(8, 14), [0, 10**14, 3, 2, 1, 0]])
def test_the_number_and_the_padding_of_an_event_may_change(numbers: Sequence[int]) -> None:
    values = [
        response_delta("output_text", f"t{number}", sequence_number=number, obfuscation="x" * (number % 17))
        for number in numbers
    ]
    events = RESPONSES.decode(b"\n", *map(encode_event, values))
    assert [is_from_template(event) for event in events] == [False, False, True, True, True, True]
    assert [event.sequence_number for event in events] == list(numbers)
    assert [event.raw for event in events] == values


@pytest.mark.parametrize("number", ["1.5", "007", "1e3", '"9"', "null", "-0", "true", "1" * 40])
def test_a_number_of_another_form_is_decoded_in_full(number: str) -> None:
    first = encode_event(response_delta("output_text"))
    odd = first.replace(b'"sequence_number":4', b'"sequence_number":' + number.encode())
    expected = decode_blocks(EventDecoder(RESPONSES.dialect), [first, first, odd])
    assert decode_blocks(RESPONSES.new_decoder(), [b"\n", first, first, odd]) == expected


@pytest.mark.parametrize("change", [{"index": 1}, {"usage": {"output_tokens": 1}}, {"error": {"code": 429}}])
def test_an_event_that_differs_in_more_is_decoded_in_full(change: Value) -> None:
    first = encode_event(message_delta("text_delta", "text"))
    other = encode_event(message_delta("text_delta", "text") | change)
    blocks = [b"\n", first, first, other, first]
    assert decode_blocks(MESSAGES.new_decoder(), blocks) == decode_blocks(EventDecoder(MESSAGES.dialect), blocks)
    decoder = MESSAGES.new_decoder()
    taken = [[is_from_template(event) for event in decoder.feed(block)] for block in blocks]
    assert taken[3] in ([], [False])


@pytest.mark.parametrize("inner", [b"\t", b"\xff", b'x","type":"text', b"\\x", b"\\", b"\x7f\x00", b"a\n\nb", b"\r", b"\\ud83d"])  # fmt: skip
@both_apis
def test_a_text_that_is_not_a_plain_json_string_is_decoded_in_full(api: Api, inner: bytes) -> None:
    first = encode_event(api.deltas[0])
    blocks = [b"\n", first, first, first, first.replace(b'"Hi"', b'"' + inner + b'"'), first]
    assert decode_blocks(api.new_decoder(), blocks) == decode_blocks(EventDecoder(api.dialect), blocks)


@both_apis
def test_a_field_of_that_name_inside_a_string_is_not_taken_for_the_text(api: Api) -> None:
    values = [with_text(api.deltas[0], text, note='"delta":"Hi","text":"Hi"') for text in ("Hi", "Ha", "Ho")]
    events = api.decode(b"\n", *map(encode_event, values))
    assert is_from_template(events[2])
    assert [event.raw for event in events] == values


@both_apis
def test_no_template_is_inferred_after_many_events_without_one(api: Api) -> None:
    names = {"index": 0} if api is MESSAGES else {"output_index": 0}
    varied = [encode_event(with_text(api.deltas[0], "a", **dict.fromkeys(names, at))) for at in range(100)]
    uniform = [encode_event(with_text(api.deltas[0], f"{at} ")) for at in range(4)]
    assert not any(map(is_from_template, api.decode(b"\n", *varied, *uniform)))
    after_few = api.decode(b"\n", *varied[:5], *uniform)[5:]
    assert [is_from_template(event) for event in after_few] == [False, False, True, True]


@both_apis
def test_a_template_outlives_events_of_another_form(api: Api) -> None:
    event = encode_event(api.deltas[0])
    others = [
        b": ping\n\n",
        b'event: ping\ndata: {"type": "ping"}\n\n',
        event.replace(b"\n", b"\r\n"),
        encode_event(api.stream[0]),
    ]
    decoder = api.new_decoder()
    for block in (b"\n", event, event):
        list(decoder.feed(block))
    for other in others:
        list(decoder.feed(other))
        assert [is_from_template(each) for each in decoder.feed(event)] == [True]


@both_apis
def test_an_event_above_the_limit_is_refused_by_a_template_too(api: Api) -> None:
    short, long = (encode_event(with_text(api.deltas[0], text)) for text in ("a", "a" * 300))
    decoder = FastEventDecoder(api.dialect, api.holes, max_event_bytes=300, min_run_bytes=0)
    for block in (b"\n", short, short, short):
        assert decoder.error is None
        list(decoder.feed(block))
    assert list(decoder.feed(long)) == []
    assert decoder.error is not None


@both_apis
def test_an_event_of_a_template_can_be_changed_copied_and_pickled(api: Api) -> None:
    *_, event = api.decode(b"\n", *(encode_event(with_text(api.deltas[0], text)) for text in ("Hi", "Ha", "Ho")))
    assert is_from_template(event)
    copy = pickle.loads(pickle.dumps(event))
    assert copy == event
    assert copy.raw == event.raw == with_text(api.deltas[0], "Ho")
    copy.type = "changed"
    assert event.type == api.deltas[0]["type"]
    with pytest.raises(AttributeError, match="nothing"):
        _ = event.nothing


def test_lists_are_not_shared_between_the_events_of_a_template() -> None:
    *_, first, second = RESPONSES.decode(b"\n", *(encode_event(response_delta("output_text", text)) for text in "abcd"))
    first.logprobs.append({"token": "a"})
    first.choices.append(None)
    first.raw["logprobs"].append(1)
    assert (second.logprobs, second.choices, second.raw["logprobs"]) == ([], [], [])


@both_apis
@pytest.mark.parametrize("size", [1, 7, 64, 1000, 10**6])
def test_a_whole_stream_is_decoded_alike_in_blocks_of_any_size(api: Api, size: int) -> None:
    body = encode_stream(api.stream)
    blocks = [body[at : at + size] for at in range(0, len(body), size)]
    assert decode_blocks(api.new_decoder(), blocks) == decode_blocks(EventDecoder(api.dialect), blocks)


@both_apis
@pytest.mark.parametrize("count", [1, 2, 3, 4, 5])
def test_blank_lines_between_events_are_skipped(api: Api, count: int) -> None:
    event = encode_event(api.deltas[0])
    blocks = [(event + b"\n" * count) * 4, event + b"\n" * count, b"\n" * count, event]
    assert decode_blocks(api.new_decoder(), blocks) == decode_blocks(EventDecoder(api.dialect), blocks)


@both_apis
def test_a_block_of_many_short_runs_is_decoded_alike(api: Api) -> None:
    events = [
        encode_event(with_text(delta, f"{at}")) for at in range(40) for delta in api.deltas[:2] for _ in range(at % 5)
    ]
    body = [b"".join(events)]
    assert decode_blocks(api.new_decoder(), body) == decode_blocks(EventDecoder(api.dialect), body)


def test_every_event_equals_the_one_that_the_converter_makes() -> None:
    for api, delta in EACH_DELTA:
        blocks = [encode_event(with_text(delta, text)) for text in "abcde"]
        for block, event in zip(blocks, api.decode(b"\n", *blocks), strict=True):
            value = decode_json(block.partition(b"data: ")[2])
            assert event == structure(value, api.dialect.event_class)
