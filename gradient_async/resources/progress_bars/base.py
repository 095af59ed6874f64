"""`ProgressBars`: the bars of a map, a submission, a job and a download, whatever draws them.

Contract: only displays, on stderr or in the output of a notebook's cell; bars stand still after the ``with`` block.
Statuses of the service are shown without control characters.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

import attrs

from gradient_async.errors import escape_text
from gradient_async.models._texts import format_size

if TYPE_CHECKING:
    from gradient_async.models.batch import Batch
    from gradient_async.models.map_progress import MapProgress
    from gradient_async.resources.batch.options import BatchStep

_STATUS_CHARS = 40
_SECONDS_BETWEEN_DRAWINGS = 0.1


class DrawBar(Protocol):
    """Draws one of several bars, which appears when it is drawn first."""

    def __call__(self, name: str, done: int, total: int | None, note: str) -> None:
        """Draw *done* of *total* in the bar *name*, with the *note* beside it; None is an unknown total."""


@attrs.define(eq=False)
class Throttle:
    """Says whether it is time to draw again, at most ten times a second by *clock*."""

    clock: Callable[[], float] = time.monotonic
    _due_at: float = attrs.field(default=-math.inf, init=False)

    def pass_one(self) -> bool:
        """Return whether a drawing is due; if so, the next one is due a tenth of a second later."""
        now = self.clock()
        is_due = now >= self._due_at
        if is_due:
            self._due_at = now + _SECONDS_BETWEEN_DRAWINGS
        return is_due


class ProgressBars:
    """Bars that show progress within a ``with`` block.

    Args:
        drawing: Begins and ends the drawing.
    """

    def __init__(self, drawing: AbstractContextManager[DrawBar]) -> None:
        self._drawing = drawing
        self._draw: DrawBar = _draw_nothing

    def __enter__(self) -> Self:
        self._draw = self._drawing.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._draw = _draw_nothing
        self._drawing.__exit__(None, None, None)

    def show_progress(self, progress: MapProgress) -> None:
        """Draw the progress of a map."""
        self._draw("", progress.done, progress.total, str(progress))

    def show_step(self, step: BatchStep) -> None:
        """Draw the progress of a submission."""
        self._draw(step.stage, step.done, step.total, str(step))

    def show_job(self, batch: Batch) -> None:
        """Draw the status and counts of a job."""
        counts, status = batch.request_counts, escape_text(batch.status, _STATUS_CHARS)
        self._draw("requests", counts.completed + counts.failed, counts.total or None, f"{status}: {counts}")

    def show_download(self, done: int, total: int) -> None:
        """Draw how many bytes of the results are on disk."""
        self._draw("results", done, total, f"{format_size(done)} of {format_size(total)}")


def _draw_nothing(name: str, done: int, total: int | None, note: str) -> None:
    """Do what is due outside of the block."""
