"""The library's logger: silent unless the application listens."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

logger = logging.getLogger("gradient_async")
logger.addHandler(logging.NullHandler())
D = TypeVar("D")
R = TypeVar("R")


def told(hook: Callable[[D], R], details: D) -> R | None:
    """Tell *hook* the *details* and return what it returns; one that fails is logged and breaks nothing."""
    try:
        return hook(details)
    except Exception:
        logger.exception("a hook failed")
        return None
