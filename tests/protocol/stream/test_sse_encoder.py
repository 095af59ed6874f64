"""What is passed on can be read again by those who read the service."""

import json
from typing import Any

import pytest

from gradient_async import APIStatusError, SSEParser, StreamTruncatedError
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.chat_decoder import ChunkDecoder
from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_EVENTS
from gradient_async._protocol.stream.response_accumulator import RESPONSE_EVENTS
from gradient_async._protocol.stream.sse_encoder import CHAT, MESSAGES, RESPONSES, Relay
from gradient_async.errors import BadRequestError, GradientError
from gradient_async.models import ChatCompletionChunk
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.response_event import ResponseEvent

CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}], "newer": 1}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}, "newer": 1}
TYPED = {"type": "response.output_text.delta", "delta": "Hi", "newer": 1}


def decoders() -> dict[str, tuple[Relay, Any]]:
    return {
        "chat": (CHAT, ChunkDecoder()),
        "messages": (MESSAGES, EventDecoder(MESSAGE_EVENTS)),
        "responses": (RESPONSES, EventDecoder(RESPONSE_EVENTS)),
    }


@pytest.mark.parametrize(
    ("relay", "cls", "value", "name"),
    [
        (CHAT, ChatCompletionChunk, CHUNK, "message"),
        (MESSAGES, MessageEvent, DELTA, "content_block_delta"),
        (RESPONSES, ResponseEvent, TYPED, "response.output_text.delta"),
        (RESPONSES, ResponseEvent, CHUNK, "message"),
        (RESPONSES, ResponseEvent, {"type": "a\n\ndata: {}"}, "message"),
        (MESSAGES, MessageEvent, {"type": "\ud83d"}, "message"),
    ],
)
def test_an_event_goes_as_it_came(relay: Relay, cls: Any, value: Any, name: str) -> None:
    (event,) = SSEParser().feed(relay.event(structure(value, cls)))
    assert event.event == name
    assert json.loads(event.data) == value


@pytest.mark.parametrize("api", decoders())
def test_an_error_of_the_service_is_read_as_the_same(api: str) -> None:
    relay, decoder = decoders()[api]
    error = BadRequestError("Too long.", status=400, code="bad_request", request_id="r")
    assert list(decoder.feed(relay.error(error))) == []
    assert isinstance(decoder.error, BadRequestError)
    assert (decoder.error.message, decoder.error.code) == ("Too long.", "bad_request")
    assert b'"request_id":"r"' in relay.error(error)


@pytest.mark.parametrize("api", decoders())
def test_an_error_of_ours_is_read_as_one(api: str) -> None:
    relay, decoder = decoders()[api]
    error: GradientError = StreamTruncatedError("The stream ended too soon.")
    list(decoder.feed(relay.error(error)))
    assert isinstance(decoder.error, APIStatusError)
    assert decoder.error.message == "The stream ended too soon."
    assert b"StreamTruncatedError" in relay.error(error)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_end_is_read_as_the_end(api: str) -> None:
    relay, decoder = decoders()[api]
    list(decoder.feed(relay.end))
    assert decoder.done


def test_the_end_of_a_message_is_its_last_event() -> None:
    decoder = EventDecoder(MESSAGE_EVENTS)
    list(decoder.feed(MESSAGES.event(MessageEvent(type="message_stop")) + MESSAGES.end))
    assert decoder.done
    assert MESSAGES.end == b""
