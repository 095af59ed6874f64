"""A faster chat decoder for the usual stream: see `run_decoder`.

A template is worth its price for chunks that come one by one too, if there are enough of them: an inference costs as
much as thirty chunks that are decoded in full. So the first ones are, and neither the first token nor a short answer
waits for an inference.

Contract: the chunks, ``done`` and ``error`` are those of a `ChatDecoder` that is fed the same blocks; a property test
holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence

import attrs

from gradient_async._protocol.stream.chat_decoder import DONE, ChatDecoder, decode_chunk
from gradient_async._protocol.stream.chunk_template import ChunkRun, ChunkTemplate, infer_chunk_template
from gradient_async._protocol.stream.json_template import JSONText
from gradient_async._protocol.stream.run_decoder import RunDecoder
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END, is_single_line
from gradient_async.models import ChatCompletionChunk

Batch = Sequence[ChatCompletionChunk] | ChunkRun
CHUNKS_IN_FULL = 8


@attrs.define(eq=False, repr=False)
class TemplateDecoder(RunDecoder[ChatCompletionChunk]):
    """Decodes the body of a chat stream into chunks, fed in blocks of any size.

    Attributes:
        chunks_in_full: The number of chunks that are decoded in full before templates are inferred.
    """

    min_run_bytes: int = attrs.field(default=0, init=False)
    chunks_in_full: int = attrs.field(default=CHUNKS_IN_FULL, kw_only=True)

    def _new_fallback(self) -> ChatDecoder:
        return ChatDecoder(max_event_bytes=self.max_event_bytes)

    def _decode_event(self, text: str, batches: list[Batch]) -> ChatCompletionChunk | None:
        """Decode an event as the reference does, without its parser where the event has the usual form."""
        event = text.encode()
        if not self._between_events or not is_single_line(event):
            return super()._decode_event(text, batches)
        data = event[len(EVENT_BEGIN) : -len(EVENT_END)]
        if (stripped := data.strip()) == DONE:
            self.done = True
        elif stripped and (chunk := decode_chunk(data)) is not None:
            batches.append([chunk])
            return chunk
        return None

    def _update_templates(self, text: str, event: ChatCompletionChunk) -> None:
        if self.chunks_in_full:
            self.chunks_in_full -= 1
        else:
            super()._update_templates(text, event)

    def _match_template(
        self, last: str, text: str, event: ChatCompletionChunk, known: ChunkTemplate | None
    ) -> ChunkTemplate | None:
        return infer_chunk_template(_read_json(last), _read_json(text), event, known)


def _read_json(event: str) -> JSONText:
    return JSONText(event[len(EVENT_BEGIN) : -len(EVENT_END)])
