"""Progress of a batch job on stderr: bars in a terminal, one line for each change elsewhere.

Contract: only displays; nothing goes to stdout.
"""

from __future__ import annotations

import sys
from typing import Protocol

import attrs
import click
from rich.progress import BarColumn, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gradient_async.cli.stderr_view import Bars, Lines, StderrView, create_progress
from gradient_async.cli.terminal import remove_controls
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.options import BatchStep

_STAGE_VERBS = {"validate": "checked", "upload": "uploaded", "submit": "created"}
_UNITS = ("B", "kB", "MB", "GB", "TB")


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
    return BarView() if sys.stderr.isatty() else LineView()


def print_note(text: str) -> None:
    """Print a note on stderr."""
    click.echo(remove_controls(text, sys.stderr), err=True)


def format_size(count: float) -> str:
    """Return a number of bytes with its unit: ``1.5 MB``."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError  # pragma: no cover - the last unit returns


def format_counts(batch: Batch) -> str:
    """Return the request counts of a job: ``5 of 6 completed, 1 failed``."""
    counts = batch.request_counts
    failed = f", {counts.failed} failed" if counts.failed else ""
    return f"{counts.completed} of {counts.total} completed{failed}" if counts.total else "no requests counted yet"


def describe_step(step: BatchStep) -> str:
    """Return the progress of a step: ``uploaded 1.0 MB of 1.5 MB``."""
    if step.stage == "submit":
        return f"created {step.done} of {step.total} job(s)"
    return f"{_STAGE_VERBS[step.stage]} {format_size(step.done)} of {format_size(step.total)}"


@attrs.define(eq=False)
class LineView(Lines):
    """Prints one line for each finished step and each change of status."""

    _status: str = attrs.field(default="", init=False)

    def show_step(self, step: BatchStep) -> None:
        """Print a finished step."""
        if step.done == step.total:
            print_note(describe_step(step))

    def show_job(self, batch: Batch) -> None:
        """Print a new status."""
        if batch.status != self._status:
            self._status = batch.status
            print_note(f"{batch.status}: {format_counts(batch)}")

    def show_download(self, done: int, total: int) -> None:
        """Print a finished file."""
        if done == total:
            print_note(f"saved {format_size(done)}")


@attrs.define(eq=False)
class BarView(Bars):
    """Draws one bar for each stage, with the elapsed and the estimated remaining time."""

    _tasks: dict[str, TaskID] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self.progress = create_progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TextColumn("{task.fields[note]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )

    def show_step(self, step: BatchStep) -> None:
        """Update the bar of the step's stage."""
        self._update_bar(step.stage, step.done, step.total, describe_step(step))

    def show_job(self, batch: Batch) -> None:
        """Update the bar of the requests."""
        counts = batch.request_counts
        note = remove_controls(f"{batch.status}: {format_counts(batch)}", sys.stderr)
        self._update_bar("requests", counts.completed + counts.failed, counts.total, note)

    def show_download(self, done: int, total: int) -> None:
        """Update the bar of the results."""
        self._update_bar("results", done, total, f"{format_size(done)} of {format_size(total)}")

    def _update_bar(self, name: str, done: int, total: int, note: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self.progress.add_task(name, total=None, note="")
        self.progress.update(self._tasks[name], completed=done, total=total or None, note=note)
