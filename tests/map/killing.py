"""Kill a process that runs a map with a checkpoint, at a write or at a random time, until one run completes.

As a program: ``python -m tests.map.killing 20000 20`` maps 20,000 texts, kills the process 20 times at random moments
while the service fails now and then, and prints what came of it.
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
from collections.abc import Iterator
from pathlib import Path

import attrs

from gradient_async import AsyncSession
from gradient_async._io.map.checkpoint_file import CheckpointFile
from gradient_async.testing import Emulator
from gradient_async.testing.recorded_request import RecordedRequest
from tests.support.forked import ForkedProcess, start_forked

MODEL = "llama3.3-70b-instruct"
MAX_MEMORY = 64 * 1024 * 1024


def iterate_texts(count: int) -> Iterator[str]:
    return (f"Question {number}" for number in range(count))


def kill_at_write(step: int, how: str) -> None:
    """Kill this process at write number *step* of the checkpoint: before it, in the middle of it, or after it."""
    write, count = CheckpointFile._write_and_sync, [0]

    def write_or_die(checkpoint: CheckpointFile, data: bytes) -> None:
        count[0] += 1
        if count[0] < step:
            write(checkpoint, data)
            return
        if how != "before":
            write(checkpoint, data[: len(data) // 2] if how == "torn" else data)
        os.kill(os.getpid(), signal.SIGKILL)

    CheckpointFile._write_and_sync = write_or_die  # type: ignore[method-assign, assignment]


async def run_map(url: str, folder: Path, count: int) -> None:
    """Map the texts as a user's program does, and print the peak memory."""
    indexes, failed = set(), 0
    async with (
        AsyncSession(api_key="test", base_url=url, limits=None) as session,
        session.chat.completions.map(iterate_texts(count), model=MODEL, checkpoint=folder / "answers.ckpt") as results,
    ):
        async for result in results:
            assert result.index not in indexes
            indexes.add(result.index)
            failed += not result.ok
    write_report(folder, {"results": len(indexes), "failed": failed})


def run_child(url: str, folder: Path, count: int, step: int | None, how: str) -> None:
    """Run the map in this process, which is killed at the write number *step* if there is one."""
    if step is not None:
        kill_at_write(step, how)
    asyncio.run(run_map(url, folder, count))


def write_report(folder: Path, counts: dict[str, int]) -> None:
    peak = next(line for line in read_lines(Path("/proc/self/status")) if line.startswith(b"VmHWM"))  # not the parent's
    usage = int(peak.split()[1]) * 1024
    (folder / "run.json").write_text(json.dumps({**counts, "memory": usage}))


@attrs.frozen
class Outcome:
    """The end of a map that was killed several times.

    Attributes:
        results: Results of the last run.
        failed: Failed results of the last run.
        stored: Distinct answers in the checkpoint.
        asked_twice: Answered requests that were sent again although their answer was in the file.
        killed: Processes that were killed.
        memory: Peak memory of the last run, in bytes.
    """

    results: int
    failed: int
    stored: int
    asked_twice: int
    killed: int
    memory: int

    def is_correct(self, count: int) -> bool:
        return (self.results, self.failed, self.stored, self.asked_twice) == (count, 0, count, 0)


@attrs.define
class KilledMap:
    """A map of *count* texts whose process is killed and started again."""

    gradient: Emulator
    folder: Path
    count: int
    killed: int = 0
    asked_twice: int = 0
    _stored: set[str] = attrs.field(factory=set, init=False)
    _texts: dict[str, str] = attrs.field(factory=dict, init=False)
    _seen: int = attrs.field(default=0, init=False)

    def start_run(self, step: int | None = None, how: str = "") -> ForkedProcess:
        return start_forked(run_child, self.gradient.url, self.folder, self.count, step, how)

    def check_run(self) -> None:
        """Count the requests of the run that has ended whose answer was in the file before it began."""
        asked = [
            (f"chatcmpl-{request.short_id}", read_text(request)) for request in self.gradient.requests[self._seen :]
        ]
        self._seen += len(asked)
        self.asked_twice += sum(text in self._stored for _, text in asked)
        self._texts |= dict(asked)
        lines = [line for line in read_lines(self.folder / "answers.ckpt")[1:] if line.endswith(b"\n")]
        texts = [self._texts[json.loads(line)["result"]["id"]] for line in lines]
        assert len(set(texts)) == len(texts)
        self._stored = set(texts)

    async def finish_run(self) -> Outcome:
        """Run without a kill until no item fails."""
        while True:
            assert await self.start_run().wait() == 0
            self.check_run()
            run = json.loads((self.folder / "run.json").read_text())
            if not run["failed"]:
                return Outcome(stored=len(self._stored), asked_twice=self.asked_twice, killed=self.killed, **run)


def read_lines(path: Path) -> list[bytes]:
    return path.read_bytes().splitlines(keepends=True) if path.exists() else []


def read_text(request: RecordedRequest) -> str:
    return str(request.json["messages"][0]["content"])


async def kill_once_at_write(folder: Path, step: int, how: str, count: int = 200) -> Outcome:
    """Kill one process at a write of its checkpoint, and let the next one finish."""
    async with Emulator() as gradient:
        killed_map = KilledMap(gradient, folder, count)
        killed_map.killed += await killed_map.start_run(step, how).wait() == -signal.SIGKILL
        killed_map.check_run()
        return await killed_map.finish_run()


async def kill_at_random_times(folder: Path, chance: random.Random, *, count: int, times: int) -> Outcome:
    """Kill processes in a row, each after a random share of what is left, while some requests fail."""
    async with Emulator() as gradient:
        killed_map = KilledMap(gradient, folder, count)
        for left in range(times, 0, -1):
            sent = len(gradient.requests) + chance.randrange(
                1, 2 + 2 * max(1, count - len(gradient.requests)) // (left + 1)
            )
            process = killed_map.start_run()
            while len(gradient.requests) < sent and process.exit_code is None:
                await asyncio.sleep(0.005)
                if chance.random() < 0.02:
                    gradient.fail(status=chance.choice([400, 500, 503]), times=3)
            if process.exit_code is None:
                process.kill()
            killed_map.killed += await process.wait() == -signal.SIGKILL
            killed_map.check_run()
        return await killed_map.finish_run()


async def soak_map(count: int, times: int) -> bool:
    seed = int(time.time())
    with tempfile.TemporaryDirectory() as folder:
        result = await kill_at_random_times(Path(folder), random.Random(seed), count=count, times=times)
    is_good = result.is_correct(count) and result.memory <= MAX_MEMORY
    sys.stdout.write(f"seed {seed}: {count} texts, {result}: {'good' if is_good else 'WRONG'}\n")
    return is_good


if __name__ == "__main__":
    sys.exit(not asyncio.run(soak_map(int(sys.argv[1]), int(sys.argv[2]))))
