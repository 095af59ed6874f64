"""What a terminal needs: safe text, word wrap for text that arrives in pieces, bars.

Contract: `printable`, `Wrapper` and `bar` are pure.
"""

from __future__ import annotations

import re
import sys
from typing import IO

import attrs
import click
from rich.console import Console
from rich.table import Table

from gradient_async._protocol.rate_limit.status import LimiterStatus, WindowStatus

BAR_CELLS = 24
_CONTROLS = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


def printable(text: str, stream: IO[str]) -> str:
    """Return *text* for *stream*: a terminal gets no control characters, which could redraw or rename it."""
    return _CONTROLS.sub("\N{REPLACEMENT CHARACTER}", text) if stream.isatty() else text


def put(line: str) -> None:
    """Print what the service said on stdout, as `printable` has it."""
    click.echo(printable(line, sys.stdout))


@attrs.define
class Wrapper:
    """Breaks pieces of text into indented lines of *width* columns, at the spaces that pieces begin with."""

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


def bar(used: int, capacity: int, *, cells: int = BAR_CELLS, marks: str = "█░") -> str:
    """Return *used* of *capacity* as a bar; anything used shows, and only a full window looks full."""
    if used >= capacity:
        return marks[0] * cells
    filled = max(used > 0, used * cells // capacity)
    return marks[0] * filled + marks[1] * (cells - filled)


def limits_table(status: LimiterStatus, *, marks: str = "█░") -> Table:
    """Return one row for each window."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("window", "", "used", "free", "by others", "next free"):
        table.add_column(heading, justify="left" if heading in ("window", "") else "right")
    for window in status.windows:
        table.add_row(
            period_name(window.period),
            f"[{_colour(window)}]{bar(window.used, window.capacity, marks=marks)}[/]",
            f"{window.used} of {window.capacity}",
            str(window.free),
            str(window.foreign),
            _next_free(window, status.now),
        )
    return table


def limits_notes(status: LimiterStatus) -> list[str]:
    """Return what a table of windows does not show: the queue and the pause."""
    notes = [f"{status.queued} requests wait."] if status.queued else []
    if status.paused_until is not None:
        notes.append(f"Paused by the service for {status.paused_until - status.now:.1f} s.")
    return notes


def bar_marks(console: Console) -> str:
    """Return the two characters of a bar that *console* can show."""
    return "#." if console.options.ascii_only else "█░"


def period_name(seconds: float) -> str:
    """Return the name of a window."""
    return {60.0: "per minute", 3600.0: "per hour"}.get(seconds, f"per {seconds:g} s")


def _next_free(window: WindowStatus, now: float) -> str:
    wait = window.next_free_at - now
    return f"in {wait:.1f} s" if wait > 0 else "now"


def _colour(window: WindowStatus) -> str:
    if window.free == 0:
        return "red"
    return "green" if window.free * 4 > window.capacity else "yellow"
