"""A stream of chat chunks: the reading is `BaseStream`'s, with its contract; what is chat's own is here."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any

from gradient_async._io.stream.base_stream import BaseStream, Opener, Outcome
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.chat_decoder import ChatDecoder, completion_to_chunks, find_stream_error
from gradient_async._protocol.stream.sse import MAX_EVENT_BYTES
from gradient_async._protocol.stream.sse_encoder import CHAT_ENCODER
from gradient_async.errors import GradientError
from gradient_async.models import ChatCompletion, ChatCompletionChunk

_FINISHED: dict[str | None, Outcome] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


class ChatStream(BaseStream[ChatCompletionChunk, ChatCompletion]):
    """The chunks of a chat completion as they arrive, and the completion they add up to.

    Iterating gives `ChatCompletionChunk`. The request is sent when the stream is entered or first read.

    Raises:
        APIStatusError: The service refused the request, or reported an error inside the stream.
        APIConnectionError: The connection was not made, or a time limit ran out.
        StreamTruncatedError: The stream ended, or its connection broke, before it was complete.
        ProtocolError: What came is no stream of chat chunks.

    Each carries ``snapshot``, the completion as far as it arrived.

    Attributes:
        outcome: ``"running"``, then how it ended: ``"done"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``,
            ``"cancelled"``, ``"truncated"`` or ``"error"``.
    """

    __slots__ = ()
    _relay = CHAT_ENCODER
    _decoder: ChatDecoder
    _accumulator: ChatAccumulator

    def __init__(self, opener: Opener, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        super().__init__(opener, ChatDecoder(max_event_bytes=max_event_bytes), ChatAccumulator())

    def completion(self) -> Coroutine[Any, Any, ChatCompletion]:
        """Read to the end and return the assembled completion."""
        return self._read_to_end()

    def _whole(self, body: bytes, content_type: str) -> Iterable[ChatCompletionChunk]:
        return completion_to_chunks(body, content_type)

    def _verdict(self) -> GradientError | None:
        return find_stream_error(self._decoder, self._accumulator)

    def _ending(self) -> Outcome:
        return _FINISHED.get(self._accumulator.finish_reason, "done")

    def _has_token(self, event: ChatCompletionChunk) -> bool:
        for choice in event.choices:
            delta = choice.delta
            if delta.content or delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls:
                return True
        return False

    def _output_tokens(self) -> int | None:
        usage = self._accumulator.usage
        return usage.completion_tokens if usage is not None else None
