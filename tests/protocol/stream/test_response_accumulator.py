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


def test_empty_lists_stay() -> None:
    item: Value = {"type": "reasoning", "id": "r", "summary": [], "content": [], "encrypted_content": "zz"}
    added: Value = {"type": "response.output_item.added", "output_index": 0, "item": item}
    completed: Value = {"type": "response.completed", "response": {"output": [item]}}
    done = {**added, "type": "response.output_item.done"}
    for stream in ([added], [done], [added, completed], [completed]):
        assert [each.to_dict() for each in assemble_response(stream).output] == [item]


@pytest.mark.parametrize(
    "final", [{}, {"arguments": ""}, {"arguments": None}, {"arguments": "{}"}, {"arguments": {"q": 1}}], ids=repr
)
@pytest.mark.parametrize("kind", ["function_call", "mcp_call", "tool_search_call"])
def test_pieces_stay_unless_the_final_form_has_the_whole(kind: str, final: Value) -> None:
    delta = {"type": f"response.{kind}_arguments.delta", "output_index": 0, "item_id": "c", "delta": '{"q"'}
    done = {"type": "response.output_item.done", "output_index": 0, "item": {"type": kind, "id": "c", **final}}
    (item,) = assemble_response([delta, done]).output
    expected: Any = final.get("arguments") or '{"q"'
    if kind != "tool_search_call" and isinstance(expected, dict):
        expected = '{"q":1}'  # the documents demand text
    assert item.to_dict() == {"type": kind, "id": "c", "arguments": expected}


def test_pieces_under_a_name_that_the_final_form_lacks_are_dropped() -> None:
    delta = {"type": "response.apply_patch_call_operation_diff.delta", "output_index": 0, "delta": "+tea"}
    whole = {"type": "apply_patch_call", "operation": {"type": "create_file", "diff": "+tea"}}
    assert assemble_response([delta]).output[0].to_dict() == {"type": "apply_patch_call", "operation_diff": "+tea"}
    done = {"type": "response.output_item.done", "output_index": 0, "item": whole}
    assert assemble_response([delta, done]).output[0].to_dict() == whole


