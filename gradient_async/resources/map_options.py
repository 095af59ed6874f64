"""The options that every ``map`` has."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gradient_async._io.map.checkpoint_file import CheckpointFile
from gradient_async._io.map.map_results import MapOptions
from gradient_async.models.map_progress import MapProgress


def build_map_options(
    results: str,
    *,
    concurrency: int,
    ordered: bool,
    checkpoint: str | os.PathLike[str] | None,
    on_progress: Callable[[MapProgress], object] | None,
    stop_after: int | None,
) -> MapOptions:
    """Return the options of a map; its checkpoint holds *results*, the name of a type.

    Raises:
        ConfigurationError: A number is less than 1.
    """
    return MapOptions(
        concurrency=concurrency,
        ordered=ordered,
        checkpoint=None if checkpoint is None else CheckpointFile(Path(checkpoint), results),
        on_progress=on_progress,
        stop_after=stop_after,
    )
