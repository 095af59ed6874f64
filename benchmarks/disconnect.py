"""Delay from the disconnect of a web client to the close of the upstream connection.

A web client calls one of the applications in examples/, or the gateway of ``gradient-async proxy``, which call the
server; then the client disconnects. The time is measured until the server sees its connection close. A stream is left
after its first event, a whole response before it begins.

    python benchmarks/disconnect.py [--quick] [--json]
"""

from __future__ import annotations

import importlib
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import attrs
from clients import KEY
from gateway import run_gateway
from harness import HERE, Goal, Row, Server, main, run_server

APPS = ("aiohttp_app", "fastapi_app", "litestar_app")
GATEWAY = "gateway"
GATEWAY_PATH = "/v1/chat/completions"
UPSTREAM = {"/stream": "paced/1000000/100", "/chat": "slow/60000"}
BODY = b'{"messages":[{"role":"user","content":"Hello"}]}'
PATIENCE_SECONDS = 5.0
STEP_SECONDS = 0.002
GOAL = {"median": Goal(50, "ms"), "longest": Goal(100, "ms")}


@attrs.frozen
class Size:
    """Amount of work in one run."""

    clients: int
    apps: tuple[str, ...] = (*APPS, GATEWAY)


def serve_example(name: str) -> None:
    """Serve an example on a free port, and print the port."""
    sys.path.insert(0, str(HERE.parent / "examples"))
    module = importlib.import_module(name)
    listening = socket.create_server(("127.0.0.1", 0))
    print(listening.getsockname()[1], flush=True)
    if name == "aiohttp_app":
        from aiohttp import web

        web.run_app(module.application(), sock=listening, handler_cancellation=True, print=None)
        return
    import uvicorn

    uvicorn.Server(uvicorn.Config(module.app, log_level="error", loop="asyncio")).run(sockets=[listening])


@contextmanager
def run_application(name: str, upstream: str) -> Iterator[int]:
    """Run the gateway, or `serve_example`, in a separate process; yield its port."""
    if name == GATEWAY:
        with run_gateway(upstream) as address:
            yield urlsplit(address).port or 0
        return
    environ = os.environ | {"GRADIENT_INFERENCE_ENDPOINT": upstream, "MODEL_ACCESS_KEY": KEY}
    command = [sys.executable, __file__, "--serve", name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


def wait_for_count(running: Server, name: str, count: float) -> dict[str, float]:
    """Wait until the counter *name* of the server has reached *count*, and return all counters.

    Raises:
        RuntimeError: The counter stayed below *count*.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    while (stats := running.stats())[name] < count:
        if time.monotonic() > until:
            raise RuntimeError(f"{name} stayed at {stats[name]}; expected {count}")
        time.sleep(STEP_SECONDS)
    return stats


def time_upstream_close(running: Server, port: int, path: str, *, is_stream: bool) -> float:
    """Return the milliseconds from the disconnect of a client to the close of the upstream connection."""
    before = running.stats()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(BODY)}\r\n"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as client:
        client.sendall(head.encode() + b"Content-Type: application/json\r\n\r\n" + BODY)
        wait_for_count(running, "requests", before["requests"] + 1)
        received = b""
        while is_stream and b"data:" not in received:
            received += client.recv(65_536)
        left_at = time.monotonic_ns()
    return (wait_for_count(running, "lost", before["lost"] + 1)["lost_at"] - left_at) / 1e6


async def measure(size: Size) -> list[Row]:
    """Return the rows of each application."""
    rows: list[Row] = []
    with run_server() as running:
        for name in size.apps:
            for path, behaviour in UPSTREAM.items():
                called, is_stream = GATEWAY_PATH if name == GATEWAY else path, path == "/stream"
                with run_application(name, running.url(behaviour)) as port:
                    times = [
                        time_upstream_close(running, port, called, is_stream=is_stream) for _ in range(size.clients)
                    ]
                what = f"{name} {path}, client gone"
                rows.append(Row(f"{what}, median", "ms", statistics.median(times), goal=GOAL["median"]))
                rows.append(Row(f"{what}, longest", "ms", max(times), goal=GOAL["longest"]))
    return rows


if __name__ == "__main__":
    if sys.argv[1:2] == ["--serve"]:
        serve_example(sys.argv[2])
    else:
        main(measure, full=Size(50), quick=Size(15), tiny=Size(1, APPS[:1]))
