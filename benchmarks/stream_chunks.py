"""Cost of a stream chunk.

Measures the CPU of the client process per chunk of a stream that arrives as fast as it is read: with each event in its
own HTTP chunk, as the service sends them, and with the whole body in one piece. This library returns typed chunks,
assembles the completion, enforces the timeouts and determines the outcome.

Most chunks differ from their predecessor in the text only. Those of other bodies (`chunk_bodies.py`) differ in more:
arguments of a tool call, a usage in each, padding, the time of each, two choices in turn, and log probabilities. These
are compared with bare aiohttp reading the same bytes; arguments and log probabilities are read, too.

Baselines: bare aiohttp, which reads and discards the bytes; aiohttp with one split per read and msgspec into attrs
classes; pydo, gradient, openai, and openai's helper, which also assembles.

    python benchmarks/stream_chunks.py [--quick] [--json]
"""

from __future__ import annotations

import attrs
from clients import MESSAGES, MODEL, PEERS, Bare, ByHand, Client, OpenAIHelper, Ours, select_installed, use_client
from harness import CPU, Goal, Median, Row, Server, compare_rows, main, measure_medians, run_server

SLOW_SHARE = 10
CHUNKED = {"bare aiohttp": Goal(1.7), "openai": Goal(1 / 30), "openai .stream()": Goal(1 / 60)}
WHOLE = {"": Goal(3, "us")}
VARIED = {
    "tool arguments": ("chat-tools", Goal(3)),
    "usage in each": ("chat-usage", Goal(3)),
    "obfuscation": ("chat-padded", Goal(3)),
    "n = 2": ("chat-two", Goal(3)),
    "changing created": ("chat-dated", Goal(2.4)),
    "logprobs": ("chat-logprobs", Goal(6)),
}
"""Behaviours of the server and goals of the streams whose chunks differ in more than their text."""


class OurTools(Ours):
    """This library, reading the arguments of a tool call."""

    async def read(self) -> None:
        """Read one stream to its end and access each part of the arguments by the path that openai uses."""
        async with self.session.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            async for chunk in stream:
                if (calls := chunk.choices[0].delta.tool_calls) and calls[0].function is not None:
                    _ = calls[0].function.arguments
        if stream.outcome != "tool_calls":
            raise RuntimeError(f"the stream ended as {stream.outcome}")


class OurLogprobs(Ours):
    """This library, reading texts with their log probabilities."""

    async def read(self) -> None:
        """Read one stream to its end and access each text and its log probabilities."""
        async with self.session.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
            async for chunk in stream:
                choice = chunk.choices[0]
                _ = choice.delta.content, choice.logprobs and choice.logprobs.content


@attrs.frozen
class Size:
    """Amount of work in one run."""

    chunks: int
    rounds: int
    peers: bool = True


READERS: dict[str, type[Ours]] = {"chat-tools": OurTools, "chat-logprobs": OurLogprobs}


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


async def compare_with_bare(running: Server, behaviour: str, size: Size) -> dict[str, Median]:
    """Return the medians of this library and of bare aiohttp."""
    kinds = {Ours.name: READERS.get(behaviour, Ours), Bare.name: Bare}
    contenders = {
        name: lambda kind=kind: time_chunk(kind, running, behaviour, size.chunks) for name, kind in kinds.items()
    }
    return await measure_medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of each body."""
    with run_server() as running:
        burst = await compare_contenders(running, "burst", size)
        whole = await compare_contenders(running, "whole", size)
        varied = {name: await compare_with_bare(running, behaviour, size) for name, (behaviour, _) in VARIED.items()}
    return [
        *compare_rows("CPU a chunk, HTTP chunk each", "us", burst, CHUNKED),
        *compare_rows("CPU a chunk, one piece", "us", whole, WHOLE),
        *(
            row
            for name, (_, goal) in VARIED.items()
            for row in compare_rows(f"CPU a chunk, {name}", "us", varied[name], {Bare.name: goal})
        ),
    ]


if __name__ == "__main__":
    main(measure, full=Size(50_000, 7), quick=Size(20_000, 3), tiny=Size(100, 1, peers=False))
