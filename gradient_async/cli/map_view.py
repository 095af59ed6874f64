"""Progress of a map on stderr: a bar in a terminal, elsewhere a line a minute and when a wait begins.

Contract: only displays; nothing goes to stdout. A map whose results go to the same terminal shows no bar between them.
"""

from __future__ import annotations

import sys
from typing import Protocol

import attrs
import click
from rich.progress import BarColumn, TaskID, TextColumn

from gradient_async.cli.stderr_view import Bars, Lines, StderrView, create_progress
from gradient_async.models.map_progress import MapProgress

_NOTE_EVERY, _WAIT_NOTE_EVERY = 60.0, 10.0


class MapView(StderrView, Protocol):
    """Displays the progress of a map."""

    def show_progress(self, progress: MapProgress) -> None:
        """Display *progress*."""


def create_map_view(*, to_file: bool) -> MapView:
    """Return a view that suits stderr; *to_file* if the results go to a file."""
    has_terminal = sys.stderr.isatty() and (to_file or not sys.stdout.isatty())
    return MapBar() if has_terminal else MapNotes()


def describe_progress(progress: MapProgress) -> str:
    """Return the progress as text: ``1200 of 20000, 3 failed, 4.1/s, 90000 tokens, 1 h 16 min left``."""
    total = "" if progress.total is None else f" of {progress.total}"
    facts = [f"{progress.done}{total}"]
    facts += [f"{progress.restored} from the checkpoint"] if progress.restored else []
    facts += [f"{progress.failed} failed"] if progress.failed else []
    facts += [f"{progress.retried} retried"] if progress.retried else []
    facts += [f"{progress.rate:.1f}/s"] if progress.rate else []
    facts += [f"{progress.tokens} tokens"] if progress.tokens else []
    if progress.limiter_delay >= 1:
        limit = f" ({progress.limit})" if progress.limit else ""
        facts.append(f"waiting {progress.limiter_delay:.0f} s for the rate limit{limit}")
    if progress.seconds_left:
        facts.append(f"{format_duration(progress.seconds_left)} left")
    return ", ".join(facts)


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``1 h 16 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


@attrs.define(eq=False)
class MapNotes(Lines):
    """Prints a line a minute, and one when the rate limit makes the map wait."""

    _was_waiting: bool = attrs.field(default=False, init=False)
    _printed_at: float = attrs.field(default=0.0, init=False)

    def show_progress(self, progress: MapProgress) -> None:
        """Print *progress* if a minute has passed, or a wait of more than a second has begun."""
        is_waiting = progress.limiter_delay > 1
        begins, self._was_waiting = is_waiting and not self._was_waiting, is_waiting
        since = progress.elapsed - self._printed_at
        if since >= _NOTE_EVERY or (begins and (since >= _WAIT_NOTE_EVERY or not self._printed_at)):
            self._printed_at = progress.elapsed
            click.echo(describe_progress(progress), err=True)


@attrs.define(eq=False)
class MapBar(Bars):
    """Draws a bar."""

    _task: TaskID = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self.progress = create_progress(BarColumn(), TextColumn("{task.description}"))
        self._task = self.progress.add_task("", total=None)

    def show_progress(self, progress: MapProgress) -> None:
        """Redraw the bar."""
        self.progress.update(
            self._task, completed=progress.done, total=progress.total, description=describe_progress(progress)
        )
