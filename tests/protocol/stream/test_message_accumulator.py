"""Events of a messages stream assembled into a message."""

from typing import Any

import pytest

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.message_accumulator import MessageAccumulator, message_to_events
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.messages import MessageReply
from tests.support.event_streams import MESSAGE_STREAM, Value, encode_stream, read_message
from tests.support.rich_streams import end_message


def assemble_message(values: list[Value]) -> MessageReply:
    return read_message(encode_stream(values)).accumulator.snapshot()


def test_thinking_text_and_tool_calls_are_assembled() -> None:
    message = assemble_message(MESSAGE_STREAM)
    assert [block.type for block in message.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert (message.content[0].thinking, message.content[0].signature) == ("Let me think.", "c2lnbmF0dXJl")
    assert [block.input for block in message.content[2:]] == [{"x": "ü"}, {}]
    assert message.usage is not None
    assert (message.stop_reason, message.usage.to_dict()) == ("tool_use", {"input_tokens": 3, "output_tokens": 9})


def test_a_snapshot_is_not_changed_by_later_events() -> None:
    accumulator = MessageAccumulator()
    taken: list[tuple[MessageReply, str]] = []
    for value in MESSAGE_STREAM:
        if value["type"] != "ping":
            accumulator.add_decoded(structure(value, MessageEvent))
            snapshot = accumulator.snapshot()
            taken.append((snapshot, snapshot.to_json()))
    assert all(snapshot.to_json() == text for snapshot, text in taken)
    assert len({text for _, text in taken}) > 5


@pytest.mark.parametrize("index", [None, 0, 1, -5, 2**60])
def test_a_block_may_have_any_index(index: int | None) -> None:
    place = {} if index is None else {"index": index}
    blocks: list[Value] = [
        {"type": "content_block_start", **place, "content_block": {"type": "text", "text": "a"}},
        {"type": "content_block_delta", **place, "delta": {"type": "text_delta", "text": "b"}},
    ]
    assert assemble_message(blocks).text == "ab"


def test_blocks_without_an_index_follow_each_other() -> None:
    blocks: list[Value] = []
    for text in "ab":
        blocks.append({"type": "content_block_start", "content_block": {"type": "text", "text": ""}})
        blocks.append({"type": "content_block_delta", "delta": {"type": "text_delta", "text": text}})
    assert [block.text for block in assemble_message(blocks).content] == ["a", "b"]


def test_a_delta_without_a_start_makes_its_block() -> None:
    deltas: list[Value] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"x": '}},
        {"type": "content_block_delta", "index": 2, "delta": {"type": "text_delta", "text": "Hi"}},
    ]
    content = assemble_message(deltas).content
    assert [block.type for block in content] == ["thinking", "tool_use", "text"]
    assert content[1].raw == {"partial_json": '{"x": '}


@pytest.mark.parametrize(
    ("kind", "block_type"),
    [("compaction_delta", "compaction"), ("citations_delta", "text"), ("signature_delta", "thinking"), (None, "text")],
)
def test_a_delta_without_a_start_names_the_type_of_its_block(kind: str | None, block_type: str) -> None:
    (block,) = assemble_message([{"type": "content_block_delta", "index": 3, "delta": {"type": kind}}]).content
    assert block.type == block_type


@pytest.mark.parametrize(
    ("start", "pieces", "block"),
    [
        ({}, [], {"input": {}}),
        ({"input": None}, [], {"input": {}}),
        ({"input": ""}, [], {"input": {}}),
        ({"input": []}, [], {"input": {}}),
        ({"input": '{"q": 1}'}, [], {"input": {"q": 1}}),
        ({"input": "tea"}, [], {"input": {}}),
        ({"input": {"q": 1}}, [], {"input": {"q": 1}}),
        ({"input": {"q": 1}}, [""], {"input": {"q": 1}}),
        ({"input": {"q": 1}}, ['{"q"', ": 2}"], {"input": {"q": 2}}),
        ({"input": ""}, ['{"q"', ": 2}"], {"input": {"q": 2}}),
        ({"input": ""}, [None, '{"q": 2}'], {"input": {"q": 2}}),
        ({"input": {}}, ['{"q"'], {"input": {}, "partial_json": '{"q"'}),
        ({"input": {}}, ['{"q": 1}', '{"q": 1}'], {"input": {}, "partial_json": '{"q": 1}{"q": 1}'}),
        ({"input": {}}, ["[1]"], {"input": {}, "partial_json": "[1]"}),
        ({"input": {}}, ["null"], {"input": {}, "partial_json": "null"}),
        ({"input": {}}, [{"q": 3}], {"input": {"q": 3}}),
    ],
)
@pytest.mark.parametrize("kind", ["tool_use", "server_tool_use", "mcp_tool_use"])
def test_the_call_of_a_tool_has_an_input(kind: str, start: Value, pieces: list[Any], block: Value) -> None:
    events: list[Value] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": kind, "id": "t", **start}}
    ]
    events += [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": piece}}
        for piece in pieces
    ]
    assert [each.to_dict() for each in assemble_message(events).content] == [{"type": kind, "id": "t", **block}]


