"""A lock on an open file: one process at a time.

Contract: the lock ends with the process, however it ends. Windows has no such lock; two processes are not detected
there.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import BinaryIO

from gradient_async.errors import ConfigurationError

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]


def lock_file(file: BinaryIO, path: Path, *, subject: str, purpose: str) -> None:
    """Lock *file*, which was opened from *path*.

    Args:
        file: The open file.
        path: Its path, for the error.
        subject: Its role, as ``"journal"``.
        purpose: Its use, as ``"job"``.

    Raises:
        ConfigurationError: Another process holds the lock.
    """
    if fcntl is None:
        return
    try:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        pass
    else:
        return
    raise ConfigurationError(
        f"The {subject} {os.fspath(path)!r} is in use by another process; "
        f"wait for it to end, or use another {subject} for another {purpose}."
    )
