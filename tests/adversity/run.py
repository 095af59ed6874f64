"""Adversity: thousands of schedules of broken connections, files cut at every byte, and what was seen.

    python -m tests.adversity.run [--seed N] [--schedules M] [--first I]

The seed is printed, and repeats a run; with ``--first`` it repeats one schedule. Exit status 1 if anything did not hold.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import random
import sys
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gradient_async._io.http.exchange import Exchange
from tests.adversity.cut_files import cut_files
from tests.adversity.schedule import Figures, Run, draw_schedule

AT_ONCE = 16


async def run_schedules(figures: Figures, seed: int, indices: Iterator[int]) -> None:
    """Run the schedules *indices*, several at a time, and check that no task and no response is left."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: figures.violations.append(describe_context(context)))
    before = [*asyncio.all_tasks(), *find_exchanges()]

    async def work() -> None:
        for index in indices:
            await Run(draw_schedule(seed, index), figures).run()

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    await asyncio.sleep(0)
    left = [each for each in (*asyncio.all_tasks(), *find_exchanges()) if each not in before]
    figures.left_open += len(left)
    figures.violations.extend(f"left open: {each!r}" for each in left)


def find_exchanges() -> list[object]:
    """Return the responses that something still refers to."""
    gc.collect()
    return [each for each in gc.get_objects() if type(each) is Exchange]


def describe_context(context: dict[str, Any]) -> str:
    """Return a line about an exception that no task was there to receive."""
    return f"{context['message']}: {context.get('exception')!r}"


def print_figures(figures: Figures, seconds: float) -> None:
    """Print a table of *figures*."""
    rows = {
        "schedules": figures.schedules,
        "faults that came about": figures.struck.total(),
        **{f"- {name}": count for name, count in sorted(figures.struck.items())},
        "calls": figures.calls,
        "complete results": figures.complete,
        "errors": figures.errors.total(),
        **{f"- `{name}`": count for name, count in sorted(figures.errors.items())},
        "requests that arrived": figures.arrived,
        "longest call": f"{figures.longest:.1f} s",
        "journals and checkpoints that were cut": figures.cuts,
        "left open": figures.left_open,
        "violations": len(figures.violations),
    }
    print("| | |\n|---|---:|")
    for name, value in rows.items():
        print(f"| {name} | {value:,} |" if isinstance(value, int) else f"| {name} | {value} |")
    print(f"\n{seconds:.0f} s")


def main() -> int:
    """Run the schedules of the command line and return the exit status."""
    parser = argparse.ArgumentParser(prog="make adversity", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000))
    parser.add_argument("--schedules", type=int, default=2000)
    parser.add_argument("--first", type=int, default=0, help="the number of the first schedule")
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    figures, started_at = Figures(), time.monotonic()
    indices = iter(range(options.first, options.first + options.schedules))
    warnings.simplefilter("error", ResourceWarning)
    sys.unraisablehook = lambda hook: figures.violations.append(f"{hook.err_msg}: {hook.exc_value!r}")
    asyncio.run(run_schedules(figures, options.seed, indices))
    with tempfile.TemporaryDirectory() as folder:
        figures.cuts = asyncio.run(cut_files(Path(folder), step=1))
    print_figures(figures, time.monotonic() - started_at)
    for violation in figures.violations:
        print(violation, file=sys.stderr)
    return bool(figures.violations)


if __name__ == "__main__":
    sys.exit(main())
