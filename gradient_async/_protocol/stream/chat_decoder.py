"""The bytes of a chat stream to typed chunks: the reference decoder, and the check of how a stream ended.

Contract: a stream is complete when ``[DONE]`` came, or when the body ended with a finish reason for every choice.
Chunks that arrived before a failure are handed out first. Errors that the service sends inside a stream are raised,
never handed out as chunks. After the end, or a failure, further bytes are ignored.

Streams use `TemplateDecoder`, which decodes the same chunks faster and falls back to this one; a property test holds
the two together.

Source: streaming section of the inference overview; error shapes as listed in `error_body`.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.http.error_body import find_error, parse_error_event, require_json
from gradient_async._protocol.stream.base_decoder import BaseDecoder
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.interfaces import Decoder
from gradient_async.errors import GradientError, ResponseDecodeError, StreamTruncatedError
from gradient_async.models import ChatCompletionChunk

DONE = b"[DONE]"
"""The data of the event that ends a stream."""
_CHUNK_FIELDS = frozenset({"choices", "id", "object", "usage"})


class ChatDecoder(BaseDecoder[ChatCompletionChunk]):
    """Decodes the body of a chat stream into chunks: every event by the SSE parser and `decode_chunk`."""

    __slots__ = ()

    def _decode_event(self, name: str, data: str, events: list[ChatCompletionChunk]) -> None:
        encoded = data.encode()
        if name == "error":
            raise parse_error_event(encoded)
        if (text := encoded.strip()) == DONE:
            self.done = True
        elif text and name != "ping":
            events.append(decode_chunk(encoded))


def decode_chunk(data: bytes) -> ChatCompletionChunk:
    """Decode the *data* of an event.

    Raises:
        APIStatusError: The data is an error object.
        ResponseDecodeError: The data is not a chunk.
    """
    try:
        return _chunk_reader()(data)
    except FAST_READ_ERRORS:
        pass
    value = decode_json(data)
    if type(value) is dict and (error := find_error(value)):
        raise error
    if type(value) is dict and _CHUNK_FIELDS.isdisjoint(value):
        names = ", ".join(sorted(_CHUNK_FIELDS))
        raise ResponseDecodeError(f"The service sent an event without any of {names}.", path="$.choices")
    return structure(value, ChatCompletionChunk)


@cache
def _chunk_reader() -> FastReader[ChatCompletionChunk]:
    """Return the fast reader of chunks. It rejects unknown fields, because the object may be an error."""
    return FastReader(ChatCompletionChunk, required=("choices",), forbid_unknown=True)


def completion_to_chunks(body: bytes, content_type: str) -> list[ChatCompletionChunk]:
    """Return the chunks of a whole completion that came instead of a stream: one.

    Raises:
        APIStatusError: The body is an error object.
        ProtocolError: The body is not a completion.
    """
    require_json(body, content_type)
    completion = read_completion(body).to_dict()
    choices = [_choice_to_delta(choice) for choice in completion["choices"]]
    return [structure(completion | {"object": "chat.completion.chunk", "choices": choices}, ChatCompletionChunk)]


def _choice_to_delta(choice: dict[str, Any]) -> dict[str, Any]:
    """Return a completion's *choice* in the form that it has in a chunk: a delta, and indexed tool calls."""
    message = choice.pop("message")
    if calls := message.get("tool_calls"):
        message["tool_calls"] = [{"index": position} | call for position, call in enumerate(calls)]
    return choice | {"delta": message}


def find_stream_error(decoder: Decoder[ChatCompletionChunk], accumulator: ChatAccumulator) -> GradientError | None:
    """Return the error of a stream at the end of its body, None if the stream is complete."""
    if decoder.error is not None:
        return decoder.error
    if decoder.done or accumulator.is_complete:
        return None
    return StreamTruncatedError(
        "The stream ended before it was complete: no [DONE], and no finish reason for every choice. "
        "What arrived is in .snapshot; send the request again for a whole response."
    )
