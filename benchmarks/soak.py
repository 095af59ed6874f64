"""Leak test: streams that end in every possible way.

Ten thousand streams are cancelled, abandoned, dropped, broken, refused and read to their end, 32 at a time. After every
thousand, the streams that the server still sends, tasks, connections and resident memory are printed. At the end no
connection and no task may remain and memory may not have grown; otherwise the exit status is 1.

    python benchmarks/soak.py [--minutes M] [--quick] [--json]

With ``--minutes`` it goes on for so long, and slopes of memory, tasks and connections are printed.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import itertools
import math
import sys
import time
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from statistics import linear_regression

import attrs
from clients import KEY, MESSAGES, MODEL
from harness import Goal, Row, Server, main, print_note, read_memory, run_server

from gradient_async import (
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    ChatStream,
    RateLimits,
    RetryPolicy,
    StreamTruncatedError,
    Timeouts,
)

AT_ONCE = 32
SETTLING_STEPS, STEP_SECONDS = 250, 0.02
ROOMY = RateLimits(windows=[(2000, 1.0)])
"""More than is sent, and little enough: the limiter keeps the time of as many requests as a window admits."""
GROWTH_MIB = 4
LEAST_SAMPLES = 4
BEHAVIOURS = {"endless": "paced/1000000/200", "burst": "burst/20", "cut": "broken/5", "failing": "failing/5"} | {
    "silent": "slow/60000"
}
Sessions = dict[str, AsyncSession]
Ending = Callable[[Sessions], Awaitable[None]]


@attrs.frozen
class Size:
    """Amount of work in one run: so many streams, or *minutes* if those are over first."""

    streams: int
    step: int
    minutes: float = math.inf


@attrs.frozen
class Sample:
    """What is left after a step.

    Attributes:
        seconds: Time since the beginning.
        ended: Streams that have ended.
        memory: Resident memory in MiB.
        tasks: Tasks beside that of this program.
        connections: Connections at the server, those of the pools included.
        streams: Streams that the server still sends.
    """

    seconds: float
    ended: int
    memory: float
    tasks: int
    connections: float
    streams: float

    @property
    def minutes(self) -> float:
        """Minutes since the beginning."""
        return self.seconds / 60


def create_stream(session: AsyncSession, timeout: Timeouts | None = None) -> ChatStream:
    """Create a stream without opening it."""
    return session.chat.completions.stream(model=MODEL, messages=MESSAGES, timeout=timeout)


async def read_stream(source: ChatStream) -> None:
    """Read a stream to its end."""
    async for _ in source:
        pass


async def cancel_and_wait(task: asyncio.Task[None]) -> None:
    """Cancel *task* and wait for its end."""
    task.cancel()
    await asyncio.wait({task})


# Endings of a stream.


async def cancel_task(sessions: Sessions) -> None:
    """Cancel the reading task."""
    source = create_stream(sessions["endless"])
    await source.open()
    task = asyncio.create_task(read_stream(source))
    await asyncio.sleep(0.01)
    await cancel_and_wait(task)


async def cancel_before_response(sessions: Sessions) -> None:
    """Cancel the task while it waits for the status line."""
    task = asyncio.create_task(read_stream(create_stream(sessions["silent"])))
    await asyncio.sleep(0.01)
    await cancel_and_wait(task)


async def cancel_stream(sessions: Sessions) -> None:
    """Cancel the stream from another task."""
    source = create_stream(sessions["endless"])
    task = asyncio.create_task(read_stream(source))
    await asyncio.sleep(0.01)
    source.cancel()
    await task


async def leave_loop(sessions: Sessions) -> None:
    """Leave the loop over the chunks."""
    async for _ in create_stream(sessions["endless"]):
        break


async def leave_text_loop(sessions: Sessions) -> None:
    """Leave the loop over the text."""
    async for _ in create_stream(sessions["endless"]).text():
        break


async def leave_event_loop(sessions: Sessions) -> None:
    """Leave the loop over the events."""
    async for _ in create_stream(sessions["endless"]).sse():
        break


async def leave_block(sessions: Sessions) -> None:
    """Leave the block with the stream unread."""
    async with create_stream(sessions["endless"]):
        pass


async def raise_in_consumer(sessions: Sessions) -> None:
    """Raise inside the loop."""
    with suppress(ZeroDivisionError):
        async with create_stream(sessions["endless"]) as source:
            async for _ in source:
                _ = 1 / 0


async def drop_stream(sessions: Sessions) -> None:
    """Drop the reference to an open stream."""
    await create_stream(sessions["endless"]).open()


async def drop_iterator(sessions: Sessions) -> None:
    """Read one chunk and drop the references to stream and iterator."""
    await anext(aiter(create_stream(sessions["endless"])))


async def drop_unopened(sessions: Sessions) -> None:
    """Create a stream and drop it unopened."""
    create_stream(sessions["endless"])


async def close_twice(sessions: Sessions) -> None:
    """Close an open stream, twice."""
    source = create_stream(sessions["endless"])
    await source.open()
    source.close()
    await source.aclose()


async def drop_branches(sessions: Sessions) -> None:
    """Read from one of two branches and drop both."""
    branches = create_stream(sessions["endless"]).tee(2)
    await anext(branches[0])


async def exceed_timeout(sessions: Sessions) -> None:
    """Exceed the total timeout."""
    try:
        await read_stream(create_stream(sessions["endless"], Timeouts(total=0.03)))
    except APITimeoutError:
        return
    raise RuntimeError("the timeout did not end the stream")


async def read_cut_stream(sessions: Sessions) -> None:
    """Read a stream that the server cuts."""
    try:
        await read_stream(create_stream(sessions["cut"]))
    except StreamTruncatedError:
        return
    raise RuntimeError("a cut stream ended without an error")


async def read_error_event(sessions: Sessions) -> None:
    """Read a stream with an error event."""
    try:
        await read_stream(create_stream(sessions["failing"]))
    except APIStatusError:
        return
    raise RuntimeError("an error event ended the stream without an error")


async def read_to_end(sessions: Sessions) -> None:
    """Read a stream to its end."""
    await create_stream(sessions["burst"]).completion()


ENDINGS: tuple[Ending, ...] = (
    cancel_task,
    cancel_before_response,
    cancel_stream,
    leave_loop,
    leave_text_loop,
    leave_event_loop,
    leave_block,
    raise_in_consumer,
    drop_stream,
    drop_iterator,
    drop_unopened,
    close_twice,
    drop_branches,
    exceed_timeout,
    read_cut_stream,
    read_error_event,
    read_to_end,
)


@asynccontextmanager
async def open_sessions(running: Server) -> AsyncIterator[Sessions]:
    """Open a session for each behaviour of the server."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                AsyncSession(KEY, base_url=running.url(path), limits=ROOMY, retry=RetryPolicy(attempts=1))
            )
            for name, path in BEHAVIOURS.items()
        }


