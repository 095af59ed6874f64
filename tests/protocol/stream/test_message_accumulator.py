"""Events of a messages stream assembled into a message."""

import pytest

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.message_accumulator import MessageAccumulator, message_to_events
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.messages import MessageReply
from tests.support.event_streams import MESSAGE_STREAM, Value, encode_stream, read_message


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
