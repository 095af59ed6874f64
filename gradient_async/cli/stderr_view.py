"""The two forms of a view of progress on stderr: lines, and the bars of `gradient_async.resources.progress_bars`."""

from __future__ import annotations

from types import TracebackType
from typing import Protocol, Self

import attrs


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
