"""How a job is watched on stderr: bars in a terminal, a line for each change elsewhere.

Contract: shows what it is told and decides nothing; nothing goes to stdout.
"""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Protocol, Self

import attrs
import click
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from gradient_async.cli.terminal import printable
from gradient_async.models.batch import Batch
from gradient_async.resources.batch.options import BatchStep

_STAGES = {"validate": "checked", "upload": "uploaded", "submit": "created"}
_UNITS = ("B", "kB", "MB", "GB", "TB")


class View(Protocol):
    """What the commands tell."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...

    def step(self, step: BatchStep) -> None:
        """Show how far a submission is."""

    def batch(self, batch: Batch) -> None:
        """Show how a job is now."""

    def saved(self, done: int, total: int) -> None:
        """Show how many bytes of the results are on disk."""


def new_view() -> View:
    """Return the view that fits stderr."""
    return Bars() if sys.stderr.isatty() else Lines()


def note(text: str) -> None:
    """Say something on stderr."""
    click.echo(printable(text, sys.stderr), err=True)


def size_of(count: float) -> str:
    """Return a number of bytes for people: ``1.5 MB``."""
    for unit in _UNITS:
        if count < 1000 or unit == _UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError  # pragma: no cover - the last unit returns


def counts_of(batch: Batch) -> str:
    """Return the counts of a job in words."""
    counts = batch.request_counts
    failed = f", {counts.failed} failed" if counts.failed else ""
    return f"{counts.completed} of {counts.total} completed{failed}" if counts.total else "no requests counted yet"


def describe(step: BatchStep) -> str:
    """Return a step in words."""
    if step.stage == "submit":
        return f"created {step.done} of {step.total} job(s)"
    return f"{_STAGES[step.stage]} {size_of(step.done)} of {size_of(step.total)}"


@attrs.define(eq=False)
class Lines:
    """A line for every step that is complete and every change of status."""

    _status: str = attrs.field(default="", init=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def step(self, step: BatchStep) -> None:
        """Say what is complete."""
        if step.done == step.total:
            note(describe(step))

    def batch(self, batch: Batch) -> None:
        """Say a new status."""
        if batch.status != self._status:
            self._status = batch.status
            note(f"{batch.status}: {counts_of(batch)}")

    def saved(self, done: int, total: int) -> None:
        """Say when a file is complete."""
        if done == total:
            note(f"saved {size_of(done)}")


@attrs.define(eq=False)
class Bars:
    """A bar for each stage, with what is left of it."""

    _progress: Progress = attrs.field(init=False)
    _tasks: dict[str, TaskID] = attrs.field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        self._progress = Progress(
            TextColumn("{task.description:<10}"),
            BarColumn(),
            TextColumn("{task.fields[facts]}"),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=Console(stderr=True, highlight=False),
        )

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def step(self, step: BatchStep) -> None:
        """Move the bar of its stage."""
        self._move(step.stage, step.done, step.total, describe(step))

    def batch(self, batch: Batch) -> None:
        """Move the bar of the requests."""
        counts = batch.request_counts
        facts = printable(f"{batch.status}: {counts_of(batch)}", sys.stderr)
        self._move("requests", counts.completed + counts.failed, counts.total, facts)

    def saved(self, done: int, total: int) -> None:
        """Move the bar of the results."""
        self._move("results", done, total, f"{size_of(done)} of {size_of(total)}")

    def _move(self, name: str, done: int, total: int, facts: str) -> None:
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=None, facts="")
        self._progress.update(self._tasks[name], completed=done, total=total or None, facts=facts)
