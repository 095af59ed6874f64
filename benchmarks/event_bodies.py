"""Bodies of messages and responses streams, as `server.py` plays them.

The form of each event is that of the service whose API it is: anthropic's events of a message, openai's of a response,
with a number and a padding of changing length in each of its deltas.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator

PIECE = 5
TEXT = "The capital of Portugal is Lisbon , a city on the river Tagus ; it was rebuilt after 1755 ."
WORDS = TEXT.split()
PADDING = "aB3xY9kLmNoPqRsT"
ITEM_ID = "msg_68c7a1f2d3b48191a0c5e6f7a8b9c0d1"
Event = dict[str, object]
Events = Iterator[Event]


def make_texts(number: int) -> list[str]:
    """Return *number* tokens of a text."""
    return [f" {WORDS[at % len(WORDS)]}" for at in range(number)]


def make_arguments(number: int) -> list[str]:
    """Return the JSON text of arguments in *number* pieces; every other one needs an escape."""
    text = json.dumps({"words": WORDS * (number * PIECE // len(TEXT) + 1)})[: number * PIECE - 2] + '"]}'
    return [text[at : at + PIECE] for at in range(0, number * PIECE, PIECE)]


def encode_named(values: Events) -> list[bytes]:
    """Encode *values* as server-sent events that are named by their type."""
    return [
        f"event: {value['type']}\ndata: {json.dumps(value, separators=(',', ':'))}\n\n".encode() for value in values
    ]


def make_message(block: Event, kind: str, field: str, texts: list[str]) -> Events:
    """Yield the events of a message with one *block*, whose deltas have *texts*."""
    usage = {"input_tokens": 43, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}
    head = {"id": "msg_01", "type": "message", "role": "assistant", "model": "m", "content": []}
    reason = "tool_use" if field == "partial_json" else "end_turn"
    yield {"type": "message_start", "message": {**head, "stop_reason": None, "stop_sequence": None, "usage": usage}}
    yield {"type": "content_block_start", "index": 0, "content_block": block}
    yield {"type": "ping"}
    for text in texts:
        yield {"type": "content_block_delta", "index": 0, "delta": {"type": kind, field: text}}
    yield {"type": "content_block_stop", "index": 0}
    ending = {"stop_reason": reason, "stop_sequence": None}
    yield {"type": "message_delta", "delta": ending, "usage": {"output_tokens": len(texts)}}
    yield {"type": "message_stop"}


def make_response(item: Event, kind: str, field: str, texts: list[str]) -> Events:
    """Yield the events of a response with one *item*, whose deltas have *texts*."""
    head = {"id": "resp_1", "object": "response", "created_at": 1754000000, "model": "m", "output": []}
    head |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    place = {"item_id": ITEM_ID, "output_index": 0}
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    rest: Event = {}
    if item["type"] == "message":
        place, rest = place | {"content_index": 0}, {"logprobs": []}
    events: list[Event] = [
        {"type": "response.created", "response": {**head, "status": "in_progress"}},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {**item, "arguments": ""} if field == "arguments" else item,
        },
    ]
    if item["type"] == "message":
        events.append({"type": "response.content_part.added", **place, "part": part})
    deltas = [{"type": f"{kind}.delta", **place, "delta": text, **rest} for text in texts]
    for at, delta in enumerate(deltas):
        delta["obfuscation"] = PADDING[: at % len(PADDING) + 1]
    whole = "".join(texts)
    events += [*deltas, {"type": f"{kind}.done", **place, field: whole, "name": "f", **rest}]
    final = {**item, "status": "completed"}
    final |= {"arguments": whole} if field == "arguments" else {"content": [{**part, "text": whole}]}
    events.append({"type": "response.output_item.done", "output_index": 0, "item": final})
    tokens = {"input_tokens": 43, "output_tokens": len(texts), "total_tokens": 43 + len(texts)}
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    done = {**head, "status": "completed", "output": [final], "usage": tokens | details}
    events.append({"type": "response.completed", "response": done})
    for number, event in enumerate(events):
        yield {"type": event["type"], "sequence_number": number} | event


MESSAGE: Event = {"type": "message", "id": ITEM_ID, "status": "in_progress", "role": "assistant", "content": []}
CALL: Event = {"type": "function_call", "id": ITEM_ID, "status": "in_progress", "call_id": "call_1", "name": "f"}
TOOL: Event = {"type": "tool_use", "id": "toolu_01", "name": "f", "input": {}}
BODIES: dict[str, Callable[[int], Events]] = {
    "message-text": lambda n: make_message({"type": "text", "text": ""}, "text_delta", "text", make_texts(n)),
    "message-thinking": lambda n: make_message(
        {"type": "thinking", "thinking": "", "signature": ""}, "thinking_delta", "thinking", make_texts(n)
    ),
    "message-tool": lambda n: make_message(TOOL, "input_json_delta", "partial_json", make_arguments(n)),
    "response-text": lambda n: make_response(MESSAGE, "response.output_text", "text", make_texts(n)),
    "response-call": lambda n: make_response(CALL, "response.function_call_arguments", "arguments", make_arguments(n)),
}


def make_event_body(name: str, number: int) -> list[bytes]:
    """Return the events of the stream *name* with *number* deltas."""
    return encode_named(BODIES[name](number))
