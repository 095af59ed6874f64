"""Timestamps in RFC 3339, as the service writes them: UTC, with ``Z``.

Contract: pure. Seconds are truncated, a fraction is rounded to the asked number of digits.
Source: RFC 3339 section 5.6; the Batch Inference reference for whole seconds, captured responses for nine digits.
"""

from __future__ import annotations

from datetime import UTC, datetime


def format_timestamp(moment: float | None, *, digits: int = 0) -> str | None:
    """Format epoch seconds with *digits* digits of a fraction: ``0.5`` and 3 give ``1970-01-01T00:00:00.500Z``.

    None stays None.
    """
    if moment is None:
        return None
    text = f"{datetime.fromtimestamp(int(moment), UTC):%Y-%m-%dT%H:%M:%S}"
    fraction = f"{moment % 1:.{digits}f}"[1:] if digits else ""
    return f"{text}{fraction}Z"
