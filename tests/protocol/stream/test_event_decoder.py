"""From bytes to typed events and to the answers they add up to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async import APIStatusError, GradientError, InternalServerError, ProtocolError, RateLimitError
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT, MessageAccumulator
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT, ResponseAccumulator
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.response_event import ResponseEvent
from gradient_async.testing.endpoints.messages import build_message_events
from gradient_async.testing.endpoints.responses import build_output_items, build_response_events
from gradient_async.testing.model.prompt import Completion, ToolCall, split_tokens

Value = dict[str, Any]
COMPLETION = Completion(
    tokens=split_tokens("Grüße, \u2028 \U0001f600 line\nbreak"),
    reasoning=split_tokens("Let me think."),
    calls=[ToolCall(id="c1", name="f", arguments='{"x": "ü"}'), ToolCall(id="c2", name="g", arguments="{}")],
)
MESSAGE = {
    "id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use",
    "usage": {"input_tokens": 3, "output_tokens": 9},
}  # fmt: skip
MESSAGE_STREAM = list(build_message_events(MESSAGE, COMPLETION))
RESPONSE_STREAM = list(
    build_response_events(
        {"id": "resp", "model": "m"},
        list(build_output_items(COMPLETION, "1")),
        {"status": "completed", "usage": {"output_tokens": 9}},
    )
)


def wire(values: list[Value], *, named: bool = True, ending: str = "\n") -> bytes:
    frames = [
        (f"event: {value['type']}{ending}" if named and "type" in value else "")
        + f"data: {json.dumps(value)}{ending}{ending}"
        for value in values
    ]
    return "".join(frames).encode()


def read(dialect: Any, accumulator: Any, *blocks: bytes) -> Any:
    """Read a whole body; return the decoder, the events and the accumulator."""
    decoder: EventDecoder[Any] = EventDecoder(dialect)
    events = [event for block in blocks for event in decoder.feed(block)]
    events += decoder.feed_eof()
    for event in events:
        accumulator.add_decoded(event)
    return decoder, events, accumulator


def message(*blocks: bytes) -> Any:
    return read(MESSAGE_DIALECT, MessageAccumulator(), *blocks)


def response(*blocks: bytes) -> Any:
    return read(RESPONSE_DIALECT, ResponseAccumulator(), *blocks)


BODIES = [
    (message, wire(MESSAGE_STREAM)),
    (message, b"\xef\xbb\xbf: hello\r\n\r\n" + wire(MESSAGE_STREAM, ending="\r\n")),
    (response, wire(RESPONSE_STREAM)),
    (response, wire(RESPONSE_STREAM, named=False, ending="\r")),
]


@pytest.mark.parametrize(("reading", "body"), BODIES)
@given(data=st.data())
def test_any_split_of_the_bytes_gives_the_same_events(reading: Any, body: bytes, data: Any) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=12)))
    blocks = [body[begin:end] for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True)]
    _, events, _ = reading(body)
    decoder, pieces, accumulator = reading(*blocks)
    assert pieces == events
    assert decoder.done
    assert (
        "".join(event.text for event in pieces) == accumulator.snapshot().text == "Grüße, \u2028 \U0001f600 line\nbreak"
    )


@pytest.mark.parametrize(("reading", "body"), BODIES)
def test_a_byte_at_a_time_gives_the_same_events(reading: Any, body: bytes) -> None:
    assert reading(*(bytes([byte]) for byte in body))[1] == reading(body)[1]


@pytest.mark.parametrize(("reading", "body"), BODIES)
def test_no_cut_before_the_end_is_taken_for_it(reading: Any, body: bytes) -> None:
    whole = reading(body)[2].snapshot()
    for cut in range(len(body)):
        decoder, _, accumulator = reading(body[:cut])
        assert decoder.error is None
        if decoder.done or accumulator.is_complete:
            assert accumulator.snapshot() == whole


def test_thoughts_text_and_calls_are_assembled() -> None:
    snapshot = message(wire(MESSAGE_STREAM))[2].snapshot()
    assert [block.type for block in snapshot.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (snapshot.content[0].thinking, snapshot.content[0].signature) == ("Let me think.", "c2lnbmF0dXJl")
    assert [block.input for block in snapshot.content[2:]] == [{"x": "ü"}, {}]
    assert (snapshot.stop_reason, snapshot.usage.to_dict()) == ("tool_use", {"input_tokens": 3, "output_tokens": 9})
    items = response(wire(RESPONSE_STREAM))[2].snapshot()
    assert [item.type for item in items.output] == ["reasoning", "message", "function_call", "function_call"]
    assert items.reasoning == "Let me think."
    assert [(call.call_id, call.arguments) for call in items.function_calls] == [("c1", '{"x": "ü"}'), ("c2", "{}")]


def test_a_snapshot_is_not_changed_by_what_comes_later() -> None:
    for stream, kind, accumulator in (
        (MESSAGE_STREAM, MessageEvent, MessageAccumulator()),
        (RESPONSE_STREAM, ResponseEvent, ResponseAccumulator()),
    ):
        taken = []
        for value in stream:
            if value["type"] != "ping":
                accumulator.add_decoded(structure(value, kind))  # type: ignore[type-var, attr-defined]
                snapshot = accumulator.snapshot()  # type: ignore[attr-defined]
                taken.append((snapshot, snapshot.to_json()))
        assert all(snapshot.to_json() == text for snapshot, text in taken)


# How streams end


END = [
    (message, [{"type": "message_stop"}], True),
    (message, [{"type": "message_delta", "delta": {"stop_reason": "end_turn"}}], False),
    (response, [{"type": "response.completed", "response": {}}], True),
    (response, [{"type": "response.incomplete", "response": {}}], True),
    (response, [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}], False),
]


@pytest.mark.parametrize(("reading", "values", "is_done"), END)
@pytest.mark.parametrize("tail", [b"", b"data: [DONE]\n\n", b": bye"])
def test_these_are_complete(reading: Any, values: list[Value], is_done: bool, tail: bytes) -> None:
    decoder, _, accumulator = reading(wire(values) + tail)
    assert decoder.done or accumulator.is_complete
    assert decoder.done or not is_done


def test_the_last_event_may_lack_its_blank_line() -> None:
    assert message(wire(MESSAGE_STREAM)[:-2])[0].done
    assert response(wire(RESPONSE_STREAM)[:-2])[0].done


@pytest.mark.parametrize(
    ("reading", "body"),
    [
        (message, b""),
        (message, b"data: [DONE]\n\n"),
        (message, wire(MESSAGE_STREAM[:-2]) + b"data: [DONE]\n\n"),
        (message, b'event: message_stop\ndata: {"type": "message_s'),
        (message, wire([{"type": "message_start", "message": MESSAGE | {"stop_reason": ""}}])),
        (response, wire(RESPONSE_STREAM[:-1])),
        (response, wire([{"choices": [{"index": 0, "delta": {"content": "Hi"}}]}])),
        (response, b"data: [D"),
    ],
)
def test_these_are_truncated(reading: Any, body: bytes) -> None:
    decoder, _, accumulator = reading(body)
    assert decoder.error is None
    assert not decoder.done
    assert not accumulator.is_complete


def test_what_follows_the_end_is_ignored() -> None:
    tail = wire([{"type": "content_block_delta", "delta": {"text": "late"}}]) + b"data: {]\n\n"
    decoder, events, _ = message(wire(MESSAGE_STREAM) + tail, tail)
    assert decoder.error is None
    assert events[-1].type == "message_stop"


# Errors inside


@pytest.mark.parametrize("reading", [message, response])
@pytest.mark.parametrize(
    ("frame", "kind", "code"),
    [
        (
            b'event: error\ndata: {"type":"error","error":{"type":"overloaded_error","message":"m"}}\n\n',
            InternalServerError,
            "overloaded_error",
        ),
        (
            b'data: {"type":"error","error":{"type":"rate_limit_error","message":"m"}}\n\n',
            RateLimitError,
            "rate_limit_error",
        ),
        (
            b'data: {"type":"error","code":"rate_limit_exceeded","message":"m","param":null}\n\n',
            RateLimitError,
            "rate_limit_exceeded",
        ),
        (b'data: {"type":"error","code":null,"message":"m"}\n\n', InternalServerError, None),
        (b'data: {"error":{"code":429,"message":"m"}}\n\n', RateLimitError, None),
        (b'data: {"id":"too_many_requests","message":"m"}\n\n', RateLimitError, "too_many_requests"),
        (b"event: error\ndata: what\n\n", InternalServerError, None),
        (
            b'data: {"type":"error","error":{"type":"overloaded_error","message":"m"}}',
            InternalServerError,
            "overloaded_error",
        ),
    ],
)
def test_an_error_is_never_an_event(reading: Any, frame: bytes, kind: Any, code: str | None) -> None:
    begin = b'data: {"type":"new.event"}\n\n'
    decoder, events, _ = reading(begin + frame + (begin if frame.endswith(b"\n\n") else b""))
    assert type(decoder.error) is kind
    assert decoder.error.code == code
    assert [event.type for event in events] == ["new.event"]


@pytest.mark.parametrize("error", [{"code": "server_error", "message": "m"}, None, {}, "text"])
def test_a_failed_response_is_an_error(error: Any) -> None:
    decoder, events, _ = response(wire([{"type": "response.failed", "response": {"id": "resp_1", "error": error}}]))
    assert isinstance(decoder.error, InternalServerError)
    assert decoder.error.code == ("server_error" if error == {"code": "server_error", "message": "m"} else None)
    assert events == []


# What is odd


def test_an_event_may_have_its_type_in_its_name_alone() -> None:
    body = b'event: message_delta\ndata: {"delta": {"stop_reason": "end_turn"}}\n\nevent: message_stop\ndata: {}\n\n'
    decoder, events, accumulator = message(body)
    assert [event.type for event in events] == ["message_delta", "message_stop"]
    assert accumulator.is_complete
    assert decoder.done


def test_pings_and_comments_are_no_events() -> None:
    assert message(b': x\n\nevent: ping\ndata: {"type": "ping"}\n\ndata: {"type": "ping"}\n\n')[1] == []


def test_an_unknown_event_keeps_its_fields_whatever_they_are() -> None:
    value = {"type": "response.audio.delta", "delta": {"x": 1}, "item": 7}
    (event,) = response(wire([value]))[1]
    assert (event.type, event.raw, event.text) == ("response.audio.delta", value, "")


@pytest.mark.parametrize("index", [None, 0, 1, -5, 2**60])
def test_no_index_is_trusted(index: int | None) -> None:
    place = {} if index is None else {"index": index}
    blocks = [
        {"type": "content_block_start", **place, "content_block": {"type": "text", "text": "a"}},
        {"type": "content_block_delta", **place, "delta": {"type": "text_delta", "text": "b"}},
    ]
    assert message(wire(blocks))[2].snapshot().text == "ab"
    place = {} if index is None else {"output_index": index, "content_index": index}
    deltas = [{"type": "response.output_text.delta", **place, "delta": text} for text in "ab"]
    assert response(wire(deltas))[2].snapshot().text == "ab"


def test_items_are_found_by_their_id_where_they_have_no_index() -> None:
    added = [
        {"type": "response.output_item.added", "item": {"type": "function_call", "id": name, "name": name}}
        for name in "ab"
    ]
    deltas = [
        {"type": "response.function_call_arguments.delta", "item_id": name, "delta": piece}
        for name, piece in ("a1", "b2", "a3", "b4")
    ]
    calls = response(wire(added + deltas))[2].snapshot().function_calls
    assert [(call.name, call.arguments) for call in calls] == [("a", "13"), ("b", "24")]


def test_blocks_without_an_index_follow_each_other() -> None:
    blocks: list[Value] = []
    for text in "ab":
        blocks.append({"type": "content_block_start", "content_block": {"type": "text", "text": ""}})
        blocks.append({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}})
    assert [block.text for block in message(wire(blocks))[2].snapshot().content] == ["a", "b"]


def test_deltas_without_a_start_make_their_block() -> None:
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"x": '}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Hi"}},
    ]
    content = message(wire(deltas))[2].snapshot().content
    assert [block.type for block in content] == ["thinking", "tool_use", "text"]
    assert content[1].raw == {"partial_json": '{"x": '}


def test_citations_are_collected() -> None:
    deltas = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": []}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"n": n}}}
            for n in (1, 2)
        ),
    ]
    (block,) = message(wire(deltas))[2].snapshot().content
    assert block.to_dict()["citations"] == [{"n": 1}, {"n": 2}]


def test_the_last_usage_wins_field_by_field() -> None:
    stream = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1, "speed": "fast"}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9, "input_tokens": None}},
    ]
    assert message(wire(stream))[2].snapshot().usage.to_dict() == {
        "input_tokens": 3,
        "output_tokens": 9,
        "speed": "fast",
    }


def test_halves_of_a_surrogate_pair_become_one_character_and_a_lone_one_stays() -> None:
    halves = ["\ud83d", "\ude00", "\ud800"]
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": half}}
        for half in halves[:2]
    ]
    assert message(wire(deltas))[2].snapshot().text == "\U0001f600"
    assert response(wire([{"type": "response.output_text.delta", "delta": halves[2]}]))[2].snapshot().text == "\ud800"


def test_what_is_told_as_whole_wins_and_what_is_empty_does_not() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "partial"}
    done = {"type": "response.output_item.done", "output_index": 0}
    whole = {"type": "message", "content": [{"type": "output_text", "text": "whole", "annotations": [1]}]}
    completed = {"type": "response.completed", "response": {"status": "completed", "output": [], "tools": []}}
    kept = response(wire([delta, {**done, "item": {"type": "message", "content": []}}, completed]))[2].snapshot()
    assert (kept.text, kept.status, kept.raw) == ("partial", "completed", {"tools": []})
    replaced = response(wire([delta, {**done, "item": whole}]))[2].snapshot()
    assert (replaced.text, replaced.output[0].content[0].raw) == ("whole", {"annotations": [1]})
    last = {"type": "response.completed", "response": {"output": [whole]}}
    assert response(wire([delta, last]))[2].snapshot().output[0].to_dict() == whole


def test_refusals_and_summaries_have_their_places() -> None:
    stream = [
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "in short"},
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 0, "delta": "no"},
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 0, "delta": "!"},
    ]  # fmt: skip
    reasoning, refusal = response(wire(stream))[2].snapshot().output
    assert reasoning.to_dict() == {"type": "reasoning", "summary": [{"type": "summary_text", "text": "in short"}]}
    assert refusal.to_dict() == {"type": "message", "content": [{"type": "refusal", "refusal": "no!"}]}


# The other account of a response


def chunk(delta: Value, *, reason: str | None = None, **more: Any) -> Value:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "resp_1", "object": "response.chunk", "created": 7, "model": "m", "choices": [choice], **more}


def test_chat_like_chunks_are_a_response_too() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    stream = [
        chunk({"role": "assistant", "reasoning_content": "hm"}),
        chunk({"content": "Hel"}, usage=None),
        chunk({"content": "lo", "tool_calls": [call]}),
        chunk({}, reason="tool_calls"),
        {**chunk({}), "choices": [], "usage": usage},
    ]
    decoder, events, accumulator = response(wire(stream) + b"data: [DONE]\n\n")
    snapshot = accumulator.snapshot()
    assert decoder.done
    assert {event.type for event in events} == {"response.chunk"}
    assert "".join(event.text for event in events) == snapshot.text == "Hello"
    assert (snapshot.id, snapshot.created, snapshot.model, snapshot.reasoning) == ("resp_1", 7, "m", "hm")
    assert (snapshot.function_calls[0].name, snapshot.usage.to_dict()) == ("f", usage)
    assert accumulator.end_reason == "tool_calls"


# Nothing foreign is ever raised

JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "index", "delta", "text", "message", "content", "content_block", "usage", "item", "part", "response",
             "output", "output_index", "content_index", "choices", "error", "input", "arguments", "summary", "item_id"]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=8,
)  # fmt: skip
TYPES = sorted(MESSAGE_DIALECT.known_types | RESPONSE_DIALECT.known_types | {"error", "response.failed", "ping", "new"})
VALUES = st.dictionaries(
    st.sampled_from(["index", "delta", "message", "content_block", "usage", "item", "part", "response", "output_index",
                     "content_index", "choices", "error", "arguments", "item_id", "id"]), JSON, max_size=4,
)  # fmt: skip
STREAMS = st.lists(st.tuples(st.sampled_from(TYPES), VALUES), max_size=6)


@pytest.mark.parametrize("reading", [message, response])
@given(stream=STREAMS)
def test_whatever_comes_the_outcome_is_an_answer_or_our_error(reading: Any, stream: list[tuple[str, Value]]) -> None:
    decoder, events, accumulator = reading(wire([{**value, "type": kind} for kind, value in stream]))
    snapshot = accumulator.snapshot()
    assert decoder.error is None or isinstance(decoder.error, APIStatusError | ProtocolError)
    assert isinstance(decoder.error, GradientError | None)
    assert isinstance(snapshot.text, str)
    assert snapshot.to_json()
    assert all(isinstance(event.text, str) for event in events)
