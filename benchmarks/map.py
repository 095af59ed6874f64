"""CPU of `map` per item, beside as many single calls.

Both send the same requests, made beforehand, to the same server, 64 at once, with the limiter on. The single calls run
in 64 tasks that take their requests from one iterator: what a program without `map` writes. The row with a checkpoint
writes one into a new file in each round; its fsync is part of the time.

    python benchmarks/map.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import attrs
from clients import KEY, MESSAGES, MODEL, ROOMY
from harness import CPU, Goal, Row, compare_rows, main, measure_medians, run_server

from gradient_async import AsyncSession

Request = dict[str, list[dict[str, str]]]

CONCURRENCY = 64
TASKS = f"create in {CONCURRENCY} tasks"
GOALS = {"map": {TASKS: Goal(1.2)}, "map with a checkpoint": {TASKS: Goal(1.4)}}


@attrs.frozen
class Size:
    """Amount of work in one run."""

    rounds: int
    items: int


async def run_tasks(session: AsyncSession, requests: list[Request]) -> None:
    """Send the requests as single calls."""

    async def work(rest: Iterator[Request]) -> None:
        for request in rest:
            await session.chat.completions.create(model=MODEL, messages=request["messages"])

    rest = iter(requests)
    await asyncio.gather(*(work(rest) for _ in range(CONCURRENCY)))


async def run_map(session: AsyncSession, requests: list[Request], checkpoint: Path | None = None) -> None:
    """Send the requests with `map`."""
    async with session.chat.completions.map(
        requests, model=MODEL, concurrency=CONCURRENCY, checkpoint=checkpoint
    ) as results:
        answered = [result.ok async for result in results]
    if answered != [True] * len(requests):
        raise RuntimeError("an item has no completion")


async def measure(size: Size) -> list[Row]:
    """Return a row for `map` with and without a checkpoint."""
    with run_server() as running, tempfile.TemporaryDirectory() as folder:
        requests: list[Request] = [
            {"messages": [*MESSAGES, {"role": "user", "content": str(number)}]} for number in range(size.items)
        ]
        paths = (Path(folder) / f"{number}.checkpoint" for number in itertools.count())
        async with AsyncSession(KEY, base_url=running.url("json"), limits=ROOMY) as session:

            async def measure_map() -> float:
                with CPU() as cpu:
                    await run_map(session, requests)
                return cpu.seconds / size.items * 1e6

            async def measure_checkpoint() -> float:
                with CPU() as cpu:
                    await run_map(session, requests, next(paths))
                return cpu.seconds / size.items * 1e6

            async def measure_tasks() -> float:
                with CPU() as cpu:
                    await run_tasks(session, requests)
                return cpu.seconds / size.items * 1e6

            await run_tasks(session, requests[:CONCURRENCY])  # opens the connections
            await run_map(session, requests[:CONCURRENCY], next(paths))
            contenders = {"map": measure_map, "map with a checkpoint": measure_checkpoint, TASKS: measure_tasks}
            found = await measure_medians(contenders, size.rounds)
    return [
        row
        for name, goals in GOALS.items()
        for row in compare_rows(f"{name}, CPU an item", "us", {name: found[name], TASKS: found[TASKS]}, goals)
    ]


if __name__ == "__main__":
    main(measure, full=Size(11, 2000), quick=Size(5, 1000), tiny=Size(1, 100))
