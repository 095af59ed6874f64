"""Bars in the output of a notebook's cell: one display that is updated in place, which no widget is needed for.

Source: ``IPython.display.display`` with ``display_id``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import attrs
from IPython.display import HTML, display

from gradient_async.models._html.page import render_bar
from gradient_async.resources.progress_bars.base import DrawBar, Throttle


@contextmanager
def open_notebook_bars(clock: Callable[[], float] = time.monotonic) -> Iterator[DrawBar]:
    """Draw the bars one below the other, at most ten times a second by *clock*."""
    bars = _NotebookBars(Throttle(clock))
    try:
        yield bars.update_bar
    finally:
        bars.redraw()


@attrs.define(eq=False)
class _NotebookBars:
    """The bars as HTML, and the display that shows them."""

    _throttle: Throttle
    _bars: dict[str, str] = attrs.field(factory=dict, init=False)
    _handle: Any = attrs.field(default=None, init=False)

    def update_bar(self, name: str, done: int, total: int | None, note: str) -> None:
        """Change one bar, and draw all of them if that is due."""
        self._bars[name] = render_bar(done, total, f"{name} {note}".strip())
        if self._throttle.pass_one():
            self.redraw()

    def redraw(self) -> None:
        """Draw all bars, if there are any."""
        if not self._bars:
            return
        html = HTML("".join(self._bars.values()))
        if self._handle is None:
            self._handle = display(html, display_id=True)
        else:
            self._handle.update(html)
