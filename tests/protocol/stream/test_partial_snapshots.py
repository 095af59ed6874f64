"""Partial snapshots hold every piece: streams cut at each event, against a simple fold of their JSON."""

import copy
import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gradient_async._protocol.http.reply_bodies import read_message, read_response
from tests.support import event_streams
from tests.support.event_streams import encode_stream
from tests.support.rich_streams import (
    ENDING,
    MESSAGE_STREAMS,
    OUTPUT,
    PIECES,
    USAGE,
    WHOLE_MESSAGES,
    Value,
    add_delta,
    end_message,
    item_event,
    piece_event,
    response_event,
    start_block,
    start_message,
)


def snapshot_message(events: list[Value]) -> Value:
    reading = event_streams.read_message(encode_stream(events))
    assert reading.decoder.error is None
    return as_object(reading.accumulator.snapshot().to_dict())


def snapshot_response(events: list[Value]) -> Value:
    reading = event_streams.read_response(encode_stream(events))
    assert reading.decoder.error is None
    return as_object(reading.accumulator.snapshot().to_dict())


def as_object(value: Value) -> Value:
    return {name: without_nulls(item) for name, item in value.items() if item is not None}


def without_nulls(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: without_nulls(item) for name, item in value.items() if item is not None}
    return [without_nulls(item) for item in value] if isinstance(value, list) else value


# Messages


def merge(known: Any, new: Any, *, grows: bool = True) -> Any:
    """Return *known* with *new*, by the plainest reading of the rule."""
    if known is None or new is None:
        return new if known is None else known
    if isinstance(known, dict) and isinstance(new, dict):
        return known | {name: merge(known.get(name), item, grows=grows) for name, item in new.items()}
    is_joined = grows and type(known) is type(new) and isinstance(known, str | list)
    return known + new if is_joined else new


def fold_message(events: list[Value]) -> Value:
    message: Value = {"id": "", "type": "message", "role": "assistant", "model": ""}
    blocks: list[Value] = []
    for event in copy.deepcopy(events):
        if event["type"] == "message_start":
            message |= event["message"]
        elif event["type"] == "content_block_start":
            index = len(blocks) if event["index"] is None else event["index"]
            blocks.append({"index": index, "block": event["content_block"], "json": ""})
        elif event["type"] == "content_block_delta":
            place = [block for block in blocks if event["index"] in (block["index"], None)][-1]
            fold_delta(place, event["delta"])
        elif event["type"] == "message_delta":
            ending = {name: value for name, value in event.items() if name not in ("type", "delta")}
            message = merge(message, event["delta"] | ending, grows=False)
    if len({block["index"] for block in blocks}) == len(blocks):
        blocks.sort(key=lambda block: int(block["index"]))
    return as_object(message | {"content": [finish_block(**block) for block in blocks]})


def fold_delta(place: Value, delta: Value) -> None:
    kind = delta.pop("type")
    if kind == "input_json_delta":
        place["json"] += delta["partial_json"]
    elif kind == "citations_delta":
        place["block"]["citations"] = [*(place["block"].get("citations") or ()), delta["citation"]]
    else:
        place["block"] = merge(place["block"], delta)


def finish_block(index: int, block: Value, json: str) -> Value:
    if block["type"].endswith("tool_use"):
        block["input"] = block.get("input") or {}
    return block | ({"input": parse_object(json)} if parse_object(json) else {"partial_json": json} if json else {})


