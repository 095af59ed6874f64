"""Cost of a stream chunk.

Measures the CPU of the client process per chunk of a stream that arrives as fast as it is read: with each event in its
own HTTP chunk, as the service sends them, and with the whole body in one piece. This library returns typed chunks,
assembles the completion, enforces the timeouts and determines the outcome.

Most chunks differ from their predecessor in the text only and are decoded with a template. The chunks of a third body
differ in their usage, too, so that the template does not apply; these rows have no goal.

Baselines: bare aiohttp, which reads and discards the bytes; aiohttp with one split per read and msgspec into attrs
classes; pydo, gradient, openai, and openai's helper, which also assembles.

    python benchmarks/stream_chunks.py [--quick] [--json]
"""

from __future__ import annotations

import attrs
from clients import PEERS, Bare, ByHand, Client, OpenAIHelper, Ours, select_installed, use_client
from harness import CPU, Goal, Median, Row, Server, compare_rows, main, measure_medians, run_server

SLOW_SHARE = 10
CHUNKED = {"bare aiohttp": Goal(2.4), "openai": Goal(1 / 30), "openai .stream()": Goal(1 / 60)}
WHOLE = {"": Goal(3, "us")}


@attrs.frozen
class Size:
    """Amount of work in one run."""

    chunks: int
    rounds: int
    peers: bool = True


async def time_chunk(kind: type[Client], running: Server, behaviour: str, chunks: int) -> float:
    """Return the CPU microseconds per chunk of *kind*."""

    async def read(client: Client) -> float:
        with CPU() as cpu:
            await client.read()
        return cpu.seconds / chunks * 1e6

    return await use_client(kind, running.url(f"{behaviour}/{chunks}"), read)


async def compare_contenders(running: Server, behaviour: str, size: Size) -> dict[str, Median]:
    """Return the median of each contender."""
    kinds = select_installed([Ours, Bare, ByHand, *((*PEERS, OpenAIHelper) if size.peers else ())])
    chunks = {kind: max(size.chunks // (SLOW_SHARE if kind.is_slow else 1), 10) for kind in kinds}
    contenders = {kind.name: lambda kind=kind: time_chunk(kind, running, behaviour, chunks[kind]) for kind in kinds}
    return await measure_medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of each body."""
    with run_server() as running:
        burst = await compare_contenders(running, "burst", size)
        varied = await compare_contenders(running, "varied", size)
        whole = await compare_contenders(running, "whole", size)
    return [
        *compare_rows("CPU a chunk, HTTP chunk each", "us", burst, CHUNKED),
        *compare_rows("CPU a chunk, HTTP chunk each, varied", "us", varied, {}),
        *compare_rows("CPU a chunk, one piece", "us", whole, WHOLE),
    ]


if __name__ == "__main__":
    main(measure, full=Size(50_000, 7), quick=Size(20_000, 3), tiny=Size(100, 1, peers=False))
