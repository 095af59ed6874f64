"""A journal or a checkpoint that a crash has cut off costs what was lost, and nothing twice."""

from __future__ import annotations

from pathlib import Path

from tests.adversity.cut_files import list_cuts, open_emulated, resume_checkpoints, resume_journals

STEP = 40
"""Bytes between two cuts; ``make adversity`` cuts at every byte, as tests of the records do."""


async def test_a_batch_goes_on_from_a_cut_journal(tmp_path: Path) -> None:
    async with open_emulated() as (emulator, session):
        assert await resume_journals(emulator, session, tmp_path, STEP) > 10


async def test_a_map_goes_on_from_a_cut_checkpoint(tmp_path: Path) -> None:
    async with open_emulated() as (emulator, session):
        assert await resume_checkpoints(emulator, session, tmp_path, STEP) > 10


def test_cuts_are_around_the_ends_of_lines_too() -> None:
    assert list_cuts(b"abc\nde\n", 5) == [0, 3, 4, 5, 6, 7]
