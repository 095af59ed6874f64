"""A faster chat decoder for the usual stream: runs of events that differ in a few values.

`TemplateDecoder` reads whole events of the form ``data: {...}`` without an SSE parser, infers a `ChunkTemplate` from
two of them, and decodes the events that match it by their values alone. It feeds everything else (comments, CRLF, named
events, an event in many reads, a byte order mark) to a `ChatDecoder`.

Contract: the chunks, ``done`` and ``error`` are those of a `ChatDecoder` that is fed the same blocks; a property test
holds the two together. Time is linear in the bytes, whatever the events are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import attrs

from gradient_async._protocol.stream.chat_decoder import DONE, ChatDecoder, decode_chunk
from gradient_async._protocol.stream.chunk_template import ChunkRun, ChunkTemplate, infer_chunk_template
from gradient_async._protocol.stream.json_template import JSONText
from gradient_async._protocol.stream.run_decoder import RunDecoder
from gradient_async._protocol.stream.sse import EVENT_BEGIN, EVENT_END, MAX_EVENT_BYTES, is_single_line
from gradient_async.errors import GradientError
from gradient_async.models import ChatCompletionChunk

Batch = Sequence[ChatCompletionChunk] | ChunkRun
MAX_FAILED_INFERENCES = 16
"""Inferences in a row without a use of their template, after which no more are made."""
MAX_TEMPLATES = 4
_MAX_PARTIAL_BYTES = 4096
_FIRST_REACH = 4096
_BLANK_LINE = EVENT_END.decode()


@attrs.define(eq=False, repr=False)
class TemplateDecoder(RunDecoder[ChatCompletionChunk]):
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
    _templates: list[ChunkTemplate] = attrs.field(factory=list, init=False)
    """The latest templates, the last used first."""
    _template_was_used: bool = attrs.field(default=False, init=False)
    _untried: JSONText | None = attrs.field(default=None, init=False)
    """The text of the last event that was decoded in full, before a template was inferred of it."""
    _last_texts: deque[JSONText] = attrs.field(factory=lambda: deque(maxlen=2), init=False)
    _inferences_left: int = attrs.field(default=MAX_FAILED_INFERENCES, init=False)

    def decode_block(self, block: bytes) -> list[Batch]:
        """Return the chunks that *block* completes, in batches: those of a template as a run.

        Every failure is found before this returns.
        """
        batches: list[Batch] = []
        if self.done or self.error is not None:
            return batches
        if self._at_start:
            self._at_start = False
            self._between_events = block[:1] == EVENT_BEGIN[:1]  # a byte order mark needs the fallback
        if self._partial:
            block, self._partial = self._partial + block, b""
        if self._untried is not None:
            self._infer_template(self._untried)
        if self._templates and self._between_events and block.endswith(EVENT_END):
            try:
                text = block.decode()
            except UnicodeDecodeError:
                text = ""
            template = self._templates[0]
            if text.startswith(template.splitter.head) and (run := template.read_run(text)) is not None:
                self._template_was_used = True
                batches.append(run)
                if run.length == len(text):  # Hot: every read of a paced stream ends here
                    return batches
                block = text[run.length :].encode()
        try:
            self._decode_mixed(block, batches)
        except GradientError as error:
            self.error = error.with_traceback(None)
        return batches

    def _decode_mixed(self, block: bytes, batches: list[Batch]) -> None:
        """Decode whole events here, and everything else with the fallback."""
        at = 0
        if not self._between_events:
            end = block.find(EVENT_END) + len(EVENT_END)
            at = end if end > 1 else len(block)
            self._feed_fallback(block[:at], batches)
        last = block.rfind(EVENT_END, at)
        if self._between_events and last >= 0 and len(block) <= self.max_event_bytes:
            begin, at = at, last + len(EVENT_END)
            self._decode_events(block[begin:at], batches)
        if at < len(block) and not self.done:
            self._decode_rest(block[at:], batches)

    def _decode_rest(self, rest: bytes, batches: list[Batch]) -> None:
        """Keep a short beginning of an event for the next block, where it may belong to a run; decode anything else."""
        is_partial = self._between_events and b"\n" not in rest and b"\r" not in rest
        if is_partial and len(rest) <= min(_MAX_PARTIAL_BYTES, self.max_event_bytes):
            self._partial = rest
        else:
            self._feed_fallback(rest, batches)

    def _feed_fallback(self, block: bytes, batches: list[Batch]) -> ChatDecoder:
        """Feed *block* to the fallback, which most streams never need, and take over its state."""
        fallback = self._fallback
        if fallback is None:
            fallback = self._fallback = ChatDecoder(max_event_bytes=self.max_event_bytes)
            if self._between_events:
                fallback.parser.feed(b"\n")  # the start of the stream, where a byte order mark may stand, has passed
        batches += fallback.decode_block(block)
        self.done, self.error = fallback.done, fallback.error
        self._between_events = self.error is None and fallback.parser.between_events
        return fallback

    def _decode_events(self, events: bytes, batches: list[Batch]) -> None:
        """Decode whole events: runs by their template, others one by one.

        A template is tried on a part of the events only, at first and after each event that it does not match. The part
        doubles with each success, so the time stays linear.
        """
        try:
            text = events.decode()
        except UnicodeDecodeError:
            self._feed_fallback(events, batches)
            return
        at, reach = 0, len(text)
        while at < len(text) and not self.done and self.error is None:
            run = self._find_run(text, at, reach) if self._templates or self._untried is not None else None
            if run is None:
                reach = _FIRST_REACH
                at = self._decode_next(text, at, batches)
                continue
            self._template_was_used = True
            batches.append(run)
            reach = max(2 * run.length, _FIRST_REACH)
            at += run.length

    def _find_run(self, text: str, at: int, reach: int) -> ChunkRun | None:
        """Return the run that begins *at* a position, of events up to *reach* characters further."""
        if self._untried is not None:
            self._infer_template(self._untried)
        for number, template in enumerate(self._templates):
            if not text.startswith(template.splitter.head, at) or not self._between_events:
                continue
            end = len(text)
            if end > at + reach:
                end = text.rfind(_BLANK_LINE, at, at + reach)
                end = (text.find(_BLANK_LINE, at) if end < 0 else end) + len(_BLANK_LINE)
            if (run := template.read_run(text if at == 0 and end == len(text) else text[at:end])) is not None:
                if number:
                    self._templates.insert(0, self._templates.pop(number))
                return run
        return None

    def _decode_next(self, text: str, at: int, batches: list[Batch]) -> int:
        """Decode the event that begins *at* a position; return the position of its end."""
        end = text.find(_BLANK_LINE, at) + len(_BLANK_LINE)
        end = end if end > at else len(text)  # a third line feed in a row begins no event
        event = text[at:end].encode()
        if not self._between_events or not is_single_line(event):
            self._feed_fallback(event, batches)
            return end
        data = event[len(EVENT_BEGIN) : -len(EVENT_END)]
        if (stripped := data.strip()) == DONE:
            self.done = True
        elif stripped and (chunk := decode_chunk(data)) is not None:
            batches.append([chunk])
            self._untried = JSONText(text[at + len(EVENT_BEGIN) : end - len(EVENT_END)])
        return end

    def _infer_template(self, text: JSONText) -> None:
        """Infer the template of *text* and one of the last two texts, unless that was in vain too often.

        It waits for the event after *text*, so no token waits for it.
        """
        self._untried = None
        self._inferences_left = MAX_FAILED_INFERENCES if self._template_was_used else self._inferences_left - 1
        self._template_was_used = False
        if self._inferences_left > 0 and self._last_texts and (chunk := decode_chunk(text.text.encode())) is not None:
            known = self._templates[0] if self._templates else None
            inferred = (infer_chunk_template(last, text, chunk, known) for last in self._last_texts)
            if (template := next(filter(None, inferred), None)) is not None:
                self._templates = [template, *self._templates[: MAX_TEMPLATES - 1]]
        self._last_texts.appendleft(text)
