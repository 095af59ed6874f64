"""Bars drawn by tqdm on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.std import tqdm

from gradient_async.resources.progress_bars.base import DrawBar, Throttle

_FORMAT = "{percentage:3.0f}%|{bar:20}| {desc}"


@contextmanager
def open_tqdm_bars() -> Iterator[DrawBar]:
    """Draw one line for each bar. tqdm alone would draw only a change of the count, not one of the note."""
    bars: dict[str, tqdm[Any]] = {}
    throttle = Throttle()

    def update_line(name: str, done: int, total: int | None, note: str) -> None:
        if name not in bars:
            bars[name] = tqdm(total=total, bar_format=_FORMAT, desc=note)
        bar = bars[name]
        bar.n, bar.total = done, total
        bar.set_description_str(f"{name} {note}".strip(), refresh=False)
        if throttle.pass_one():
            bar.refresh()

    try:
        yield update_line
    finally:
        for bar in bars.values():
            bar.close()