async def run_endings(sessions: Sessions, endings: list[Ending]) -> int:
    """Run *endings* concurrently, and return the number of failures."""
    queue = iter(endings)
    problems: list[str] = []

    async def work() -> None:
        for ending in queue:
            try:
                await ending(sessions)
            except Exception as error:  # noqa: BLE001 - counted, and printed below
                problems.append(f"{ending.__name__}: {error!r}")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    for problem in sorted(set(problems)):
        print_note(f"{problems.count(problem)} x {problem}"[:300])
    return len(problems)


async def wait_for_zero(running: Server, name: str) -> float:
    """Wait for the server's counter *name* to reach 0, and return its value at the end."""
    for _ in range(SETTLING_STEPS):
        if not running.stats()[name]:
            break
        await asyncio.sleep(STEP_SECONDS)
    return running.stats()[name]


async def take_sample(running: Server, began: float, ended: int) -> Sample:
    """Measure what is left after *ended* streams."""
    streams = await wait_for_zero(running, "streams")
    gc.collect()
    sample = Sample(
        time.monotonic() - began,
        ended,
        read_memory() / 1024,
        len(asyncio.all_tasks()) - 1,
        running.stats()["open"],
        streams,
    )
    print_note(
        f"{sample.minutes:5.1f} min, {ended:8,} streams ended: {streams:.0f} still sent, {sample.tasks} tasks, "
        f"{sample.connections:.0f} connections, {sample.memory:.1f} MiB"
    )
    return sample


async def take_samples(running: Server, sessions: Sessions, size: Size) -> tuple[list[Sample], int]:
    """Run endings until *size* is reached; return a sample after each step, and the number of wrong endings."""
    endings, wrong, samples, began = itertools.cycle(ENDINGS), 0, [], time.monotonic()
    for ended in itertools.count(size.step, size.step):
        wrong += await run_endings(sessions, list(itertools.islice(endings, size.step)))
        samples.append(await take_sample(running, began, ended))
        if samples[-1].minutes >= size.minutes or ended >= size.streams:
            return samples, wrong
    raise AssertionError  # the count has no end


def fit_slopes(samples: list[Sample]) -> list[Row]:
    """Return the slopes by linear regression after the first fifth of *samples*, while pools and caches grow."""
    late = samples[len(samples) // 5 :]
    if len(late) < LEAST_SAMPLES:
        return []
    minutes = [sample.minutes for sample in late]
    names = {"memory": "MiB/min", "tasks": "tasks/min", "connections": "connections/min"}
    return [
        Row(f"slope of {name}", unit, linear_regression(minutes, [getattr(each, name) for each in late]).slope)
        for name, unit in names.items()
    ]


async def measure(size: Size) -> list[Row]:
    """Return the connections, streams, tasks and memory that remain after all steps."""
    for category in (ResourceWarning, RuntimeWarning):  # streams are dropped on purpose
        warnings.simplefilter("ignore", category)
    with run_server() as running:
        async with open_sessions(running) as sessions:
            samples, wrong = await take_samples(running, sessions, size)
        remaining = await wait_for_zero(running, "open")
    last, tasks = samples[-1], len(asyncio.all_tasks()) - 1
    growth = max(last.memory - samples[len(samples) // 5].memory, 0.0)
    return [
        Row(f"connections after {last.ended:,} streams", "connections", remaining, goal=Goal(0, "")),
        Row(f"streams still sent after {last.ended:,}", "streams", last.streams, goal=Goal(0, "")),
        Row(f"tasks after {last.ended:,} streams", "tasks", tasks, goal=Goal(0, "")),
        Row(f"streams of {last.ended:,} that ended wrongly", "streams", wrong, goal=Goal(0, "")),
        Row("growth of memory after the first steps", "MiB", growth, goal=Goal(GROWTH_MIB, "MiB")),
        *fit_slopes(samples),
    ]


def parse_minutes() -> float | None:
    """Take ``--minutes`` out of the command line."""
    parser = argparse.ArgumentParser(add_help=False)
    parser.add_argument("--minutes", type=float)
    options, sys.argv[1:] = parser.parse_known_args()
    minutes: float | None = options.minutes
    return minutes


if __name__ == "__main__":
    minutes = parse_minutes()
    full = Size(10_000, 1000) if minutes is None else Size(sys.maxsize, 500, minutes)
    rows = main(measure, full=full, quick=Size(3000, 500), tiny=Size(34, 17))
    sys.exit(any(row.to_dict()["ok"] is False for row in rows))
