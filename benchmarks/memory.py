"""How much memory does an open stream take, and can ten thousand be open at once?

Resident memory of a client process before and after it opened its streams and had a chunk on each, in a process of
its own for every measurement. The TLS rows use a certificate made for the run: asyncio keeps a read buffer of 256 KiB
for each TLS connection, uvloop does not.

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
from clients import PEERS, ByHand, Client, Ours, installed
from harness import Goal, Row, Server, child, main, medians, memory, note, raise_file_limit, rows_against, server

ENDLESS = 10_000_000
OPENING_AT_ONCE = 1000
PATIENCE_SECONDS, STEP_SECONDS = 60, 0.02
TLS_GOALS: dict[str, dict[str, Goal]] = {"asyncio": {}, "uvloop": {"": Goal(316, "KiB")}}
"""asyncio's 256 KiB for each TLS connection cannot be set; the goal is for the loop that does without."""
ALL: tuple[type[Client], ...] = (Ours, ByHand, *PEERS)


@attrs.frozen
class Size:
    """How much is measured."""

    some: int
    many: int
    secured: int
    rounds: int
    haste: int = 1
    peers: bool = True


# The process that holds the streams.


@attrs.define
class Held:
    """Streams that one client holds open."""

    client: Client
    opening: asyncio.Semaphore = attrs.field(factory=lambda: asyncio.Semaphore(OPENING_AT_ONCE))
    arrived: int = 0
    problems: list[BaseException] = attrs.field(factory=list)
    tasks: list[asyncio.Task[None]] = attrs.field(factory=list)

    async def hold(self) -> None:
        """Read one stream for ever, counted once it has had a text."""
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
        """Open so many more, and return how many of them have had a text and are still being read."""
        wanted = self.arrived + streams
        self.tasks += [asyncio.create_task(self.hold()) for _ in range(streams)]
        for _ in range(int(PATIENCE_SECONDS / STEP_SECONDS)):
            if self.arrived >= wanted or self.problems:
                break
            await asyncio.sleep(STEP_SECONDS)
        if self.problems:
            note(f"{len(self.problems)} streams failed: {self.problems[0]!r}"[:300])
        return streams - (wanted - self.arrived) - len(self.problems)


async def kib_per_stream(kind: type[Client], base: str, streams: int) -> dict[str, float]:
    """Return the KiB that each of *streams* streams takes, and how many of them work."""
    client = kind(base, wide=True)
    await client.open()
    held = Held(client)
    await held.add(1)  # what is made once must not count
    gc.collect()
    before = memory()
    working = await held.add(streams)
    return {"kib": (memory() - before) / streams, "working": working}


def hold_streams(name: str, base: str, streams: str, loop: str) -> None:
    """Print what `kib_per_stream` returns, and end without closing ten thousand streams."""
    raise_file_limit()
    kind = next(kind for kind in ALL if kind.name == name)
    factory = asyncio.new_event_loop
    if loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        print(json.dumps(runner.run(kib_per_stream(kind, base, int(streams)))), flush=True)
        os._exit(0)


# The process that starts the others.


@attrs.frozen
class Load:
    """What a process holds: so many streams of so many chunks a second, on which loop."""

    streams: int
    rate: float
    loop: str = "asyncio"
    tls: bool = False


async def compared(
    running: Server, kinds: Sequence[type[Client]], load: Load, rounds: int
) -> tuple[dict[str, float], float]:
    """Return the median KiB of every contender, and the least number of our streams that worked."""
    base = running.url(f"paced/{ENDLESS}/{load.rate}", tls=load.tls)
    environ = {"SSL_CERT_FILE": running.certificate} if running.certificate else {}
    working = float(load.streams)

    async def held(kind: type[Client]) -> float:
        nonlocal working
        found = child(__file__, "--hold", kind.name, base, load.streams, load.loop, environ=environ)
        if kind is Ours:
            working = min(working, found["working"])
        elif found["working"] < load.streams:
            raise RuntimeError(f"only {found['working']} of {load.streams} streams worked")
        return found["kib"]

    contenders = {kind.name: lambda kind=kind: held(kind) for kind in kinds}  # type: ignore[misc]
    return await medians(contenders, rounds), working


async def measure(size: Size) -> list[Row]:
    """Return the rows without and with TLS, on asyncio's loop and on uvloop where it is installed."""
    few, goal = (Ours, ByHand), {"": Goal(30, "KiB")}
    loops = {"asyncio": installed(ALL if size.peers else few)}
    if size.peers and importlib.util.find_spec("uvloop"):
        loops["uvloop"] = list(few)
    rows: list[Row] = []
    with server(tls=True) as running:
        for loop, kinds in loops.items():
            some, _ = await compared(running, kinds, Load(size.some, 2 * size.haste, loop), size.rounds)
            rows += rows_against(f"a stream of {size.some:,}, {loop}", "KiB", some, goal)
        many, working = await compared(running, few, Load(size.many, size.haste / 2), 1)
        rows += rows_against(f"a stream of {size.many:,}, asyncio", "KiB", many, goal)
        rows.append(Row(f"streams of {size.many:,} that fail", "streams", size.many - working, goal=Goal(0, "")))
        for loop, kinds in loops.items():
            load = Load(size.secured, 10 * size.haste, loop, tls=True)
            secured, _ = await compared(running, kinds, load, size.rounds)
            rows += rows_against(f"a TLS stream of {size.secured:,}, {loop}", "KiB", secured, TLS_GOALS[loop])
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--hold"]:
        hold_streams(*sys.argv[2:])
    tiny = Size(10, 20, 5, 1, haste=50, peers=False)
    main(measure, full=Size(1000, 10_000, 200, 2), quick=Size(500, 10_000, 100, 1), tiny=tiny)
