"""Latency of chunks with a thousand open streams.

Each stream sends 10 chunks a second; one event loop reads them all. A chunk carries the time at which the server sent
it, in nanoseconds; its latency ends when the reading loop has the text. The first second of each stream, in which
connections are opened, is not counted.

Baselines: bare aiohttp with a regular expression over the bytes; aiohttp with msgspec; pydo, gradient, openai. A
contender that needs more CPU than available falls further behind over time.

    python benchmarks/paced_streams.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import statistics
import time

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, select_installed, use_client
from harness import Goal, Median, Row, Server, compare_rows, main, measure_medians, print_note, run_server

RATE = 10
SETTLING_CHUNKS = RATE
GOALS = {"p50": {"aiohttp+msgspec": Goal(0.2 / 0.14)}, "p99": {"": Goal(2, "ms")}}
"""The goal of 0.2 ms at the median comes from a machine on which aiohttp with msgspec needed 0.14."""


@attrs.frozen
class Size:
    """Amount of work in one run."""

    streams: int
    chunks: int
    rounds: int
    peers: bool = True


@attrs.define
class Rounds:
    """Further measurements of one contender, one value per round."""

    p50: list[float] = attrs.field(factory=list)
    cpu: list[float] = attrs.field(factory=list)


async def follow_stream(client: Client, skip: int, found: list[float]) -> None:
    """Read one stream and append the latency of each chunk, in milliseconds."""
    position, now = 0, time.monotonic_ns
    async for text in client.texts():
        late = now() - int(text)
        position += 1
        if position > skip:
            found.append(late / 1e6)


async def follow_streams(kind: type[Client], running: Server, size: Size, seen: Rounds) -> float:
    """Read all streams with one client of *kind*, and return the 99th percentile of the latency in milliseconds."""

    async def use(client: Client) -> float:
        found: list[float] = []
        skip = min(SETTLING_CHUNKS, size.chunks // 2)
        began, busy = time.process_time(), running.stats()["cpu"]
        await asyncio.gather(*(follow_stream(client, skip, found) for _ in range(size.streams)))
        seen.cpu.append((time.process_time() - began) / (size.streams * size.chunks) * 1e6)
        if running.stats()["cpu"] - busy > 0.8 * size.chunks / RATE:
            print_note("the server was busy for more than 80 % of the time: the latencies are partly its own")
        cuts = statistics.quantiles(found, n=100)
        seen.p50.append(cuts[49])
        return cuts[98]

    return await use_client(kind, running.url(f"paced/{size.chunks}/{RATE}"), use, wide=True)


async def measure(size: Size) -> list[Row]:
    """Return the latencies and the CPU of each contender."""
    kinds = select_installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())])
    seen = {kind.name: Rounds() for kind in kinds}
    with run_server() as running:
        contenders = {
            kind.name: lambda kind=kind: follow_streams(kind, running, size, seen[kind.name]) for kind in kinds
        }
        p99 = await measure_medians(contenders, size.rounds)
    p50, cpu = ({name: Median(getattr(seen[name], what)) for name in p99} for what in ("p50", "cpu"))
    return [
        *compare_rows(f"latency p50, {size.streams:,} streams", "ms", p50, GOALS["p50"]),
        *compare_rows(f"latency p99, {size.streams:,} streams", "ms", p99, GOALS["p99"]),
        *compare_rows(f"CPU a paced chunk, {size.streams:,} streams", "us", cpu),
    ]


if __name__ == "__main__":
    main(measure, full=Size(1000, 32, 3), quick=Size(200, 30, 1), tiny=Size(10, 2, 1, peers=False))
