"""The part of `limiter.py` about `RedisLimiter`: cost of an acquire, and shares of eight saturated processes.

Starts a redis-server of its own on loopback, without persistence. The baseline of an acquire is a bare EVALSHA: the
same script with the same message, with or without model tokens, called by redis-py alone. Every turn of either begins
with an empty Redis, because each process that was ever there makes a call longer. The processes send as fast as they
can, and a request counts from its sending, as in a session; the service is a model that counts each for exactly one
window.
"""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from typing import Any

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APITimeoutError
from gradient_async.limits import RedisLimiter
from gradient_async.limits.redis.lua_script import EXCHANGE
from gradient_async.limits.redis.messages import BudgetTerms, Exchange

ROOMY = [(1_000_000, 60.0), (10_000_000, 3600.0)]
ACQUIRES, CALLERS = 640, 64
TOKENS, COST = 10**12, 1000
"""Limit of the model tokens in a minute, and those of one request."""
TURNS = 6
"""Turns of the contenders in a round: short ones, because another process slows down a turn, not a contender."""
PROCESSES, WINDOW, GUARD, SECONDS = 8, (250, 5.0), 0.02, 30.0
"""Six windows: the process that starts first may take the whole first one, and the others have theirs afterwards."""


def is_installed() -> bool:
    """Whether there is a redis-server to measure with."""
    return shutil.which("redis-server") is not None


@contextlib.contextmanager
def run_server() -> Iterator[str]:
    """Run a redis-server, and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    with tempfile.TemporaryDirectory() as folder:
        server = subprocess.Popen([*command, "--dir", folder], stdout=subprocess.DEVNULL)
        try:
            for _ in range(200):
                with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 0.1):
                    break
                time.sleep(0.02)
            yield f"redis://127.0.0.1:{port}/0"
        finally:
            server.kill()
            server.wait()


# Cost of an acquire.


def build_message(seq: int, *, has_tokens: bool) -> str:
    """Return the message of an acquire, for a server whose clock is that of this machine."""
    windows, costs = [(capacity, period + GUARD) for capacity, period in ROOMY], [COST] if has_tokens else []
    tokens = (TOKENS, 60.0 + GUARD) if has_tokens else None
    terms = BudgetTerms(key="bare", windows=windows, answered=seq - 1, demand=1, tokens=tokens)
    message = Exchange(
        process="bare", seq=seq, wanted=1, hold=False, expected=time.time(), budgets=[terms], costs=costs
    )
    return message.to_json()


async def time_bare_calls(url: str, *, has_tokens: bool = False) -> float:
    """Return the microseconds of one bare EVALSHA."""
    import redis.asyncio

    async with redis.asyncio.Redis.from_url(url, socket_timeout=None, socket_connect_timeout=None) as client:
        sha = await client.script_load(EXCHANGE)
        messages = [build_message(seq, has_tokens=has_tokens) for seq in range(1, ACQUIRES + 1)]
        began = time.perf_counter()
        for message in messages:
            await client.evalsha(sha, 1, "bare", message)
        return (time.perf_counter() - began) / ACQUIRES * 1e6


async def time_shared_acquires(url: str, callers: int, *, has_tokens: bool = False) -> float:
    """Return the microseconds of one acquire while *callers* acquire all the time."""
    limits = RateLimits(windows=ROOMY, tokens_per_minute=TOKENS if has_tokens else None)
    limiter = RedisLimiter(url, limits=limits, when_down="fail_closed")

    async def acquire_all() -> None:
        for _ in range(ACQUIRES // callers):
            await limiter.acquire(tokens=COST)

    await limiter.acquire()
    began = time.perf_counter()
    await asyncio.gather(*(acquire_all() for _ in range(callers)))
    elapsed = time.perf_counter() - began
    await limiter.aclose()
    return elapsed / (ACQUIRES // callers * callers) * 1e6


def measure_acquires(url: str, rounds: int) -> dict[str, dict[str, object]]:
    """Return the median of each contender over *rounds* in which they take turns, by question."""
    import redis

    contenders: dict[str, dict[str, Callable[[], Coroutine[object, object, float]]]] = {
        "one acquire over Redis, us": {
            "bare EVALSHA (baseline)": lambda: time_bare_calls(url),
            "RedisLimiter, one caller": lambda: time_shared_acquires(url, 1),
            f"RedisLimiter, {CALLERS} callers": lambda: time_shared_acquires(url, CALLERS),
        },
        "one acquire with model tokens over Redis, us": {
            "bare EVALSHA (baseline)": lambda: time_bare_calls(url, has_tokens=True),
            "RedisLimiter, one caller": lambda: time_shared_acquires(url, 1, has_tokens=True),
        },
    }
    times: dict[str, dict[str, list[float]]] = {
        title: {name: [] for name in rows} for title, rows in contenders.items()
    }
    turns = [(title, name, measure) for title, rows in contenders.items() for name, measure in rows.items()]
    with redis.Redis.from_url(url) as client:
        for title, name, measure in turns * (rounds * TURNS):
            client.flushall()
            times[title][name].append(asyncio.run(measure()))
    return {title: {name: statistics.median(values) for name, values in rows.items()} for title, rows in times.items()}


# Shares of processes.


def acquire_for_seconds(url: str, barrier: Barrier, queue: Queue[list[float]]) -> None:
    """Send requests with 50 callers in this process; put the times of all into *queue*."""
    times: list[float] = []

    async def work(limiter: RedisLimiter, until: float) -> None:
        while (left := until - time.time()) > 0:
            with contextlib.suppress(APITimeoutError):
                permit = await limiter.acquire(timeout=left, hold=True)
                permit.sent()
                times.append(time.time())

    async def run_callers() -> None:
        limiter = RedisLimiter(url, limits=RateLimits(windows=[WINDOW]), key="shares", guard=GUARD)
        until = time.time() + SECONDS
        await asyncio.gather(*(work(limiter, until) for _ in range(50)))
        await limiter.aclose()

    barrier.wait(60)
    asyncio.run(run_callers())
    queue.put(times)


def measure_shares(url: str) -> dict[str, Any]:
    """Return the refusals, the utilisation, and the least and the most that one of the processes was served."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[list[float]] = context.Queue()
    args = (url, context.Barrier(PROCESSES), queue)
    processes = [context.Process(target=acquire_for_seconds, args=args) for _ in range(PROCESSES)]
    for process in processes:
        process.start()
    sent = [queue.get(timeout=120) for _ in processes]
    for process in processes:
        process.join()
    end = min(at for each in sent for at in each) + SECONDS  # of the first process that began
    times, (capacity, period) = sorted(at for each in sent for at in each if at < end), WINDOW
    served = sorted(sum(at < end for at in each) for each in sent)
    used = len(times) / (capacity * (int(SECONDS // (period + GUARD)) + 1))
    return {
        "sent": len(times),
        "refused": sum(later - at < period for at, later in zip(times, times[capacity:], strict=False)),
        "used": used,
        "unused": 1 - used,
        "least": served[0],
        "most": served[-1],
        "most to least": served[-1] / served[0],
    }
