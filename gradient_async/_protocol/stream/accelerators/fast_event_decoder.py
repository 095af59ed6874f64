"""A faster decoder of the usual messages or responses stream: see `fast_decoder`.

Contract: the events, ``done`` and ``error`` are those of an `EventDecoder` that is fed the same blocks; a property test
holds the two together.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

from gradient_async._protocol.stream import MAX_EVENT_BYTES
from gradient_async._protocol.stream.accelerators.dialect_template import TextHoles, split_frame
from gradient_async._protocol.stream.accelerators.event_run import EventRun
from gradient_async._protocol.stream.accelerators.event_template import EventTemplate
from gradient_async._protocol.stream.accelerators.fast_decoder import MIN_RUN_BYTES, FastDecoder
from gradient_async._protocol.stream.event_decoder import Dialect, EventDecoder
from gradient_async._protocol.stream.sse import DEFAULT_EVENT
from gradient_async.models._base import Model

M = TypeVar("M", bound=Model)


class FastEventDecoder(FastDecoder[M]):
    """Decodes the body of a stream into the events of one API, fed in blocks of any size."""

    __slots__ = ("dialect", "holes")

    def __init__(
        self,
        dialect: Dialect[M],
        holes: TextHoles[M],
        *,
        max_event_bytes: int = MAX_EVENT_BYTES,
        min_run_bytes: int = MIN_RUN_BYTES,
    ) -> None:
        super().__init__(max_event_bytes=max_event_bytes, min_run_bytes=min_run_bytes)
        self.dialect = dialect
        self.holes = holes

    def _new_fallback(self) -> EventDecoder[M]:
        return EventDecoder(self.dialect, max_event_bytes=self.max_event_bytes)

    def _decode_event(self, text: str, batches: list[Sequence[M] | EventRun[M]]) -> M | None:
        """Decode an event as the reference does, without its parser where the event has the usual form."""
        frame = split_frame(text) if self._between_events else None
        if frame is None:
            return super()._decode_event(text, batches)
        begin, data = frame
        fallback = self._get_fallback()
        events: list[M] = []
        batches.append(events)
        fallback.decode_event(_parse_name(begin) or DEFAULT_EVENT, data, events)
        self.done = fallback.done
        return events[0] if len(events) == 1 else None

    def _update_templates(self, text: str, event: M) -> None:
        if self.holes.adds_text(event):
            super()._update_templates(text, event)

    def _match_template(
        self, last: str, text: str, event: M, known: EventTemplate[M] | None
    ) -> EventTemplate[M] | None:
        return self.holes.infer_template(last, text, event, known)


@lru_cache(maxsize=64)
def _parse_name(begin: str) -> str:
    """Return the name of the event that begins with *begin*, ``""`` if it has none."""
    line, is_named, _ = begin.rpartition("\n")
    return line.removeprefix("event:").removeprefix(" ") if is_named else ""
