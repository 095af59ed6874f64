"""Journals and checkpoints that end at any byte, as after a crash: the same call goes on with what is whole.

Contract: each function writes the first bytes of a whole file, makes the call again, and raises `AssertionError` unless
it ends well, without sending again what the file still holds.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from gradient_async import AsyncSession, RetryPolicy
from gradient_async.testing import Emulator
from tests.adversity.public_calls import CHAT, MODEL, QUICK

ROWS = [{"custom_id": "1", "body": CHAT}]
TEXTS = ["One.", "Two."]


def list_cuts(data: bytes, step: int) -> list[int]:
    """Return every *step*-th length of *data*, and those around the ends of its lines."""
    ends = [at + 1 for at in range(len(data)) if data[at : at + 1] == b"\n"]
    return sorted(
        {*range(0, len(data), step), *(end + shift for end in ends for shift in (-1, 0, 1))} - {len(data) + 1}
    )


@asynccontextmanager
async def open_emulated() -> AsyncIterator[tuple[Emulator, AsyncSession]]:
    """Start an emulator whose jobs end at once, and open a session with it."""
    async with Emulator(batch_seconds=0.0) as emulator:
        emulator.reply("Yes.", times=None)
        async with AsyncSession("key", base_url=emulator.url, limits=None, retry=RetryPolicy(attempts=1)) as session:
            yield emulator, session


async def cut_files(folder: Path, step: int) -> int:
    """Cut a journal and a checkpoint at every *step*-th byte, and return the number of cuts."""
    async with open_emulated() as (emulator, session):
        journals = await resume_journals(emulator, session, folder, step)
        return journals + await resume_checkpoints(emulator, session, folder, step)


async def resume_journals(emulator: Emulator, session: AsyncSession, folder: Path, step: int) -> int:
    """Resume a batch from journals that end at every *step*-th byte, and return their number."""
    path = folder / "batch.journal"
    await session.batches.run(ROWS, journal=path, poll=QUICK)
    whole = path.read_bytes()
    submitted = whole.index(b"\n", whole.index(b'"submit"')) + 1
    cuts = list_cuts(whole, step)
    for cut in cuts:
        path.write_bytes(whole[:cut])
        jobs = len(emulator.batches.jobs)
        job = await session.batches.run(ROWS, journal=path, poll=QUICK)
        lines = [line.custom_id async for line in job.results()]
        assert (cut, lines) == (cut, ["1"])
        assert (cut, len(emulator.batches.jobs) - jobs) == (cut, int(cut < submitted))
    return len(cuts)


async def write_checkpoint(session: AsyncSession, path: Path) -> int:
    """Map with a checkpoint at *path* and return how many results it held."""
    async with session.chat.completions.map(TEXTS, model=MODEL, checkpoint=path) as results:
        found = [result async for result in results]
    assert [result.ok for result in found] == [True] * len(TEXTS)
    return sum(result.restored for result in found)


async def resume_checkpoints(emulator: Emulator, session: AsyncSession, folder: Path, step: int) -> int:
    """Resume a map from checkpoints that end at every *step*-th byte, and return their number."""
    path = folder / "map.ckpt"
    await write_checkpoint(session, path)
    whole = path.read_bytes()
    cuts = list_cuts(whole, step)
    for cut in cuts:
        path.write_bytes(whole[:cut])
        held = max(whole[:cut].count(b"\n") - 1, 0)
        sent = len(emulator.requests)
        assert (cut, await write_checkpoint(session, path)) == (cut, held)
        assert (cut, len(emulator.requests) - sent) == (cut, len(TEXTS) - held)
        assert (cut, await write_checkpoint(session, path)) == (cut, len(TEXTS))
    return len(cuts)
