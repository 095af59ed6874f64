"""A map that is killed and started again answers each item once."""

from __future__ import annotations

import random
import sys
from pathlib import Path

import pytest

from tests.map.killing import kill_at_random_times, kill_once_at_write

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="needs SIGKILL and /proc")

WRITES = [(1, "before"), (1, "torn"), (1, "after"), (2, "before"), (2, "torn"), (2, "after"), (4, "torn")]


@pytest.mark.parametrize(("step", "how"), WRITES)
async def test_a_map_killed_at_a_write_answers_each_item_once(tmp_path: Path, step: int, how: str) -> None:
    result = await kill_once_at_write(tmp_path, step, how)
    assert result.killed == 1
    assert result.is_correct(200)


async def test_a_map_killed_at_random_times_answers_each_item_once(tmp_path: Path) -> None:
    result = await kill_at_random_times(tmp_path, random.Random(), count=300, times=3)
    assert result.is_correct(300)
