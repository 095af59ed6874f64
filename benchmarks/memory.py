"""Memory of an open stream, with up to ten thousand open at the same time.

Measures the resident memory of a client process before it opens its streams and after each has received a chunk. Every
measurement runs in a new process. TLS rows use a certificate created for the run: asyncio allocates a read buffer of
256 KiB for each TLS connection, uvloop does not.

Baselines: aiohttp with msgspec; pydo, gradient, openai.

    python benchmarks/memory.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import gc
import importlib.util
import json
import os
import sys
from collections.abc import Sequence

import attrs
from clients import PEERS, ByHand, Client, Ours, select_installed
from harness import (
    Goal,
    Median,
    Row,
    Server,
    compare_rows,
    main,
    measure_medians,
    print_note,
    raise_file_limit,
    read_memory,
    run_child,
    run_server,
)

ENDLESS = 10_000_000
OPENING_AT_ONCE = 1000
PATIENCE_SECONDS, STEP_SECONDS = 60, 0.02
TLS_GOALS: dict[str, dict[str, Goal]] = {"asyncio": {}, "uvloop": {"": Goal(316, "KiB")}}
"""asyncio's 256 KiB for each TLS connection cannot be configured; the goal applies to uvloop."""
ALL: tuple[type[Client], ...] = (Ours, ByHand, *PEERS)


@attrs.frozen
class Size:
    """Amount of work in one run."""

    some: int
    many: int
    secured: int
    rounds: int
    haste: int = 1
    peers: bool = True


# The process that holds the streams.


@attrs.define
class StreamHolder:
    """Opens streams of one client and holds them."""

    client: Client
    opening: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(OPENING_AT_ONCE))
    arrived: int = 0
    problems: list[BaseException] = attrs.field(factory=list)
    tasks: list[asyncio.Task[None]] = attrs.field(factory=list)

    async def hold(self) -> None:
        """Read one endless stream, and count it after its first text."""
        texts = self.client.texts()
        try:
            async with self.opening:
                await anext(texts)
            self.arrived += 1
            async for _ in texts:
                pass
        except Exception as error:  # noqa: BLE001 - shown below
            self.problems.append(error)

    async def add(self, streams: int) -> int:
        """Open *streams* more, and return the number of them that have received a text and are still open."""
        wanted = self.arrived + streams
        self.tasks += [asyncio.create_task(self.hold()) for _ in range(streams)]
        for _ in range(int(PATIENCE_SECONDS / STEP_SECONDS)):
            if self.arrived >= wanted or self.problems:
                break
            await asyncio.sleep(STEP_SECONDS)
        if self.problems:
            print_note(f"{len(self.problems)} streams failed: {self.problems[0]!r}"[:300])
        return streams - (wanted - self.arrived) - len(self.problems)


async def measure_kib_per_stream(kind: type[Client], base: str, streams: int) -> dict[str, float]:
    """Return the KiB per stream, and the number of streams that work."""
    client = kind(base, wide=True)
    await client.open()
    held = StreamHolder(client)
    await held.add(1)  # exclude objects that are created once per process
    gc.collect()
    before = read_memory()
    working = await held.add(streams)
    return {"kib": (read_memory() - before) / streams, "working": working}


def hold_streams(name: str, base: str, streams: str, loop: str) -> None:
    """Print the result of `measure_kib_per_stream`, and exit without closing ten thousand streams."""
    raise_file_limit()
    kind = next(kind for kind in ALL if kind.name == name)
    factory = asyncio.new_event_loop
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(measure_kib_per_stream(kind, base, int(streams)))), flush=True)
        os._exit(0)


# The process that starts the others.


@attrs.frozen
class Load:
    """Streams of one process: their number, chunks a second, event loop and TLS."""

    streams: int
    rate: float
    loop: str = "asyncio"
    tls: bool = False


async def compare_contenders(
    running: Server, kinds: Sequence[type[Client]], load: Load, rounds: int
) -> tuple[dict[str, Median], float]:
    """Return the median KiB of each contender, and the smallest number of working streams of this library."""
    base = running.url(f"paced/{ENDLESS}/{load.rate}", tls=load.tls)
    environ = {"SSL_CERT_FILE": running.certificate} if running.certificate else {}
    working = float(load.streams)

    async def measure_kind(kind: type[Client]) -> float:
        nonlocal working
        found = run_child(__file__, "--hold", kind.name, base, load.streams, load.loop, environ=environ)
        if kind is Ours:
            working = min(working, found["working"])
        elif found["working"] < load.streams:
            raise RuntimeError(f"only {found['working']} of {load.streams} streams worked")
        return float(found["kib"])

    contenders = {kind.name: lambda kind=kind: measure_kind(kind) for kind in kinds}
    return await measure_medians(contenders, rounds), working


async def measure(size: Size) -> list[Row]:
    """Return the rows without and with TLS, on asyncio's loop and on uvloop if it is installed."""
    few, goal = (Ours, ByHand), {"": Goal(30, "KiB")}
    loops = {"asyncio": select_installed(ALL if size.peers else few)}
    if size.peers and importlib.util.find_spec("uvloop"):
        loops["uvloop"] = list(few)
    rows: list[Row] = []
    with run_server(tls=True) as running:
        for loop, kinds in loops.items():
            some, _ = await compare_contenders(running, kinds, Load(size.some, 2 * size.haste, loop), size.rounds)
            rows += compare_rows(f"a stream of {size.some:,}, {loop}", "KiB", some, goal)
        many, working = await compare_contenders(running, few, Load(size.many, size.haste / 2), 1)
        rows += compare_rows(f"a stream of {size.many:,}, asyncio", "KiB", many, goal)
        rows.append(Row(f"streams of {size.many:,} that fail", "streams", size.many - working, goal=Goal(0, "")))
        for loop, kinds in loops.items():
            load = Load(size.secured, 10 * size.haste, loop, tls=True)
            secured, _ = await compare_contenders(running, kinds, load, size.rounds)
            rows += compare_rows(f"a TLS stream of {size.secured:,}, {loop}", "KiB", secured, TLS_GOALS[loop])
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold_streams(*sys.argv[2:])
    tiny = Size(10, 20, 5, 1, haste=50, peers=False)
    main(measure, full=Size(1000, 10_000, 200, 2), quick=Size(500, 10_000, 100, 1), tiny=tiny)
