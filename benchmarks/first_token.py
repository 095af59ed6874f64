"""Time from the call to the first token, over a warm connection.

The server sends the first chunk immediately and the others 2 ms later, so that only client and loopback are measured:
wall time to the first text, and the CPU of the client process until then. The rest of the stream is read outside the
measurement. All clients stay open and take turns.

The first rows come from 25 calls in a row while idle-priority processes keep the processors awake. `cold` rows come
from single calls, each after a call of every other client and with processors that sleep in between: caches are cold,
as in a program that does other work.

Baselines: bare aiohttp with a regular expression over the bytes; aiohttp with msgspec; pydo, gradient, openai.

    python benchmarks/first_token.py [--quick] [--json]
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, select_installed
from harness import Goal, Median, Row, compare_rows, keep_processors_awake, main, measure_medians, run_server

CHUNKS, REST_MS = 8, 2
GOALS = {"aiohttp+msgspec": Goal(1.3), "openai": Goal(1 / 6)}
IN_A_ROW = 25
Call = Callable[[], Awaitable[float]]


@attrs.frozen
class Size:
    """Amount of work in one run: rounds of consecutive calls, and single calls."""

    rounds: int
    calls: int
    peers: bool = True


async def time_first_text(client: Client) -> tuple[float, float]:
    """Return the wall and CPU microseconds from one call to its first text."""
    texts = client.texts()
    began, cpu_began = time.perf_counter(), time.process_time()
    await anext(texts)
    cpu, wall = time.process_time() - cpu_began, time.perf_counter() - began
    async for _ in texts:
        pass
    return wall * 1e6, cpu * 1e6


def build_call(client: Client, calls: int, cpu: list[float]) -> Call:
    """Return a coroutine function that makes *calls* calls; it returns the median wall time and appends that of CPU."""

    async def call() -> float:
        found = [await time_first_text(client) for _ in range(calls)]
        cpu.append(statistics.median(one[1] for one in found))
        return statistics.median(one[0] for one in found)

    return call


async def compare_contenders(
    clients: dict[str, Client], what: str, *, rounds: int, calls: int, goals: Mapping[str, Goal]
) -> list[Row]:
    """Return the rows of wall and CPU time."""
    cpu: dict[str, list[float]] = {name: [] for name in clients}
    wall = await measure_medians(
        {name: build_call(client, calls, cpu[name]) for name, client in clients.items()}, rounds
    )
    return [
        *compare_rows(f"first token{what}, wall time", "us", wall, goals),
        *compare_rows(f"first token{what}, CPU", "us", {name: Median(cpu[name]) for name in wall}, goals),
    ]


async def measure(size: Size) -> list[Row]:
    """Return the rows of consecutive and of single calls."""
    clients: dict[str, Client] = {}
    async with AsyncExitStack() as stack:
        running = stack.enter_context(run_server())
        for kind in select_installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())]):
            client = clients[kind.name] = kind(running.url(f"first/{CHUNKS}/{REST_MS}"))
            await client.open()
            stack.push_async_callback(client.close)
            await client.read()
        with keep_processors_awake():
            rows = await compare_contenders(clients, "", rounds=size.rounds, calls=IN_A_ROW, goals=GOALS)
        return [*rows, *await compare_contenders(clients, ", cold", rounds=size.calls, calls=1, goals={})]


if __name__ == "__main__":
    main(measure, full=Size(24, 300), quick=Size(8, 100), tiny=Size(1, 2, peers=False))
