"""Runs: events in a row of one template, as the values in which they differ.

Events are built when they are taken: thousands of them at once would keep the garbage collector busy for longer than it
takes to build them. A stream without runs loads no other part of the accelerators that decode them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import compress, repeat
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gradient_async.models._base import Model

if TYPE_CHECKING:
    from gradient_async._protocol.stream.accelerators.event_splitter import Columns
    from gradient_async._protocol.stream.accelerators.event_template import EventTemplate

E = TypeVar("E", bound=Model)


class EventRun(Generic[E]):
    """Events in a row of one template. Iterating builds them.

    Attributes:
        template: The template.
        columns: For each hole, the values of all events as they arrived.
        values: For each hole, the decoded values of all events; a struct and its text where the hole holds an object.
        length: The number of characters of the events.
    """

    __slots__ = ("columns", "length", "template", "values")

    def __init__(
        self, template: EventTemplate[E], columns: Columns, values: Sequence[Sequence[Any]], length: int
    ) -> None:
        self.template, self.columns, self.values, self.length = template, columns, values, length

    def __len__(self) -> int:
        return len(self.columns[0])

    def __iter__(self) -> Iterator[E]:
        return self.build_events(iter(self.columns[0]))

    def build_events(self, first_column: Iterator[str]) -> Iterator[E]:
        """Iterate over the events, each built when it is taken; *first_column* iterates over the first column."""
        template = self.template
        raws = zip(repeat(template.source), first_column, *self.columns[1:])
        return map(template.build_event, raws, *compress(self.values, template.is_modelled))

    def build_at(self, position: int) -> E:
        """Return the event at *position*."""
        template = self.template
        raw = (template.source, *(column[position] for column in self.columns))
        return template.build_event(raw, *(values[position] for values in compress(self.values, template.is_modelled)))
