"""The folder of things that commands remember between runs."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def find_state_folder(environ: Mapping[str, str]) -> Path:
    """Return the folder of this program: ``$XDG_STATE_HOME/gradient-async``, else below ``~/.local/state``."""
    configured = environ.get("XDG_STATE_HOME")
    state = Path(configured) if configured else Path.home() / ".local" / "state"
    return state / "gradient-async"
