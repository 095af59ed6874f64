"""Connections opened by 20 consecutive streams.

A connection is reusable once the body was read to its end, which may arrive in one packet with ``[DONE]`` or 30 ms
later.

Baselines: aiohttp with msgspec, which reads to the end of the body; pydo, gradient, openai.

    python benchmarks/connections.py [--quick] [--json]
"""

from __future__ import annotations

import attrs
from clients import PEERS, ByHand, Client, Ours, select_installed, use_client
from harness import Goal, Row, Server, compare_rows, main, measure_medians, run_server

CHUNKS = 20
SHAPES = {"in one packet with [DONE]": 0, "30 ms after [DONE]": 30}


@attrs.frozen
class Size:
    """Amount of work in one run."""

    streams: int
    peers: bool = True


async def count_connections(kind: type[Client], running: Server, milliseconds: int, streams: int) -> float:
    """Return the number of connections that *kind* opened."""

    async def use(client: Client) -> float:
        before = running.stats()["accepted"]
        for _ in range(streams):
            await client.read()
        return running.stats()["accepted"] - before

    return await use_client(kind, running.url(f"done/{CHUNKS}/{milliseconds}"), use)


async def measure(size: Size) -> list[Row]:
    """Return the rows for both positions of the end of the body."""
    kinds = select_installed([Ours, ByHand, *(PEERS if size.peers else ())])
    rows: list[Row] = []
    with run_server() as running:
        for shape, milliseconds in SHAPES.items():
            contenders = {
                kind.name: lambda kind=kind, ms=milliseconds: count_connections(kind, running, ms, size.streams)
                for kind in kinds
            }
            found = await measure_medians(contenders, 1)
            rows += compare_rows(f"{size.streams} streams, end {shape}", "connections", found, {"": Goal(1, "")})
    return rows


if __name__ == "__main__":
    main(measure, full=Size(20), quick=Size(20), tiny=Size(3, peers=False))
