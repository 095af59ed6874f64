"""The options that every ``map`` has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gradient_async._io.map.checkpoint_file import CheckpointFile
from gradient_async._io.map.map_results import MapOptions
from gradient_async._protocol.requests.parameters import require_function
from gradient_async.models.map_progress import MapProgress

if TYPE_CHECKING:
    from gradient_async.resources.progress_bars.base import ProgressBars


def build_map_options(
    results: str,
    *,
    concurrency: int,
    ordered: bool,
    checkpoint: str | os.PathLike[str] | None,
    on_progress: Callable[[MapProgress], object] | None,
    progress: bool,
    stop_after: int | None,
) -> MapOptions:
    """Return the options of a map; its checkpoint holds *results*, the name of a type.

    Raises:
        ConfigurationError: A number is less than 1, *on_progress* is not a function, or nothing that draws progress
            bars is installed.
    """
    require_function("on_progress", on_progress)
    return MapOptions(
        concurrency=concurrency,
        ordered=ordered,
        checkpoint=None if checkpoint is None else CheckpointFile(Path(checkpoint), results),
        on_progress=on_progress,
        display=create_map_display(progress=progress),
        stop_after=stop_after,
    )


def create_map_display(*, progress: bool) -> ProgressBars | None:
    """Return a progress bar for a map if *progress*, else None.

    Raises:
        ConfigurationError: Nothing that draws progress bars is installed.
    """
    if not progress:
        return None
    from gradient_async.resources.progress_bars.choice import create_progress_bars  # loads rich or tqdm

    return create_progress_bars(has_times=False)