PIECE_EVENTS: list[tuple[str, Value, Value]] = [
    ("reasoning.delta", {"delta": {"text": "hm"}}, {"type": "reasoning", "content": [{"type": "reasoning_text", "text": "hm"}]}),
    ("reasoning_summary.delta", {"delta": "hm"}, {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}),
    ("reasoning_summary_text.done", {"text": "hm"}, {"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}]}),
    ("output_text.done", {"text": "Hi"}, {"type": "message", "content": [{"type": "output_text", "text": "Hi"}]}),
    ("refusal.done", {"refusal": "No"}, {"type": "message", "content": [{"type": "refusal", "refusal": "No"}]}),
    ("audio_transcript.delta", {"delta": "Hi"}, {"type": "message", "content": [{"type": "output_audio", "transcript": "Hi"}]}),
    ("output_audio.delta", {"delta": "YQ=="}, {"type": "message", "content": [{"type": "output_audio", "data": "YQ=="}]}),
    ("mcp_call.arguments.delta", {"delta": "{}"}, {"type": "mcp_call", "arguments": "{}"}),
    ("function_call_arguments.done", {"arguments": "{}", "name": "f"}, {"type": "function_call", "name": "f", "arguments": "{}"}),
    ("custom_tool_call_input.done", {"input": "ls"}, {"type": "custom_tool_call", "input": "ls"}),
    ("code_interpreter_call.code.done", {"code": "1"}, {"type": "code_interpreter_call", "code": "1"}),
    ("shell_call_command.delta", {"delta": "ls", "command_index": 0}, {"type": "shell_call", "command": "ls"}),
    ("newer_call_plan.done", {"plan": {"steps": 2}}, {"type": "newer_call", "plan": {"steps": 2}}),
]  # fmt: skip


@pytest.mark.parametrize(("name", "fields", "item"), PIECE_EVENTS)
def test_a_piece_of_an_item_that_was_not_announced_makes_the_item(name: str, fields: Value, item: Value) -> None:
    event = {"type": f"response.{name}", "output_index": 1, "item_id": "i", **fields}
    assert [each.to_dict() for each in assemble_response([event]).output] == [{"id": "i", **item}]


@pytest.mark.parametrize(
    "event",
    [
        {"type": "response.web_search_call.completed", "output_index": 0},
        {"type": "response.image_generation_call.partial_image", "output_index": 0, "partial_image_b64": "aQ=="},
        {"type": "response.shell_call_output_content.delta", "output_index": 0, "delta": {"stdout": "x"}},
        {"type": "response.mcp_call_arguments.delta.newer", "output_index": 0, "delta": "x"},
        {"type": "response.newer_call_plan.delta", "output_index": 0, "delta": None},
        {"type": "response.newer_call_plan.done", "output_index": 0, "plan": None},
        {"type": "response.output_text.annotation.added", "output_index": 0, "annotation": "x"},
        {"type": "newer.delta", "delta": "x"},
    ],
)
def test_an_event_that_is_no_piece_adds_nothing(event: Value) -> None:
    assert assemble_response([event]).output == []


def item(ending: str, index: int | None, **fields: Any) -> Value:
    return {"type": f"response.output_item.{ending}", "output_index": index, "item": fields}


def text(index: int | None, item_id: str | None, delta: str) -> Value:
    return {"type": "response.output_text.delta", "output_index": index, "item_id": item_id, "delta": delta}


@pytest.mark.parametrize(
    ("stream", "texts"),
    [
        # every item at index 0
        ([item("added", 0, type="message", id="a"), text(0, "a", "1"), item("added", 0, type="message", id="b"), text(0, "b", "2"), text(0, "a", "3")], ["13", "2"]),
        ([item("added", 0, type="reasoning", id="r"), item("added", 0, type="message", id="a"), text(0, "a", "1")], ["", "1"]),
        ([item("done", 0, type="reasoning"), item("done", 0, type="message"), text(0, None, "1")], ["", "1"]),
        # the id changes in every event
        ([item("added", 0, type="message", id="a"), text(0, "x", "1"), text(0, "y", "2"), item("done", 0, type="message", id="z")], ["12"]),
        # every item has the same id
        ([item("added", 0, type="message", id="a"), text(0, "a", "1"), item("added", 1, type="message", id="a"), text(1, "a", "2"), text(0, "a", "3")], ["13", "2"]),
        # the type changes, the id stays
        ([item("added", 0, type="", id="a"), text(0, "a", "1"), item("done", 0, type="message", id="a")], ["1"]),
        # pieces under another index, or without one
        ([item("added", 0, type="message", id="a"), text(3, "a", "1"), text(None, "a", "2"), text(None, None, "3"), item("done", 5, type="message", id="a")], ["123"]),
        # never announced, of another type in the end
        ([text(0, "a", "1"), item("done", 0, type="newer", id="b")], ["1"]),
        # out of order
        ([text(2, "c", "3"), text(0, "a", "1"), item("added", 1, type="message", id="b"), text(1, "b", "2")], ["1", "2", "3"]),
    ],
)  # fmt: skip
def test_pieces_find_their_item(stream: list[Value], texts: list[str]) -> None:
    output = assemble_response(stream).output
    assert ["".join(part.text or "" for part in item.content or ()) for item in output] == texts


@pytest.mark.parametrize(
    ("event", "outcome"),
    [
        ({"type": "response.completed", "response": {}}, "done"),
        ({"type": "response.completed"}, "done"),
        ({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "max_output_tokens"}}}, "length"),
        ({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "content_filter"}}}, "content_filter"),
        ({"type": "response.incomplete", "response": {"incomplete_details": {"reason": "newer"}}}, "length"),
        ({"type": "response.incomplete", "response": {"incomplete_details": "odd"}}, "length"),
        ({"type": "response.incomplete"}, "length"),
        ({"type": "response.completed", "response": {"status": "incomplete"}}, "length"),
    ],
)  # fmt: skip
def test_the_outcome_follows_the_status_and_its_reason(event: Value, outcome: str) -> None:
    accumulator = read_response(encode_stream([event])).accumulator
    assert accumulator.outcome == outcome
    assert accumulator.snapshot().status == ("incomplete" if outcome != "done" else "completed")


def test_reasoning_is_the_text_of_an_item_else_its_summary() -> None:
    long, short = [{"type": "reasoning_text", "text": "long"}], [{"type": "summary_text", "text": "short"}]
    items: list[Value] = [
        {"type": "reasoning", "content": long, "summary": short},
        {"type": "reasoning", "content": [], "summary": [*short, *short]},
        {"type": "reasoning", "summary": []},
        {"type": "message", "content": [{"type": "output_text", "text": "x"}]},
    ]
    assert (
        assemble_response([{"type": "response.completed", "response": {"output": items}}]).reasoning == "longshortshort"
    )


def test_a_message_whose_content_is_text_has_that_text() -> None:
    message = {"type": "message", "role": "assistant", "content": "Hi"}
    (found,) = assemble_response([{"type": "response.output_item.done", "output_index": 0, "item": message}]).output
    assert (found.text, found.to_dict()) == ("Hi", message)


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
