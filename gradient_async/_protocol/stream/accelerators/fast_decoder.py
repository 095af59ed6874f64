"""The base of the accelerators: decoders of usual streams, runs of events that differ in a few values.

A `FastDecoder` cuts the stream into events at their blank lines, infers an `EventTemplate` from two of them, and
decodes the events that match it by their values alone. It feeds everything else (comments, CRLF, an event in many
reads, a byte order mark) to its fallback, the reference decoder of the API.

Contract: the events, ``done`` and ``error`` are those of the reference decoder that is fed the same blocks; a property
test holds each pair together. Time is linear in the bytes, whatever the events are.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.base_decoder import BaseDecoder
from gradient_async._protocol.stream.sse import EVENT_END
from gradient_async.errors import GradientError
from gradient_async.models._base import Model

if TYPE_CHECKING:
    from gradient_async._protocol.stream.accelerators.event_run import EventRun
    from gradient_async._protocol.stream.accelerators.event_template import EventTemplate

E = TypeVar("E", bound=Model)
MAX_FAILED_INFERENCES = 16
"""Inferences in a row without a use of their template, after which no more are made."""
MIN_RUN_BYTES = 4096
"""A run costs as much as several events, before the first of them is built: tokens that come one by one are no runs."""
_MAX_TEMPLATES = 4
_MAX_PARTIAL_BYTES = 4096
_FIRST_REACH = 4096
_BLANK_LINE = EVENT_END.decode()
_FIRST_BYTES = (b"d", b"e")
"""How a stream begins whose first line is one of an event, and not a byte order mark or a comment."""


class FastDecoder(Generic[E]):
    """Decodes the body of a stream into events, fed in blocks of any size.

    Attributes:
        min_run_bytes: The size below which a block is decoded event by event.
        done: Whether the event that ends the stream was seen.
        error: The first failure; raise it after the events before it were used.
    """

    __slots__ = (
        "_at_start",
        "_between_events",
        "_fallback",
        "_inferences_left",
        "_last_texts",
        "_partial",
        "_template_was_used",
        "_templates",
        "done",
        "error",
        "max_event_bytes",
        "min_run_bytes",
    )

    def __init__(self, *, max_event_bytes: int = MAX_EVENT_BYTES, min_run_bytes: int = MIN_RUN_BYTES) -> None:
        self.max_event_bytes = max_event_bytes
        self.min_run_bytes = min_run_bytes
        self.done = False
        self.error: GradientError | None = None
        self._fallback: BaseDecoder[E] | None = None
        self._at_start = True
        self._between_events = False
        self._partial = b""
        """The beginning of an event, kept for the next block."""
        self._templates: list[EventTemplate[E]] = []
        """The latest templates, the last used first."""
        self._template_was_used = False
        self._last_texts: deque[Any] = deque(maxlen=2)
        self._inferences_left = MAX_FAILED_INFERENCES

    def feed(self, block: bytes) -> Iterator[E]:
        """Return the events that *block* completes."""
        return chain.from_iterable(self.decode_block(block))

    def feed_eof(self) -> Iterator[E]:
        """Return the last event, if its JSON is complete and only its closing blank line is missing."""
        return chain.from_iterable(self.decode_eof())

    def decode_block(self, block: bytes) -> list[Sequence[E] | EventRun[E]]:
        """Return the events that *block* completes, in batches: those of a template as a run.

        Every failure is found before this returns.
        """
        batches: list[Sequence[E] | EventRun[E]] = []
        if self.done or self.error is not None:
            return batches
        if self._at_start:
            self._at_start = False
            self._between_events = block[:1] in _FIRST_BYTES
        if self._partial:
            block, self._partial = self._partial + block, b""
        has_size = self.min_run_bytes <= len(block) <= self.max_event_bytes
        if self._templates and has_size and self._between_events and block.endswith(EVENT_END):
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

    def decode_eof(self) -> list[Sequence[E] | EventRun[E]]:
        """Return the events that the end of the body completes."""
        batches: list[Sequence[E] | EventRun[E]] = []
        if self.done or self.error is not None:
            return batches
        fallback = self._feed_fallback(self._partial, batches)
        batches += fallback.decode_eof()
        self.done, self.error = fallback.done, fallback.error
        return batches

    def _decode_mixed(self, block: bytes, batches: list[Sequence[E] | EventRun[E]]) -> None:
        """Decode whole events here, and everything else with the fallback."""
        at = 0
        if not self._between_events:
            end = block.find(EVENT_END) + len(EVENT_END)
            at = end if end > 1 else len(block)
            self._feed_fallback(block[:at], batches)
        last = block.rfind(EVENT_END, at)
        if self._between_events and last >= 0 and len(block) <= self.max_event_bytes:
            begin, at = at, last + len(EVENT_END)
            self._decode_runs(block[begin:at], batches)
        if at < len(block) and not self.done and self.error is None:
            self._decode_rest(block[at:], batches)

    def _decode_rest(self, rest: bytes, batches: list[Sequence[E] | EventRun[E]]) -> None:
        """Keep a short beginning of an event for the next block, where it may belong to a run; decode anything else."""
        is_partial = self._between_events and EVENT_END not in rest and b"\r" not in rest
        if is_partial and len(rest) <= min(_MAX_PARTIAL_BYTES, self.max_event_bytes):
            self._partial = rest
        else:
            self._feed_fallback(rest, batches)

    def _feed_fallback(self, block: bytes, batches: list[Sequence[E] | EventRun[E]]) -> BaseDecoder[E]:
        """Feed *block* to the fallback and take over its state."""
        fallback = self._get_fallback()
        batches += fallback.decode_block(block)
        self.done, self.error = fallback.done, fallback.error
        self._between_events = self.error is None and fallback.parser.between_events
        return fallback

    def _get_fallback(self) -> BaseDecoder[E]:
        """Return the fallback, which some streams never need."""
        if self._fallback is None:
            self._fallback = self._new_fallback()
            if self._between_events:
                self._fallback.parser.feed(b"\n")  # the start of the stream, with its byte order mark, has passed
        return self._fallback

    def _decode_runs(self, events: bytes, batches: list[Sequence[E] | EventRun[E]]) -> None:
        """Decode whole events: runs by their template, others one by one.

        A template is tried on a part of the events only, at first and after each event that it does not match. The part
        doubles with each success, so the time stays linear.
        """
        try:
            text = events.decode()
        except UnicodeDecodeError:
            self._feed_fallback(events, batches)
            return
        at, reach, may_have_runs = 0, len(text), len(events) >= self.min_run_bytes
        while at < len(text) and not self.done and self.error is None:
            if may_have_runs and (run := self._find_run(text, at, reach)) is not None:
                self._template_was_used = True
                batches.append(run)
                at, reach = at + run.length, max(2 * run.length, _FIRST_REACH)
                continue
            end = text.find(_BLANK_LINE, at) + len(_BLANK_LINE)
            end = end if end > at else len(text)  # a third line feed in a row begins no event
            event = self._decode_event(text[at:end], batches)
            if may_have_runs and event is not None and not self.done:
                self._update_templates(text[at:end], event)
            at, reach = end, _FIRST_REACH

    def _find_run(self, text: str, at: int, reach: int) -> EventRun[E] | None:
        """Return the run that begins *at* a position, of events up to *reach* characters further."""
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

    def _decode_event(self, text: str, batches: list[Sequence[E] | EventRun[E]]) -> E | None:
        """Decode the text between two blank lines; return the event in it, None unless it holds just one."""
        number = len(batches)
        self._feed_fallback(text.encode(), batches)
        events = [event for batch in batches[number:] for event in batch]
        return events[0] if len(events) == 1 and self._between_events else None

    def _update_templates(self, text: str, event: E) -> None:
        """Infer the template of this event and one of the last two, unless that was in vain too often.

        It takes two events, so the first token of a stream does not wait for the inference.
        """
        self._inferences_left = MAX_FAILED_INFERENCES if self._template_was_used else self._inferences_left - 1
        self._template_was_used = False
        if self._inferences_left > 0:
            known = self._templates[0] if self._templates else None
            inferred = (self._match_template(last, text, event, known) for last in self._last_texts)
            if (template := next(filter(None, inferred), None)) is not None:
                self._templates = [template, *self._templates[: _MAX_TEMPLATES - 1]]
        self._last_texts.appendleft(text)

    def _new_fallback(self) -> BaseDecoder[E]:
        """Return the reference decoder, at the start of the stream."""
        raise NotImplementedError

    def _match_template(
        self, last: str, text: str, event: E, known: EventTemplate[E] | None
    ) -> EventTemplate[E] | None:
        """Return the template that two events share, None if there is none.

        Args:
            last: An event before, its blank line included.
            text: This event.
            event: This event, as the reference decoder decoded it.
            known: The template of earlier events; its holes stay holes.
        """
        raise NotImplementedError
