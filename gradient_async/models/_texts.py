"""Short texts for people: durations, sizes, and what a text, an error or a vector is in a few characters.

Contract: pure; every text is on one bounded line.
"""

import math
from collections.abc import Sequence

from gradient_async.errors import escape_text

_SIZE_UNITS = ("B", "kB", "MB", "GB", "TB")
_TEXT_CHARS, _ERROR_CHARS = 80, 240


def format_duration(seconds: float) -> str:
    """Return a duration in its two largest units: ``1 h 16 min``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def format_size(count: float) -> str:
    """Return a number of bytes with its unit: ``1.5 MB``."""
    for unit in _SIZE_UNITS:
        if count < 1000 or unit == _SIZE_UNITS[-1]:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError  # pragma: no cover - the last unit returns


def shorten_repr(value: object, chars: int = _TEXT_CHARS) -> str:
    """Return the literal of *value*, of a text its beginning."""
    if isinstance(value, str) and len(value) > chars:
        return repr(f"{value[:chars]}...")
    return escape_text(repr(value), chars + 2)


def summarize_error(error: Exception) -> str:
    """Return the class of an error and the beginning of its message."""
    return escape_text(f"{type(error).__name__}: {error}", _ERROR_CHARS)


def summarize_vector(vector: Sequence[float]) -> str:
    """Return the length of a vector and its norm: ``1024 dimensions, norm 1.000``."""
    try:
        norm = f"{math.hypot(*vector):.3f}"
    except (OverflowError, TypeError):  # not the numbers of a float
        norm = "unknown"
    return f"{len(vector)} dimensions, norm {norm}"
