"""Kill a process that runs a job, at a record of its journal or at a random time, until one run completes.

As a program: ``python -m tests.batches.killing 50`` kills 50 jobs at random times, several times each, and prints how
many of them ended wrong.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import signal
import sys
import tempfile
import time
from pathlib import Path

import attrs

from gradient_async import AsyncSession, Poll
from gradient_async._io.batch import journal_file as journal_module
from gradient_async.resources.batch import result_download
from gradient_async.testing import Emulator
from tests.support.forked import start_forked

REQUESTS = 300
SYNC_BYTES = 30_000
"""Small, so that the results of a few hundred requests take several save records."""


def write_input(path: Path, count: int = REQUESTS) -> None:
    body = {"model": "llama3.3-70b-instruct", "messages": [{"role": "user", "content": "Hello"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    path.write_text("".join(json.dumps({"custom_id": f"r{number}", **line}) + "\n" for number in range(count)))


def kill_at_record(step: int, how: str) -> None:
    """Kill this process at the journal's write number *step*: before it, in the middle of it, or after it."""
    write, count = journal_module.Journal._write_and_sync, [0]

    def write_or_die(journal: journal_module.Journal, record: bytes) -> None:
        count[0] += 1
        if count[0] < step:
            write(journal, record)
            return
        if how != "before":
            write(journal, record[: len(record) // 2] if how == "torn" else record)
        os.kill(os.getpid(), signal.SIGKILL)

    journal_module.Journal._write_and_sync = write_or_die  # type: ignore[method-assign, assignment]


async def run_job(url: str, folder: Path) -> None:
    """Run the job and save its results, as a user's program does."""
    result_download.SYNC_BYTES = SYNC_BYTES
    async with AsyncSession(api_key="test", base_url=url, limits=None) as session:
        job = await session.batches.run(
            folder / "in.jsonl", journal=folder / "run.journal", poll=Poll(first=0.02, longest=0.05)
        )
        await job.download(folder / "out.jsonl", errors=folder / "errors.jsonl")


@attrs.frozen
class Outcome:
    """The jobs and result ids after the last run, and the number of processes that were killed before it."""

    jobs: int
    ids: list[str]
    killed: int

    @property
    def is_correct(self) -> bool:
        return self.jobs == 1 and sorted(self.ids) == sorted(f"r{number}" for number in range(REQUESTS))


def run_child(url: str, folder: Path, step: int | None = None, how: str = "") -> None:
    """Run the job in this process, which is killed at *step* if there is one."""
    if step is not None:
        kill_at_record(step, how)
    asyncio.run(run_job(url, folder))


def read_outcome(gradient: Emulator, folder: Path, killed: int) -> Outcome:
    lines = (folder / "out.jsonl").read_bytes() + (folder / "errors.jsonl").read_bytes()
    ids = [json.loads(line)["custom_id"] for line in lines.splitlines()]
    return Outcome(len(gradient.batches.jobs), ids, killed)


async def kill_once_at_step(folder: Path, step: int, how: str) -> Outcome:
    """Kill one process at a step of its journal, and let the next one finish."""
    write_input(folder / "in.jsonl")
    async with Emulator(batch_seconds=0.1) as gradient:
        gradient.batches.fail_line("r5", status=400)
        code = await start_forked(run_child, gradient.url, folder, step, how).wait()
        assert await start_forked(run_child, gradient.url, folder).wait() == 0
        return read_outcome(gradient, folder, int(code == -signal.SIGKILL))


async def kill_at_random_times(folder: Path, chance: random.Random, times: int = 4) -> Outcome:
    """Kill several processes in a row, each after a random delay, and let the last one finish."""
    write_input(folder / "in.jsonl")
    killed = 0
    async with Emulator(batch_seconds=0.1) as gradient:
        gradient.batches.fail_line("r5", status=400)
        for _ in range(times):
            process = start_forked(run_child, gradient.url, folder)
            try:
                await asyncio.wait_for(process.wait(), chance.random() * 0.5)
            except TimeoutError:
                process.kill()
                killed += await process.wait() == -signal.SIGKILL
        assert await start_forked(run_child, gradient.url, folder).wait() == 0
        return read_outcome(gradient, folder, killed)


async def soak_jobs(runs: int) -> bool:
    seed = int(time.time())
    chance, wrong, killed = random.Random(seed), 0, 0
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            result = await kill_at_random_times(Path(folder), chance)
        killed += result.killed
        wrong += not result.is_correct
    sys.stdout.write(f"seed {seed}: {runs} jobs, {killed} processes killed, {wrong} jobs wrong\n")
    return not wrong


if __name__ == "__main__":
    sys.exit(not asyncio.run(soak_jobs(int(sys.argv[1]))))
