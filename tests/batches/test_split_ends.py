"""Parts of one input that end differently."""

from __future__ import annotations

from pathlib import Path

from .split_ends import end_differently


async def test_parts_that_end_differently_are_reported_and_retried_exactly(tmp_path: Path) -> None:
    outcome = await end_differently(tmp_path, 400)
    assert outcome.statuses == ["completed", "failed", "expired", "cancelled"]
    assert outcome.is_exact(400)
    assert outcome.report.missing
    assert len(outcome.report.succeeded) == 100 + 50 + 50
