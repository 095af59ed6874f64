"""Where does a request go, and where the time to the first token?

Calls of Python and C functions by layer, for one whole answer and up to the first token of a stream, over a warm
connection. A count is the same on every machine, and what runs once per request runs cold: there a call costs several
times what a loop around it would show.

Baseline: aiohttp with msgspec, which has no limiter, no retries, no time limits and no outcome.

    python benchmarks/calls.py [--quick] [--json]
"""

from __future__ import annotations

import cProfile
import pstats
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import attrs
from clients import ByHand, Client, Ours, with_client
from harness import Row, Server, main, server

import gradient_async

OURS = str(Path(gradient_async.__file__).parent)
LAYERS = {OURS: "ours", "aiohttp": "aiohttp", "asyncio": "asyncio", "~": "functions in C"}
Step = Callable[[Client, cProfile.Profile], Awaitable[None]]


@attrs.frozen
class Size:
    """How much is measured."""

    calls: int


def layer_of(file: str) -> str:
    """Return the layer that the functions of *file* belong to; attrs and `quick` write some of ours."""
    if file.startswith("<"):
        return "ours"
    return next((layer for part, layer in LAYERS.items() if part in file), "the rest")


async def ask(client: Client, profile: cProfile.Profile) -> None:
    """Ask for a whole answer."""
    profile.enable()
    await client.ask()
    profile.disable()


async def first_token(client: Client, profile: cProfile.Profile) -> None:
    """Read a stream, its first token in the profile."""
    texts = client.texts()
    profile.enable()
    await anext(texts)
    profile.disable()
    async for _ in texts:
        pass


async def calls_of(kind: type[Client], running: Server, behaviour: str, step: Step, calls: int) -> Counter[str]:
    """Return how often functions of each layer are called in one *step*."""
    profile = cProfile.Profile()

    async def use(client: Client) -> float:
        await step(client, cProfile.Profile())
        for _ in range(calls):
            await step(client, profile)
        return 0.0

    await with_client(kind, running.url(behaviour), use)
    found: Counter[str] = Counter()
    for (file, _, _), (_, number, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        found[layer_of(file)] += number
    return Counter({layer: round(number / calls) for layer, number in found.items()})


async def measure(size: Size) -> list[Row]:
    """Return a row for each layer."""
    rows: list[Row] = []
    steps: dict[str, tuple[str, Step]] = {
        "a whole answer": ("json", ask),
        "the first token": ("first/8/2", first_token),
    }
    with server() as running:
        for what, (behaviour, step) in steps.items():
            found, theirs = [await calls_of(kind, running, behaviour, step, size.calls) for kind in (Ours, ByHand)]
            rows += [
                Row(f"{what}, {layer}", "calls", found[layer], ByHand.name, theirs[layer])
                for layer in (*LAYERS.values(), "the rest")
            ]
    return rows


if __name__ == "__main__":
    main(measure, full=Size(500), quick=Size(200), tiny=Size(3))
