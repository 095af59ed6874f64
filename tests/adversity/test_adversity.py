"""Calls through a proxy that breaks connections end with one whole result or one error, and leave nothing behind."""

from __future__ import annotations

import pytest

from tests.adversity.run import run_schedules
from tests.adversity.schedule import Figures, draw_schedule

SEED = 20
PER_TEST = 20


@pytest.mark.parametrize("first", range(0, 60, PER_TEST))
async def test_every_call_ends_whole_or_with_an_error_and_leaves_nothing_open(first: int) -> None:
    figures = Figures()
    await run_schedules(figures, SEED, iter(range(first, first + PER_TEST)))
    assert figures.violations == []
    assert figures.left_open == 0
    assert figures.schedules == PER_TEST
    assert figures.complete
    assert figures.struck.total()


def test_a_seed_repeats_its_schedules() -> None:
    assert draw_schedule(1, 5) == draw_schedule(1, 5)
    assert draw_schedule(1, 5) != draw_schedule(2, 5)
