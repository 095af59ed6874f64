"""The stream of the chat completions API."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

from gradient_async._io.stream.base_stream import BaseStream
from gradient_async._io.stream.iterators import ToolCallIterator
from gradient_async._io.stream.stream_reader import Opener
from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import FastChatDecoder
from gradient_async._protocol.stream.chat_accumulator import ChatAccumulator
from gradient_async._protocol.stream.chat_decoder import completion_to_chunks, find_stream_error
from gradient_async._protocol.stream.sse_encoder import CHAT_ENCODER
from gradient_async.errors import GradientError
from gradient_async.models import ChatCompletion, ChatCompletionChunk, ToolCall

if TYPE_CHECKING:
    from gradient_async._protocol.stream.interfaces import StreamOutcome

_OUTCOMES: dict[str | None, StreamOutcome] = {
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
}


class ChatStream(BaseStream[ChatCompletionChunk, ChatCompletion]):
    """The chunks of a chat completion as they arrive, and the completion assembled from them.

    Iterating gives `ChatCompletionChunk`. The request is sent when the stream is entered or first read.

    Example::

        async with session.chat.completions.stream(model=M, messages=messages) as stream:
            async for chunk in stream:
                print(chunk.text, end="")
            print(stream.snapshot.usage)

    Raises:
        APIStatusError: The service refused the request, or reported an error inside the stream.
        APIConnectionError: The connection was not made, or a time limit ran out.
        StreamTruncatedError: The stream ended, or its connection broke, before it was complete.
        ProtocolError: The response is not a stream of chat chunks.

    Each error carries ``snapshot``, the completion as far as it arrived.

    Attributes:
        outcome: ``"running"``, then how it ended: ``"done"``, ``"length"``, ``"tool_calls"``, ``"content_filter"``,
            ``"cancelled"``, ``"truncated"`` or ``"error"``.
    """

    __slots__ = ()
    _encoder = CHAT_ENCODER
    _decoder: FastChatDecoder
    _accumulator: ChatAccumulator

    def __init__(self, opener: Opener, *, max_event_bytes: int = MAX_EVENT_BYTES) -> None:
        decoder, accumulator = FastChatDecoder(max_event_bytes=max_event_bytes), ChatAccumulator()
        super().__init__(opener, decoder, accumulator, completion_to_chunks, accumulator.follow)

    def completion(self) -> Coroutine[Any, Any, ChatCompletion]:
        """Read to the end and return the assembled completion."""
        return self._read_to_end()

    def tool_calls(self) -> ToolCallIterator[ChatCompletionChunk]:
        """Iterate over the tool calls of the first choice, each as soon as it is complete.

        A call is complete when the next one begins and its arguments are whole JSON, when the choice has its finish
        reason, or when the stream ends. A last call that ``max_tokens`` cut off is in the snapshot only.
        """
        taken: set[int] = set()

        def take_completed(is_over: bool) -> list[ToolCall]:  # noqa: FBT001 - the one fact that the iterator knows
            return self._accumulator.take_completed_calls(taken, is_over=is_over)

        return ToolCallIterator(self, take_completed)

    def _completion_error(self) -> GradientError | None:
        return find_stream_error(self._decoder, self._accumulator)

    def _final_outcome(self) -> StreamOutcome:
        return _OUTCOMES.get(self._accumulator.finish_reason, "done")

    def _has_token(self, event: ChatCompletionChunk) -> bool:
        for choice in event.choices:
            delta = choice.delta
            if delta.content or delta.reasoning_content or delta.reasoning or delta.refusal or delta.tool_calls:
                return True
        return False

    def _output_tokens(self) -> int | None:
        usage = self._accumulator.usage
        return usage.completion_tokens if usage is not None else None
