"""A large input in four parts that end differently: completed, failed, expired, cancelled; then the rest again.

As a program: ``python tests/batches/split_ends.py 120000`` does it with so many requests and prints what came of it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
import time
from pathlib import Path

import attrs

from gradient_async import AsyncSession, BatchJob, BatchLimits, BatchReport, BatchStep, Poll
from gradient_async.testing import Emulator

PARTS = 4
POLL = Poll(first=0.05, longest=0.5)


@attrs.frozen
class Outcome:
    """The end of the four parts and of the retry.

    Attributes:
        statuses: How the parts ended.
        report: The report on the parts together.
        answered: The ids of the parts with a response, read from the service's own files.
        faulty: The ids of the parts with an error, read likewise.
        retried: The ids of the requests of the retry.
        retry_report: The report on the retry.
    """

    statuses: list[str]
    report: BatchReport
    answered: set[str]
    faulty: set[str]
    retried: set[str]
    retry_report: BatchReport

    def is_exact(self, count: int) -> bool:
        """Whether report and retry agree with the service's own files, and every request is answered once."""
        everything = {f"r{number}" for number in range(count)}
        missing = everything - self.answered - self.faulty
        found = (set(self.report.succeeded), set(self.report.failed), set(self.report.missing))
        lengths = len(self.report.succeeded) + len(self.report.failed) + len(self.report.missing)
        return (
            self.statuses == ["completed", "failed", "expired", "cancelled"]
            and (found, lengths) == ((self.answered, self.faulty, missing), count)
            and (self.retried, set(self.retry_report.succeeded)) == (everything - self.answered,) * 2
            and self.retry_report.ok
        )


def write_input(path: Path, count: int) -> None:
    body = {"model": "openai-gpt-5.4-mini", "messages": [{"role": "user", "content": "Hello"}]}
    line = {"method": "POST", "url": "/v1/chat/completions", "body": body}
    with path.open("w") as file:
        file.writelines(json.dumps({"custom_id": f"r{number}", **line}) + "\n" for number in range(count))


def read_ids(path: Path) -> set[str]:
    return {json.loads(line)["custom_id"] for line in path.read_bytes().splitlines()} if path.exists() else set()


async def end_differently(folder: Path, count: int) -> Outcome:
    """Submit *count* requests in four parts, let them end differently, and request the rest again."""
    write_input(folder / "in.jsonl", count)
    async with (
        Emulator(batch_seconds=0.5) as gradient,
        AsyncSession("test", base_url=gradient.url, limits=None) as session,
    ):

        def script_next_part(step: BatchStep) -> None:
            """Script the part that is created next."""
            if step.stage == "submit" and len(gradient.batches.jobs) < PARTS:
                gradient.batches.max_requests = 1 if step.done == 1 else count
                gradient.batches.seconds = 40_000 if step.done == 3 else 0.5
                if step.done == 2:
                    gradient.batches.expire(after=0.5)

        options = {"limits": BatchLimits(requests=-(-count // PARTS)), "split": True, "on_step": script_next_part}
        job: BatchJob = await session.batches.submit(folder / "in.jsonl", **options)  # type: ignore[arg-type]
        while not gradient.batches.jobs[3].execution.done:
            await asyncio.sleep(0.05)
        gradient.batches.jobs[3].advance()
        await session.batches.cancel(job.batch_ids[3])
        while not gradient.batches.jobs[3].finished:
            gradient.batches.jobs[3].advance()
        await job.wait(poll=POLL, check=False)
        parts = list(gradient.batches.jobs)
        answered = {each for part in parts if part.available for each in read_ids(part.execution.output.path)}
        faulty = {each for part in parts if part.available for each in read_ids(part.execution.sidecar.path)}
        report = await job.report()
        gradient.batches.seconds = 0.5
        again = await job.retry_failed()
        await again.wait(poll=POLL)
        retried = {each for new in gradient.batches.jobs[PARTS:] for each in read_ids(new.execution.source)}
        statuses = [part.status for part in parts]
        return Outcome(statuses, report, answered, faulty, retried, await again.report())


async def run_once(count: int) -> bool:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        outcome = await end_differently(Path(folder), count)
    is_exact, seconds = outcome.is_exact(count), time.monotonic() - began
    report = f"{outcome.statuses}: {outcome.report}; again: {outcome.retry_report}"
    sys.stdout.write(f"{count} requests, {report}: {'exact' if is_exact else 'WRONG'}, {seconds:.0f} s\n")
    return is_exact


if __name__ == "__main__":
    sys.exit(not asyncio.run(run_once(int(sys.argv[1]))))
