"""The bytes of a chat stream to typed chunks: the reference decoder, and the check of how a stream ended.

Contract: a stream is complete when ``[DONE]`` came, or when the body ended with a finish reason for every choice.
Chunks that arrived before a failure are handed out first. Errors that the service sends inside a stream are raised,
never handed out as chunks; a choice that ends with the finish reason ``error`` makes the stream an error at its end.
Events that say nothing (null, an object without a field of a chunk, a name of no meaning here) are skipped. After the
end, or a failure, further bytes are ignored.

Streams use `FastChatDecoder`, which decodes the same chunks faster and falls back to this one; a property test holds
the two together.

Source: streaming section of the inference overview; error shapes as listed in `error_body`.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from gradient_async._protocol.codec.converter import decode_json, structure
from gradient_async._protocol.codec.fast_reader import FAST_READ_ERRORS, FastReader
from gradient_async._protocol.http.body_reader import read_completion
from gradient_async._protocol.http.error_detection import (
    failed_choice_error,
    find_error,
    find_stated_error,
    no_choices_error,
)
from gradient_async._protocol.stream.base_decoder import BaseDecoder, says_nothing
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.chunk_object import completion_to_chunk, structure_chunk
from gradient_async._protocol.stream.sse import DEFAULT_EVENT
from gradient_async.errors import GradientError, ResponseDecodeError, StreamTruncatedError
from gradient_async.models import ChatCompletionChunk

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import Decoder

DONE = b"[DONE]"
"""The data of the event that ends a stream."""
_CHUNK_FIELDS = frozenset({"choices", "usage", "retrieval", "functions", "guardrails"})
_CHUNK_OBJECT = "chat.completion"


class ChatDecoder(BaseDecoder[ChatCompletionChunk]):
    """Decodes the body of a chat stream into chunks: every event by the SSE parser and `decode_chunk`."""

    __slots__ = ()

    def decode_event(self, name: str, data: str, events: list[ChatCompletionChunk]) -> None:
        encoded = data.encode()
        if name == "error":
            from gradient_async._protocol.http.error_body import parse_error_event  # few streams have errors

            raise parse_error_event(encoded)
        if (text := encoded.strip()) == DONE:
            self.done = True
        elif text:
            chunk = decode_chunk(encoded) if name == DEFAULT_EVENT else _decode_named_event(encoded)
            if chunk is not None:
                events.append(chunk)

    def _decode_bare_value(self, value: Any, events: list[ChatCompletionChunk]) -> None:
        if _is_chunk(value) and (chunk := _structure_chunk(value)) is not None:
            events.append(chunk)


def decode_chunk(data: bytes) -> ChatCompletionChunk | None:
    """Decode the *data* of an event; None if it says nothing.

    Hot: many servers send a field of their own in each chunk, which the fast reader rejects.

    Raises:
        APIStatusError: The data is an error object.
        ResponseDecodeError: The data is not a chunk.
    """
    try:
        return _chunk_reader()(data)
    except FAST_READ_ERRORS:
        pass
    value = decode_json(data)
    if type(value) is dict and "choices" in value and b'"error"' not in data and b'"message"' not in data:
        return structure(value, ChatCompletionChunk)
    if error := find_error(value):
        raise error
    return _structure_chunk(value)


def _decode_named_event(data: bytes) -> ChatCompletionChunk | None:
    """Decode the *data* of an event with a name that has no meaning here; None unless it is a chunk."""
    try:
        value = decode_json(data)
    except ResponseDecodeError:
        return None
    if error := find_stated_error(value):
        raise error
    return decode_chunk(data) if _is_chunk(value) else None


def _structure_chunk(value: Any) -> ChatCompletionChunk | None:
    """Return the chunk of a JSON *value*, None if it says nothing: it is empty, or has no field of a chunk."""
    if says_nothing(value) or (isinstance(value, dict) and not _is_chunk(value)):
        return None
    return structure_chunk(value)


def _is_chunk(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    return not _CHUNK_FIELDS.isdisjoint(value) or str(value.get("object")).startswith(_CHUNK_OBJECT)


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
    from gradient_async._protocol.http.error_body import require_json  # most bodies are streams

    require_json(body, content_type)
    return [completion_to_chunk(read_completion(body).raw)]


def find_stream_error(decoder: Decoder[ChatCompletionChunk], accumulator: ChatAccumulator) -> GradientError | None:
    """Return the error of a stream at the end of its body, None if the stream is complete."""
    if decoder.error is not None:
        return decoder.error
    if accumulator.has_failed:
        return failed_choice_error()
    if accumulator.lacks_choices:
        return no_choices_error()
    if decoder.done or accumulator.is_complete:
        return None
    return StreamTruncatedError(
        "The stream ended before it was complete: no [DONE], and no finish reason for every choice. "
        "What arrived is in .snapshot; send the request again for a whole response."
    )