def parse_object(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None


@pytest.mark.parametrize("name", MESSAGE_STREAMS)
def test_a_message_cut_at_any_event_holds_every_piece(name: str) -> None:
    events = MESSAGE_STREAMS[name]
    for cut in range(len(events) + 1):
        assert snapshot_message(events[:cut]) == fold_message(events[:cut])


@pytest.mark.parametrize("name", MESSAGE_STREAMS)
def test_a_streamed_message_is_the_one_that_create_returns(name: str) -> None:
    whole = read_message(json.dumps(WHOLE_MESSAGES[name]).encode())
    assert snapshot_message(MESSAGE_STREAMS[name]) == without_nulls(whole.to_dict())


TEXTS = st.text(max_size=3)
DELTAS = st.one_of(
    st.builds(lambda text: ("text_delta", {"text": text}), TEXTS),
    st.builds(lambda text: ("thinking_delta", {"thinking": text}), TEXTS),
    st.builds(lambda text: ("signature_delta", {"signature": text}), TEXTS),
    st.builds(lambda number: ("citations_delta", {"citation": {"index": number}}), st.integers(0, 2)),
    st.builds(lambda text: ("compaction_delta", {"content": text, "encrypted_content": "zz"}), TEXTS),
    st.builds(lambda number, items: ("newer_delta", {"number": number, "items": items}),
              st.none() | st.integers(), st.lists(TEXTS)),
    st.builds(lambda text: ("input_json_delta", {"partial_json": text}), st.sampled_from(["", '{"a":', "1}", "x"])),
)  # fmt: skip
INDEXES = st.none() | st.integers(0, 2)
BLOCKS = st.lists(st.tuples(INDEXES, st.lists(DELTAS, max_size=4)), min_size=1, max_size=4)


@given(BLOCKS)
def test_any_message_cut_at_any_event_holds_every_piece(
    blocks: list[tuple[int | None, list[tuple[str, Value]]]],
) -> None:
    if any(index is None for index, _ in blocks):
        blocks = [(None, deltas) for _, deltas in blocks]
    events = [start_message()]
    for index, deltas in blocks:
        events.append(start_block(index, type="newer"))
        events += [add_delta(index, kind, **fields) for kind, fields in deltas]
    events += end_message("end_turn", delta={"newer": {"a": 1}}, beside=[1])
    for cut in range(len(events) + 1):
        assert snapshot_message(events[:cut]) == fold_message(events[:cut])


# Responses

Place = tuple[str | None, str, str]
"""The list of parts, the type of the part or the item, and the field."""
PLACES: dict[str, Place] = {
    "output_text": ("content", "output_text", "text"),
    "refusal": ("content", "refusal", "refusal"),
    "reasoning_text": ("content", "reasoning_text", "text"),
    "reasoning_summary_text": ("summary", "summary_text", "text"),
    "audio": ("content", "output_audio", "data"),
    "audio.transcript": ("content", "output_audio", "transcript"),
    "function_call_arguments": (None, "function_call", "arguments"),
    "mcp_call_arguments": (None, "mcp_call", "arguments"),
    "custom_tool_call_input": (None, "custom_tool_call", "input"),
    "code_interpreter_call_code": (None, "code_interpreter_call", "code"),
}


def fold_output(events: list[Value]) -> list[Value]:
    items: dict[int, Value] = {}
    for event in copy.deepcopy(events):
        kind = event["type"].removeprefix("response.")
        index = event.get("output_index", -1)
        if kind.startswith("output_item."):
            items[index] = event["item"]
        elif "_part." in kind:
            name, place = ("content", "content_index") if kind.startswith("content") else ("summary", "summary_index")
            set_part(items[index], name, event[place], event["part"])
        elif kind.endswith("annotation.added"):
            part = items[index]["content"][event["content_index"]]
            part["annotations"] = [*part.get("annotations", ()), event["annotation"]]
        elif kind.endswith((".delta", ".done")):
            fold_piece(items[index], kind, event)
    return [without_nulls(items[index]) for index in sorted(items)]


def fold_piece(item: Value, kind: str, event: Value) -> None:
    name, _, ending = kind.rpartition(".")
    parts, part_type, field = PLACES[name]
    holder = item
    if parts is not None:
        index = event["summary_index" if parts == "summary" else "content_index"]
        if index >= len(item.get(parts) or ()):
            set_part(item, parts, index, {"type": part_type})
        holder = item[parts][index]
    holder[field] = (holder.get(field) or "") + event["delta"] if ending == "delta" else event[field]
    if event.get("logprobs"):
        holder["logprobs"] = [*holder.get("logprobs", ()), *event["logprobs"]]


def set_part(item: Value, name: str, index: int, part: Value) -> None:
    parts = item.setdefault(name, [])
    parts[index : index + 1] = [part]


def test_a_response_cut_at_any_event_holds_every_piece() -> None:
    events = PIECES + ENDING
    for cut in range(len(events) + 1):
        assert snapshot_response(events[:cut])["output"] == fold_output(events[:cut])
    assert fold_output(PIECES)[:-1] == without_nulls(OUTPUT[:-1])


def test_a_streamed_response_is_the_one_that_create_returns() -> None:
    whole = {"id": "resp_1", "object": "response", "created_at": 1760000000.0, "model": "m", "output": OUTPUT}
    whole |= {"status": "completed", "error": None, "tools": [], "usage": USAGE}
    created = read_response(json.dumps(whole).encode())
    assert snapshot_response(PIECES + ENDING) == without_nulls(created.to_dict()) == without_nulls(whole)


def test_pieces_of_items_that_were_never_announced_are_held() -> None:
    pieces = [event for event in PIECES if event.keys().isdisjoint(("item", "part"))]
    reasoning, more, mcp, custom, code, function, message = snapshot_response(pieces)["output"]
    assert reasoning == {"type": "reasoning", "id": "rs_2", "summary": OUTPUT[1]["summary"]}
    assert more == {"type": "reasoning", "id": "rs_3", "content": OUTPUT[2]["content"]}
    assert mcp == {"type": "mcp_call", "id": "mcp_1", "arguments": '{"cups":2}'}
    assert custom == {"type": "custom_tool_call", "id": "ctc_1", "input": "ls -l"}
    assert code == {"type": "code_interpreter_call", "id": "ci_1", "code": "print(4)"}
    assert function == {"type": "function_call", "id": "fc_1", "arguments": '{"q":"tea"}'}
    assert [part.get("text") or part.get("refusal") or part.get("data") for part in message["content"]] == [
        "Tea!", "No more.", "YXVkaW8=",
    ]  # fmt: skip


ITEMS = st.lists(
    st.tuples(
        st.sampled_from(sorted(PLACES)),
        st.lists(TEXTS, max_size=4),
        st.sampled_from(["pieces", "announced", "finished", "done"]),
    ),
    max_size=5,
)


@given(ITEMS, st.randoms(use_true_random=False))
def test_any_response_cut_at_any_event_holds_every_piece(items: list[tuple[str, list[str], str]], random: Any) -> None:
    queues = [list(item_events(index, *item)) for index, item in enumerate(items)]
    events = [response_event("created")]
    while queues := [queue for queue in queues if queue]:
        events.append(random.choice(queues).pop(0))
    for cut in range(len(events) + 1):
        output = snapshot_response(events[:cut])["output"]
        assert output == fold_random(events[:cut])


def item_events(index: int, name: str, texts: list[str], form: str) -> Iterator[Value]:
    """Yield the events of an item with one text in pieces."""
    parts, part_type, field = PLACES[name]
    item: Value = {"type": "newer" if form == "announced" else item_type(name), "id": f"id_{index}"}
    place = {"item_id": item["id"], "content_index": 0, "summary_index": 0}
    if form != "pieces":
        yield item_event("added", index, **item)
    for text in texts:
        yield piece_event(f"{name}.delta", index, **place, delta=text)
    whole = {field: "".join(texts)}
    if form in ("finished", "done"):
        yield piece_event(f"{name}.done", index, **place, **whole)
    if form == "done" and texts:
        yield item_event("done", index, **item, **whole if parts is None else {parts: [{"type": part_type, **whole}]})


def item_type(name: str) -> str:
    parts, kind, _ = PLACES[name]
    return kind if parts is None else "reasoning" if name.startswith("reasoning") else "message"


def fold_random(events: list[Value]) -> list[Value]:
    items: dict[int, Value] = {}
    for event in copy.deepcopy(events)[1:]:
        kind = event["type"].removeprefix("response.")
        name, _, ending = kind.rpartition(".")
        if "item" in event:
            items[event["output_index"]] = event["item"]
        elif ending == "delta" or event[PLACES[name][2]]:
            item = items.setdefault(event["output_index"], {"type": item_type(name), "id": event["item_id"]})
            fold_piece(item, kind, event)
    return [items[index] for index in sorted(items)]
