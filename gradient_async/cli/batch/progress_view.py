"""Progress of a batch job on stderr: bars in a terminal, one line for each change elsewhere.

Contract: only displays; nothing goes to stdout.
"""

from __future__ import annotations

import sys
from typing import Protocol

import attrs
import click

from gradient_async.cli.stderr_view import Lines, StderrView
from gradient_async.cli.terminal import remove_controls
from gradient_async.models._texts import format_size
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.options import BatchStep
from gradient_async.resources.progress_bars.base import ProgressBars
from gradient_async.resources.progress_bars.rich_bars import open_rich_bars


class ProgressView(StderrView, Protocol):
    """Displays the progress of one command."""

    def show_step(self, step: BatchStep) -> None:
        """Display the progress of a submission."""

    def show_job(self, batch: Batch) -> None:
        """Display the status and counts of a job."""

    def show_download(self, done: int, total: int) -> None:
        """Display how many bytes of the results are on disk."""


def create_view() -> ProgressView:
    """Return a view that suits stderr: bars for a terminal, else lines."""
    return ProgressBars(open_rich_bars()) if sys.stderr.isatty() else LineView()


def print_note(text: str) -> None:
    """Print a note on stderr."""
    click.echo(remove_controls(text, sys.stderr), err=True)


@attrs.define(eq=False)
class LineView(Lines):
    """Prints one line for each finished step and each change of status."""

    _status: str = attrs.field(default="", init=False)

    def show_step(self, step: BatchStep) -> None:
        """Print a finished step."""
        if step.done == step.total:
            print_note(str(step))

    def show_job(self, batch: Batch) -> None:
        """Print a new status."""
        if batch.status != self._status:
            self._status = batch.status
            print_note(f"{batch.status}: {batch.request_counts}")

    def show_download(self, done: int, total: int) -> None:
        """Print a finished file."""
        if done == total:
            print_note(f"saved {format_size(done)}")
