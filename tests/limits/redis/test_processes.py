"""One budget of several processes."""

import asyncio
import contextlib
import multiprocessing
import time
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier

import redis

from gradient_async._protocol.rate_limit.rate_limits import RateLimits
from gradient_async.errors import APITimeoutError
from gradient_async.limits import RedisLimiter

PERIOD, CAPACITY, SECONDS = 1.0, 120, 5.0


def acquire_for_seconds(url: str, key: str, barrier: Barrier, queue: "Queue[list[float]]") -> None:
    """Acquire permits with 15 workers in this process; put the times of all grants into *queue*."""
    barrier.wait(60)  # a process that is still importing would get no permit
    until = time.time() + SECONDS
    times: list[float] = []

    async def work(limiter: RedisLimiter) -> None:
        while time.time() < until:
            with contextlib.suppress(APITimeoutError):
                await limiter.acquire(timeout=max(0.0, until - time.time()))
                times.append(time.time())
                await asyncio.sleep(0.1)  # the request; meanwhile other processes get permits of this burst

    async def run_workers() -> None:
        limits = RateLimits(windows=[(CAPACITY, PERIOD), (CAPACITY * 100, 100.0)])
        limiter = RedisLimiter(url, limits=limits, key=key, guard=0.02)
        await asyncio.gather(*(work(limiter) for _ in range(15)))
        await limiter.aclose()

    asyncio.run(run_workers())
    queue.put(times)


def test_six_processes_share_the_window_fairly_and_never_exceed_it(url: str, key: str) -> None:
    context = multiprocessing.get_context("spawn")
    queue: Queue[list[float]] = context.Queue()
    args = (url, key, context.Barrier(6), queue)
    processes = [context.Process(target=acquire_for_seconds, args=args) for _ in range(6)]
    for process in processes:
        process.start()
    grants = [queue.get(timeout=90) for _ in processes]
    for process in processes:
        process.join()
    with redis.Redis.from_url(url) as client:
        scores = client.zrange(f"{{gradient-async:{key}}}:v2", 0, -1, withscores=True)
    sent_times = [score / 1e6 for _, score in scores if score > 0]
    spans = [later - earlier for earlier, later in zip(sent_times, sent_times[CAPACITY:], strict=False)]
    assert all(span >= PERIOD for span in spans)
    assert len(sent_times) >= sum(map(len, grants))
    assert min(map(len, grants)) >= max(map(len, grants)) / 2
