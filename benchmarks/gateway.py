"""What the gateway of ``gradient-async proxy`` adds to a direct call, and how many requests a second pass it.

The client writes prepared requests and reads each response to its end, over warm connections, so that its own cost is
small. Latency is the median over requests whose responses take 100 ms. Their callers begin evenly spread, and pause for
up to 20 ms between requests: otherwise callers that the gateway once served one after the other would stay together,
because all responses take the same time. There are 70 of them, so that 64 requests are in flight on average. The time
for a request is measured with 64 callers, no pauses and responses that come at once, so that the gateway is never idle.
The gateway runs in a process of its own, with a limiter that never makes a request wait. Latency is measured with
processors that are kept awake.

LiteLLM's proxy is measured in the same rounds where the variable LITELLM_PROXY has the path of its command. It needs
other versions of many packages, so install it in an environment of its own:

    python -m venv /tmp/litellm && /tmp/litellm/bin/pip install 'litellm[proxy]==1.100.5'
    LITELLM_PROXY=/tmp/litellm/bin/litellm python benchmarks/gateway.py [--quick] [--json]
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import attrs
from clients import KEY, MODEL
from harness import (
    Goal,
    Median,
    Row,
    compare_rows,
    keep_processors_awake,
    main,
    measure_medians,
    print_note,
    run_server,
)

from gradient_async import AsyncSession, RateLimits
from gradient_async.gateway.server import Gateway

IN_FLIGHT = 64
SLOW_SECONDS = 0.1
PAUSE_SECONDS = 0.02
PAUSING_CALLERS = round(IN_FLIGHT * (1 + PAUSE_SECONDS / 2 / SLOW_SECONDS))
BODY = b'{"model":"%b","messages":[{"role":"user","content":"Hello"}],"temperature":0.5}' % MODEL.encode()
ADDED_LATENCY = Goal(1, "ms")
LITELLM = "LiteLLM"
LITELLM_COMMAND = "LITELLM_PROXY"
"""Name of the variable with the path of LiteLLM's command; its proxy is left out without it."""
LITELLM_SECONDS = 120
GOALS = {LITELLM: Goal(1 / 20)}


@attrs.frozen
class Size:
    """Amount of work in one run: requests for each connection, fewer for LiteLLM, and rounds."""

    slow_requests: int
    fast_requests: int
    litellm_requests: int
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


@contextmanager
def run_litellm(command: str, upstream: str) -> Iterator[str]:
    """Run LiteLLM's proxy, with one worker, in front of *upstream*; yield its address."""
    model = {"model": f"openai/{MODEL}", "api_base": f"{upstream}/v1", "api_key": KEY}
    config = {"model_list": [{"model_name": MODEL, "litellm_params": model}], "litellm_settings": {"telemetry": False}}
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environ |= {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR"}  # else it fetches a list of prices
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "config.yaml")
        path.write_text(json.dumps(config), encoding="utf-8")
        arguments = [command, "--config", str(path), "--host", "127.0.0.1", "--port", str(port)]
        with subprocess.Popen(
            arguments, env=environ, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        ) as process:
            try:
                wait_for_port(port, process)
                yield f"http://127.0.0.1:{port}"
            finally:
                process.terminate()


def wait_for_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Wait until *process* takes connections on *port*.

    Raises:
        RuntimeError: It ended, or takes none in time.
    """
    until = time.monotonic() + LITELLM_SECONDS
    while time.monotonic() < until and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError(f"{process.args!r} does not listen on port {port}.")


async def send_requests(address: str, times: int, *, delay: float = 0.0, pause: float = 0.0) -> list[float]:
    """Send *times* requests over one connection, after one that opens it; return their seconds.

    Args:
        address: Address of the service.
        times: Number of requests.
        delay: Seconds between the opening request and the others.
        pause: Longest pause between two of the others, in seconds.
    """
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
        seconds.append(time.perf_counter() - began)
        if wait := delay if len(seconds) == 1 else random.uniform(0, pause):
            await asyncio.sleep(wait)
    writer.close()
    return seconds[1:]


async def measure_latency(address: str, times: int) -> float:
    """Return the median duration of a request, in milliseconds."""
    delays = [SLOW_SECONDS * number / PAUSING_CALLERS for number in range(PAUSING_CALLERS)]
    callers = (send_requests(address, times, delay=delay, pause=PAUSE_SECONDS) for delay in delays)
    results = await asyncio.gather(*callers)
    return statistics.median([seconds for result in results for seconds in result]) * 1000


async def measure_cost(address: str, times: int) -> float:
    """Return the duration of all requests divided by their number, in microseconds."""
    began = time.perf_counter()
    await asyncio.gather(*(send_requests(address, times) for _ in range(IN_FLIGHT)))
    return (time.perf_counter() - began) / (IN_FLIGHT * (times + 1)) * 1e6


async def compare_ways(
    address: str, measure: Callable[[str, int], Awaitable[float]], times: int, size: Size
) -> dict[str, Median]:
    """Return the medians of *measure* through each gateway in front of *address*, and directly."""
    with ExitStack() as stack:
        ways = {"gateway": (stack.enter_context(run_gateway(address)), times)}
        if command := os.environ.get(LITELLM_COMMAND):
            ways[LITELLM] = (stack.enter_context(run_litellm(command, address)), size.litellm_requests)
        ways["direct"] = (address, times)
        return await measure_medians({name: partial(measure, *way) for name, way in ways.items()}, size.rounds)


def subtract_rounds(ours: Median, direct: Median) -> Median:
    """Return what *ours* took longer than *direct* in each round."""
    return Median(mine - theirs for mine, theirs in zip(ours.rounds, direct.rounds, strict=True))


async def measure(size: Size) -> list[Row]:
    """Return the rows of latency and of the time for a request."""
    if LITELLM_COMMAND not in os.environ:
        print_note(f"{LITELLM} is left out: {LITELLM_COMMAND} does not name its command")
    with run_server() as running:
        slow, fast = running.url(f"slow/{SLOW_SECONDS * 1000:g}"), running.url("json")
        with keep_processors_awake():
            latencies = await compare_ways(slow, measure_latency, size.slow_requests, size)
        costs = await compare_ways(fast, measure_cost, size.fast_requests, size)
    direct = latencies.pop("direct")
    added = {name: subtract_rounds(latency, direct) for name, latency in latencies.items()}
    what = f"gateway, {IN_FLIGHT} in flight"
    return [
        *compare_rows(f"{what}, added to the median latency", "ms", added, {"": ADDED_LATENCY}),
        *compare_rows(f"{what}, time for a request", "us", costs, GOALS),
    ]


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        asyncio.run(serve_gateway())
    else:
        main(measure, full=Size(40, 100, 10, 5), quick=Size(15, 40, 3, 3), tiny=Size(1, 1, 1, 1))
