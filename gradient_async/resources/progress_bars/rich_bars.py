"""Bars drawn by rich, in a terminal; elsewhere their last state is printed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from gradient_async.resources.progress_bars.base import DrawBar


@contextmanager
def open_rich_bars(*, has_times: bool = True) -> Iterator[DrawBar]:
    """Draw one line for each bar, ten times a second.

    Args:
        has_times: Whether a line ends with the elapsed and the estimated remaining time; the notes of maps have it.
    """
    columns: list[ProgressColumn] = [
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    ]
    columns += [TimeElapsedColumn(), TimeRemainingColumn()] if has_times else []
    tasks: dict[str, TaskID] = {}
    with Progress(*columns, console=Console(stderr=True, highlight=False)) as progress:

        def update_task(name: str, done: int, total: int | None, note: str) -> None:
            if name not in tasks:
                tasks[name] = progress.add_task(name, total=None, note="")
            progress.update(tasks[name], completed=done, total=total or None, note=note)

        yield update_task
