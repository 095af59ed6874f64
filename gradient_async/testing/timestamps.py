"""RFC 3339 timestamps as the service writes them."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(moment: float | None, *, digits: int = 0) -> str | None:
    """Return *moment* in RFC 3339, with so many digits of a fraction; None for None."""
    if moment is None:
        return None
    text = f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%S}"
    fraction = f"{moment % 1:.{digits}f}"[1:] if digits else ""
    return f"{text}{fraction}Z"
