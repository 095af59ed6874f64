"""The two forms of a view of progress on stderr: lines, and bars that are drawn between ``with`` and its end."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import attrs
from rich.console import Console
from rich.progress import Progress, ProgressColumn


class StderrView(Protocol):
    """Displays progress within a ``with`` block."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None: ...


@attrs.define(eq=False)
class Lines:
    """Prints lines: nothing begins or ends with the block."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


@attrs.define(eq=False)
class Bars:
    """Draws bars, which stand still after the block.

    Attributes:
        progress: The bars.
    """

    progress: Progress = attrs.field(init=False)

    def __enter__(self) -> Self:
        self.progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.progress.stop()


def create_progress(*columns: ProgressColumn) -> Progress:
    """Return bars with *columns* on stderr."""
    return Progress(*columns, console=Console(stderr=True, highlight=False))