def test_a_start_after_deltas_at_its_index_is_a_new_block() -> None:
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a"}}
    start = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "b"}}
    assert [block.text for block in assemble_message([delta, start, delta, start, delta]).content] == ["a", "ba", "ba"]


def test_blocks_that_start_out_of_order_are_ordered_by_their_index() -> None:
    starts: list[Value] = [
        {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": str(index)}}
        for index in (2, 0, 1)
    ]
    assert assemble_message(starts).text == "012"


@pytest.mark.parametrize(
    ("reason", "outcome"),
    [
        ("end_turn", "done"),
        ("pause_turn", "done"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ({"odd": 1}, "done"),
    ],
)
def test_the_outcome_follows_the_stop_reason(reason: Any, outcome: str) -> None:
    stream = encode_stream(end_message(reason))
    assert read_message(stream).accumulator.outcome == outcome


def test_later_nulls_and_empty_texts_do_not_clear_what_came_before() -> None:
    first = {"stop_reason": "end_turn", "stop_sequence": "x", "container": {"id": "c", "expires_at": 1}, "newer": [1]}
    stream: list[Value] = [
        {"type": "message_delta", "delta": first, "beside": 1},
        {"type": "message_delta", "delta": dict.fromkeys(first), "beside": None, "usage": None},
        {"type": "message_delta", "delta": {"stop_reason": "", "container": {"expires_at": 2, "id": None}}},
    ]
    message = assemble_message(stream)
    assert (message.stop_reason, message.stop_sequence) == ("end_turn", "x")
    assert message.raw == {"container": {"id": "c", "expires_at": 2}, "newer": [1], "beside": 1}


def test_citations_are_collected() -> None:
    deltas: list[Value] = [
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": "", "citations": []}},
        *(
            {"type": "content_block_delta", "index": 0, "delta": {"type": "citations_delta", "citation": {"n": n}}}
            for n in (1, 2)
        ),
    ]
    (block,) = assemble_message(deltas).content
    assert block.to_dict()["citations"] == [{"n": 1}, {"n": 2}]


def test_the_last_usage_wins_field_by_field() -> None:
    stream: list[Value] = [
        {"type": "message_start", "message": {"usage": {"input_tokens": 3, "output_tokens": 1, "speed": "fast"}}},
        {"type": "message_delta", "delta": {}, "usage": {"output_tokens": 9, "input_tokens": None}},
    ]
    usage = assemble_message(stream).usage
    assert usage is not None
    assert usage.to_dict() == {"input_tokens": 3, "output_tokens": 9, "speed": "fast"}


def test_a_tool_input_may_end_in_half_a_character() -> None:
    piece = {"type": "input_json_delta", "partial_json": '{"a": "\ud83d'}
    (block,) = assemble_message([{"type": "content_block_delta", "index": 0, "delta": piece}]).content
    assert block.raw["partial_json"] == '{"a": "\ud83d'


def test_the_halves_of_a_surrogate_pair_become_one_character() -> None:
    deltas: list[Value] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": half}}
        for half in ("\ud83d", "\ude00")
    ]
    assert assemble_message(deltas).text == "\U0001f600"


def test_a_whole_message_equals_the_message_of_its_events() -> None:
    whole = assemble_message(MESSAGE_STREAM)
    accumulator = MessageAccumulator()
    for event in message_to_events(whole.to_json().encode(), "application/json"):
        accumulator.add_decoded(event)
    assert accumulator.is_complete
    assert accumulator.snapshot() == whole


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "delta": {"content": True, "usage": 1}},
        {"type": "message_delta", "content": "no list", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_start", "message": {"content": None, "usage": None}},
    ],
    ids=lambda event: event["type"],
)
def test_a_content_outside_of_blocks_does_not_spoil_the_message(event: Value) -> None:
    snapshot = assemble_message([event, {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hi"}}])
    assert snapshot.text == "Hi"
