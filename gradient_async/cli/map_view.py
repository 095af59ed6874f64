"""Progress of a map on stderr: a bar in a terminal, elsewhere a line a minute and when a wait begins.

Contract: only displays; nothing goes to stdout. A map whose results go to the same terminal shows no bar between them.
"""

from __future__ import annotations

import sys
from typing import Protocol

import attrs
import click

from gradient_async.cli.stderr_view import Lines, StderrView
from gradient_async.models.map_progress import MapProgress
from gradient_async.resources.progress_bars.base import ProgressBars
from gradient_async.resources.progress_bars.rich_bars import open_rich_bars

_NOTE_EVERY, _WAIT_NOTE_EVERY = 60.0, 10.0


class MapView(StderrView, Protocol):
    """Displays the progress of a map."""

    def show_progress(self, progress: MapProgress) -> None:
        """Display *progress*."""


def create_map_view(*, to_file: bool) -> MapView:
    """Return a view that suits stderr; *to_file* if the results go to a file."""
    has_terminal = sys.stderr.isatty() and (to_file or not sys.stdout.isatty())
    return ProgressBars(open_rich_bars(has_times=False)) if has_terminal else MapNotes()


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
            click.echo(str(progress), err=True)
