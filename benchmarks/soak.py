"""Does anything leak when streams end in every way they can?

Ten thousand streams are cancelled, abandoned, dropped, broken, refused and read to their end, 32 at a time, in
turn. Every thousand it prints the streams that the server still sends, the tasks, and the resident memory. In the end
there must be no connection, no task and no growth; the exit status is 1 otherwise.

    python benchmarks/soak.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sys
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import attrs
from clients import KEY, MESSAGES, MODEL, ROOMY
from harness import Goal, Row, Server, main, memory, note, server

from gradient_async import (
    APIStatusError,
    APITimeoutError,
    AsyncSession,
    ChatStream,
    RetryPolicy,
    StreamTruncatedError,
    Timeouts,
)

AT_ONCE = 32
SETTLING_STEPS, STEP_SECONDS = 250, 0.02
GROWTH_MIB = 4
BEHAVIOURS = {"endless": "paced/1000000/200", "burst": "burst/20", "cut": "broken/5", "failing": "failing/5"} | {
    "silent": "slow/60000"
}
Sessions = dict[str, AsyncSession]
Way = Callable[[Sessions], Awaitable[None]]


@attrs.frozen
class Size:
    """How much is measured."""

    streams: int
    step: int


def stream(session: AsyncSession, timeout: Timeouts | None = None) -> ChatStream:
    """Return a stream that is not opened yet."""
    return session.chat.completions.stream(model=MODEL, messages=MESSAGES, timeout=timeout)


async def read(source: ChatStream) -> None:
    """Read a stream to its end."""
    async for _ in source:
        pass


async def cancelled(task: asyncio.Task[None]) -> None:
    """Cancel *task* and wait until it has gone."""
    task.cancel()
    await asyncio.wait({task})


# The ways a stream ends.


async def task_cancelled(sessions: Sessions) -> None:
    """Cancel the task that reads."""
    source = stream(sessions["endless"])
    await source.open()
    task = asyncio.create_task(read(source))
    await asyncio.sleep(0.01)
    await cancelled(task)


async def cancelled_before_the_answer(sessions: Sessions) -> None:
    """Cancel the task that waits for the status line."""
    task = asyncio.create_task(read(stream(sessions["silent"])))
    await asyncio.sleep(0.01)
    await cancelled(task)


async def stream_cancelled(sessions: Sessions) -> None:
    """Cancel the stream from another task."""
    source = stream(sessions["endless"])
    task = asyncio.create_task(read(source))
    await asyncio.sleep(0.01)
    source.cancel()
    await task


async def loop_left(sessions: Sessions) -> None:
    """Leave the loop without a word."""
    async for _ in stream(sessions["endless"]):
        break


async def text_loop_left(sessions: Sessions) -> None:
    """Leave the loop over the text."""
    async for _ in stream(sessions["endless"]).text():
        break


async def event_loop_left(sessions: Sessions) -> None:
    """Leave the loop over the events."""
    async for _ in stream(sessions["endless"]).sse():
        break


async def block_left(sessions: Sessions) -> None:
    """Leave the block with the stream unread."""
    async with stream(sessions["endless"]):
        pass


async def consumer_failed(sessions: Sessions) -> None:
    """Raise inside the loop."""
    with suppress(ZeroDivisionError):
        async with stream(sessions["endless"]) as source:
            async for _ in source:
                _ = 1 / 0


async def dropped(sessions: Sessions) -> None:
    """Forget an open stream."""
    await stream(sessions["endless"]).open()


async def reader_dropped(sessions: Sessions) -> None:
    """Read one chunk and forget stream and reader."""
    await anext(aiter(stream(sessions["endless"])))


async def never_opened(sessions: Sessions) -> None:
    """Make a stream and forget it."""
    stream(sessions["endless"])


async def closed(sessions: Sessions) -> None:
    """Close an open stream, twice."""
    source = stream(sessions["endless"])
    await source.open()
    source.close()
    await source.aclose()


async def branches_dropped(sessions: Sessions) -> None:
    """Read from one of two branches and forget both."""
    branches = stream(sessions["endless"]).tee(2)
    await anext(branches[0])


async def out_of_time(sessions: Sessions) -> None:
    """Let the time limit end the stream."""
    try:
        await read(stream(sessions["endless"], Timeouts(total=0.03)))
    except APITimeoutError:
        return
    raise RuntimeError("no time limit ended the stream")


async def connection_cut(sessions: Sessions) -> None:
    """Let the server cut the connection."""
    try:
        await read(stream(sessions["cut"]))
    except StreamTruncatedError:
        return
    raise RuntimeError("a cut stream ended without an error")


async def error_event(sessions: Sessions) -> None:
    """Let the server send an error."""
    try:
        await read(stream(sessions["failing"]))
    except APIStatusError:
        return
    raise RuntimeError("an error event ended the stream without an error")


async def read_to_the_end(sessions: Sessions) -> None:
    """Read a whole answer."""
    await stream(sessions["burst"]).completion()


WAYS: tuple[Way, ...] = (
    task_cancelled,
    cancelled_before_the_answer,
    stream_cancelled,
    loop_left,
    text_loop_left,
    event_loop_left,
    block_left,
    consumer_failed,
    dropped,
    reader_dropped,
    never_opened,
    closed,
    branches_dropped,
    out_of_time,
    connection_cut,
    error_event,
    read_to_the_end,
)


@asynccontextmanager
async def opened(running: Server) -> AsyncIterator[Sessions]:
    """Open a session for each behaviour of the server."""
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(
                AsyncSession(KEY, base_url=running.url(path), limits=ROOMY, retry=RetryPolicy(attempts=1))
            )
            for name, path in BEHAVIOURS.items()
        }


async def run_some(sessions: Sessions, ways: list[Way]) -> int:
    """End a stream in each of *ways*, and return how many went wrong."""
    queue = iter(ways)
    problems: list[str] = []

    async def work() -> None:
        for way in queue:
            try:
                await way(sessions)
            except Exception as error:  # noqa: BLE001 - counted, and shown below
                problems.append(f"{way.__name__}: {error!r}")

    await asyncio.gather(*(work() for _ in range(AT_ONCE)))
    for problem in sorted(set(problems)):
        note(f"{problems.count(problem)} x {problem}"[:300])
    return len(problems)


async def settled(running: Server, what: str) -> float:
    """Return how many of *what* the server counts, after they had time to go."""
    for _ in range(SETTLING_STEPS):
        if not running.stats()[what]:
            break
        await asyncio.sleep(STEP_SECONDS)
    return running.stats()[what]


async def measure(size: Size) -> list[Row]:
    """Return what is left after every step, and in the end."""
    warnings.simplefilter("ignore", ResourceWarning)  # streams are dropped on purpose
    ways, wrong, sizes = itertools.cycle(WAYS), 0, []
    with server() as running:
        async with opened(running) as sessions:
            for ended in range(size.step, size.streams + 1, size.step):
                wrong += await run_some(sessions, list(itertools.islice(ways, size.step)))
                streams = await settled(running, "streams")
                gc.collect()
                sizes.append(memory() / 1024)
                note(
                    f"{ended:6,} streams ended: {streams:.0f} still sent, {len(asyncio.all_tasks()) - 1} tasks, "
                    f"{sizes[-1]:.1f} MiB"
                )
        left = await settled(running, "open")
    tasks = len(asyncio.all_tasks()) - 1
    grown = max(sizes[-1] - sizes[len(sizes) // 5], 0.0)
    return [
        Row(f"connections after {size.streams:,} streams", "connections", left, goal=Goal(0, "")),
        Row(f"streams still sent after {size.streams:,}", "streams", streams, goal=Goal(0, "")),
        Row(f"tasks after {size.streams:,} streams", "tasks", tasks, goal=Goal(0, "")),
        Row(f"streams of {size.streams:,} that ended wrongly", "streams", wrong, goal=Goal(0, "")),
        Row("growth of memory after the first steps", "MiB", grown, goal=Goal(GROWTH_MIB, "MiB")),
    ]


if __name__ == "__main__":
    rows = main(measure, full=Size(10_000, 1000), quick=Size(3000, 500), tiny=Size(34, 17))
    sys.exit(not all(row.to_dict()["ok"] for row in rows))
