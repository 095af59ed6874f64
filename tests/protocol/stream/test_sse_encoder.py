"""What is passed on can be read again by those who read the service."""

import json
from typing import Any

import pytest

from gradient_async import APIStatusError, SSEParser, StreamTruncatedError
from gradient_async._protocol.codec.converter import structure
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async._protocol.stream.event_decoder import EventDecoder
from gradient_async._protocol.stream.message_accumulator import MESSAGE_DIALECT
from gradient_async._protocol.stream.response_accumulator import RESPONSE_DIALECT
from gradient_async._protocol.stream.sse_encoder import CHAT_ENCODER, MESSAGE_ENCODER, RESPONSE_ENCODER, SSEEncoder
from gradient_async.errors import BadRequestError, GradientError
from gradient_async.models import ChatCompletionChunk
from gradient_async.models.message_event import MessageEvent
from gradient_async.models.response_event import ResponseEvent

CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "Hi"}}], "newer": 1}
DELTA = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}, "newer": 1}
TYPED = {"type": "response.output_text.delta", "delta": "Hi", "newer": 1}


def decoders() -> dict[str, tuple[SSEEncoder, Any]]:
    return {
        "chat": (CHAT_ENCODER, FastChatDecoder()),
        "messages": (MESSAGE_ENCODER, EventDecoder(MESSAGE_DIALECT)),
        "responses": (RESPONSE_ENCODER, EventDecoder(RESPONSE_DIALECT)),
    }


@pytest.mark.parametrize(
    ("relay", "cls", "value", "name"),
    [
        (CHAT_ENCODER, ChatCompletionChunk, CHUNK, "message"),
        (MESSAGE_ENCODER, MessageEvent, DELTA, "content_block_delta"),
        (RESPONSE_ENCODER, ResponseEvent, TYPED, "response.output_text.delta"),
        (RESPONSE_ENCODER, ResponseEvent, CHUNK, "message"),
        (RESPONSE_ENCODER, ResponseEvent, {"type": "a\n\ndata: {}"}, "message"),
        (MESSAGE_ENCODER, MessageEvent, {"type": "\ud83d"}, "message"),
    ],
)
def test_an_event_goes_as_it_came(relay: SSEEncoder, cls: Any, value: Any, name: str) -> None:
    (event,) = SSEParser().feed(relay.encode_event(structure(value, cls)))
    assert event.event == name
    assert json.loads(event.data) == value


@pytest.mark.parametrize("api", decoders())
def test_an_error_of_the_service_is_read_as_the_same(api: str) -> None:
    relay, decoder = decoders()[api]
    error = BadRequestError("Too long.", status=400, code="bad_request", request_id="r")
    assert list(decoder.feed(relay.encode_error(error))) == []
    assert isinstance(decoder.error, BadRequestError)
    assert (decoder.error.message, decoder.error.code) == ("Too long.", "bad_request")
    assert b'"request_id":"r"' in relay.encode_error(error)


@pytest.mark.parametrize("api", decoders())
def test_an_error_of_ours_is_read_as_one(api: str) -> None:
    relay, decoder = decoders()[api]
    error: GradientError = StreamTruncatedError("The stream ended too soon.")
    list(decoder.feed(relay.encode_error(error)))
    assert isinstance(decoder.error, APIStatusError)
    assert decoder.error.message == "The stream ended too soon."
    assert b"StreamTruncatedError" in relay.encode_error(error)


@pytest.mark.parametrize("api", ["chat", "responses"])
def test_the_end_is_read_as_the_end(api: str) -> None:
    relay, decoder = decoders()[api]
    list(decoder.feed(relay.end_marker))
    assert decoder.done


def test_the_end_of_a_message_is_its_last_event() -> None:
    decoder = EventDecoder(MESSAGE_DIALECT)
    list(decoder.feed(MESSAGE_ENCODER.encode_event(MessageEvent(type="message_stop")) + MESSAGE_ENCODER.end_marker))
    assert decoder.done
    assert MESSAGE_ENCODER.end_marker == b""
