"""What does a request with a whole answer cost?

CPU of the client process per chat completion of about 1 KB over warm connections, with 1, 64 and 512 requests in
flight. Ours takes a permit of the limiter, watches its time limits, reads the rate-limit headers and returns typed
objects with their meta.

Baselines: bare aiohttp with its defaults, which sends ready bytes and reads the answer's; aiohttp without time
limits, with msgspec into attrs classes; pydo, gradient, openai.

    python benchmarks/completions.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, installed, with_client
from harness import CPU, Goal, Row, Server, main, medians, rows_against, server

SLOW_SHARE = 5
GOALS = {
    1: {"bare aiohttp": Goal(1.4)},
    64: {"bare aiohttp": Goal(1.4), "openai": Goal(1 / 15)},
    512: {"bare aiohttp": Goal(1.4), "openai": Goal(1 / 20)},
}


@attrs.frozen
class Size:
    """How much is measured: how many requests for each number in flight."""

    requests: dict[int, int]
    rounds: int
    peers: bool = True


async def us_per_request(kind: type[Client], running: Server, in_flight: int, requests: int) -> float:
    """Return the CPU microseconds that *kind* needs for each request."""
    each = max(requests // in_flight, 1)

    async def ask(client: Client, times: int) -> None:
        for _ in range(times):
            await client.ask()

    async def use(client: Client) -> float:
        await asyncio.gather(*(ask(client, 1) for _ in range(in_flight)))
        with CPU() as cpu:
            await asyncio.gather(*(ask(client, each) for _ in range(in_flight)))
        return cpu.seconds / (each * in_flight) * 1e6

    return await with_client(kind, running.url("json"), use)


async def compared(running: Server, in_flight: int, size: Size) -> dict[str, float]:
    """Return the median of every contender with so many requests in flight."""
    requests = size.requests[in_flight]
    contenders = {
        kind.name: lambda kind=kind: us_per_request(  # type: ignore[misc]
            kind, running, in_flight, requests // (SLOW_SHARE if kind.is_slow else 1)
        )
        for kind in installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())])
    }
    return await medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows for each number of requests in flight."""
    with server() as running:
        found = {in_flight: await compared(running, in_flight, size) for in_flight in size.requests}
    return [
        row
        for in_flight, results in found.items()
        for row in rows_against(f"CPU a request, {in_flight} in flight", "us", results, GOALS[in_flight])
    ]


if __name__ == "__main__":
    main(
        measure,
        full=Size({1: 1000, 64: 6400, 512: 5120}, 5),
        quick=Size({1: 300, 64: 1920, 512: 2048}, 3),
        tiny=Size({1: 5, 64: 64, 512: 512}, 1, peers=False),
    )
