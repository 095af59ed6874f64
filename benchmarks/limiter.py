"""What does the limiter cost, and does the service ever refuse it?

Questions: refusals and utilisation in two saturated hours against a service that counts rolling windows; CPU of
one uncontended acquire, and of an answer that says nothing new; CPU per waiter when 10,000 wait at once, with the
garbage collector and without, because it costs as much as the work.

Baselines: the plain refilling token bucket (refusals), a plain deque per window without a queue (CPU of an
acquire), bare tasks woken by bare futures (waiters), and aiolimiter and pyrate-limiter where they are installed.
All contestants of a question take turns, because the machine may be shared.

    python benchmarks/limiter.py [--json] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.util
import json
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.models.response_meta import RateLimitInfo

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
ROOMY = [(1_000_000, 60.0), (10_000_000, 3600.0)]
HOURS, LATENCY = 2, 0.24
ACQUIRES, WAITERS = 50_000, 10_000

Acquire = Callable[[], Awaitable[object]]
Measure = Callable[[], Awaitable[float]]


class Service:
    """Counts every request it lets in for exactly one window, on arrival."""

    def __init__(self) -> None:
        self.windows = [(capacity, period, deque[float]()) for capacity, period in DOCUMENTED]

    def admits(self, at: float) -> bool:
        """Count a request that arrives at *at*, unless a window is full."""
        for _, period, times in self.windows:
            while times and at - times[0] >= period:
                times.popleft()
        if any(len(times) >= capacity for capacity, _, times in self.windows):
            return False
        for _, _, times in self.windows:
            times.append(at)
        return True


class Refilling:
    """The textbook token bucket: as many tokens as the window, refilled evenly."""

    def __init__(self) -> None:
        self.levels = [[float(capacity), 0.0] for capacity, _ in DOCUMENTED]

    def reserve(self, now: float) -> float:
        """Take a token, or return the seconds until there is one."""
        for level, (capacity, period) in zip(self.levels, DOCUMENTED, strict=True):
            level[0] = min(capacity, level[0] + (now - level[1]) * capacity / period)
            level[1] = now
        short = [(1 - level[0]) * period / capacity for level, (capacity, period) in self._pairs()]
        if max(short) > 1e-9:
            return max(short)
        for level in self.levels:
            level[0] -= 1
        return 0.0

    def _pairs(self) -> list[tuple[list[float], tuple[int, float]]]:
        return list(zip(self.levels, DOCUMENTED, strict=True))


def saturate(reserve: Callable[[float], float]) -> dict[str, float]:
    """Send as fast as *reserve* allows for two hours; every request takes up to LATENCY to arrive."""
    chance, now, arrivals = random.Random(7), 0.0, []
    while now < HOURS * 3600:
        delay = reserve(now)
        now += delay
        if not delay:
            arrivals.append(now + chance.uniform(0, LATENCY))
    service = Service()
    admitted = sum(service.admits(at) for at in sorted(arrivals))
    return {"sent": len(arrivals), "refused": len(arrivals) - admitted, "used": admitted / (HOURS * 5000)}


# CPU of one acquire.


async def time_acquires(acquire: Acquire) -> float:
    """Return the microseconds of CPU of one acquire."""
    began = time.process_time()
    for _ in range(ACQUIRES):
        await acquire()
    return (time.process_time() - began) / ACQUIRES * 1e6


class Deques:
    """One deque of times per window, no queue: the least that can be right."""

    def __init__(self) -> None:
        self.windows = [(capacity, period, deque[float]()) for capacity, period in ROOMY]

    async def acquire(self) -> None:
        """Count one request, or fail."""
        now = asyncio.get_running_loop().time()
        for capacity, period, times in self.windows:
            while times and times[0] + period <= now:
                times.popleft()
            if len(times) >= capacity:
                raise RuntimeError("full")
        for _, _, times in self.windows:
            times.append(now)


def our_acquire(*, hold: bool) -> Acquire:
    """Return what the pipeline does for every request."""
    limiter = RateLimiter(RateLimits(windows=ROOMY))

    async def held() -> None:
        (await limiter.acquire(hold=True, timeout=600.0)).sent()

    return held if hold else limiter.acquire


async def time_answers() -> float:
    """Return the microseconds of CPU to learn from an ordinary answer that says nothing new."""
    limiter = RateLimiter()
    for _ in range(240):
        sent_at = (await limiter.acquire()).sent_at
    wall = int(time.time())
    answers = [
        RateLimitInfo(limit=5000, remaining=4990 - n % 200, reset=wall + 3000.0, date=float(wall)) for n in range(200)
    ]
    limiter.apply_response(answers[0], status=200, sent_at=sent_at)
    began = time.process_time()
    for n in range(ACQUIRES):
        limiter.apply_response(answers[n % 200], status=200, sent_at=sent_at)
    return (time.process_time() - began) / ACQUIRES * 1e6


def nested_aiolimiter() -> Acquire:
    """Return an acquire of one aiolimiter per window."""
    from aiolimiter import AsyncLimiter

    minute, hour = (AsyncLimiter(capacity, period) for capacity, period in ROOMY)

    async def both() -> None:
        await minute.acquire()
        await hour.acquire()

    return both


def pyrate() -> Acquire:
    """Return an acquire of a pyrate-limiter with both windows."""
    from pyrate_limiter import InMemoryBucket, Limiter, Rate

    limiter = Limiter(InMemoryBucket([Rate(capacity, int(period * 1000)) for capacity, period in ROOMY]))

    async def acquire() -> None:
        await limiter.try_acquire_async("key")

    return acquire


# CPU per waiter.


async def wake_bare() -> float:
    """Return the microseconds that any queue of tasks costs."""
    loop = asyncio.get_running_loop()
    futures: list[asyncio.Future[None]] = []

    async def wait() -> None:
        future = loop.create_future()
        futures.append(future)
        await future

    began = time.process_time()
    waiting = asyncio.gather(*(wait() for _ in range(WAITERS)))
    await asyncio.sleep(0)
    for future in futures:
        future.set_result(None)
    await waiting
    return (time.process_time() - began) / WAITERS * 1e6


async def wake_ours(timeout: float | None) -> float:
    """Return the microseconds of CPU per waiter of ours."""
    limiter = RateLimiter(RateLimits(windows=[(WAITERS, 0.3), (WAITERS * 10, 3600.0)]), guard=0.0)
    for _ in range(WAITERS):
        await limiter.acquire()
    began = time.process_time()
    await asyncio.gather(*(limiter.acquire(timeout=timeout) for _ in range(WAITERS)))
    return (time.process_time() - began) / WAITERS * 1e6


async def wake_aiolimiter() -> float:
    """Return the microseconds of CPU per waiter of one aiolimiter."""
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(WAITERS, 0.3)
    for _ in range(WAITERS):
        await limiter.acquire()
    began = time.process_time()
    await asyncio.gather(*(limiter.acquire() for _ in range(WAITERS)))
    return (time.process_time() - began) / WAITERS * 1e6


def medians(contestants: dict[str, Measure], rounds: int) -> dict[str, object]:
    """Return the median of each over *rounds* in which they take turns, each run in a loop of its own."""

    async def once(measure: Measure) -> float:
        return await measure()

    times: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, measure in contestants.items():
            gc.collect()
            times[name].append(asyncio.run(once(measure)))
    return {name: statistics.median(values) for name, values in times.items()}


def uncollected(measure: Measure) -> Measure:
    """Return *measure* without the garbage collector."""

    async def measured() -> float:
        gc.disable()
        try:
            return await measure()
        finally:
            gc.enable()

    return measured


def installed(name: str) -> bool:
    """Say whether a competitor is there."""
    return importlib.util.find_spec(name) is not None


def acquires() -> dict[str, Measure]:
    """Return who is asked for permits that are free."""
    makers: dict[str, Callable[[], Acquire]] = {
        "a deque per window (baseline)": lambda: Deques().acquire,
        "RateLimiter": lambda: our_acquire(hold=False),
        "RateLimiter, hold and sent": lambda: our_acquire(hold=True),
    }
    if installed("aiolimiter"):
        makers["aiolimiter, two nested"] = nested_aiolimiter
    if installed("pyrate_limiter"):
        makers["pyrate-limiter"] = pyrate
    return {name: lambda make=make: time_acquires(make()) for name, make in makers.items()}  # type: ignore[misc]  # mypy and defaults


def waits() -> dict[str, Measure]:
    """Return who lets 10,000 wait."""
    contestants: dict[str, Measure] = {
        "bare tasks and futures (baseline)": wake_bare,
        "RateLimiter": lambda: wake_ours(None),
        "RateLimiter, with a timeout": lambda: wake_ours(600.0),
    }
    if installed("aiolimiter"):
        contestants["aiolimiter, one window"] = wake_aiolimiter
    return contestants


def measure(rounds: int) -> dict[str, dict[str, object]]:
    """Return every number, by question and by contestant."""
    without = {name: uncollected(wait) for name, wait in waits().items()}
    return {
        "two saturated hours": {
            "refilling bucket (baseline)": saturate(Refilling().reserve),
            "RollingTokenBucket": saturate(RollingTokenBucket(DOCUMENTED).reserve),
            "RollingTokenBucket, guard=0": saturate(RollingTokenBucket(DOCUMENTED, guard=0.0).reserve),
        },
        "CPU of an uncontended acquire, us": medians(acquires(), rounds),
        "CPU of an answer that says nothing new, us": medians({"RateLimiter.apply_response": time_answers}, rounds),
        f"CPU per waiter when {WAITERS:,} wait, us": medians(waits(), rounds),
        "the same without the garbage collector, us": medians(without, rounds),
    }


def show(results: dict[str, dict[str, object]]) -> None:
    """Print one table per question; the first row is the baseline."""
    for title, rows in results.items():
        print(f"\n{title}")
        first = next(iter(rows.values()))
        for name, value in rows.items():
            if isinstance(value, dict):
                print(f"  {name:34} sent {value['sent']:6}  refused {value['refused']:6}  used {value['used']:7.2%}")
            elif isinstance(value, float) and isinstance(first, float):
                print(f"  {name:34} {value:8.2f}  x{value / first:.2f}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=5, help="the median of so many")
    options = parser.parse_args()
    results = measure(options.rounds)
    if options.json:
        json.dump(results, sys.stdout, indent=2)
    else:
        show(results)


if __name__ == "__main__":
    main()
