"""Cost of assembling a completion from its chunks.

Measures the CPU per chunk of adding it, for responses of 1,000 and 50,000 chunks, which take turns. Building the chunks
takes ten times as long as adding them, so it is left out of the time: the chunks of a run are built while a stream
hands them out, and added with the next batch. The cost must not grow with the response. The long response repeats the
chunks of the short one, because a stream never holds 50,000 in memory, and holding them would measure cache misses (a
third more). Text chunks differ only in their text; varied chunks carry a usage each. Snapshots are built as
`ChatStream.snapshot` builds them.

Baseline: openai's `ChatCompletionStreamState`, which its ``.stream()`` uses; pydo and gradient do not assemble.

    python benchmarks/assembly.py [--quick] [--json]
"""

from __future__ import annotations

import importlib.util
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import attrs
import server
from harness import CPU, Goal, Row, compare_rows, main, measure_medians, print_note

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


def assemble_chunks(batches: Sequence[Batch], times: int) -> tuple[ChatAccumulator, float]:
    """Assemble the chunks of *batches*, repeated *times* times, as a stream does; return also the CPU seconds of it."""
    accumulator, seconds = ChatAccumulator(), 0.0
    for batch in [*batches] * times:
        began = time.process_time()
        chunks = accumulator.follow(batch)
        if isinstance(batch, list):  # chunks that are built already are added when they are taken
            chunks = iter([*chunks])
        seconds += time.process_time() - began
        deque(chunks, maxlen=0)
    began = time.process_time()
    _ = accumulator.usage  # adds what is left
    return accumulator, seconds + time.process_time() - began


async def time_add(batches: Sequence[Batch], times: int, repeat: int) -> float:
    """Return the CPU microseconds per chunk, averaged over *repeat* responses."""
    seconds = sum(assemble_chunks(batches, times)[1] for _ in range(repeat))
    return seconds / (sum(map(len, batches)) * times * repeat) * 1e6


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


def list_contenders(number: int, size: Size, *, has_openai: bool) -> dict[str, Callable[[], Awaitable[float]]]:
    """Return the contenders for a response of *number* chunks."""
    times, repeat = number // size.short, size.long // number
    uniform, mixed = make_text_chunks(size.short), make_varied_chunks(size.short)
    contenders: dict[str, Callable[[], Awaitable[float]]] = {
        f"plain {number}": lambda: time_add(uniform, times, repeat),
        f"varied {number}": lambda: time_add(mixed, times, repeat),
    }
    if has_openai:
        theirs = make_openai_chunks(max(number // SLOW_SHARE, 100))
        contenders[f"openai {number}"] = lambda: time_openai_add(theirs)
    return contenders


async def measure(size: Size) -> list[Row]:
    """Return the rows of both lengths, their comparison, and the snapshots."""
    has_openai = size.peers and importlib.util.find_spec("openai") is not None
    if size.peers and not has_openai:
        print_note("not installed and left out: openai")
    lengths, contenders = (size.short, size.long), dict[str, Callable[[], Awaitable[float]]]()
    for number in lengths:
        contenders |= list_contenders(number, size, has_openai=has_openai)
    found = await measure_medians(contenders, size.rounds)
    rows: list[Row] = []
    for number in lengths:
        plain, theirs = found[f"plain {number}"], found.get(f"openai {number}")
        results = {"ours": plain} | ({} if theirs is None else {"openai": theirs})
        rows += compare_rows(f"add, {number:,} plain chunks", "us", results, {"": GOAL})
        rows.append(Row(f"add, {number:,} varied chunks", "us", found[f"varied {number}"], goal=GOAL))
    for kind in ("plain", "varied"):
        short, long = (found[f"{kind} {number}"] for number in lengths)
        rows.append(Row(f"add, {kind}, {size.long:,} chunks", "us", long, f"{size.short:,} chunks", short, FLAT))
    for number in lengths:
        accumulator, _ = assemble_chunks(make_text_chunks(size.short), number // size.short)
        snapshot = await measure_medians({"ours": lambda made=accumulator: time_snapshot(made, 100)}, size.rounds)  # type: ignore[misc]
        rows += compare_rows(f"snapshot of {number:,} chunks", "us", snapshot)
    return rows


if __name__ == "__main__":
    main(measure, full=Size(1000, 50_000, 7), quick=Size(1000, 50_000, 3), tiny=Size(20, 100, 1, peers=False))
