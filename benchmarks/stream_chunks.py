"""What does a chunk of a stream cost?

CPU of the client process per chunk of one stream that arrives as fast as it can be read: each event as an HTTP chunk
of its own, as the service sends them, and the whole body in one piece. Ours hands out typed chunks, assembles the
answer, watches the time limits and settles the outcome.

Ours is measured three times, because a chunk that differs from the one before only in its text decodes the rest of
itself when it is asked for: looking at ``chunk.text`` alone; looking at ``chunk.choices[0].delta.content``, as one
does with openai; and ``chunk.text`` of chunks that differ in more than their text. The baselines decode all of each
chunk always, so the second is what compares like with like.

Baselines: bare aiohttp, which reads the bytes and drops them; aiohttp with one split a read and msgspec into attrs
classes; pydo, gradient, openai, and openai's helper that assembles too.

    python benchmarks/stream_chunks.py [--quick] [--json]
"""

from __future__ import annotations

import attrs
from clients import PEERS, Bare, ByHand, Client, OpenAIHelper, Ours, OursByField, installed, with_client
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
    kinds = installed([Ours, OursByField, Bare, ByHand, *((*PEERS, OpenAIHelper) if size.peers else ())])
    chunks = {kind: max(size.chunks // (SLOW_SHARE if kind.is_slow else 1), 10) for kind in kinds}
    contenders = {
        kind.name: lambda kind=kind: us_per_chunk(kind, running, behaviour, chunks[kind])  # type: ignore[misc]
        for kind in kinds
    }
    return await medians(contenders, size.rounds)


def rows(what: str, results: dict[str, float], goals: dict[str, Goal]) -> list[Row]:
    """Return the rows of one shape of the body, read in both ways."""
    by_field = results.pop(OursByField.name)
    return [
        *rows_against(f"CPU a chunk, {what}, .text", "us", results, goals),
        *rows_against(f"CPU a chunk, {what}, by field", "us", results | {Ours.name: by_field}, goals),
    ]


async def measure(size: Size) -> list[Row]:
    """Return the rows of every shape of the body."""
    with server() as running:
        burst = await compared(running, "burst", size)
        varied = await compared(running, "varied", size)
        whole = await compared(running, "whole", size)
    varied.pop(OursByField.name)
    return [
        *rows("HTTP chunk each", burst, CHUNKED),
        *rows_against("CPU a chunk, varied, .text", "us", varied, CHUNKED),
        *rows("one piece", whole, WHOLE),
    ]


if __name__ == "__main__":
    main(measure, full=Size(50_000, 7), quick=Size(20_000, 3), tiny=Size(100, 1, peers=False))
