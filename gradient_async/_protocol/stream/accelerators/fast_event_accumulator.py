"""The base of accumulators that add the events of a run when somebody asks for the result, all at once.

Adding an event takes longer than handing it out. So of a run only the number of events that were taken is known, and
those not added yet are added before anything else is.

Contract: the result is the same as if each event was added when it was taken. Events are added as the decoder built
them, whatever their consumer did to them.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import attrs

from gradient_async._protocol.stream.accelerators.event_run import EventRun
from gradient_async._protocol.stream.accelerators.event_template import EventTemplate
from gradient_async._protocol.stream.accelerators.json_template import Path
from gradient_async.models._base import Model

E = TypeVar("E", bound=Model)
Place = tuple[Path, list[str]]
"""The path of a text in an event, and the parts that it was appended to."""


@attrs.define(eq=False, repr=False)
class FastEventAccumulator(ABC, Generic[E]):
    """Adds the events of runs: of those of one template in a row the first in full, of the others the text."""

    _run: EventRun[E] | None = attrs.field(default=None, init=False)
    _rest: Iterator[str] = attrs.field(factory=lambda: iter(()), init=False)
    """Iterates over the first column of the run: its length hint is the number of events that were not taken yet."""
    _added: int = attrs.field(default=0, init=False)
    """Number of events of the run that were added."""
    _template: EventTemplate[E] | None = attrs.field(default=None, init=False)
    """The template of the last event that was added, if it has one."""
    _column: int = attrs.field(default=0, init=False)
    """The number of the hole that holds the text."""
    _extend_parts: Callable[[Sequence[str]], None] | None = attrs.field(default=None, init=False)
    """Appends texts to where that of the last event went; None if its template's events add more than a text."""

    def follow(self, events: Iterable[E]) -> Iterator[E]:
        """Iterate over the next *events* as the decoder built them; each is added when it is taken, or later.

        Hot: runs once for each block; an event of a run takes no call.
        """
        self.catch_up()
        if not isinstance(events, EventRun):
            return map(self._pass_on, events)
        self._run, self._added, self._rest = events, 0, iter(events.columns[0])
        return events.build_events(self._rest)

    def _pass_on(self, event: E) -> E:
        self._template = None
        self._add(event)
        return event

    def add_decoded(self, event: E) -> None:
        """Add the next event as the decoder built it, before anyone could change it."""
        self.catch_up()
        self._pass_on(event)

    def catch_up(self) -> None:
        """Add the events of the run that were taken since the last time; call it before the state is read."""
        run = self._run
        if run is None:
            return
        begin, end = self._added, len(run) - self._rest.__length_hint__()  # type: ignore[attr-defined]  # of a list
        self._added = end
        if begin < end and run.template is not self._template:
            self._add_first(run, begin)
            begin += 1
        if self._extend_parts is not None:
            self._extend_parts(run.values[self._column][begin:end])
        else:
            for position in range(begin, end):
                self._add(run.build_at(position))

    def _add_first(self, run: EventRun[E], position: int) -> None:
        """Add an event of a run in full, and find out where the texts of the next ones go."""
        event = run.build_at(position)
        self._add(event)
        self._template, self._extend_parts = run.template, None
        if (place := self._find_place(event)) is not None:
            path, parts = place
            paths = [hole.path for hole in run.template.holes]
            self._column, self._extend_parts = paths.index(path), parts.extend

    @abstractmethod
    def _add(self, event: E) -> None:
        """Add the next event in full."""

    @abstractmethod
    def _find_place(self, event: E) -> Place | None:
        """Return where *event*, the last that was added, has its text; None if it adds anything else."""
