"""Bars drawn by tqdm on stderr."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tqdm.std import tqdm

from gradient_async.resources.progress_bars.base import DrawBar

_FORMAT = "{percentage:3.0f}%|{bar:20}| {desc}"


@contextmanager
def open_tqdm_bars() -> Iterator[DrawBar]:
    """Draw one line for each bar, at most ten times a second."""
    bars: dict[str, tqdm[Any]] = {}

    def update_line(name: str, done: int, total: int | None, note: str) -> None:
        if name not in bars:
            bars[name] = tqdm(total=total, bar_format=_FORMAT)
        bar = bars[name]
        bar.total = total
        bar.set_description_str(f"{name} {note}".strip(), refresh=False)
        bar.update(done - bar.n)

    try:
        yield update_line
    finally:
        for bar in bars.values():
            bar.close()
