"""A process that is killed and started again pays once and loses nothing."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from .killing import killed_at_any_time, killed_at_step

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

STEPS = [
    (1, "torn"),  # begin
    (2, "before"),  # uploaded, and not noted
    (3, "before"),  # about to submit
    (3, "after"),  # submit noted, nothing sent
    (4, "before"),  # created, and not noted
    (4, "torn"),
    (4, "after"),  # create noted
    (6, "torn"),  # in the middle of the results
]


@pytest.mark.parametrize(("step", "how"), STEPS)
async def test_killed_at_a_step_of_the_journal(tmp_path: Path, step: int, how: str) -> None:
    result = await killed_at_step(tmp_path, step, how)
    assert result.killed == 1
    assert result.is_right


async def test_killed_at_any_time(tmp_path: Path) -> None:
    assert (await killed_at_any_time(tmp_path, random.Random(), times=3)).is_right
