"""Many event loops in threads: each thread has a session of its own, and all make their first calls at once.

    python -m tests.adversity.threads URL THREADS [SWITCH_INTERVAL]

Contract: the process has imported nothing of the library when the threads start, so that each of them meets imports,
caches and converters that others are filling. The emulator at *URL* answers as `answer_thread` says. Prints a `Report`
of each thread as a line of JSON; a thread that hangs ends the process with the tracebacks of all.
"""

from __future__ import annotations

import asyncio
import faulthandler
import json
import sys
import threading
from collections.abc import Awaitable, Callable
from functools import partial
from importlib import import_module
from typing import TypedDict

FIRST_NUMBER = 100_000_000
NUMBERS_PER_THREAD = 1_000
HANG_SECONDS = 120.0


class Report(TypedDict):
    """What one thread has seen.

    Attributes:
        key: The key of its session.
        calls: The number of its calls.
        counted: The number of requests that its limiter has counted.
        failures: The calls that failed, or whose answer was another's.
    """

    key: str
    calls: int
    counted: int
    failures: list[str]


async def make_calls(number: int, url: str) -> Report:
    """Make every kind of call at once, with a session of this thread and numbers from *number* on."""
    from gradient_async import AsyncSession, RateLimits  # by each thread, at the same moment

    calls = import_module("tests.adversity.shared_calls").CALLS
    report = Report(key=f"thread-{number}", calls=0, counted=0, failures=[])

    async def make_call(name: str, run: Callable[[AsyncSession, int], Awaitable[object]], first: int) -> None:
        report["calls"] += 1
        try:
            failed = await run(session, first)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failed = error
        if failed:
            report["failures"].append(f"{name}: {failed!r}")

    async with AsyncSession(report["key"], base_url=url, limits=RateLimits(windows=[(10_000, 3600.0)])) as session:
        numbers = range(number, number + NUMBERS_PER_THREAD, NUMBERS_PER_THREAD // len(calls))
        await asyncio.gather(
            *(make_call(name, calls[name], first) for name, first in zip(calls, numbers, strict=False))
        )
        window = session.limits.status().windows[0]
        report["counted"] = window.used - window.foreign
    return report


def run_threads(url: str, count: int) -> list[Report]:
    """Run *count* threads, and return their reports."""
    start, reports = threading.Barrier(count), list[Report]()

    def run_thread(number: int) -> None:
        start.wait()
        reports.append(asyncio.run(make_calls(number, url)))

    firsts = range(FIRST_NUMBER, FIRST_NUMBER + count * NUMBERS_PER_THREAD, NUMBERS_PER_THREAD)
    threads = [threading.Thread(target=partial(run_thread, number)) for number in firsts]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reports


def main(url: str, count: str, *switch_interval: str) -> None:
    """Run the threads and print their reports."""
    faulthandler.dump_traceback_later(HANG_SECONDS, exit=True)
    for seconds in switch_interval:
        sys.setswitchinterval(float(seconds))
    reports = run_threads(url, int(count))
    faulthandler.cancel_dump_traceback_later()
    sys.stdout.write("".join(f"{json.dumps(report)}\n" for report in reports))


if __name__ == "__main__":
    main(*sys.argv[1:])
