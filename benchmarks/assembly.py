"""What does it cost to put a completion together from its chunks?

CPU per chunk of `ChatAccumulator.add_decoded`, which streams call, for completions of 1,000 and of 50,000 chunks: it
must not grow with the completion. The long completion repeats the chunks of the short one: a stream never has 50,000
in memory, and holding them measures the distance to memory (a third more). Plain chunks differ only in their text;
varied ones carry a usage each and were decoded field by field. The snapshot is what `ChatStream.snapshot` builds, as
often as it is asked for.

Baseline: openai's `ChatCompletionStreamState`, which its ``.stream()`` uses; pydo and gradient assemble nothing.

    python benchmarks/assembly.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from typing import Any

import attrs
import server
from harness import CPU, Goal, Row, main, medians, note, rows_against

from gradient_async import ChatAccumulator, ChatCompletionChunk
from gradient_async._protocol.stream.template_decoder import TemplateDecoder

GOAL = Goal(0.7, "us")
FLAT = Goal(1.25)
SLOW_SHARE = 10


@attrs.frozen
class Size:
    """How much is measured."""

    short: int
    long: int
    rounds: int
    peers: bool = True


def plain(number: int) -> list[ChatCompletionChunk]:
    """Return chunks that differ only in their text."""
    return list(TemplateDecoder().feed(b"".join(server.events(number))))


def varied(number: int) -> list[ChatCompletionChunk]:
    """Return chunks that differ in more."""
    return list(TemplateDecoder().feed(b"".join(server.events(number, server.usage_so_far))))


def assembled(chunks: Sequence[ChatCompletionChunk], times: int) -> ChatAccumulator:
    """Return all of *chunks*, so many times one after the other, assembled as a stream does it."""
    accumulator = ChatAccumulator()
    for _ in range(times):
        for chunk in chunks:
            accumulator.add_decoded(chunk)
    return accumulator


async def us_to_add(chunks: Sequence[ChatCompletionChunk], times: int, repeat: int) -> float:
    """Return the CPU microseconds per chunk, of *repeat* answers."""
    with CPU() as cpu:
        for _ in range(repeat):
            assembled(chunks, times)
    return cpu.seconds / (len(chunks) * times * repeat) * 1e6


async def us_to_snap(accumulator: ChatAccumulator, repeat: int) -> float:
    """Return the CPU microseconds of one snapshot."""
    with CPU() as cpu:
        for _ in range(repeat):
            accumulator.snapshot()
    return cpu.seconds / repeat * 1e6


def openai_chunks(number: int) -> list[Any]:
    """Return the chunks as openai has them."""
    from openai.types.chat import ChatCompletionChunk as Chunk

    payloads = (event[len("data: ") :] for event in server.events(number))
    return [Chunk.model_validate_json(payload) for payload in payloads]


async def us_to_add_with_openai(chunks: Sequence[Any]) -> float:
    """Return the CPU microseconds per chunk."""
    from openai.lib.streaming.chat import ChatCompletionStreamState

    state = ChatCompletionStreamState()
    with CPU() as cpu:
        for chunk in chunks:
            state.handle_chunk(chunk)
    return cpu.seconds / len(chunks) * 1e6


async def of_length(number: int, size: Size) -> dict[str, float]:
    """Return the medians for an answer of *number* chunks."""
    times, repeat = number // size.short, size.long // number
    uniform, mixed = plain(size.short), varied(size.short)
    contenders: dict[str, Any] = {
        "plain": lambda: us_to_add(uniform, times, repeat),
        "varied": lambda: us_to_add(mixed, times, repeat),
    }
    if size.peers and importlib.util.find_spec("openai"):
        theirs = openai_chunks(max(number // SLOW_SHARE, 100))
        contenders["openai"] = lambda: us_to_add_with_openai(theirs)
    elif size.peers:
        note("not installed and left out: openai")
    return await medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of both lengths, their comparison, and the snapshots."""
    found = {number: await of_length(number, size) for number in (size.short, size.long)}
    rows: list[Row] = []
    for number, results in found.items():
        theirs = {"openai": results["openai"]} if "openai" in results else {}
        rows += rows_against(f"add, {number:,} plain chunks", "us", {"ours": results["plain"]} | theirs, {"": GOAL})
        rows.append(Row(f"add, {number:,} varied chunks", "us", results["varied"], goal=GOAL))
    for kind in ("plain", "varied"):
        short, long = found[size.short][kind], found[size.long][kind]
        rows.append(Row(f"add, {kind}, {size.long:,} chunks", "us", long, f"{size.short:,} chunks", short, FLAT))
    for number in (size.short, size.long):
        accumulator = assembled(plain(size.short), number // size.short)
        snapshot = await medians({"ours": lambda made=accumulator: us_to_snap(made, 100)}, size.rounds)  # type: ignore[misc]
        rows += rows_against(f"snapshot of {number:,} chunks", "us", snapshot)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(1000, 50_000, 7), quick=Size(1000, 50_000, 3), tiny=Size(20, 100, 1, peers=False))
