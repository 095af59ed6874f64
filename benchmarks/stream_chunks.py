"""What does a chunk of a stream cost?

CPU of the client process per chunk of one stream that arrives as fast as it can be read: each event as an HTTP chunk
of its own, as the service sends them, and the whole body in one piece. Ours hands out typed chunks, assembles the
answer, watches the time limits and settles the outcome.

Most chunks differ from the one before only in their text, and are decoded by what they have in common. A third body is
of chunks that differ in more, a usage each, where that is of no use; it is there to be read and has no goal.

Baselines: bare aiohttp, which reads the bytes and drops them; aiohttp with one split a read and msgspec into attrs
classes; pydo, gradient, openai, and openai's helper that assembles too.

    python benchmarks/stream_chunks.py [--quick] [--json]
"""

from __future__ import annotations

import attrs
from clients import PEERS, Bare, ByHand, Client, OpenAIHelper, Ours, installed, with_client
from harness import CPU, Goal, Row, Server, main, medians, rows_against, server

SLOW_SHARE = 10
CHUNKED = {"bare aiohttp": Goal(2.4), "openai": Goal(1 / 30), "openai .stream()": Goal(1 / 60)}
WHOLE = {"": Goal(3, "us")}


@attrs.frozen
class Size:
    """How much is measured."""

    chunks: int
    rounds: int
    peers: bool = True


async def us_per_chunk(kind: type[Client], running: Server, behaviour: str, chunks: int) -> float:
    """Return the CPU microseconds that *kind* needs for each chunk of a stream."""

    async def read(client: Client) -> float:
        with CPU() as cpu:
            await client.read()
        return cpu.seconds / chunks * 1e6

    return await with_client(kind, running.url(f"{behaviour}/{chunks}"), read)


async def compared(running: Server, behaviour: str, size: Size) -> dict[str, float]:
    """Return the median of every contender."""
    kinds = installed([Ours, Bare, ByHand, *((*PEERS, OpenAIHelper) if size.peers else ())])
    chunks = {kind: max(size.chunks // (SLOW_SHARE if kind.is_slow else 1), 10) for kind in kinds}
    contenders = {
        kind.name: lambda kind=kind: us_per_chunk(kind, running, behaviour, chunks[kind])  # type: ignore[misc]
        for kind in kinds
    }
    return await medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of every shape of the body."""
    with server() as running:
        burst = await compared(running, "burst", size)
        varied = await compared(running, "varied", size)
        whole = await compared(running, "whole", size)
    return [
        *rows_against("CPU a chunk, HTTP chunk each", "us", burst, CHUNKED),
        *rows_against("CPU a chunk, HTTP chunk each, varied", "us", varied, {}),
        *rows_against("CPU a chunk, one piece", "us", whole, WHOLE),
    ]


if __name__ == "__main__":
    main(measure, full=Size(50_000, 7), quick=Size(20_000, 3), tiny=Size(100, 1, peers=False))
