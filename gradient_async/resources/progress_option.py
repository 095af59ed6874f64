"""The argument ``progress`` of maps and batches. What draws the bars is loaded with the first of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gradient_async.resources.progress_bars.base import ProgressBars


def create_bars(*, progress: bool, has_times: bool = True) -> ProgressBars | None:
    """Return progress bars for a ``with`` statement if *progress*, else None; *has_times* as for `open_rich_bars`.

    Raises:
        ConfigurationError: Nothing that draws progress bars is installed.
    """
    if not progress:
        return None
    from gradient_async.resources.progress_bars.choice import create_progress_bars  # loads rich or tqdm

    return create_progress_bars(has_times=has_times)
