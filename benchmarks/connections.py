"""How many connections do 20 streams need, one after the other?

A connection can serve the next request only once its body was read to the end, and the end may come later than
``[DONE]``: in one packet with it, or 30 ms after it.

Baselines: aiohttp with msgspec, which reads to the end of the body; pydo, gradient, openai.

    python benchmarks/connections.py [--quick] [--json]
"""

from __future__ import annotations

import attrs
from clients import PEERS, ByHand, Client, Ours, installed, with_client
from harness import Goal, Row, Server, main, medians, rows_against, server

CHUNKS = 20
SHAPES = {"in one packet with [DONE]": 0, "30 ms after [DONE]": 30}


@attrs.frozen
class Size:
    """How much is measured."""

    streams: int
    peers: bool = True


async def connections(kind: type[Client], running: Server, milliseconds: int, streams: int) -> float:
    """Return how many connections *kind* opened."""

    async def use(client: Client) -> float:
        before = running.stats()["accepted"]
        for _ in range(streams):
            await client.read()
        return running.stats()["accepted"] - before

    return await with_client(kind, running.url(f"done/{CHUNKS}/{milliseconds}"), use)


async def measure(size: Size) -> list[Row]:
    """Return the rows for both places of the end of the body."""
    kinds = installed([Ours, ByHand, *(PEERS if size.peers else ())])
    rows: list[Row] = []
    with server() as running:
        for shape, milliseconds in SHAPES.items():
            contenders = {
                kind.name: lambda kind=kind, ms=milliseconds: connections(kind, running, ms, size.streams)  # type: ignore[misc]
                for kind in kinds
            }
            found = await medians(contenders, 1)
            rows += rows_against(f"{size.streams} streams, end {shape}", "connections", found, {"": Goal(1, "")})
    return rows


if __name__ == "__main__":
    main(measure, full=Size(20), quick=Size(20), tiny=Size(3, peers=False))
