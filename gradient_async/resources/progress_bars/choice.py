"""The choice of bars: those of the notebook in one, elsewhere those of rich or tqdm, whichever is there."""

from __future__ import annotations

import sys
from contextlib import AbstractContextManager

from gradient_async.errors import ConfigurationError
from gradient_async.resources.progress_bars.base import DrawBar, ProgressBars


def create_progress_bars(*, has_times: bool = True) -> ProgressBars:
    """Return bars that suit the place where the program runs; *has_times* as for `open_rich_bars`.

    Raises:
        ConfigurationError: Neither rich nor tqdm is installed.
    """
    if is_notebook():
        from gradient_async.resources.progress_bars.notebook_bars import open_notebook_bars

        return ProgressBars(open_notebook_bars())
    try:
        from gradient_async.resources.progress_bars.rich_bars import open_rich_bars
    except ImportError:
        return ProgressBars(_open_tqdm_bars())
    return ProgressBars(open_rich_bars(has_times=has_times))


def is_notebook() -> bool:
    """Whether the program runs in the kernel of a notebook; IPython is not loaded for the answer."""
    get_shell = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get_shell is not None and getattr(get_shell(), "kernel", None) is not None


def _open_tqdm_bars() -> AbstractContextManager[DrawBar]:
    try:
        from gradient_async.resources.progress_bars.tqdm_bars import open_tqdm_bars
    except ImportError:
        raise ConfigurationError(
            "progress=True needs rich or tqdm, and neither is installed: pip install rich. "
            "Or give on_progress= a function that shows the progress."
        ) from None
    return open_tqdm_bars()
