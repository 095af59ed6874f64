"""A process that is killed and started again pays once and loses nothing."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.batches.killing import kill_at_random_times, kill_once_at_step

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no SIGKILL")

STEPS = [
    (1, "torn"),  # begin
    (2, "before"),  # uploaded, without a record
    (3, "before"),  # about to submit
    (3, "after"),  # submit recorded, nothing sent
    (4, "before"),  # created, without a record
    (4, "torn"),
    (4, "after"),  # create recorded
    (6, "torn"),  # in the middle of the results
]


@pytest.mark.parametrize(("step", "how"), STEPS)
async def test_a_process_killed_at_a_record_creates_one_job(tmp_path: Path, step: int, how: str) -> None:
    result = await kill_once_at_step(tmp_path, step, how)
    assert result.killed == 1
    assert result.is_correct


async def test_processes_killed_at_random_times_create_one_job(tmp_path: Path) -> None:
    assert (await kill_at_random_times(tmp_path, random.Random(), times=3)).is_correct
