"""Function calls of a request, and of a stream up to its first token, by layer.

Counts calls of Python and C functions over a warm connection. Counts are the same on every machine. Code that runs once
per request runs with cold caches, where a call costs several times the amount that a loop would show.

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
from clients import ByHand, Client, Ours, use_client
from harness import Row, Server, main, run_server

import gradient_async

OURS = str(Path(gradient_async.__file__).parent)
LAYERS = {OURS: "ours", "aiohttp": "aiohttp", "asyncio": "asyncio", "~": "functions in C"}
Step = Callable[[Client, cProfile.Profile], Awaitable[None]]


@attrs.frozen
class Size:
    """Amount of work in one run."""

    calls: int


def find_layer(file: str) -> str:
    """Return the layer that the functions of *file* belong to; generated code is counted as ours."""
    if file.startswith("<"):
        return "ours"
    return next((layer for part, layer in LAYERS.items() if part in file), "the rest")


async def profile_completion(client: Client, profile: cProfile.Profile) -> None:
    """Profile one completion."""
    profile.enable()
    await client.ask()
    profile.disable()


async def profile_first_token(client: Client, profile: cProfile.Profile) -> None:
    """Profile a stream up to its first token, and read the rest."""
    texts = client.texts()
    profile.enable()
    await anext(texts)
    profile.disable()
    async for _ in texts:
        pass


async def count_calls(kind: type[Client], running: Server, behaviour: str, step: Step, calls: int) -> Counter[str]:
    """Return the number of calls by layer in one *step*."""
    profile = cProfile.Profile()

    async def use(client: Client) -> float:
        await step(client, cProfile.Profile())
        for _ in range(calls):
            await step(client, profile)
        return 0.0

    await use_client(kind, running.url(behaviour), use)
    found: Counter[str] = Counter()
    for (file, _, _), (_, number, *_) in pstats.Stats(profile).stats.items():  # type: ignore[attr-defined]
        found[find_layer(file)] += number
    return Counter({layer: round(number / calls) for layer, number in found.items()})


async def measure(size: Size) -> list[Row]:
    """Return a row for each layer."""
    rows: list[Row] = []
    steps: dict[str, tuple[str, Step]] = {
        "a completion": ("json", profile_completion),
        "the first token": ("first/8/2", profile_first_token),
    }
    with run_server() as running:
        for what, (behaviour, step) in steps.items():
            found, theirs = [await count_calls(kind, running, behaviour, step, size.calls) for kind in (Ours, ByHand)]
            rows += [
                Row(f"{what}, {layer}", "calls", found[layer], ByHand.name, theirs[layer])
                for layer in (*LAYERS.values(), "the rest")
            ]
    return rows


if __name__ == "__main__":
    main(measure, full=Size(500), quick=Size(200), tiny=Size(3))
