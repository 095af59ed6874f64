"""How late is a chunk when a thousand streams are open?

Streams of 10 chunks a second each, all read by one event loop. Every chunk carries the nanosecond the server sent it
at; its latency is the time until the loop that reads the stream has its text. The first second of each stream, when
connections are still being opened, does not count.

Baselines: bare aiohttp with a regular expression over the bytes; aiohttp with msgspec; pydo, gradient, openai. One
that needs more CPU than there is falls behind further the longer it runs.

    python benchmarks/paced_streams.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import statistics
import time

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, installed, with_client
from harness import Goal, Median, Row, Server, main, medians, note, rows_against, server

RATE = 10
SETTLING_CHUNKS = RATE
GOALS = {"p50": {"aiohttp+msgspec": Goal(0.2 / 0.14)}, "p99": {"": Goal(2, "ms")}}
"""The goal of 0.2 ms at the median is from a machine on which aiohttp with msgspec took 0.14."""


@attrs.frozen
class Size:
    """How much is measured."""

    streams: int
    chunks: int
    rounds: int
    peers: bool = True


@attrs.define
class Rounds:
    """What else is measured of one contender, round by round."""

    p50: list[float] = attrs.field(factory=list)
    cpu: list[float] = attrs.field(factory=list)


async def follow(client: Client, skip: int, found: list[float]) -> None:
    """Read one stream and note how late each chunk is, in milliseconds."""
    position, now = 0, time.monotonic_ns
    async for text in client.texts():
        late = now() - int(text)
        position += 1
        if position > skip:
            found.append(late / 1e6)


async def watched(kind: type[Client], running: Server, size: Size, seen: Rounds) -> float:
    """Follow all streams with one client of *kind*, and return the 99th percentile."""

    async def use(client: Client) -> float:
        found: list[float] = []
        skip = min(SETTLING_CHUNKS, size.chunks // 2)
        began, busy = time.process_time(), running.stats()["cpu"]
        await asyncio.gather(*(follow(client, skip, found) for _ in range(size.streams)))
        seen.cpu.append((time.process_time() - began) / (size.streams * size.chunks) * 1e6)
        if running.stats()["cpu"] - busy > 0.8 * size.chunks / RATE:
            note("the server was busy for more than 80 % of the time: the latencies are partly its own")
        cuts = statistics.quantiles(found, n=100)
        seen.p50.append(cuts[49])
        return cuts[98]

    return await with_client(kind, running.url(f"paced/{size.chunks}/{RATE}"), use, wide=True)


async def measure(size: Size) -> list[Row]:
    """Return the latencies and the CPU of every contender."""
    kinds = installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())])
    seen = {kind.name: Rounds() for kind in kinds}
    with server() as running:
        contenders = {
            kind.name: lambda kind=kind: watched(kind, running, size, seen[kind.name])  # type: ignore[misc]
            for kind in kinds
        }
        p99 = await medians(contenders, size.rounds)
    p50, cpu = ({name: Median(getattr(seen[name], what)) for name in p99} for what in ("p50", "cpu"))
    return [
        *rows_against(f"latency p50, {size.streams:,} streams", "ms", p50, GOALS["p50"]),
        *rows_against(f"latency p99, {size.streams:,} streams", "ms", p99, GOALS["p99"]),
        *rows_against(f"CPU a paced chunk, {size.streams:,} streams", "us", cpu),
    ]


if __name__ == "__main__":
    main(measure, full=Size(1000, 32, 3), quick=Size(200, 30, 1), tiny=Size(10, 2, 1, peers=False))
