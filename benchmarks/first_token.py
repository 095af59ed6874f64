"""How long from the call to the first token, over a warm connection?

The server sends the first chunk at once and alone, and the others 2 ms later, so the time is the client's and the
loopback's: wall time from the call to the first text, and the CPU of the client process for the same. The rest of
the stream is read outside the measurement.

Baselines: bare aiohttp with a regular expression over the bytes; aiohttp with msgspec; pydo, gradient, openai.

    python benchmarks/first_token.py [--quick] [--json]
"""

from __future__ import annotations

import gc
import statistics
import time

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, installed, with_client
from harness import Goal, Row, Server, main, medians, rows_against, server

CHUNKS, REST_MS = 8, 2
SLOW_SHARE = 5
GOALS = {"aiohttp+msgspec": Goal(1.3), "openai": Goal(1 / 6)}


@attrs.frozen
class Size:
    """How much is measured."""

    calls: int
    rounds: int
    peers: bool = True


async def first_text(client: Client) -> tuple[float, float]:
    """Return the wall and CPU microseconds of one call until its first text."""
    texts = client.texts()
    began, cpu_began = time.perf_counter(), time.process_time()
    await anext(texts)
    cpu, wall = time.process_time() - cpu_began, time.perf_counter() - began
    async for _ in texts:
        pass
    return wall * 1e6, cpu * 1e6


async def us_to_first_text(kind: type[Client], running: Server, calls: int, cpu: list[float]) -> float:
    """Return the median wall microseconds of *kind*; the median CPU microseconds go to *cpu*."""

    async def use(client: Client) -> float:
        await client.read()
        gc.collect()
        found = [await first_text(client) for _ in range(calls)]
        cpu.append(statistics.median(one[1] for one in found))
        return statistics.median(one[0] for one in found)

    return await with_client(kind, running.url(f"first/{CHUNKS}/{REST_MS}"), use)


async def measure(size: Size) -> list[Row]:
    """Return the rows of wall and CPU time."""
    kinds = installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())])
    cpu: dict[str, list[float]] = {kind.name: [] for kind in kinds}
    calls = {kind: max(size.calls // (SLOW_SHARE if kind.is_slow else 1), 2) for kind in kinds}
    with server() as running:
        contenders = {
            kind.name: lambda kind=kind: us_to_first_text(  # type: ignore[misc]
                kind, running, calls[kind], cpu[kind.name]
            )
            for kind in kinds
        }
        wall = await medians(contenders, size.rounds)
    return [
        *rows_against("first token, wall time", "us", wall, GOALS),
        *rows_against("first token, CPU", "us", {name: statistics.median(cpu[name]) for name in wall}, GOALS),
    ]


if __name__ == "__main__":
    main(measure, full=Size(1000, 5), quick=Size(300, 3), tiny=Size(4, 1, peers=False))
