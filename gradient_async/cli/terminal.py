"""Terminal output: safe text, word wrap for streamed text, bars and the table of rate limits.

Contract: only `print_line` prints.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from typing import IO

import attrs
import click
from rich.console import Console
from rich.table import Table

from gradient_async._protocol.rate_limit.status import LimiterStatus
from gradient_async._protocol.stream.text_parts import replace_halves

BAR_CELLS = 24
_MIN_BAR_COLUMNS = 76
"""Columns of a terminal that shows the whole table of limits with bars."""
_CONTROLS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""Control characters, and the bidirectional ones that show text in another order than it has."""


def remove_controls(text: str, stream: IO[str]) -> str:
    """Replace control characters if *stream* is a terminal, which they could redraw, rename or show reordered."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text) if stream.isatty() else text


def print_line(line: str) -> None:
    """Print text from the service on stdout, made safe by `remove_controls`."""
    click.echo(remove_controls(replace_halves(line), sys.stdout))


def align_cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    """Return *cells* as one line with columns at the same place in every line; the last cell has no width."""
    padded = [cell.ljust(width) for cell, width in zip(cells, widths, strict=False)]
    return "  ".join([*padded, *cells[len(padded) :]])


@attrs.define
class Wrapper:
    """Wraps streamed text into indented lines of *width* columns; breaks only where a piece begins with a space."""

    width: int
    indent: str = ""
    _column: int = attrs.field(default=0, init=False)

    def feed(self, piece: str) -> str:
        """Return *piece* with the line breaks it needs."""
        starts = self._column == 0
        breaks = not starts and piece[:1].isspace() and self._column + len(piece.rstrip()) > self.width
        if not (starts or breaks):
            self._column += len(piece)
            return piece
        line = self.indent + piece.lstrip()
        self._column = len(line)
        return "\n" + line if breaks else line


def draw_bar(used: int, capacity: int, *, cells: int = BAR_CELLS, marks: str = "█░") -> str:
    """Return *used* of *capacity* as a bar: any use fills at least one cell, only full use fills all."""
    if used >= capacity:
        return marks[0] * cells
    filled = max(used > 0, used * cells // capacity)
    return marks[0] * filled + marks[1] * (cells - filled)


def build_limits_table(status: LimiterStatus, *, marks: str = "█░") -> Table:
    """Return a table with one row for each window of the limiter; with a bar, if *marks* holds two characters."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("window", *([""] if marks else []), "used", "free", "by others", "next free"):
        # The default overflow cuts numbers off in a narrow terminal.
        table.add_column(heading, justify="left" if heading in ("window", "") else "right", overflow="fold")
    for window in status.windows:
        wait = window.next_free_at - status.now
        colour = "red" if window.free == 0 else "green" if window.free * 4 > window.capacity else "yellow"
        table.add_row(
            format_period(window.period),
            *([f"[{colour}]{draw_bar(window.used, window.capacity, marks=marks)}[/]"] if marks else []),
            f"{window.used} of {window.capacity}",
            str(window.free),
            str(window.foreign),
            f"in {wait:.1f} s" if wait > 0 else "now",
        )
    return table


def describe_quotas(status: LimiterStatus) -> list[str]:
    """Return one sentence for each known quota of the model."""
    return [
        f"{status.model}: {quota.free} {quota.unit} left, {quota.limit} {format_period(quota.period)}."
        for quota in status.quotas
    ]


def describe_waiting(status: LimiterStatus) -> list[str]:
    """Return one sentence each for the limiter's queue and pause, if there are any."""
    notes = [f"{status.queued} requests wait."] if status.queued else []
    if status.paused_until is not None:
        notes.append(f"Paused by the service for {status.paused_until - status.now:.1f} s.")
    if status.model_paused_until is not None:
        notes.append(f"{status.model}: paused by the service for {status.model_paused_until - status.now:.1f} s.")
    return notes


def choose_bar_marks(console: Console) -> str:
    """Return two characters for a bar, full and empty, that *console* can print; none if it is too narrow for one."""
    if console.width < _MIN_BAR_COLUMNS:
        return ""
    return "#." if console.options.ascii_only else "█░"


def format_period(seconds: float) -> str:
    """Return the name of a window with this period: ``per minute``."""
    return {60.0: "per minute", 3600.0: "per hour", 86_400.0: "per day"}.get(seconds, f"per {seconds:g} s")
