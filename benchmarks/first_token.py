"""How long from the call to the first token, over a warm connection?

The server sends the first chunk at once and alone, and the others 2 ms later, so the time is the client's and the
loopback's: wall time from the call to the first text, and the CPU of the client process for the same. The rest of
the stream is read outside the measurement. Every client is open all the time and they take turns.

The first rows are of 25 calls in a row, while an idle process keeps the processors awake. Those called `cold` are of
single calls, each after one of every other client and with processors that doze in between: the code of a call is in
no cache of theirs then, as in a program that does other things.

Baselines: bare aiohttp with a regular expression over the bytes; aiohttp with msgspec; pydo, gradient, openai.

    python benchmarks/first_token.py [--quick] [--json]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, installed
from harness import Goal, Median, Row, awake, main, medians, rows_against, server

CHUNKS, REST_MS = 8, 2
GOALS = {"aiohttp+msgspec": Goal(1.3), "openai": Goal(1 / 6)}
IN_A_ROW = 25
Call = Callable[[], Awaitable[float]]


@attrs.frozen
class Size:
    """How much is measured: rounds of calls in a row, and single calls."""

    rounds: int
    calls: int
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


def caller(client: Client, calls: int, cpu: list[float]) -> Call:
    """Return what makes so many calls and returns their median wall microseconds; those of CPU go to *cpu*."""

    async def call() -> float:
        found = [await first_text(client) for _ in range(calls)]
        cpu.append(statistics.median(one[1] for one in found))
        return statistics.median(one[0] for one in found)

    return call


async def compared(
    clients: dict[str, Client], what: str, *, rounds: int, calls: int, goals: Mapping[str, Goal]
) -> list[Row]:
    """Return the rows of wall and CPU time."""
    cpu: dict[str, list[float]] = {name: [] for name in clients}
    wall = await medians({name: caller(client, calls, cpu[name]) for name, client in clients.items()}, rounds)
    return [
        *rows_against(f"first token{what}, wall time", "us", wall, goals),
        *rows_against(f"first token{what}, CPU", "us", {name: Median(cpu[name]) for name in wall}, goals),
    ]


async def measure(size: Size) -> list[Row]:
    """Return the rows of calls in a row and of single ones."""
    clients: dict[str, Client] = {}
    async with AsyncExitStack() as stack:
        running = stack.enter_context(server())
        for kind in installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())]):
            client = clients[kind.name] = kind(running.url(f"first/{CHUNKS}/{REST_MS}"))
            await client.open()
            stack.push_async_callback(client.close)
            await client.read()
        with awake():
            rows = await compared(clients, "", rounds=size.rounds, calls=IN_A_ROW, goals=GOALS)
        return [*rows, *await compared(clients, ", cold", rounds=size.calls, calls=1, goals={})]


if __name__ == "__main__":
    main(measure, full=Size(24, 300), quick=Size(8, 100), tiny=Size(1, 2, peers=False))
