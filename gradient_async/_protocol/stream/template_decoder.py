"""A faster chat decoder for the usual stream: runs of events that differ in one text.

`TemplateDecoder` reads whole events of the form ``data: {...}`` without an SSE parser, infers a `ChunkTemplate` from
two of them, and decodes the events that match it by their text alone. It feeds everything else (comments, CRLF, named
events, an event in many reads, a byte order mark) to a `ChatDecoder`.

Contract: the chunks, ``done`` and ``error`` are those of a `ChatDecoder` that is fed the same blocks; a property test
holds the two together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

import attrs

from gradient_async._protocol.stream.chat_decoder import DONE, ChatDecoder, decode_chunk
from gradient_async._protocol.stream.chunk_template import ChunkTemplate, infer_template, parse_json_string
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END, MAX_EVENT_BYTES, is_single_line
from gradient_async.errors import GradientError
from gradient_async.models import ChatCompletionChunk

Chunks = Iterable[ChatCompletionChunk]
MAX_FAILED_INFERENCES = 16
"""Inferences in a row without a use of their template, after which no more are made."""
_MAX_PARTIAL_BYTES = 4096


@attrs.define(eq=False, repr=False)
class TemplateDecoder:
    """Decodes the body of a chat stream into chunks, fed in blocks of any size.

    Attributes:
        done: Whether ``[DONE]`` was seen.
        error: The first failure; raise it after the chunks before it were used.
    """

    max_event_bytes: int = attrs.field(default=MAX_EVENT_BYTES, kw_only=True)
    done: bool = attrs.field(default=False, init=False)
    error: GradientError | None = attrs.field(default=None, init=False)
    _fallback: ChatDecoder | None = attrs.field(default=None, init=False)
    _at_start: bool = attrs.field(default=True, init=False)
    _between_events: bool = attrs.field(default=False, init=False)
    _partial: bytes = attrs.field(default=b"", init=False)
    """The beginning of an event, kept for the next block."""
    _template: ChunkTemplate | None = attrs.field(default=None, init=False)
    _template_was_used: bool = attrs.field(default=False, init=False)
    _last_data: bytes = attrs.field(default=b"", init=False)
    _inferences_left: int = attrs.field(default=MAX_FAILED_INFERENCES, init=False)

    def feed(self, block: bytes) -> Iterator[ChatCompletionChunk]:
        """Return the chunks that *block* completes; the chunks of a template are built as they are taken.

        Every failure is found before this returns. Only the objects wait: thousands of them at once would keep the
        garbage collector busy for longer than it takes to build them, 0.9 µs each.
        """
        if self.done or self.error is not None:
            return iter(())
        if self._at_start:
            self._at_start = False
            self._between_events = block[:1] == EVENT_BEGIN[:1]  # a byte order mark needs the fallback
        if self._partial:
            block, self._partial = self._partial + block, b""
        template = self._template
        chunks: list[Chunks] = []
        if template is not None and self._between_events and block.startswith(template.head):
            end = self._decode_run(block, 0, chunks, template)
            self._template_was_used = self._template_was_used or end > 0
            if end == len(block):  # Hot: every read of a paced stream ends here
                return chain.from_iterable(chunks)
            block = block[end:]
        try:
            self._decode_block(block, chunks)
        except GradientError as error:
            self.error = error.with_traceback(None)
        return chain.from_iterable(chunks)

    def feed_eof(self) -> Iterator[ChatCompletionChunk]:
        """Return the last chunk, if its JSON is complete and only its closing blank line is missing."""
        if self.done or self.error is not None:
            return iter(())
        fallback = self._feed_fallback(self._partial, [])
        chunks = fallback.feed_eof()
        self.done, self.error = fallback.done, fallback.error
        return chunks

    def _decode_block(self, block: bytes, chunks: list[Chunks]) -> None:
        """Decode single-line events here, and everything else with the fallback."""
        at = 0
        if not self._between_events:
            end = block.find(EVENT_END) + len(EVENT_END)
            at = end if end > 1 else len(block)
            self._feed_fallback(block[:at], chunks)
        if self._between_events and len(block) <= self.max_event_bytes:
            at = self._decode_lines(block, at, chunks)
        if at < len(block) and not self.done:
            self._decode_rest(block[at:], chunks)

    def _decode_rest(self, rest: bytes, chunks: list[Chunks]) -> None:
        """Keep a short beginning of an event for the next block, where it may belong to a run; decode anything else."""
        is_partial = self._between_events and b"\n" not in rest and b"\r" not in rest
        if is_partial and len(rest) <= min(_MAX_PARTIAL_BYTES, self.max_event_bytes):
            self._partial = rest
        else:
            self._feed_fallback(rest, chunks)

    def _feed_fallback(self, block: bytes, chunks: list[Chunks]) -> ChatDecoder:
        """Feed *block* to the fallback, which most streams never need, and take over its state."""
        fallback = self._fallback
        if fallback is None:
            fallback = self._fallback = ChatDecoder(max_event_bytes=self.max_event_bytes)
            if self._between_events:
                fallback.parser.feed(b"\n")  # the start of the stream, where a byte order mark may stand, has passed
        chunks.append(fallback.feed(block))
        self.done, self.error = fallback.done, fallback.error
        self._between_events = self.error is None and fallback.parser.between_events
        return fallback

    def _decode_lines(self, block: bytes, at: int, chunks: list[Chunks]) -> int:
        """Decode single-line events from *at* on; return the position of the first other event."""
        while at < len(block) and not self.done:
            if (template := self._template) is not None and block.startswith(template.head, at):
                begin, at = at, self._decode_run(block, at, chunks, template)
                if at > begin:
                    self._template_was_used = True
                    continue
            end = block.find(EVENT_END, at) + len(EVENT_END)
            if not is_single_line(event := block[at : max(at, end)]):
                break
            data = event[len(EVENT_BEGIN) : -len(EVENT_END)]
            if (text := data.strip()) == DONE:
                self.done = True
            elif text and (chunk := decode_chunk(data)) is not None:
                self._update_template(data, chunk)
                chunks.append((chunk,))
            at = end
        return at

    def _decode_run(self, block: bytes, at: int, chunks: list[Chunks], template: ChunkTemplate) -> int:
        """Decode the events from *at* on that match *template*; return the position of their end."""
        if (last := block.rfind(template.tail, at)) < 0:
            return at
        end = last + len(template.tail)
        if (texts := template.split_texts(block[at:end])) is None:
            return self._decode_one_by_one(block, at, chunks, template)
        chunks.append(map(template.build_chunk, texts))
        return end

    def _decode_one_by_one(self, block: bytes, at: int, chunks: list[Chunks], template: ChunkTemplate) -> int:
        """Decode a run like `_decode_run`, where some texts have escapes or another event follows in the block."""
        tail, separator = template.tail, template.separator
        begin = at + len(template.head)
        texts: list[str] = []
        escaped_texts: list[bytes] = []
        more = True
        while more:
            end = block.find(b'"', begin)
            if not (more := block.startswith(separator, end)) and not block.startswith(tail, end):
                end = block.find(tail, begin)  # the quotation mark belongs to the text
                more = block.startswith(separator, end)
            if end < begin or (text := parse_json_string(escaped := block[begin:end])) is None:
                break
            texts.append(text)
            escaped_texts.append(escaped)
            at = end + len(tail)
            begin = end + len(separator)
        chunks.append(map(template.build_chunk, texts, escaped_texts))
        return at

    def _update_template(self, data: bytes, chunk: ChatCompletionChunk) -> None:
        """Infer the template of the last two events, unless that was in vain too often.

        It takes two events, so the first token of a stream does not wait for the inference.
        """
        self._inferences_left = MAX_FAILED_INFERENCES if self._template_was_used else self._inferences_left - 1
        self._template_was_used = False
        may_infer = self._inferences_left > 0 and self._last_data
        self._template = infer_template(self._last_data, data, chunk) if may_infer else None
        self._last_data = data
