"""Cost of the limiter, and refusals by the service.

Measures the refusals and the utilisation of two saturated hours against a service that counts rolling windows, and of
three models of different tiers with two agents; the CPU of an uncontended acquire and of a response without news; and
the CPU per waiter with 10,000 waiters, with and without the garbage collector, which costs as much as the work. Where
redis-server is installed, also the time of an acquire of `RedisLimiter`, and the shares of eight saturated processes.

Baselines: a refilling token bucket (refusals), one deque per window without a queue (acquire), bare tasks woken by bare
futures (waiters), and aiolimiter and pyrate-limiter if they are installed. Contenders of a question take turns, because
other processes may use the machine.

    python benchmarks/limiter.py [--json] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import gc
import importlib.util
import json
import random
import statistics
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable

import limiter_models  # these two are beside this script
import limiter_redis

from gradient_async._io.rate_limit.limiter import RateLimiter
from gradient_async._protocol.rate_limit.bucket import RollingTokenBucket
from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.models.response_meta import RateLimitInfo

DOCUMENTED = [(250, 60.0), (5000, 3600.0)]
ROOMY = [(1_000_000, 60.0), (10_000_000, 3600.0)]
TIERS = {
    "the key binds": {"large": 120, "middle": 60, "small": 12},
    "models bind": {"large": 40, "middle": 20, "small": 12},
}
"""Requests per minute of each model."""
HOURS, LATENCY = 2, 0.24
ACQUIRES, WAITERS = 50_000, 10_000

Acquire = Callable[[], Awaitable[object]]
Measure = Callable[[], Awaitable[float]]


class Service:
    """Model of the service: counts every admitted request for exactly one window from its arrival."""

    def __init__(self) -> None:
        self.windows = [(capacity, period, deque[float]()) for capacity, period in DOCUMENTED]

    def admits(self, at: float) -> bool:
        """Whether a request that arrives at *at* is admitted; if so, count it."""
        for _, period, times in self.windows:
            while times and at - times[0] >= period:
                times.popleft()
        if any(len(times) >= capacity for capacity, _, times in self.windows):
            return False
        for _, _, times in self.windows:
            times.append(at)
        return True


class Refilling:
    """The textbook token bucket: one token per request of the window, refilled at a constant rate."""

    def __init__(self) -> None:
        self.levels = [[float(capacity), 0.0] for capacity, _ in DOCUMENTED]

    def reserve(self, now: float) -> float:
        """Take a token and return 0.0, or return the seconds until one is free."""
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


def simulate_saturation(reserve: Callable[[float], float]) -> dict[str, float]:
    """Simulate two hours of sending as fast as *reserve* allows; a request arrives within LATENCY seconds."""
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
    """Return the CPU microseconds of one acquire."""
    began = time.process_time()
    for _ in range(ACQUIRES):
        await acquire()
    return (time.process_time() - began) / ACQUIRES * 1e6


class Deques:
    """One deque of times per window and no queue: the minimal correct limiter."""

    def __init__(self) -> None:
        self.windows = [(capacity, period, deque[float]()) for capacity, period in ROOMY]

    async def acquire(self) -> None:
        """Count one request, or raise if a window is full."""
        now = asyncio.get_running_loop().time()
        for capacity, period, times in self.windows:
            while times and times[0] + period <= now:
                times.popleft()
            if len(times) >= capacity:
                raise RuntimeError("full")
        for _, _, times in self.windows:
            times.append(now)


def build_own_acquire(*, hold: bool) -> Acquire:
    """Return the acquire that the pipeline calls for every request, or the plain one without *hold*."""
    limiter = RateLimiter(RateLimits(windows=ROOMY))

    async def held() -> None:
        (await limiter.acquire(hold=True, timeout=600.0)).sent()

    return held if hold else limiter.acquire


def build_model_acquire() -> Acquire:
    """Return an acquire for a model that has all three quotas."""
    limiter, now = RateLimiter(RateLimits(windows=ROOMY)), time.monotonic()
    quotas = {"requests": 10**9, "tokens_per_minute": 10**11, "tokens_per_day": 10**12}
    headers = {f"limit_{name}": limit for name, limit in quotas.items()}
    headers |= {f"remaining_{name}": limit - 1 for name, limit in quotas.items()}
    limiter.apply_response(RateLimitInfo(**headers), status=200, sent_at=now, model="m")
    return functools.partial(limiter.acquire, model="m", tokens=500)


async def time_responses() -> float:
    """Return the CPU microseconds to process the headers of a response without news."""
    limiter = RateLimiter()
    for _ in range(240):
        sent_at = (await limiter.acquire()).sent_at
    wall = int(time.time())
    responses = [
        RateLimitInfo(limit=5000, remaining=4990 - n % 200, reset=wall + 3000.0, date=float(wall)) for n in range(200)
    ]
    limiter.apply_response(responses[0], status=200, sent_at=sent_at)
    began = time.process_time()
    for n in range(ACQUIRES):
        limiter.apply_response(responses[n % 200], status=200, sent_at=sent_at)
    return (time.process_time() - began) / ACQUIRES * 1e6


def build_aiolimiter_acquire() -> Acquire:
    """Return an acquire of one aiolimiter per window."""
    from aiolimiter import AsyncLimiter

    minute, hour = (AsyncLimiter(capacity, period) for capacity, period in ROOMY)

    async def both() -> None:
        await minute.acquire()
        await hour.acquire()

    return both


def build_pyrate_acquire() -> Acquire:
    """Return an acquire of a pyrate-limiter with both windows."""
    from pyrate_limiter import InMemoryBucket, Limiter, Rate

    limiter = Limiter(InMemoryBucket([Rate(capacity, int(period * 1000)) for capacity, period in ROOMY]))

    async def acquire() -> None:
        await limiter.try_acquire_async("key")

    return acquire


# CPU per waiter.


async def wake_bare() -> float:
    """Return the CPU microseconds per waiter of bare tasks and futures."""
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
    """Return the CPU microseconds per waiter of `RateLimiter`."""
    limiter = RateLimiter(RateLimits(windows=[(WAITERS, 0.3), (WAITERS * 10, 3600.0)]), guard=0.0)
    for _ in range(WAITERS):
        await limiter.acquire()
    began = time.process_time()
    await asyncio.gather(*(limiter.acquire(timeout=timeout) for _ in range(WAITERS)))
    return (time.process_time() - began) / WAITERS * 1e6


async def wake_aiolimiter() -> float:
    """Return the CPU microseconds per waiter of one aiolimiter."""
    from aiolimiter import AsyncLimiter

    limiter = AsyncLimiter(WAITERS, 0.3)
    for _ in range(WAITERS):
        await limiter.acquire()
    began = time.process_time()
    await asyncio.gather(*(limiter.acquire() for _ in range(WAITERS)))
    return (time.process_time() - began) / WAITERS * 1e6


def medians(contenders: dict[str, Measure], rounds: int) -> dict[str, object]:
    """Return the median of each contender over *rounds* in which they take turns, each in a new event loop."""

    async def once(measure: Measure) -> float:
        return await measure()

    times: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, measure in contenders.items():
            gc.collect()
            times[name].append(asyncio.run(once(measure)))
    return {name: statistics.median(values) for name, values in times.items()}


def without_collector(measure: Measure) -> Measure:
    """Wrap *measure* so that it runs without the garbage collector."""

    async def measured() -> float:
        gc.disable()
        try:
            return await measure()
        finally:
            gc.enable()

    return measured


def is_installed(name: str) -> bool:
    """Whether the package *name* is installed."""
    return importlib.util.find_spec(name) is not None


def list_acquires() -> dict[str, Measure]:
    """Return the contenders for an uncontended acquire."""
    makers: dict[str, Callable[[], Acquire]] = {
        "a deque per window (baseline)": lambda: Deques().acquire,
        "RateLimiter": lambda: build_own_acquire(hold=False),
        "RateLimiter, hold and sent": lambda: build_own_acquire(hold=True),
        "RateLimiter, a model with quotas": build_model_acquire,
    }
    if is_installed("aiolimiter"):
        makers["aiolimiter, two nested"] = build_aiolimiter_acquire
    if is_installed("pyrate_limiter"):
        makers["pyrate-limiter"] = build_pyrate_acquire
    return {name: lambda make=make: time_acquires(make()) for name, make in makers.items()}  # type: ignore[misc]  # mypy and defaults


def list_waits() -> dict[str, Measure]:
    """Return the contenders with 10,000 waiters."""
    contenders: dict[str, Measure] = {
        "bare tasks and futures (baseline)": wake_bare,
        "RateLimiter": lambda: wake_ours(None),
        "RateLimiter, with a timeout": lambda: wake_ours(600.0),
    }
    if is_installed("aiolimiter"):
        contenders["aiolimiter, one window"] = wake_aiolimiter
    return contenders


def measure_redis(rounds: int) -> dict[str, dict[str, object]]:
    """Return the numbers of `RedisLimiter`, none without redis-server."""
    if not limiter_redis.is_installed():
        return {}
    with limiter_redis.run_server() as url:
        return {
            **limiter_redis.measure_acquires(url, rounds),
            "eight saturated processes over Redis": {"RedisLimiter": limiter_redis.measure_shares(url)},
        }


def measure(rounds: int) -> dict[str, dict[str, object]]:
    """Return every number by question and contender."""
    without = {name: without_collector(wait) for name, wait in list_waits().items()}
    return {
        "two saturated hours": {
            "refilling bucket (baseline)": simulate_saturation(Refilling().reserve),
            "RollingTokenBucket": simulate_saturation(RollingTokenBucket(DOCUMENTED).reserve),
            "RollingTokenBucket, guard=0": simulate_saturation(RollingTokenBucket(DOCUMENTED, guard=0.0).reserve),
        },
        "two saturated hours of three models and two agents": {
            f"RateLimiter, {name}": limiter_models.simulate_models(tiers, lambda: Service().admits, DOCUMENTED[1][0])
            for name, tiers in TIERS.items()
        },
        "CPU of an uncontended acquire, us": medians(list_acquires(), rounds),
        "CPU of a response without news, us": medians({"RateLimiter.apply_response": time_responses}, rounds),
        f"CPU per waiter when {WAITERS:,} wait, us": medians(list_waits(), rounds),
        "the same without the garbage collector, us": medians(without, rounds),
        **measure_redis(rounds),
    }


def print_tables(results: dict[str, dict[str, object]]) -> None:
    """Print one table per question; the first row is the baseline."""
    for title, rows in results.items():
        print(f"\n{title}")
        first = next(iter(rows.values()))
        for name, value in rows.items():
            if isinstance(value, dict):
                served = f"  served {value['least']} to {value['most']} each" if "least" in value else ""
                counts = f"sent {value['sent']:6}  refused {value['refused']:6}  used {value['used']:7.2%}"
                print(f"  {name:34} {counts}{served}")
            elif isinstance(value, float) and isinstance(first, float):
                print(f"  {name:34} {value:8.2f}  x{value / first:.2f}")


def main() -> None:
    """Measure, and print in the format that the command line selects."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--rounds", type=int, default=5, help="number of rounds, of which the median counts")
    options = parser.parse_args()
    results = measure(options.rounds)
    if options.json:
        json.dump(results, sys.stdout, indent=2)
    else:
        print_tables(results)


if __name__ == "__main__":
    main()
