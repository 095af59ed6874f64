"""Cost of assembling a completion from its chunks.

Measures the CPU per chunk of adding it, for responses of 1,000 and 50,000 chunks. Streams build the chunks of a run
while they are added, so building them alone is measured too and subtracted. The cost must not grow with the response.
The long response repeats the chunks of the short one, because a stream never holds 50,000 in memory, and holding them
would measure cache misses (a third more). Text chunks differ only in their text; varied chunks carry a usage each.
Snapshots are built as `ChatStream.snapshot` builds them.

Baseline: openai's `ChatCompletionStreamState`, which its ``.stream()`` uses; pydo and gradient do not assemble.

    python benchmarks/assembly.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from itertools import chain
from typing import Any

import attrs
import server
from harness import CPU, Goal, Median, Row, compare_rows, main, measure_medians, print_note

from gradient_async import ChatAccumulator
from gradient_async._protocol.stream.accelerators.fast_chat_decoder import Batch, FastChatDecoder

GOAL = Goal(0.7, "us")
FLAT = Goal(1.25)
SLOW_SHARE = 10


@attrs.frozen
class Size:
    """Amount of work in one run."""

    short: int
    long: int
    rounds: int
    peers: bool = True


def make_text_chunks(number: int) -> list[Batch]:
    """Return chunks that differ only in their text."""
    return FastChatDecoder().decode_block(b"".join(server.make_events(number)))


def make_varied_chunks(number: int) -> list[Batch]:
    """Return chunks that differ in text and usage."""
    return FastChatDecoder().decode_block(b"".join(server.make_events(number, server.encode_usage)))


def assemble_chunks(batches: Sequence[Batch], times: int) -> ChatAccumulator:
    """Assemble the chunks of *batches*, repeated *times* times, as a stream does."""
    accumulator = ChatAccumulator()
    for _ in range(times):
        for _chunk in chain.from_iterable(map(accumulator.follow, batches)):
            pass
    _ = accumulator.usage  # adds what is left
    return accumulator


async def time_add(batches: Sequence[Batch], times: int, repeat: int) -> float:
    """Return the CPU microseconds per chunk, averaged over *repeat* responses."""
    chunks = sum(map(len, batches))
    with CPU() as both:
        for _ in range(repeat):
            assemble_chunks(batches, times)
    with CPU() as building:
        for _ in range(times * repeat):
            for _chunk in chain.from_iterable(batches):
                pass
    return (both.seconds - building.seconds) / (chunks * times * repeat) * 1e6


async def time_snapshot(accumulator: ChatAccumulator, repeat: int) -> float:
    """Return the CPU microseconds of one snapshot."""
    with CPU() as cpu:
        for _ in range(repeat):
            accumulator.snapshot()
    return cpu.seconds / repeat * 1e6


def make_openai_chunks(number: int) -> list[Any]:
    """Return the chunks as objects of the openai package."""
    from openai.types.chat import ChatCompletionChunk as Chunk

    payloads = (event[len("data: ") :] for event in server.make_events(number))
    return [Chunk.model_validate_json(payload) for payload in payloads]


async def time_openai_add(chunks: Sequence[Any]) -> float:
    """Return the CPU microseconds per chunk."""
    from openai.lib.streaming.chat import ChatCompletionStreamState

    state = ChatCompletionStreamState()
    with CPU() as cpu:
        for chunk in chunks:
            state.handle_chunk(chunk)
    return cpu.seconds / len(chunks) * 1e6


async def measure_length(number: int, size: Size) -> dict[str, Median]:
    """Return the medians for a response of *number* chunks."""
    times, repeat = number // size.short, size.long // number
    uniform, mixed = make_text_chunks(size.short), make_varied_chunks(size.short)
    contenders: dict[str, Any] = {
        "plain": lambda: time_add(uniform, times, repeat),
        "varied": lambda: time_add(mixed, times, repeat),
    }
    if size.peers and importlib.util.find_spec("openai"):
        theirs = make_openai_chunks(max(number // SLOW_SHARE, 100))
        contenders["openai"] = lambda: time_openai_add(theirs)
    elif size.peers:
        print_note("not installed and left out: openai")
    return await measure_medians(contenders, size.rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of both lengths, their comparison, and the snapshots."""
    found = {number: await measure_length(number, size) for number in (size.short, size.long)}
    rows: list[Row] = []
    for number, results in found.items():
        theirs = {"openai": results["openai"]} if "openai" in results else {}
        rows += compare_rows(f"add, {number:,} plain chunks", "us", {"ours": results["plain"]} | theirs, {"": GOAL})
        rows.append(Row(f"add, {number:,} varied chunks", "us", results["varied"], goal=GOAL))
    for kind in ("plain", "varied"):
        short, long = found[size.short][kind], found[size.long][kind]
        rows.append(Row(f"add, {kind}, {size.long:,} chunks", "us", long, f"{size.short:,} chunks", short, FLAT))
    for number in (size.short, size.long):
        accumulator = assemble_chunks(make_text_chunks(size.short), number // size.short)
        snapshot = await measure_medians({"ours": lambda made=accumulator: time_snapshot(made, 100)}, size.rounds)  # type: ignore[misc]
        rows += compare_rows(f"snapshot of {number:,} chunks", "us", snapshot)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(1000, 50_000, 7), quick=Size(1000, 50_000, 3), tiny=Size(20, 100, 1, peers=False))
