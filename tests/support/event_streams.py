"""Bodies of messages and responses streams, and what is read from them."""

import json
from collections.abc import Iterable
from typing import Any, Generic, TypeVar

import attrs

from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT, MessageAccumulator
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT, ResponseAccumulator
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.response_event import ResponseEvent
from gradient_async.testing.endpoints.messages import build_message_events
from gradient_async.testing.endpoints.responses import build_output_items, build_response_events
from gradient_async.testing.model.prompt import Completion, ToolCall, split_tokens

Value = dict[str, Any]
E = TypeVar("E")
A = TypeVar("A")

TEXT = "Grüße, \u2028 \U0001f600 line\nbreak"
COMPLETION = Completion(
    tokens=split_tokens(TEXT),
    reasoning=split_tokens("Let me think."),
    calls=[ToolCall(id="c1", name="f", arguments='{"x": "ü"}'), ToolCall(id="c2", name="g", arguments="{}")],
)
MESSAGE: Value = {
    "id": "msg", "type": "message", "role": "assistant", "model": "m", "stop_reason": "tool_use", "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 9},
}  # fmt: skip
MESSAGE_STREAM: list[Value] = list(build_message_events(MESSAGE, COMPLETION))
RESPONSE_STREAM: list[Value] = list(
    build_response_events(
        {"id": "resp", "model": "m"},
        list(build_output_items(COMPLETION, "1")),
        {"status": "completed", "usage": {"output_tokens": 9}},
    )
)


def encode_stream(values: Iterable[Value], *, named: bool = True, ending: str = "\n") -> bytes:
    """Return the body of a stream of *values*; with *named*, the type of each is its event name too."""
    body = ""
    for value in values:
        body += f"event: {value['type']}{ending}" if named and "type" in value else ""
        body += f"data: {json.dumps(value)}{ending}{ending}"
    return body.encode()


@attrs.frozen
class Reading(Generic[E, A]):
    """A body that was read to its end."""

    decoder: EventDecoder[Any]
    events: list[E]
    accumulator: A


def read_message(*blocks: bytes) -> Reading[MessageEvent, MessageAccumulator]:
    decoder, accumulator = EventDecoder(MESSAGE_DIALECT), MessageAccumulator()
    events = [event for block in blocks for event in decoder.feed(block)] + [*decoder.feed_eof()]
    for event in events:
        accumulator.add_decoded(event)
    return Reading(decoder, events, accumulator)


def read_response(*blocks: bytes) -> Reading[ResponseEvent, ResponseAccumulator]:
    decoder, accumulator = EventDecoder(RESPONSE_DIALECT), ResponseAccumulator()
    events = [event for block in blocks for event in decoder.feed(block)] + [*decoder.feed_eof()]
    for event in events:
        accumulator.add_decoded(event)
    return Reading(decoder, events, accumulator)
