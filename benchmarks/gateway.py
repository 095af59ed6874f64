"""What the gateway of ``gradient-async proxy`` adds to a direct call, and how many requests a second pass it.

The client writes prepared requests and reads each response to its end, over 64 warm connections, so that its own cost
is small. Latency is measured against a response that takes 100 ms, with the requests spread evenly over that time, and
is the median of all requests; the rate against a response that comes at once. The gateway runs in a process of its own,
with a limiter that never makes a request wait.

    python benchmarks/gateway.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import attrs
from clients import KEY
from harness import Goal, Median, Row, main, measure_medians, run_server

from gradient_async import AsyncSession, RateLimits
from gradient_async.gateway.server import Gateway

IN_FLIGHT = 64
SLOW_SECONDS = 0.1
BODY = b'{"model":"llama3.3-70b-instruct","messages":[{"role":"user","content":"Hello"}],"temperature":0.5}'
ADDED_LATENCY = Goal(1, "ms")


@attrs.frozen
class Size:
    """Amount of work in one run: requests for each connection, and rounds."""

    slow_requests: int
    fast_requests: int
    rounds: int


async def serve_gateway() -> None:
    """Serve a gateway in front of the address in the environment, print its port, and wait for the end of stdin."""
    limits = RateLimits(per_minute=10**9, per_hour=10**9)
    async with AsyncSession(limits=limits) as session, Gateway(session) as gateway:
        print((await gateway.listen("127.0.0.1", 0)).rpartition(":")[2], flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def run_gateway(upstream: str) -> Iterator[str]:
    """Run `serve_gateway` in a separate process; yield its address."""
    environ = os.environ | {"GRADIENT_INFERENCE_ENDPOINT": upstream, "MODEL_ACCESS_KEY": KEY}
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.stdin.close()


async def send_requests(address: str, times: int, delay: float = 0.0) -> list[float]:
    """Send *times* requests over one connection, *delay* seconds after the one that opens it; return their seconds."""
    parts = urlsplit(address)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    head = f"POST {parts.path}/v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
    request = head.encode() + b"Authorization: Bearer k\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY
    seconds: list[float] = []
    for _ in range(times + 1):
        began = time.perf_counter()
        writer.write(request)
        headers = (await reader.readuntil(b"\r\n\r\n")).lower()
        await reader.readexactly(int(headers.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
        if not seconds:
            await asyncio.sleep(delay)
        seconds.append(time.perf_counter() - began)
    writer.close()
    return seconds[1:]


async def measure_latency(address: str, times: int) -> float:
    """Return the median duration of a request, in milliseconds."""
    delays = [SLOW_SECONDS * number / IN_FLIGHT for number in range(IN_FLIGHT)]
    results = await asyncio.gather(*(send_requests(address, times, delay) for delay in delays))
    return statistics.median([seconds for result in results for seconds in result]) * 1000


async def measure_rate(address: str, times: int) -> float:
    """Return the number of requests per second."""
    began = time.perf_counter()
    await asyncio.gather(*(send_requests(address, times) for _ in range(IN_FLIGHT)))
    return IN_FLIGHT * (times + 1) / (time.perf_counter() - began)


async def compare_ways(address: str, measure: Callable[[str], Awaitable[float]], rounds: int) -> dict[str, Median]:
    """Return the medians of *measure* through a gateway in front of *address*, and directly."""
    with run_gateway(address) as gateway:
        return await measure_medians({"gateway": lambda: measure(gateway), "direct": lambda: measure(address)}, rounds)


async def measure(size: Size) -> list[Row]:
    """Return the rows of latency and rate."""
    with run_server() as running:
        slow, fast = running.url(f"slow/{SLOW_SECONDS * 1000:g}"), running.url("json")
        latencies = await compare_ways(slow, lambda url: measure_latency(url, size.slow_requests), size.rounds)
        rates = await compare_ways(fast, lambda url: measure_rate(url, size.fast_requests), size.rounds)
    added = latencies["gateway"] - latencies["direct"]
    what = f"gateway, {IN_FLIGHT} in flight"
    return [
        Row(f"{what}, added to the median latency", "ms", added, goal=ADDED_LATENCY),
        Row(f"{what}, requests a second", "1/s", rates["gateway"], "direct", rates["direct"]),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve_gateway())
    else:
        main(measure, full=Size(40, 100, 5), quick=Size(15, 40, 3), tiny=Size(1, 1, 1))
