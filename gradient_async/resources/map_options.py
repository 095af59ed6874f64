"""The options that every ``map`` has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gradient_async._io.map.checkpoint_file import CheckpointFile
from gradient_async._io.map.map_results import MapOptions
from gradient_async._protocol.requests.parameters import require_function
from gradient_async.models.map_progress import MapProgress
from gradient_async.resources.progress_option import create_bars


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
        display=create_bars(progress=progress, has_times=False),
        stop_after=stop_after,
    )
