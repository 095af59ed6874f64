"""Cost of a completion.

Measures the CPU of the client process per chat completion of about 1 KB over warm connections, with 1, 64 and 512
requests in flight. This library acquires a permit, enforces its timeouts, reads the rate-limit headers and returns
typed objects with their meta.

Baselines: bare aiohttp with its defaults, which sends prepared bytes and reads the body; aiohttp without timeouts, with
msgspec into attrs classes; pydo, gradient, openai.

    python benchmarks/completions.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio

import attrs
from clients import PEERS, Bare, ByHand, Client, Ours, select_installed, use_client
from harness import CPU, Goal, Median, Row, Server, compare_rows, main, measure_medians, run_server

SLOW_SHARE = 5
GOALS = {
    1: {"bare aiohttp": Goal(1.4)},
    64: {"bare aiohttp": Goal(1.4), "openai": Goal(1 / 15)},
    512: {"bare aiohttp": Goal(1.4), "openai": Goal(1 / 20)},
}


@attrs.frozen
class Size:
    """Amount of work in one run: the number of requests for each number in flight."""

    requests: dict[int, int]
    rounds: int
    peers: bool = True


async def time_request(kind: type[Client], running: Server, in_flight: int, requests: int) -> float:
    """Return the CPU microseconds per request of *kind*."""
    each = max(requests // in_flight, 1)

    async def send_requests(client: Client, times: int) -> None:
        for _ in range(times):
            await client.ask()

    async def use(client: Client) -> float:
        await asyncio.gather(*(send_requests(client, 1) for _ in range(in_flight)))
        with CPU() as cpu:
            await asyncio.gather(*(send_requests(client, each) for _ in range(in_flight)))
        return cpu.seconds / (each * in_flight) * 1e6

    return await use_client(kind, running.url("json"), use)


async def compare_contenders(running: Server, in_flight: int, size: Size) -> dict[str, Median]:
    """Return the median of each contender with *in_flight* requests at a time."""
    requests = size.requests[in_flight]
    contenders = {
        kind.name: lambda kind=kind: time_request(
            kind, running, in_flight, requests // (SLOW_SHARE if kind.is_slow else 1)
        )
        for kind in select_installed([Ours, Bare, ByHand, *(PEERS if size.peers else ())])
    }
    return await measure_medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows for each number of requests in flight."""
    with run_server() as running:
        found = {in_flight: await compare_contenders(running, in_flight, size) for in_flight in size.requests}
    return [
        row
        for in_flight, results in found.items()
        for row in compare_rows(f"CPU a request, {in_flight} in flight", "us", results, GOALS[in_flight])
    ]


if __name__ == "__main__":
    main(
        measure,
        full=Size({1: 1000, 64: 6400, 512: 5120}, 5),
        quick=Size({1: 300, 64: 1920, 512: 2048}, 3),
        tiny=Size({1: 5, 64: 64, 512: 512}, 1, peers=False),
    )
