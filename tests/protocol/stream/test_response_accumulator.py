"""Events of a responses stream assembled into a response."""

from typing import Any

import pytest

from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.response_accumulator import ResponseAccumulator, response_to_events
from gradient_async.models.response_event import ResponseEvent
from gradient_async.models.responses import ResponseReply
from tests.support.event_streams import RESPONSE_STREAM, Value, encode_stream, read_response


def assemble_response(values: list[Value]) -> ResponseReply:
    return read_response(encode_stream(values)).accumulator.snapshot()


def test_reasoning_text_and_function_calls_are_assembled() -> None:
    response = assemble_response(RESPONSE_STREAM)
    assert [item.type for item in response.output] == ["reasoning", "message", "function_call", "function_call"]
    assert response.reasoning == "Let me think."
    assert [(call.call_id, call.arguments) for call in response.function_calls] == [("c1", '{"x": "ü"}'), ("c2", "{}")]


def test_a_snapshot_is_not_changed_by_later_events() -> None:
    accumulator = ResponseAccumulator()
    taken: list[tuple[ResponseReply, str]] = []
    for value in RESPONSE_STREAM:
        accumulator.add_decoded(structure(value, ResponseEvent))
        snapshot = accumulator.snapshot()
        taken.append((snapshot, snapshot.to_json()))
    assert all(snapshot.to_json() == text for snapshot, text in taken)
    assert len({text for _, text in taken}) > 5


@pytest.mark.parametrize("index", [None, 0, 1, -5, 2**60])
def test_an_item_and_a_part_may_have_any_index(index: int | None) -> None:
    place = {} if index is None else {"output_index": index, "content_index": index}
    deltas: list[Value] = [{"type": "response.output_text.delta", **place, "delta": text} for text in "ab"]
    assert assemble_response(deltas).text == "ab"


def test_items_without_an_index_are_found_by_their_id() -> None:
    added: list[Value] = [
        {"type": "response.output_item.added", "item": {"type": "function_call", "id": name, "name": name}}
        for name in "ab"
    ]
    deltas: list[Value] = [
        {"type": "response.function_call_arguments.delta", "item_id": name, "delta": text}
        for name, text in ("a1", "b2", "a3", "b4")
    ]
    calls = assemble_response(added + deltas).function_calls
    assert [(call.name, call.arguments) for call in calls] == [("a", "13"), ("b", "24")]


def test_a_lone_surrogate_stays_in_the_text() -> None:
    assert assemble_response([{"type": "response.output_text.delta", "delta": "\ud800"}]).text == "\ud800"


def test_a_whole_value_replaces_its_deltas_unless_it_is_empty() -> None:
    delta = {"type": "response.output_text.delta", "output_index": 0, "delta": "partial"}
    done = {"type": "response.output_item.done", "output_index": 0}
    whole = {"type": "message", "content": [{"type": "output_text", "text": "whole", "annotations": [1]}]}
    completed = {"type": "response.completed", "response": {"status": "completed", "output": [], "tools": []}}
    kept = assemble_response([delta, {**done, "item": {"type": "message", "content": []}}, completed])
    assert (kept.text, kept.status, kept.raw) == ("partial", "completed", {"tools": []})
    replaced = assemble_response([delta, {**done, "item": whole}])
    assert replaced.output[0].content is not None
    assert (replaced.text, replaced.output[0].content[0].raw) == ("whole", {"annotations": [1]})
    last = {"type": "response.completed", "response": {"output": [whole]}}
    assert assemble_response([delta, last]).output[0].to_dict() == whole


def test_refusals_and_summaries_have_parts_of_their_own() -> None:
    stream: list[Value] = [
        {"type": "response.reasoning_summary_part.added", "output_index": 0, "summary_index": 0, "part": {"type": "summary_text", "text": ""}},
        {"type": "response.reasoning_summary_text.delta", "output_index": 0, "summary_index": 0, "delta": "in short"},
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 0, "delta": "no"},
        {"type": "response.refusal.delta", "output_index": 1, "content_index": 0, "delta": "!"},
    ]  # fmt: skip
    reasoning, refusal = assemble_response(stream).output
    assert reasoning.to_dict() == {"type": "reasoning", "summary": [{"type": "summary_text", "text": "in short"}]}
    assert refusal.to_dict() == {"type": "message", "content": [{"type": "refusal", "refusal": "no!"}]}


def chat_chunk(delta: Value, *, reason: str | None = None, **more: Any) -> Value:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    return {"id": "resp_1", "object": "response.chunk", "created": 7, "model": "m", "choices": [choice], **more}


def test_chat_like_chunks_are_assembled_into_a_response() -> None:
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    stream = [
        chat_chunk({"role": "assistant", "reasoning_content": "hm"}),
        chat_chunk({"content": "Hel"}, usage=None),
        chat_chunk({"content": "lo", "tool_calls": [call]}),
        chat_chunk({}, reason="tool_calls"),
        {**chat_chunk({}), "choices": [], "usage": usage},
    ]
    reading = read_response(encode_stream(stream) + b"data: [DONE]\n\n")
    response = reading.accumulator.snapshot()
    assert reading.decoder.done
    assert {event.type for event in reading.events} == {"response.chunk"}
    assert "".join(event.text for event in reading.events) == response.text == "Hello"
    assert (response.id, response.created, response.model, response.reasoning) == ("resp_1", 7, "m", "hm")
    assert response.usage is not None
    assert (response.function_calls[0].name, response.usage.to_dict()) == ("f", usage)
    assert reading.accumulator.end_reason == "tool_calls"


def test_a_whole_response_equals_the_response_of_its_events() -> None:
    whole = assemble_response(RESPONSE_STREAM)
    accumulator = ResponseAccumulator()
    for event in response_to_events(whole.to_json().encode(), "application/json"):
        accumulator.add_decoded(event)
    assert accumulator.is_complete
    assert accumulator.snapshot() == whole
