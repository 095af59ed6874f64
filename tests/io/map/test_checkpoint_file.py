"""The file of a checkpoint."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gradient_async import CheckpointError
from gradient_async._io.map.checkpoint_file import CheckpointFile

FINGERPRINTS = [f"{number:032x}" for number in range(5)]


async def append_all(file: CheckpointFile) -> list[BaseException | None]:
    return await asyncio.gather(*(file.append_results([(f, b"{}")]) for f in FINGERPRINTS), return_exceptions=True)


async def test_results_of_one_moment_share_a_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, synced = await CheckpointFile(tmp_path / "a", "r").open_file(), list[int]()
    monkeypatch.setattr("os.fsync", synced.append)
    assert await append_all(file) == [None] * len(FINGERPRINTS)
    assert len(synced) == 1
    await file.aclose()


async def test_a_failed_write_is_told_to_all_whose_results_it_had(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    file = await CheckpointFile(tmp_path / "a", "r").open_file()
    with monkeypatch.context() as patch:
        patch.setattr("gradient_async._io.map.checkpoint_file.write_all", refuse)
        assert {type(error) for error in await append_all(file)} == {CheckpointError}
    assert await append_all(file) == [None] * len(FINGERPRINTS)
    await file.aclose()


async def test_results_of_cancelled_calls_are_written(tmp_path: Path) -> None:
    file = await CheckpointFile(tmp_path / "a", "r").open_file()
    call = asyncio.create_task(append_all(file))
    for _ in range(2):  # the task begins, then those that it has begun
        await asyncio.sleep(0)
    call.cancel()
    await file.aclose()
    assert (tmp_path / "a").read_bytes().count(b'{"request"') == len(FINGERPRINTS)
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("turns", range(1, 4))
def test_results_are_written_when_the_loop_ends_while_they_gather(tmp_path: Path, turns: int) -> None:
    calls = []

    async def append_and_close() -> None:
        file = await CheckpointFile(tmp_path / "a", "r").open_file()
        try:
            await append_all(file)
        finally:
            await file.aclose()

    async def leave_call_running() -> None:
        calls.append(asyncio.create_task(append_and_close()))
        while not any("_write_batches" in repr(task) for task in asyncio.all_tasks()):
            await asyncio.sleep(0)
        for _ in range(turns):
            await asyncio.sleep(0)

    asyncio.run(leave_call_running())  # which cancels every task at once, that of the writer too
    assert calls[0].cancelled()
    assert (tmp_path / "a").read_bytes().count(b'{"request"') == len(FINGERPRINTS)


async def test_results_that_arrive_when_the_writer_was_cancelled_are_written(tmp_path: Path) -> None:
    file = await CheckpointFile(tmp_path / "a", "r").open_file()
    first = asyncio.create_task(append_all(file))
    while file._writer is None:
        await asyncio.sleep(0)
    await asyncio.sleep(0)  # the writer begins
    file._writer.cancel()
    assert await append_all(file) == [None] * len(FINGERPRINTS)
    assert await first == [None] * len(FINGERPRINTS)
    assert await append_all(file) == [None] * len(FINGERPRINTS)
    await file.aclose()
